//! Telling systemd how far we are: one datagram, so it needs no library.

use nix::time::{ClockId, clock_gettime};
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Everything listens.
    Ready,
    Reloading,
    Stopping,
}

/// Does nothing when nobody asked to be told.
pub fn notify(state: State) -> io::Result<()> {
    match env::var_os("NOTIFY_SOCKET") {
        Some(socket) if !socket.is_empty() => send(&socket, state),
        _ => Ok(()),
    }
}

fn send(socket: &OsStr, state: State) -> io::Result<()> {
    // A leading @ stands for the zero octet of an abstract name.
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message(state)?.as_bytes(), &address).map(|_| ())
}

fn message(state: State) -> io::Result<String> {
    Ok(match state {
        State::Ready => "READY=1".to_owned(),
        State::Stopping => "STOPPING=1".to_owned(),
        State::Reloading => {
            // The time orders this against the READY that ends it.
            let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
            let micros = i128::from(now.tv_sec()) * 1_000_000 + i128::from(now.tv_nsec()) / 1000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut octets = [0; 200];
        let count = socket.recv(&mut octets).unwrap();
        String::from_utf8_lossy(&octets[..count]).into_owned()
    }

    #[test]
    fn paths_and_abstract_names_are_reached() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), State::Ready).unwrap();
        assert_eq!(received(&by_path), "READY=1");
        send(path.as_os_str(), State::Reloading).unwrap();
        assert!(received(&by_path).starts_with("RELOADING=1\nMONOTONIC_USEC="));

        let name = format!("posthouse-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), State::Stopping).unwrap();
        assert_eq!(received(&by_name), "STOPPING=1");
    }
}
