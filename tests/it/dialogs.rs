//! Conversations with the sessions over real sockets, one behaviour in each file below `dialogs/`.

mod client;
mod imap;
mod managesieve;
mod smtp;
