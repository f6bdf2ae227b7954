//! Mail exchangers, certificates and texts as a real name server tells them, with signatures that are checked.

use super::first::submitted;
use crate::support::knot::{Knot, may_run};
use crate::support::peer::Peer;
use crate::support::running::Running;
use posthouse::admin::{Trace, TraceAbout};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

const MESSAGE: &str = "From: jane@example.org\nMessage-ID: <one@example.org>\nSubject: hi\n\nhello\n";

fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), port)
}

/// A port that is free at this machine's other inner addresses.
fn port_at(last: u8) -> u16 {
    TcpListener::bind(at(last, 0)).unwrap().local_addr().unwrap().port()
}

fn sender(knot: &Knot, port: u16) -> String {
    format!(
        "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n{}[outbound]\nconnect_to = \"\"\nport = {port}\n",
        knot.configuration()
    )
}

/// Everything but the zones below it.
fn root_zone(port: u16, right: &str, wrong: &str) -> String {
    format!(
        "ns. A 127.0.0.1\nbogus.example. NS ns.\nplain.example. NS ns.\n\
         bogus.example. DS 12345 13 2 {wrong}\n\
         nobody.example. A 127.0.0.23\n\
         pref.example. MX 20 mx.pref.example.\npref.example. MX 30 nobody.example.\npref.example. MX 10 nobody.example.\n\
         mx.pref.example. A 127.0.0.21\n\
         implicit.example. A 127.0.0.21\n\
         alias.example. CNAME further.example.\nfurther.example. CNAME pref.example.\n\
         circle.example. CNAME circular.example.\ncircular.example. CNAME circle.example.\n\
         null.example. MX 0 .\n\
         self.example. MX 10 mail.example.org.\nself.example. MX 20 mx.pref.example.\n\
         right.example. MX 10 mx.right.example.\nmx.right.example. A 127.0.0.22\n\
         _{port}._tcp.mx.right.example. TLSA 3 0 1 {right}\n\
         wrong.example. MX 10 mx.wrong.example.\nmx.wrong.example. A 127.0.0.22\n\
         _{port}._tcp.mx.wrong.example. TLSA 3 0 1 {wrong}\n"
    )
}

#[tokio::test]
async fn exchangers_are_found_and_made_sure_of() {
    if !may_run() {
        return;
    }
    let port = port_at(21);
    let peer = Peer::start_at(at(21, port), &["PIPELINING"], |_, _| None).await;
    // A server with TLS, whose certificate DNS names rightly, wrongly, unsigned, or with signatures of somebody else's.
    let target = Running::open(&[&format!("smtp {}", at(22, port))], "").await;
    for name in ["right.example", "wrong.example", "plain.example"] {
        target.domain(name).await;
        target.account(&format!("paul@{name}"), None).await;
    }
    let certificate = CertificateDer::from_pem_file(target.directory.path().join("cert.pem")).unwrap();
    let right = Sha256::digest(&certificate).iter().fold(String::new(), |all, octet| format!("{all}{octet:02x}"));
    let wrong: String = right.chars().rev().collect();
    let mut knot = Knot::new(&["bogus.example."], &["plain.example."]);
    let plain = format!("@ MX 10 mx\nmx A 127.0.0.22\n_{port}._tcp.mx TLSA 3 0 1 {wrong}\n");
    let bogus = "@ MX 10 mx\nmx A 127.0.0.21\n";
    knot.start(&[(".", &root_zone(port, &right, &wrong)), ("plain.example.", &plain), ("bogus.example.", bogus)]).await;
    let house = Running::open(&["submission"], &sender(&knot, port)).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    let names = ["pref", "implicit", "alias", "circle", "null", "self", "gone", "right", "wrong", "plain", "bogus"];
    let to = names.map(|name| format!("paul@{name}.example"));
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let reply = submitted(&house, "jane@example.org", &to, MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    house
        .until("what can be done is done", async || {
            let sends = house.sends().await;
            sends.len() <= 3 && sends.iter().all(|send| send.attempts > 0)
        })
        .await;
    let told = house.act(Trace { about: TraceAbout::MessageId("one@example.org".to_owned()), last: 10 }).await;
    let events: Vec<String> = told.messages[0].events.iter().map(|event| event.lines.join("\n")).collect();
    let check = |name: &str, expected: &[&str]| {
        let about = format!("to paul@{name}.example");
        let event =
            events.iter().rfind(|event| event.contains(&about)).unwrap_or_else(|| panic!("{name}: {events:#?}"));
        expected.iter().for_each(|expected| assert!(event.contains(expected), "{name}: no {expected} in {event}"));
    };
    check("pref", &["sent to", "by mx.pref.example", "not encrypted"]);
    check("implicit", &["sent to", "by implicit.example"]);
    check("alias", &["sent to", "by mx.pref.example"]);
    check("circle", &["given up", "5.4.4", "has no address"]);
    check("null", &["given up", "5.1.10", "the domain takes no mail"]);
    check("self", &["given up", "5.4.6", "this one, which does not know the domain"]);
    check("gone", &["given up", "5.1.2", "there is no such domain"]);
    // The certificate that signed DNS names is taken although nobody else vouches for it, and no other in its place.
    check("right", &["sent to", "by mx.right.example", "TLS"]);
    check("wrong", &["not yet sent", "4.7.5"]);
    // Without a signature it says nothing, and any certificate is better than none.
    check("plain", &["sent to", "by mx.plain.example", "TLS"]);
    check("bogus", &["not yet sent", "4.4.3", "could not be looked up"]);
    assert_eq!(peer.seen.got.lock().unwrap().len(), 3);
    for (name, count) in [("right", 1), ("wrong", 0), ("plain", 1)] {
        assert_eq!(target.filed(&format!("paul@{name}.example")).await.len(), count, "{name}");
    }
    house.close().await;
    target.close().await;
}

/// What the other side looks up: our policy of senders, and our keys, which are longer than one string of DNS.
#[tokio::test]
async fn texts_are_told_whole() {
    if !may_run() {
        return;
    }
    let port = port_at(24);
    let mut knot = Knot::new(&[], &[]);
    let house = Running::open(&["submission"], &sender(&knot, port)).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    let root = format!(
        "ns. A 127.0.0.1\nfar.example. MX 10 mx.far.example.\nmx.far.example. A 127.0.0.24\n\
         example.org. TXT \"v=spf1 ip4:127.0.0.1\" \" -all\"\n_dmarc.example.org. TXT \"v=DMARC1; p=reject\"\n{}",
        Knot::keys_of(&house, "example.org").await
    );
    knot.start(&[(".", &root)]).await;
    let judging = format!("{}[mx]\nauthenticate = true\n", knot.configuration());
    let target = Running::open(&[&format!("smtp {}", at(24, port))], &judging).await;
    target.domain("far.example").await;
    target.account("paul@far.example", None).await;
    let reply = submitted(&house, "jane@example.org", &["paul@far.example"], MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    house.idle().await;
    let results = target.filed("paul@far.example").await[0].field("Authentication-Results").unwrap();
    assert_eq!(results.matches("dkim=pass").count(), 2, "{results}");
    assert!(results.contains("spf=pass") && results.contains("dmarc=pass"), "{results}");
    house.close().await;
    target.close().await;
}
