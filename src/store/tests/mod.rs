//! The store's contract: what any engine must keep, and what must survive faults and crashes.

mod caches;
mod contract;
mod crash;
mod credentials;
mod faulty;
mod queue;
pub(in crate::store) mod world;
