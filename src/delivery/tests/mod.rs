//! Deliveries into a real store: what a plan promises is what is there.

mod corners;
mod explained;
mod faults;
mod first;
mod generated;
mod hostile;
mod house;
mod masks;
