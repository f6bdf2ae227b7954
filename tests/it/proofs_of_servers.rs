//! How other servers are made sure of, over real TLS on loopback: policies fetched from the web, certificates named by DNS.

use crate::support::tls;
use posthouse::dns::Tlsa;
use posthouse::net::{Shutdown, TlsClient};
use posthouse::queue::{Failure, FailureCause, Peer, Protocol, TlsDemand, Transport};
use posthouse::smtp::client::{Client, ClientSettings, Patience};
use posthouse::types::{Domain, FixedClock, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn client(directory: &Path, https_port: u16) -> Client {
    Client::new(ClientSettings {
        hostname: "us.example".parse().unwrap(),
        patience: Patience::default(),
        unverified: TlsClient::unverified().unwrap(),
        verified: tls::trusting(directory),
        https_port,
        shutdown: Shutdown::new(),
        clock: Arc::new(FixedClock::at(Timestamp(0))),
    })
}

/// What a client makes of this answer of a web server with a certificate for [`tls::HOST`].
async fn fetched(host: &str, answer: String) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    tls::server(directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(directory.path(), listener.local_addr().unwrap().port());
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not like the certificate is gone before it asks.
        let Ok(mut stream) = tls::accept(directory.path(), stream).await else { return };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let octet = stream.read_u8().await.unwrap();
            request.push(octet);
        }
        let request = String::from_utf8(request).unwrap();
        let expected = format!("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\n");
        assert!(request.starts_with(&expected), "{request}");
        // Not all answers are read to their end.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    };
    let host: Domain = host.parse().unwrap();
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let (outcome, ()) = tokio::join!(client.published_policy(&host, &addresses), serving);
    outcome
}

#[tokio::test]
async fn policies_come_by_https_and_in_no_other_way() {
    let check = async |answer: &str, expected: Result<&str, &str>| {
        let outcome = fetched(tls::HOST, answer.to_owned()).await;
        assert_eq!(outcome.as_ref().map(String::as_str).map_err(String::as_str), expected, "{answer}");
    };
    let text = "Content-Type: text/plain; charset=utf-8\r\n";
    check(&format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 5\r\n\r\nhello and more"), Ok("hello")).await;
    check(&format!("HTTP/1.0 200 OK\r\n{text}\r\nhello"), Ok("hello")).await;
    let chunked = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
    check(&format!("HTTP/1.1 200 OK\r\n{text}{chunked}"), Ok("hello")).await;
    let moved = "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n\r\n";
    check(moved, Err("the answer is: HTTP/1.1 301 Moved")).await;
    check("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nhello", Err("it is not text/plain")).await;
    check(&format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 70000\r\n\r\nx"), Err("it is too long")).await;
    check(&format!("HTTP/1.1 200 OK\r\n{text}\r\n{}", "x".repeat(70_000)), Err("it is too long")).await;
    check(&format!("HTTP/1.1 200 OK\r\n{}", text.repeat(200)), Err("the answer's header does not end")).await;
    check(&format!("HTTP/1.1 200 OK\r\n{text}Content-Length: 9\r\n\r\nx"), Err("the peer closed the connection")).await;
    check("SSH-2.0-x\r\n", Err("the answer is: SSH-2.0-x")).await;
    let elsewhere = fetched("mta-sts.other.example", "HTTP/1.1 200 OK\r\n\r\n".to_owned()).await;
    assert!(elsewhere.unwrap_err().starts_with("TLS failed"), "the certificate is good for another name");
}

/// Opens a session to a server whose TLS is demanded to be so.
async fn opened(demand: fn(&[u8]) -> TlsDemand) -> Result<(), Failure> {
    let directory = tempfile::tempdir().unwrap();
    tls::server(directory.path());
    let certificate = CertificateDer::from_pem_file(directory.path().join("cert.pem")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer {
        name: tls::HOST.parse().unwrap(),
        address: listener.local_addr().unwrap(),
        protocol: Protocol::Smtp,
        tls: demand(&Sha256::digest(&certificate)),
        login: None,
    };
    let client = client(directory.path(), 443);
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"220 far\r\n").await.unwrap();
        let mut heard = [0; 512];
        assert!(stream.read(&mut heard).await.unwrap() > 0);
        stream.write_all(b"250-far\r\n250 STARTTLS\r\n").await.unwrap();
        assert!(stream.read(&mut heard).await.unwrap() > 0);
        stream.write_all(b"220 go\r\n").await.unwrap();
        let Ok(mut stream) = tls::accept(directory.path(), stream).await else { return };
        assert!(stream.read(&mut heard).await.unwrap() > 0);
        stream.write_all(b"250 far\r\n").await.unwrap();
    };
    let (opened, ()) = tokio::join!(client.open(&peer), serving);
    opened.map(drop)
}

fn record(digest: &[u8], usage: u8) -> TlsDemand {
    TlsDemand::Pinned(vec![Tlsa { usage, selector: 0, matching: 1, data: digest.to_vec() }])
}

#[tokio::test]
async fn certificates_are_those_that_dns_names() {
    assert_eq!(opened(|digest| record(digest, 3)).await, Ok(()));
    let wrong = opened(|digest| record(&digest.iter().map(|octet| !octet).collect::<Vec<u8>>(), 3)).await;
    assert!(matches!(wrong.unwrap_err().cause, FailureCause::Tls(_)));
    assert_eq!(opened(|_| TlsDemand::Verified).await, Ok(()));
}
