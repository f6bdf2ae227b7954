//! Where connections come in: TCP for both families, and Unix sockets.

use crate::types::ListenAddress;
use crate::types::limits::LISTEN_BACKLOG;
use socket2::{Domain as Family, Protocol, Socket, Type};
use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

#[derive(Debug)]
pub struct BindError {
    pub address: ListenAddress,
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = match self.error.kind() {
            io::ErrorKind::PermissionDenied => {
                ": ports below 1024 need root or CAP_NET_BIND_SERVICE, a socket's directory must be writable"
            }
            io::ErrorKind::AddrInUse => ": another program listens there",
            io::ErrorKind::AddrNotAvailable => ": this machine does not have the address",
            _ => "",
        };
        write!(formatter, "can't listen on {}: {}{hint}", self.address, self.error)
    }
}

impl std::error::Error for BindError {}

/// Bound, and holding connections back until it is served.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: ListenSocket,
    address: ListenAddress,
}

#[derive(Debug)]
pub(super) enum ListenSocket {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// Removed with the listener, so that nobody connects to a server that is gone.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    /// `unix_mode` is for sockets in the file system. Paths must be whole already.
    pub fn bind(address: &ListenAddress, unix_mode: u32) -> Result<Self, BindError> {
        let bound = match address {
            ListenAddress::Socket(socket) => bind_tcp(*socket),
            ListenAddress::Unix(path) => bind_unix(path, unix_mode),
        };
        bound.map_err(|error| BindError { address: address.clone(), error })
    }

    /// What it is bound to: the port the machine chose where 0 was asked for.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let bound = match bind_socket(address) {
        // [::] means everything there is; on a machine without IPv6 that is IPv4.
        Err(error) if address.is_ipv6() && address.ip().is_unspecified() && lacks_ipv6(&error) => {
            bind_socket((Ipv4Addr::UNSPECIFIED, address.port()).into())?
        }
        outcome => outcome?,
    };
    let listener = TcpListener::from_std(bound.into())?;
    let address = ListenAddress::Socket(listener.local_addr()?);
    Ok(Listener { socket: ListenSocket::Tcp(listener), address })
}

fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(nix::errno::Errno::EAFNOSUPPORT as i32)
}

fn bind_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Family::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Without it a restart would have to wait for the last sessions' remains to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket)
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    // A server that was killed leaves its file. Whether it is one is asked by knocking; a file that is no socket stays.
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        match BlockingUnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(Listener { socket: ListenSocket::Unix { listener, _file: file }, address: ListenAddress::Unix(path.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket_address(text: &str) -> ListenAddress {
        ListenAddress::parse(text).unwrap()
    }

    #[tokio::test]
    async fn port_0_is_chosen_and_told() {
        let listener = Listener::bind(&socket_address("127.0.0.1:0"), 0o600).unwrap();
        let ListenAddress::Socket(address) = *listener.address() else { panic!() };
        assert_ne!(address.port(), 0);
        let taken = Listener::bind(&ListenAddress::Socket(address), 0o600).unwrap_err();
        assert!(taken.to_string().contains("another program"), "{taken}");
        tokio::net::TcpStream::connect(address).await.unwrap();
    }

    #[tokio::test]
    async fn the_unspecified_address_takes_ipv4() {
        let listener = Listener::bind(&socket_address("[::]:0"), 0o600).unwrap();
        let ListenAddress::Socket(address) = *listener.address() else { panic!() };
        tokio::net::TcpStream::connect(("127.0.0.1", address.port())).await.unwrap();
    }

    #[tokio::test]
    async fn a_unix_socket_has_its_mode_and_goes_with_its_listener() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("l.sock");
        let address = ListenAddress::Unix(path.clone());
        let listener = Listener::bind(&address, 0o660).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(Listener::bind(&address, 0o600).unwrap_err().error.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
        // What a killed server leaves behind is no obstacle, what was never a socket is.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(Listener::bind(&address, 0o600).unwrap());
        fs::write(&path, "precious").unwrap();
        assert!(Listener::bind(&address, 0o600).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
