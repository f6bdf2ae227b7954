//! Memory for what is large and short-lived.
//!
//! The C library's allocator keeps what a thread has freed for that thread, and after the first large piece it treats all
//! pieces up to 32 MiB so: a server that has looked at one message of 20 MB keeps 20 MB for good, or twice that. Larger
//! pieces always come from the system and go back to it at once. So who needs much asks for more than that; pages that
//! are never written to are never there.

/// Above this nothing is kept.
const KEPT_OCTETS_MAX: usize = 32 * 1024 * 1024;
/// Below this it does not matter.
const SMALL_OCTETS_MAX: usize = 1024 * 1024;

/// The capacity to ask for if so many octets are to go in for a while.
pub const fn roomy(octets: usize) -> usize {
    if octets <= SMALL_OCTETS_MAX || octets > KEPT_OCTETS_MAX { octets } else { KEPT_OCTETS_MAX + 4096 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_and_too_much_for_the_allocator() {
        for octets in [0, 1, 1000, SMALL_OCTETS_MAX, SMALL_OCTETS_MAX + 1, KEPT_OCTETS_MAX, KEPT_OCTETS_MAX + 1] {
            assert!(roomy(octets) >= octets);
            assert!(roomy(octets) <= SMALL_OCTETS_MAX || roomy(octets) > KEPT_OCTETS_MAX);
        }
    }
}
