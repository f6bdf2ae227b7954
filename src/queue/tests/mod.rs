//! The queue against servers that are told what to do: what goes where, in which order, and what is made of the answers.

mod delivery;
mod faults;
mod reports;
mod routes;
mod signing;
mod world;
