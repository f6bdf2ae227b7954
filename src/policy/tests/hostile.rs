//! Mail made to hurt: nothing here may crash, hang, or ask DNS for more than a message is worth.

use super::*;
use crate::types::limits::{AUTHENTICATION_SILENCES_MAX, DKIM_SIGNATURES_MAX};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::net::Ipv4Addr;
use tokio::net::UdpSocket;

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(test).unwrap().join().unwrap();
}

/// Nested messages have made a MIME parser overflow the stack of a thread like those that serve sessions.
#[test]
fn nesting_costs_no_stack() {
    on_a_small_stack(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let nest = "Content-Type: message/rfc822\r\n\r\n".repeat(42_000);
            assert!(nest.len() > 1_300_000);
            let zone = key_line(KeyKind::Ed25519, "s", "example.org");
            let mail = signed(KeyKind::Ed25519, "s", "example.org", &format!("From: a@example.org\r\n{nest}"));
            let findings = World::new(&zone).await.verify(&arrival("client", ""), mail.as_bytes()).await;
            assert_eq!(findings.dkim[0].outcome, Outcome::Pass);
            let comments = format!("From: {}a@example.org\r\n\r\n", "(".repeat(900_000));
            World::new("").await.verify(&arrival("client", ""), comments.as_bytes()).await;
        });
    });
}

#[tokio::test]
async fn signatures_without_end_cost_no_questions_without_end() {
    let mut mail = String::new();
    for number in 0..1000 {
        mail += &format!("DKIM-Signature: v=1; a=rsa-sha256; d=d{number}.example; s=s; h=From; bh=AAAA; b=AAAA\r\n");
    }
    let findings = World::new("").await.verify(&arrival("client", ""), mail.as_bytes()).await;
    assert_eq!(findings.dkim.len(), DKIM_SIGNATURES_MAX);
    assert!(findings.dkim.iter().all(|finding| finding.outcome == Outcome::Fail), "{findings:?}");
}

/// DNS that takes questions and never answers.
#[tokio::test]
async fn silence_ends_in_time() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let resolver = Arc::new(resolver(silent.local_addr().unwrap()));
    let patience = Patience {
        in_all: Duration::from_millis(60),
        dmarc: Duration::from_millis(20),
        silent: Duration::from_millis(30),
    };
    let verifier = Verifier::new(resolver, hostname(), patience);
    let mail = signed(KeyKind::Ed25519, "s", "example.org", "From: a@example.org\r\n\r\n");
    for _ in 0..=AUTHENTICATION_SILENCES_MAX {
        let began = std::time::Instant::now();
        let question = verifier.verify(arrival("c.example", "a@example.org"), Scan::read(mail.as_bytes()).unwrap());
        let findings = question.await;
        assert!(began.elapsed() < Duration::from_secs(4), "resolver timeouts are longer");
        assert!(findings.spf.iter().all(|finding| finding.outcome == Outcome::TempError) && findings.spf.len() == 2);
        assert_eq!(findings.dkim[0].outcome, Outcome::TempError);
        assert_eq!(findings.dmarc[0].outcome, Outcome::TempError);
    }
}

#[tokio::test]
async fn records_made_to_hurt_are_results() {
    let long = "x".repeat(60_000);
    for record in [
        "v=spf1 include:%{l9999999999r-}.example",
        "v=spf1 exists:%{",
        "v=spf1 a:%%%_%-%{s}%{i}%{d}/99//999 mx/0 ptr -all",
        "v=spf1 a/99999999999999999999",
        "v=spf1 ip6:::::/0 ip4:1.2.3.4.5",
        "v=spf1 exp=%{d255r.-+,/_=}.example -all",
        long.as_str(),
    ] {
        let zone = format!("example.org TXT \"{record}\"\n_dmarc.example.org TXT \"v=DMARC1; p=reject; rua={record}\"");
        let world = World::new(&zone).await;
        world.verify(&arrival("example.org", "a@example.org"), b"From: a@example.org\r\n\r\n").await;
    }
}

#[test]
fn any_octets_have_findings() {
    let tags = "(v=1; )?(a=(rsa|ed25519)-sha256; )?d=example\\.org; s=s; (c=(relaxed|simple)/(relaxed|simple|x); )?\
        h=[a-z:]{0,20}(from)?; bh=[A-Za-z0-9+/=]{0,8}; b=[ -~]{0,20}(l=[0-9]{0,30})?";
    let rest = "(\r\n)?(From: [ -~]{0,30}\r\n)?(\r\n)?[ -~\r\n\t]{0,60}";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new(&key_line(KeyKind::Ed25519, "s", "example.org")));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
    let outcome = runner.run(&(tags, rest), |(tags, rest)| {
        let mail = format!("DKIM-Signature: {tags}\r\n{rest}");
        let findings = runtime.block_on(world.verify(&arrival("client", ""), mail.as_bytes()));
        prop_assert!(findings.dkim.iter().all(|finding| finding.outcome != Outcome::Pass));
        prop_assert!(findings.dkim.iter().all(|finding| finding.reason != Some("the verifier failed")));
        Ok(())
    });
    outcome.unwrap();
}
