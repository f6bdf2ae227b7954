//! Scripts edited from outside, through a whole server.

mod clients;
mod composition;
mod hostile;
mod logins;
mod written;
