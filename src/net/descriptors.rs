//! How many connections and files the machine lets us have open.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_it_says() {
        let told = raise_descriptor_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap().0, told);
        assert_eq!(raise_descriptor_limit().unwrap(), told);
    }
}
