//! Conversations with the server's sessions over real sockets, one behaviour in each file below `dialogs/`.

mod imap;
mod smtp;
