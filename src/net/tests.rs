//! Connections over loopback, as a session uses them.

use super::tls::tests as tls;
use super::*;
use crate::telemetry::Metrics;
use crate::types::{ListenAddress, Network, Networks};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

fn timeouts() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { idle: long, write: long, handshake: long, octets_per_second_min: 1 }
}

fn service() -> Service {
    Service {
        name: "test",
        security: Security::Plain,
        caps: Caps::new(100, 100, Networks::default()),
        proxies: Networks::default(),
        timeouts: timeouts(),
        refusal: b"busy\r\n".to_vec(),
        grace: Duration::from_secs(10),
        metrics: Metrics::new(),
    }
}

struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Running {
    fn start<H, F>(service: Service, handler: H) -> Self
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = Listener::bind(&ListenAddress::parse("127.0.0.1:0").unwrap(), 0o600).unwrap();
        let ListenAddress::Socket(address) = *listener.address() else { panic!() };
        let shutdown = Shutdown::new();
        let task = tokio::spawn(serve(listener, service, shutdown.clone(), handler));
        Self { address, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.request();
        self.task.await.unwrap();
    }
}

/// Hands the connections a server takes to the test, one after the other.
fn handed_over(service: Service) -> (Running, mpsc::UnboundedReceiver<Connection>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let running = Running::start(service, move |connection| {
        let _ = sender.send(connection);
        async {}
    });
    (running, receiver)
}

async fn pair() -> (TcpStream, Connection) {
    let (running, mut connections) = handed_over(service());
    let client = running.connect().await;
    let connection = connections.recv().await.unwrap();
    running.stop().await;
    (client, connection)
}

async fn all(client: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    // A reset after the text is as much an end as an end.
    let _ = client.read_to_end(&mut octets).await;
    String::from_utf8(octets).unwrap()
}

#[tokio::test]
async fn lines_tell_how_they_end() {
    let (mut client, mut connection) = pair().await;
    client.write_all(b"EHLO a\r\nbare\n\r\n\na\rb\r\r\nlast").await.unwrap();
    client.shutdown().await.unwrap();
    for (expected, end) in [
        ("EHLO a", LineEnd::CrLf),
        ("bare", LineEnd::BareLf),
        ("", LineEnd::CrLf),
        ("", LineEnd::BareLf),
        ("a\rb\r", LineEnd::CrLf),
    ] {
        assert_eq!(connection.read_line(100).await.unwrap(), Line { octets: expected.into(), end });
    }
    assert!(matches!(connection.read_line(100).await, Err(NetError::Closed)));
    assert_eq!(connection.buffered(), b"last");
}

#[tokio::test]
async fn over_long_lines_are_read_over() {
    let (mut client, mut connection) = pair().await;
    let sender = tokio::spawn(async move {
        for line in
            ["12345\r\n", "123456\r\n", "12345\n", "123456\n", &format!("{}\r\n", "x".repeat(300_000)), "end\r\n"]
        {
            client.write_all(line.as_bytes()).await.unwrap();
        }
        client
    });
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(match connection.read_line(5).await {
            Ok(line) => String::from_utf8(line.octets).unwrap(),
            Err(error) => error.to_string(),
        });
    }
    assert_eq!(seen, ["12345", "a line is too long", "12345", "a line is too long", "a line is too long", "end"]);
    let mut client = sender.await.unwrap();
    // A line without end is not read for ever.
    let flood = tokio::spawn(async move { while client.write_all(&[b'x'; 65_536]).await.is_ok() {} });
    assert!(matches!(connection.read_line(5).await, Err(NetError::InputFull)));
    drop(connection);
    flood.await.unwrap();
}

#[tokio::test]
async fn reading_may_be_dropped_and_begun_again() {
    let (mut client, mut connection) = pair().await;
    for piece in ["a001 ", "NO", "OP\r"] {
        client.write_all(piece.as_bytes()).await.unwrap();
        let before = connection.buffered().len();
        tokio::select! {
            biased;
            _ = connection.read_line(100) => panic!("the line is not whole"),
            () = async { client.writable().await.unwrap(); tokio::task::yield_now().await; } => {}
        }
        assert!(connection.buffered().len() >= before);
    }
    client.write_all(b"\n").await.unwrap();
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"a001 NOOP");
}

#[tokio::test]
async fn literals_and_lines_interleave() {
    let (mut client, mut connection) = pair().await;
    let body: Vec<u8> = (0..500_000_u32).map(|number| number as u8).collect();
    let sent = [b"APPEND {500000}\r\n", &body[..], b"\r\nNOOP\r\n"].concat();
    let sender = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client
    });
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"APPEND {500000}");
    assert!(connection.read_count(500_000).await.unwrap() == body);
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"");
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"NOOP");
    sender.await.unwrap();
}

#[tokio::test]
async fn more_input_than_may_be_held_is_refused() {
    let (mut client, mut connection) = pair().await;
    let flood = tokio::spawn(async move { while client.write_all(&[b'x'; 65_536]).await.is_ok() {} });
    let mut transfer = Transfer::begin();
    let error = loop {
        if let Err(error) = connection.read_more(&mut transfer).await {
            break error;
        }
    };
    assert!(matches!(error, NetError::InputFull), "{error}");
    assert!(connection.buffered().len() <= crate::types::limits::INPUT_OCTETS_MAX);
    drop(connection);
    flood.await.unwrap();
}

#[tokio::test]
async fn silence_and_trickling_end() {
    let (mut client, mut connection) = pair().await;
    connection.timeouts.idle = Duration::from_millis(1);
    assert!(matches!(connection.read_line(100).await, Err(NetError::Idle)));
    // The wait goes on counting: a few more octets don't start it anew.
    client.write_all(b"a few more").await.unwrap();
    assert!(matches!(connection.read_line(100).await, Err(NetError::Idle)));

    let (_client, mut connection) = pair().await;
    connection.timeouts.write = Duration::from_millis(1);
    connection.timeouts.octets_per_second_min = u64::MAX;
    connection.queue(&vec![b'x'; 64 * 1024 * 1024]);
    assert!(matches!(connection.flush().await, Err(NetError::TooSlow)), "nobody reads");
}

#[tokio::test]
async fn queued_replies_arrive_whole_and_in_order() {
    let (mut client, mut connection) = pair().await;
    connection.queue(b"* one\r\n");
    connection.queue_mut().extend_from_slice(b"* two\r\n");
    let reader = tokio::spawn(async move { all(&mut client).await });
    connection.write_long(&vec![b'x'; 1_000_000]).await.unwrap();
    connection.queue(b"\r\nlast");
    connection.close().await;
    let got = reader.await.unwrap();
    assert!(got.starts_with("* one\r\n* two\r\nxxx") && got.ends_with("x\r\nlast"));
    assert_eq!(got.len(), 14 + 1_000_000 + 6);
}

#[tokio::test]
async fn the_last_reply_survives_unread_input() {
    let (mut client, mut connection) = pair().await;
    client.write_all(&[b'x'; 100_000]).await.unwrap();
    connection.queue(b"421 goodbye\r\n");
    let closing = tokio::spawn(connection.close());
    assert_eq!(all(&mut client).await, "421 goodbye\r\n");
    drop(client);
    closing.await.unwrap();
}

#[tokio::test]
async fn start_tls_upgrades_and_refuses_what_came_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = tls::server(directory.path());
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = tls::client(&[&rustls::version::TLS13]);

    let (mut client, mut connection) = pair().await;
    client.write_all(b"STARTTLS\r\n").await.unwrap();
    connection.read_line(100).await.unwrap();
    let (client, upgraded) = tokio::join!(connector.connect(name, client), connection.start_tls(&server));
    upgraded.unwrap();
    let mut client = client.unwrap();
    assert_eq!(connection.tls().unwrap().version, "TLS1.3");
    assert!(connection.tls().unwrap().exporter.is_some());
    client.write_all(b"NOOP\r\n").await.unwrap();
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"NOOP");
    assert!(matches!(connection.start_tls(&server).await, Err(NetError::UpgradeTwice)));
    connection.queue(b"OK\r\n");
    let closing = tokio::spawn(connection.close());
    let mut got = String::new();
    client.read_to_string(&mut got).await.expect("ended in order");
    assert_eq!(got, "OK\r\n");
    drop(client);
    closing.await.unwrap();

    let (mut client, mut connection) = pair().await;
    client.write_all(b"STARTTLS\r\nRCPT TO:<x@example.org>\r\n").await.unwrap();
    connection.read_line(100).await.unwrap();
    assert!(matches!(connection.start_tls(&server).await, Err(NetError::PlaintextBehindUpgrade)));

    let (mut client, mut connection) = pair().await;
    client.write_all(b"this is no handshake at all\r\n").await.unwrap();
    assert!(matches!(connection.start_tls(&server).await, Err(NetError::Tls(_))));
    assert!(connection.read_line(100).await.is_err(), "nothing goes on in the clear");
}

#[tokio::test]
async fn we_can_be_the_client_too() {
    let directory = tempfile::tempdir().unwrap();
    let server = tls::server(directory.path());
    let (running, mut connections) = handed_over(service());
    let patience = Duration::from_secs(30);
    let shutdown = Shutdown::new();
    let dialled = Connection::dial(running.address, patience, timeouts(), &shutdown);
    let (mut ours, mut theirs) = (dialled.await.unwrap(), connections.recv().await.unwrap());
    assert_eq!(theirs.peer().to_string(), ours.local().unwrap().to_string());
    theirs.queue(b"220 hello\r\n");
    theirs.flush().await.unwrap();
    assert_eq!(ours.read_line(100).await.unwrap().octets, b"220 hello");

    let client = TlsClient::unverified().unwrap();
    let name = crate::types::Domain::parse("mail.example.org").unwrap();
    let (up, down) = tokio::join!(ours.start_tls_towards(&name, &client), theirs.start_tls(&server));
    up.unwrap();
    down.unwrap();
    assert_eq!(theirs.tls().unwrap().server_name.as_deref(), Some("mail.example.org"));
    assert_eq!(ours.tls().unwrap().exporter, theirs.tls().unwrap().exporter);
    ours.queue(b"EHLO us\r\n");
    ours.flush().await.unwrap();
    assert_eq!(theirs.read_line(100).await.unwrap().octets, b"EHLO us");

    let address = running.address;
    running.stop().await;
    assert!(matches!(Connection::dial(address, patience, timeouts(), &shutdown).await, Err(NetError::Io(_))));
}

#[tokio::test]
async fn compression_works_inside_tls() {
    let directory = tempfile::tempdir().unwrap();
    let server = tls::server(directory.path());
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let (client, mut connection) = pair().await;
    let (client, upgraded) =
        tokio::join!(tls::client(&[&rustls::version::TLS12]).connect(name, client), connection.start_tls(&server));
    upgraded.unwrap();
    connection.start_deflate().unwrap();
    assert!(matches!(connection.start_deflate(), Err(NetError::UpgradeTwice)));
    let mut client = deflate::Deflate::new(client.unwrap());
    client.write_all(b"a NOOP\r\n").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"a NOOP");
    connection.queue(&[b'x'; 100_000]);
    let reader = tokio::spawn(async move {
        let mut got = vec![0; 100_000];
        client.read_exact(&mut got).await.unwrap();
        got
    });
    connection.flush().await.unwrap();
    assert!(reader.await.unwrap() == [b'x'; 100_000]);
}

#[tokio::test]
async fn tls_from_the_first_octet() {
    let directory = tempfile::tempdir().unwrap();
    let security = Security::Tls(tls::server(directory.path()));
    let (running, mut connections) = handed_over(Service { security, ..service() });
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut client = tls::client(&[&rustls::version::TLS13]).connect(name, running.connect().await).await.unwrap();
    let mut connection = connections.recv().await.unwrap();
    client.write_all(b"EHLO a\r\n").await.unwrap();
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"EHLO a");
    running.stop().await;
}

#[tokio::test]
async fn connections_above_the_caps_are_told_and_closed() {
    let caps = Caps::new(100, 1, Networks::default());
    let (running, mut connections) = handed_over(Service { caps, ..service() });
    let first = running.connect().await;
    let held = connections.recv().await.unwrap();
    assert_eq!(all(&mut running.connect().await).await, "busy\r\n");
    drop((first, held));
    let _third = running.connect().await;
    connections.recv().await.expect("there is room again");
    running.stop().await;
}

#[tokio::test]
async fn a_panic_ends_one_session_only() {
    let service = service();
    let metrics = service.metrics.clone();
    let running = Running::start(service, |mut connection| async move {
        let line = connection.read_line(100).await.unwrap();
        assert_ne!(line.octets, b"boom");
        connection.queue(b"alive\r\n");
        connection.close().await;
    });
    let mut first = running.connect().await;
    first.write_all(b"boom\r\n").await.unwrap();
    assert_eq!(all(&mut first).await, "");
    let mut second = running.connect().await;
    second.write_all(b"hello\r\n").await.unwrap();
    assert_eq!(all(&mut second).await, "alive\r\n");
    drop(second);
    running.stop().await;
    assert!(metrics.text().contains("posthouse_sessions_total{service=\"test\"} 2\n"));
    assert!(metrics.text().contains("posthouse_sessions_open{service=\"test\"} 0\n"));
}

#[tokio::test]
async fn shutdown_lets_sessions_say_goodbye_and_cuts_the_rest() {
    let polite = Arc::new(Mutex::new(true));
    let service = Service { grace: Duration::from_millis(50), ..service() };
    let (sender, mut begun) = mpsc::unbounded_channel();
    let running = Running::start(service, {
        let polite = Arc::clone(&polite);
        move |mut connection| {
            let polite = *polite.lock().unwrap();
            let sender = sender.clone();
            async move {
                sender.send(()).unwrap();
                if polite {
                    connection.shutdown().clone().requested().await;
                    connection.queue(b"421 goodbye\r\n");
                    connection.close().await;
                } else {
                    std::future::pending::<()>().await;
                }
            }
        }
    });
    let mut first = running.connect().await;
    begun.recv().await.unwrap();
    *polite.lock().unwrap() = false;
    let mut second = running.connect().await;
    begun.recv().await.unwrap();
    let address = running.address;
    let reading = tokio::spawn(async move { all(&mut first).await });
    running.stop().await;
    assert_eq!(reading.await.unwrap(), "421 goodbye\r\n");
    assert_eq!(all(&mut second).await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_listed_proxy_names_the_peer_and_others_do_not() {
    let proxies = Networks(vec![Network::parse("127.0.0.0/8").unwrap()]);
    let (running, mut connections) = handed_over(Service { proxies, ..service() });
    let mut client = running.connect().await;
    client.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 25\r\nEHLO a\r\n").await.unwrap();
    let mut connection = connections.recv().await.unwrap();
    assert_eq!(connection.peer().to_string(), "192.0.2.1:1234");
    assert_eq!(connection.local().unwrap().to_string(), "192.0.2.2:25");
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"EHLO a");
    let mut liar = running.connect().await;
    liar.write_all(b"EHLO somebody.example.org\r\n").await.unwrap();
    assert_eq!(all(&mut liar).await, "");
    running.stop().await;

    let (mut client, mut connection) = pair().await;
    client.write_all(b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 25\r\n").await.unwrap();
    assert!(connection.peer().to_string().starts_with("127.0.0.1:"));
    assert!(connection.read_line(100).await.unwrap().octets.starts_with(b"PROXY"), "a session's problem, not a header");
}

#[tokio::test]
async fn unix_sockets_carry_sessions_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("l.sock");
    let listener = Listener::bind(&ListenAddress::Unix(path.clone()), 0o600).unwrap();
    let shutdown = Shutdown::new();
    let (sender, mut connections) = mpsc::unbounded_channel();
    let task = tokio::spawn(serve(listener, service(), shutdown.clone(), move |connection| {
        let _ = sender.send(connection);
        async {}
    }));
    let mut client = tokio::net::UnixStream::connect(&path).await.unwrap();
    client.write_all(b"LHLO a\r\n").await.unwrap();
    let mut connection = connections.recv().await.unwrap();
    assert_eq!(connection.read_line(100).await.unwrap().octets, b"LHLO a");
    assert_eq!(connection.peer().ip(), None);
    assert!(matches!(connection.peer(), Peer::Local { user_id } if user_id == nix::unistd::Uid::current().as_raw()));
    shutdown.request();
    task.await.unwrap();
}
