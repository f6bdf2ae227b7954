//! The same questions to the zone itself and, over the wire, to the real resolver.

use super::*;
use std::time::Duration;

const ZONE: &str = r#"
example.org                MX    20 backup.example.org
example.org                MX    10 mail.example.org
example.org                TXT   "v=spf1 mx " "-all"
example.org                TXT   "k=rsa; p=AAAA"   ; a semicolon inside quotes is text
example.org                SIGNED
silent.example             MX    0 .
mail.example.org           A     192.0.2.1
mail.example.org           AAAA  2001:db8::1
backup.example.org         A     192.0.2.2
www.example.org            CNAME backup.example.org
outside.example.org        CNAME mail.elsewhere.example
mail.elsewhere.example     A     192.0.2.3
circle.example             CNAME circle.example
a.b.c.example              A     192.0.2.4
_25._tcp.mail.example.org  TLSA  3 1 1 00ff10
_imaps._tcp.example.org    SRV   10 1 993 mail.example.org
_imaps._tcp.example.org    SRV   0 1 993 backup.example.org
_pop3s._tcp.example.org    SRV   0 0 0 .
192.0.2.1                  PTR   mail.example.org
2001:db8::1                PTR   mail.example.org
broken.example             FAIL
"#;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn options(server: &FakeServer) -> SystemResolverOptions {
    SystemResolverOptions {
        servers: vec![server.address()],
        timeout: Duration::from_secs(5),
        attempts: 1,
        cache_entries_max: 100,
        validate: false,
        trust_anchors: None,
    }
}

fn system(options: &SystemResolverOptions) -> SystemResolver {
    SystemResolver::new(options).unwrap()
}

fn shown<T: std::fmt::Debug>(outcome: Result<Answer<T>, DnsError>) -> String {
    match outcome {
        Ok(answer) => format!("{:?}", answer.records),
        Err(DnsError::Temporary(_)) => "temporary".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

async fn check_all(resolver: &dyn Resolver) {
    let mx = async |name: &str| shown(resolver.mx(&domain(name)).await);
    let mail = "Mx { preference: 10, exchange: Some(Domain(\"mail.example.org\")) }";
    let backup = "Mx { preference: 20, exchange: Some(Domain(\"backup.example.org\")) }";
    assert_eq!(mx("example.org").await, format!("[{mail}, {backup}]"));
    assert_eq!(mx("silent.example").await, "[Mx { preference: 0, exchange: None }]");
    assert_eq!(mx("mail.example.org").await, "NoData");
    assert_eq!(mx("none.example.org").await, "NoSuchName");
    assert_eq!(mx("b.c.example").await, "NoData", "it exists, because something is below it");
    assert_eq!(mx("broken.example").await, "temporary");
    assert_eq!(mx("deep.broken.example").await, "temporary");
    assert_eq!(mx("circle.example").await, "temporary");
    assert_eq!(mx("[192.0.2.1]").await, "NoSuchName");

    let addresses = async |name: &str| shown(resolver.addresses(&domain(name)).await);
    assert_eq!(addresses("mail.example.org").await, "[2001:db8::1, 192.0.2.1]");
    assert_eq!(addresses("backup.example.org").await, "[192.0.2.2]");
    assert_eq!(addresses("www.example.org").await, "[192.0.2.2]");
    assert_eq!(addresses("example.org").await, "NoData");
    assert_eq!(addresses("none.example.org").await, "NoSuchName");
    assert_eq!(addresses("broken.example").await, "temporary");

    let txt = async |name: &str| shown(resolver.txt(&domain(name)).await);
    assert_eq!(txt("example.org").await, r#"["v=spf1 mx -all", "k=rsa; p=AAAA"]"#);
    assert_eq!(txt("mail.example.org").await, "NoData");

    let ptr = async |address: &str| shown(resolver.ptr(address.parse().unwrap()).await);
    assert_eq!(ptr("192.0.2.1").await, "[Domain(\"mail.example.org\")]");
    assert_eq!(ptr("::ffff:192.0.2.1").await, "[Domain(\"mail.example.org\")]");
    assert_eq!(ptr("2001:db8::1").await, "[Domain(\"mail.example.org\")]");
    assert_eq!(ptr("192.0.2.9").await, "NoSuchName");

    let tlsa = resolver.tlsa(&domain("_25._tcp.mail.example.org")).await.unwrap();
    assert_eq!(tlsa.records, [Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0, 255, 16] }]);

    let srv = resolver.srv(&domain("_imaps._tcp.example.org")).await.unwrap();
    assert_eq!(srv.records.iter().map(|srv| srv.priority).collect::<Vec<_>>(), [0, 10]);
    assert_eq!(resolver.srv(&domain("_pop3s._tcp.example.org")).await.unwrap().records[0].target, None);

    assert_eq!(shown(resolver.cname(&domain("www.example.org")).await), "[Domain(\"backup.example.org\")]");
    assert_eq!(shown(resolver.cname(&domain("mail.example.org")).await), "NoData");
}

#[tokio::test]
async fn the_zone_answers() {
    check_all(&FakeResolver::new(ZONE).unwrap()).await;
}

#[tokio::test]
async fn the_real_resolver_answers_the_same() {
    let server = FakeServer::start(FakeResolver::new(ZONE).unwrap()).await.unwrap();
    check_all(&system(&options(&server))).await;
}

#[tokio::test]
async fn servers_without_signatures_are_asked_without_validation() {
    let server = FakeServer::start(FakeResolver::new(ZONE).unwrap()).await.unwrap();
    let resolver = system(&SystemResolverOptions { validate: true, ..options(&server) });
    check_all(&resolver).await;
    assert_eq!(resolver.mx(&domain("example.org")).await.unwrap().trust, Trust::Insecure);
}

#[tokio::test]
async fn only_signed_names_are_secure() {
    let zone = FakeResolver::new(ZONE).unwrap();
    assert_eq!(zone.mx(&domain("example.org")).await.unwrap().trust, Trust::Secure);
    assert_eq!(zone.addresses(&domain("www.example.org")).await.unwrap().trust, Trust::Secure);
    assert_eq!(zone.addresses(&domain("outside.example.org")).await.unwrap().trust, Trust::Insecure);
    assert_eq!(zone.mx(&domain("silent.example")).await.unwrap().trust, Trust::Insecure);
}

#[tokio::test]
async fn a_replaced_zone_is_seen_at_once() {
    let zone = FakeResolver::new(ZONE).unwrap();
    let server = FakeServer::start(zone.clone()).await.unwrap();
    let resolver = system(&options(&server));
    assert!(resolver.addresses(&domain("mail.example.org")).await.is_ok());
    zone.replace("mail.example.org A 192.0.2.77").unwrap();
    assert_eq!(shown(resolver.addresses(&domain("mail.example.org")).await), "[192.0.2.77]");
}

#[tokio::test]
async fn nobody_there_is_temporary() {
    let server = FakeServer::start(FakeResolver::new("").unwrap()).await.unwrap();
    let resolver = system(&SystemResolverOptions { timeout: Duration::from_millis(50), ..options(&server) });
    drop(server);
    let outcome = tokio::time::timeout(Duration::from_secs(30), resolver.mx(&domain("example.org"))).await.unwrap();
    assert!(matches!(outcome, Err(DnsError::Temporary(_))), "{outcome:?}");
}

#[test]
fn wrong_zone_lines_are_named() {
    let check = |zone: &str, line: usize| assert_eq!(FakeResolver::new(zone).err().map(|error| error.line), Some(line));
    check("example.org MX ten mail.example.org", 1);
    check("\n\nexample.org A 2001:db8::1", 3);
    check("example.org", 1);
    check("example.org WHAT 1", 1);
    check("example.org TLSA 3 1 1 0", 1);
    check("example.org PTR a.example", 1);
}
