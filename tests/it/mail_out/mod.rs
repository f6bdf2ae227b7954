//! Mail on its way out of a whole server, to servers on loopback that do as they are told.

mod first;
mod forwarding;
mod holds;
mod hostile;
mod kills;
mod many;
mod names;
mod odd;
mod order;
mod postfix;
mod queue;
mod split;
mod trace;
