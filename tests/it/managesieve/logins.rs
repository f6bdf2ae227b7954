//! Every mechanism over real TLS.

use crate::support::running::{PASSWORD, Running};
use crate::support::sieve::Sieve;
use posthouse::auth::Mechanism;

#[tokio::test]
async fn every_mechanism_logs_in() {
    let running = Running::open(&["managesieve"], "").await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    for mechanism in Mechanism::ALL {
        let mut client = Sieve::connect_tls(running.port("managesieve"), running.directory.path()).await;
        let refused = client.log_in_by(mechanism, "jane@example.org", "wrong").await;
        assert_eq!(refused.end, "NO \"Authentication failed\"", "{mechanism}");
        assert!(!client.say("LISTSCRIPTS").await.is_ok());
        let accepted = client.log_in_by(mechanism, "jane@example.org", PASSWORD).await;
        assert!(accepted.is_ok(), "{mechanism}: {}", accepted.end);
        // What the server knows is said with the OK, which saves a round trip (RFC 5804 section 2.1).
        let is_scram = matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus);
        assert_eq!(accepted.end.starts_with("OK (SASL \""), is_scram, "{mechanism}: {}", accepted.end);
        assert!(client.say("LISTSCRIPTS").await.is_ok());
    }
    running.close().await;
}

#[tokio::test]
async fn without_tls_there_is_no_login() {
    let running = Running::open(&["managesieve"], "").await;
    running.domain("example.org").await;
    running.account("jane@example.org", None).await;
    for mechanism in [Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login] {
        let mut client = Sieve::connect(running.port("managesieve")).await;
        let reply = client.say(&format!("AUTHENTICATE \"{mechanism}\"")).await;
        assert_eq!(reply.end, "NO (ENCRYPT-NEEDED) \"Encryption is required before login\"", "{mechanism}");
    }
    running.close().await;
}
