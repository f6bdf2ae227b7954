use super::*;
use crate::admin::{AliasList, DomainAdd, DomainList, Hosting, Verify};
use crate::config::Config;
use crate::net::Shutdown;
use crate::server::House;
use crate::types::Domain;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Running {
    directory: tempfile::TempDir,
    data: PathBuf,
    house: House,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn at(below: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join(below);
        let house = House::open(Config::without_file(data.clone())).await.unwrap();
        let (admin, metrics, shutdown) = (house.admin.clone(), house.metrics.clone(), Shutdown::new());
        let serving = serve_control(bind(&data).unwrap(), admin, metrics, Duration::from_secs(20), shutdown.clone());
        Self { directory, data, house, shutdown, task: tokio::spawn(serving) }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.data).await.unwrap().expect("a server")
    }

    async fn stop(self) {
        self.shutdown.request();
        self.task.await.unwrap();
        assert!(!self.data.join(SOCKET_FILE).exists());
        drop(self.house);
        drop(self.directory);
    }
}

fn example() -> DomainAdd {
    DomainAdd { domain: Domain::parse("example.test").unwrap(), hosting: Hosting::Authoritative }
}

#[tokio::test]
async fn acts_cross_the_socket() {
    let running = Running::at("data").await;
    let mode = std::fs::metadata(running.data.join(SOCKET_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = running.client().await;
    assert!(client.call(&example(), |_, _| {}).await.unwrap().changed);
    let refused = client.call(&example(), |_, _| {}).await.unwrap_err().to_string();
    assert!(refused.starts_with("authoritative domain detected: example.test"), "{refused}");
    // One connection serves many acts, and others at the same time.
    let mut other = running.client().await;
    let (one, two) = tokio::join!(client.call(&DomainList {}, |_, _| {}), other.call(&DomainList {}, |_, _| {}));
    assert_eq!((one.unwrap().len(), two.unwrap().len()), (1, 1));
    assert!(client.call(&Verify {}, |_, _| {}).await.unwrap().findings.is_empty());
    running.stop().await;
}

#[tokio::test]
async fn whoever_comes_when_the_server_is_full_waits_for_his_turn() {
    use crate::types::limits::CONTROL_CONNECTIONS_MAX;
    let running = Running::at("data").await;
    let mut held = Vec::new();
    for _ in 0..CONTROL_CONNECTIONS_MAX {
        let mut client = running.client().await;
        client.call(&DomainList {}, |_, _| {}).await.unwrap();
        held.push(client);
    }
    let mut late = running.client().await;
    let metrics = running.house.metrics.clone();
    let making_room = async move {
        let refused = "posthouse_connections_refused_total{service=\"control\"} ";
        let is_refused = |text: &str| text.lines().any(|line| line.starts_with(refused) && !line.ends_with(" 0"));
        while !is_refused(&metrics.text()) {
            tokio::task::yield_now().await;
        }
        drop(held);
    };
    let (listed, ()) = tokio::join!(late.call(&DomainList {}, |_, _| {}), making_room);
    assert!(listed.unwrap().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn deep_directories_are_reached_all_the_same() {
    let running = Running::at(&"deep/".repeat(40)).await;
    assert!(running.client().await.call(&AliasList { domain: None }, |_, _| {}).await.unwrap().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn nobody_is_there_before_and_after() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Client::connect(directory.path()).await.unwrap().is_none());
    assert!(Client::connect(&directory.path().join("none")).await.unwrap().is_none());
    // As a killed server leaves it.
    drop(std::os::unix::net::UnixListener::bind(directory.path().join(SOCKET_FILE)).unwrap());
    assert!(Client::connect(directory.path()).await.unwrap().is_none());
}

#[tokio::test]
async fn nonsense_is_answered_and_harms_nobody() {
    let running = Running::at("data").await;
    let check = async |sent: &[u8], expected: &str| {
        let mut stream = tokio::net::UnixStream::connect(running.data.join(SOCKET_FILE)).await.unwrap();
        stream.write_all(sent).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains(expected), "{answer}");
    };
    check(b"hello\n", "it is no frame").await;
    check(b"99999999999\n", "it is no frame").await;
    check(b"2\n{}", "missing field").await;
    check(b"3\n\xff\xfe\xfd", "can't be read").await;
    check(b"28\n{\"act\":\"dance\",\"data\":null}", "").await;
    check(b"27\n{\"act\":\"dance\",\"data\":null}", "no command \\\"dance\\\"").await;
    check(&[b'1'; 5000], "").await;
    check(b"", "").await;
    assert!(running.client().await.call(&DomainList {}, |_, _| {}).await.unwrap().is_empty());
    running.stop().await;
}
