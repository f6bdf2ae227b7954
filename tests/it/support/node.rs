//! Libraries of JavaScript that drive the server.

use std::path::Path;
use std::process::{Command, Stdio};

/// An interpreter that finds the library `module`, which the gate puts in `node` below the target directory. None: it is
/// not there, which is told, and is a fault in the gate.
#[allow(clippy::print_stderr)] // a test that was not run has to say so
pub fn with(module: &str) -> Option<Command> {
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("node").join("node_modules").join(module);
    let mut asking = Command::new("node");
    asking.arg("-e").arg("require(process.argv[1])").arg(&library).stdout(Stdio::null()).stderr(Stdio::null());
    let found = asking.status().is_ok_and(|status| status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{module} for Node is missing");
    if !found {
        eprintln!("SKIPPED: {module} for Node is not installed");
        return None;
    }
    let mut command = Command::new("node");
    command.env("LIBRARY", library);
    Some(command)
}
