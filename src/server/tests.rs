use super::*;
use crate::admin::{Act, Caller, Progress, Status};
use crate::config::{Config, Listen};
use crate::types::ListenAddress;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

fn quiet(data: &Path) -> Config {
    let mut config = Config::without_file(data.to_owned());
    config.listen = Listen {
        smtp: Vec::new(),
        submission: Vec::new(),
        submissions: Vec::new(),
        lmtp: Vec::new(),
        imap: Vec::new(),
        imaps: Vec::new(),
        pop3s: Vec::new(),
        managesieve: Vec::new(),
        https: Vec::new(),
        http: Vec::new(),
    };
    config
}

fn loopback(port: u16) -> Vec<ListenAddress> {
    vec![ListenAddress::Socket(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))]
}

#[tokio::test]
async fn a_server_listens_tells_of_it_and_leaves_the_directory_free() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut config = quiet(&data);
    config.listen.smtp = loopback(0);
    config.listen.lmtp = vec![ListenAddress::Unix("lmtp.sock".into())];
    let server = Server::start(config.clone(), WhenTaken::Fail).await.unwrap();
    let names: Vec<&str> = server.listening.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["smtp", "lmtp"]);
    assert!(data.join("lmtp.sock").exists() && data.join("cert.pem").exists());

    let again = Server::start(config.clone(), WhenTaken::Fail).await.err().map(|error| error.to_string());
    assert_eq!(again, Some(format!("a server runs on the data directory {} already", data.display())));
    let caller = Caller { author: "test".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
    let status = Status {}.run(&server.house.admin, &caller).await.unwrap();
    assert_eq!(status.server.map(|server| server.listening.len()), Some(2));

    server.stop().await;
    assert!(!data.join("lmtp.sock").exists() && !data.join(SOCKET_FILE).exists());
    Server::start(config, WhenTaken::Fail).await.unwrap().stop().await;
}

#[tokio::test]
async fn ports_that_are_taken_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut config = quiet(directory.path());
    config.listen.smtp = loopback(port);
    config.listen.submission = loopback(0);
    let refused = Server::start(config.clone(), WhenTaken::Fail).await.err().map(|error| error.to_string());
    let refused = refused.expect("it does not start");
    assert!(refused.starts_with(&format!("listen.smtp: can't listen on 127.0.0.1:{port}: ")), "{refused}");
    assert!(refused.ends_with("another program listens there"), "{refused}");
    let server = Server::start(config, WhenTaken::GoOn).await.unwrap();
    assert_eq!(server.failed.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["smtp"]);
    assert_eq!(server.listening.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["submission"]);
    server.stop().await;
}

#[test]
fn what_would_keep_it_from_starting_is_known_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = quiet(directory.path());
    assert_eq!(preflight(&config), Vec::<String>::new());
    config.user = "no-such-account-here".to_owned();
    std::fs::write(&config.tls.key, "nonsense").unwrap();
    let anchors = directory.path().join("anchors");
    std::fs::write(&anchors, "; none yet\n").unwrap();
    config.dns.trust_anchors = Some(anchors);
    let findings = preflight(&config);
    assert_eq!(findings.len(), 3, "{findings:?}");
    assert!(findings[0].starts_with("user: this machine has no account"), "{findings:?}");
    assert!(findings[1].starts_with("[tls]: "), "{findings:?}");
    assert!(findings[2].ends_with("anchors: there is no DNSKEY record in it"), "{findings:?}");
    let mut config = quiet(directory.path());
    (config.tls.certificate, config.tls.key) = ("/nowhere/fullchain.pem".into(), "/nowhere/privkey.pem".into());
    let findings = preflight(&config);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("[tls]: neither /nowhere/fullchain.pem nor "), "{findings:?}");
}

#[test]
fn where_the_configuration_comes_from() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("posthouse.toml");
    std::fs::write(&file, "data = \"mail\"\n").unwrap();
    let check = |source: ConfigSource, data: &Path| {
        let config = source.load().unwrap();
        assert_eq!((config.data.as_path(), config.tls.key), (data, data.join("key.pem")));
    };
    check(ConfigSource::default(), Path::new(DATA_DEFAULT));
    check(ConfigSource { data: Some("elsewhere".into()), file: None }, Path::new("elsewhere"));
    check(ConfigSource { file: Some(file.clone()), data: None }, &directory.path().join("mail"));
    check(ConfigSource { file: Some(file), data: Some("elsewhere".into()) }, Path::new("elsewhere"));
    let missing = ConfigSource { file: Some("/nonexistent".into()), data: None }.load().unwrap_err();
    assert!(missing.to_string().starts_with("/nonexistent: the file can't be read"), "{missing}");
}
