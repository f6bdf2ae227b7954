//! The control socket: how a command reaches the server that holds the data directory.
//!
//! A Unix socket in the data directory, mode 0600, whose peer must be the server's own user or root. Either side sends
//! frames: a decimal length, a line feed, and that many octets of JSON. A request names an act of `admin` and carries its
//! data; it is answered by any number of `progress` frames and one `done` or `refused`. A connection may ask again after
//! its answer. Passwords cross it in the clear: it leaves neither the machine nor the user, and nothing of it is logged.

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use client::{CallError, Client};
pub use server::own_name;
pub(super) use server::{bind, serve_control};

use crate::admin::Problem;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// In the data directory.
pub const SOCKET_FILE: &str = "control.sock";
/// What the system has room for in a socket's address, less its final zero.
const SOCKET_PATH_OCTETS_MAX: usize = 107;
/// A length has fewer digits.
const LENGTH_OCTETS_MAX: usize = 20;

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    act: String,
    data: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Progress(u64, u64),
    Done(serde_json::Value),
    Refused(Problem),
}

fn frame<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(message)?;
    let mut octets = format!("{}\n", json.len()).into_bytes();
    octets.extend_from_slice(&json);
    Ok(octets)
}

fn length_of(line: &[u8], octets_max: usize) -> Option<usize> {
    let digits = std::str::from_utf8(line).ok()?;
    digits.parse().ok().filter(|length| *length <= octets_max)
}

/// Where the socket is. A directory too deep for a socket's address is reached through an open file of it, which has to
/// stay open as long as the path is used.
struct SocketPath {
    path: PathBuf,
    _directory: Option<File>,
}

impl SocketPath {
    fn of(data: &Path) -> std::io::Result<Self> {
        let path = data.join(SOCKET_FILE);
        if path.as_os_str().len() <= SOCKET_PATH_OCTETS_MAX {
            return Ok(Self { path, _directory: None });
        }
        let directory = File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(SOCKET_FILE);
        Ok(Self { path, _directory: Some(directory) })
    }
}
