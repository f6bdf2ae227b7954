//! Libraries of Python that drive or judge the server.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// An interpreter that can import `modules`: the gate makes one in `python` below the target directory, at home the
/// system's may do. None: it is not there, which is told, and is a fault in the gate.
#[allow(clippy::print_stderr)] // a test that was not run has to say so
pub fn with(modules: &str) -> Option<Command> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("python").join("bin/python3");
    let candidates = [own.as_os_str(), OsStr::new("python3"), OsStr::new("/usr/bin/python3")];
    let can_import = |python: &&OsStr| {
        let mut asking = Command::new(python);
        asking.arg("-c").arg(format!("import {modules}")).stdout(Stdio::null()).stderr(Stdio::null());
        asking.status().is_ok_and(|status| status.success())
    };
    let found = candidates.into_iter().find(can_import);
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "{modules} for Python is missing");
    if found.is_none() {
        eprintln!("SKIPPED: {modules} for Python is not installed");
    }
    found.map(Command::new)
}
