//! Mail that comes in, through a whole server: from the socket to the mailbox.

mod dialogs;
mod load;
mod policy;
mod programs;
mod refusals;
mod trust;
