//! How many connections and files the machine lets us have open.

use crate::types::limits::DESCRIPTORS_RESERVED;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// Takes as many as may be taken without asking anybody, and tells how many that are. The default of many systems is 1024,
/// chosen for programs that wait in ways we don't.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// How many connections are taken at a time, if so many are wanted: whoever is one too many hears so, where without a
/// descriptor nobody could be told anything, and no mail could be written.
pub fn connections_that_fit(wanted: usize, descriptors: u64) -> usize {
    let fit = descriptors.saturating_sub(DESCRIPTORS_RESERVED).max(descriptors / 2);
    wanted.min(usize::try_from(fit).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_for_ourselves() {
        for (wanted, descriptors, expected) in
            [(16_384, 65_536, 16_384), (16_384, 4096, 3584), (16_384, 600, 300), (100, 600, 100), (10, 0, 1)]
        {
            assert_eq!(connections_that_fit(wanted, descriptors), expected, "{wanted} of {descriptors}");
        }
    }

    #[test]
    fn the_limit_is_what_it_says() {
        let told = raise_descriptor_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0, told);
        assert_eq!(raise_descriptor_limit().unwrap(), told);
    }
}
