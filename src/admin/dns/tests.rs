//! What is told of zones that are right, wrong, empty and silent.

use super::*;
use crate::admin::tests::{House, authoritative, domain};
use crate::admin::{DomainAdd, DomainRotateKeys, Hosting, RotateWhen};
use crate::dns::FakeResolver;
use crate::policy::{key_name, key_record};
use crate::queue::key_kind;
use std::sync::Arc;

const RIGHT: &str = "
example.test MX 10 mail.example.test
mail.example.test A 192.0.2.1
mail.example.test AAAA 2001:db8::1
192.0.2.1 PTR mail.example.test
2001:db8::1 PTR mail.example.test
example.test TXT \"v=spf1 mx ~all\"
example.test TXT \"another-thing=1\"
_dmarc.example.test TXT \"v=DMARC1; p=none; rua=mailto:x@example.test\"
_submissions._tcp.example.test SRV 0 1 465 mail.example.test
_imaps._tcp.example.test SRV 0 1 993 mail.example.test
_smtp._tls.example.test TXT \"v=TLSRPTv1; rua=mailto:postmaster@example.test\"
";

struct World {
    house: House,
    dns: FakeResolver,
    /// The lines of the domain's keys.
    keys: String,
}

async fn world() -> World {
    let house = House::empty().await;
    let services = vec![
        OfferedService { name: "submissions", reached: Reached::At(465) },
        OfferedService { name: "imaps", reached: Reached::At(993) },
        OfferedService { name: "imap", reached: Reached::FromHereOnly },
        OfferedService { name: "pop3s", reached: Reached::NotBuilt },
    ];
    let settings = crate::admin::Settings { services, ..house.admin.settings().as_ref().clone() };
    house.admin.replace_settings(settings);
    house.ok(authoritative("example.test")).await;
    let dns = FakeResolver::new("").unwrap();
    house.admin.set_resolver(Arc::new(dns.clone()));
    let mut world = World { house, dns, keys: String::new() };
    world.keys = world.key_lines().await;
    world
}

impl World {
    async fn key_lines(&self) -> String {
        let keys = self.house.admin.store().dkim_keys(&domain("example.test")).await.unwrap();
        let line = |key: &crate::store::DkimKey| {
            let record = key_record(key_kind(key.algorithm), &key.public_key);
            format!("{} TXT \"{record}\"\n", key_name(&key.selector, &domain("example.test")))
        };
        keys.iter().map(line).collect()
    }

    async fn show(&self, zone: &str) -> DnsView {
        self.dns.replace(zone).unwrap();
        self.house.ok(DnsShow { domain: domain("example.test") }).await
    }

    /// With everything right but what `from` becomes: what is said of the records that are not green.
    async fn check(&self, from: &str, to: &str, expected: &[&str]) {
        let zone = format!("{RIGHT}{}", self.keys).replace(from, to);
        let shown = self.show(&zone).await;
        let said: Vec<String> = shown
            .records
            .iter()
            .filter(|record| record.verdict != Verdict::Green)
            .map(|record| {
                let fix = record.fix.clone().unwrap_or_default();
                format!("{:?} {} {}: {fix}", record.verdict, record.kind, record.name)
            })
            .collect();
        assert_eq!(said, expected, "{from} -> {to}");
    }
}

#[tokio::test]
async fn what_is_right_is_green() {
    let world = world().await;
    world.check("", "", &[]).await;
    world.check("v=spf1 mx ~all", "V=SPF1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all", &[]).await;
    world.check("v=spf1 mx ~all", "v=spf1 a:mail.example.test -all", &[]).await;
    world.check("v=spf1 mx ~all", "v=spf1 include:far.example mx -all", &[]).await;
    world.check("p=none;", "sp=none; p = REJECT ;", &[]).await;
    world.check("0 1 993", "5 9 993", &[]).await;
    let shown = world.show(RIGHT).await;
    let paste = |purpose: &str| {
        let record = shown.records.iter().find(|record| record.purpose.contains(purpose)).unwrap();
        format!("{} {} {}", record.name, record.kind, record.value)
    };
    assert_eq!(paste("MX"), "example.test. MX 10 mail.example.test.");
    assert_eq!(paste("SPF"), "example.test. TXT \"v=spf1 mx ~all\"");
    assert_eq!(paste("IMAP"), "_imaps._tcp.example.test. SRV 0 1 993 mail.example.test.");
    assert!(paste("DKIM").starts_with("rsa20260921._domainkey.example.test. TXT ( \"v=DKIM1; k=rsa; p=M"));
    let left_out: Vec<String> = shown.left_out.iter().map(|out| format!("{}: {}", out.what, out.why)).collect();
    assert_eq!(
        left_out,
        [
            "_submission._tcp: submission is turned off",
            "_imap._tcp: imap listens for this machine only",
            "_pop3s._tcp: this version has no pop3s",
            "_sieve._tcp: managesieve is turned off",
            "autoconfig, autodiscover, mta-sts: this version serves nothing by https",
        ]
    );
}

/// Each string of a TXT record as a zone file has it, joined, is the record.
#[tokio::test]
async fn long_texts_come_in_strings_that_fit() {
    let world = world().await;
    let shown = world.show("").await;
    for record in shown.records.iter().filter(|record| record.kind == "TXT") {
        let strings: Vec<&str> = record.value.split('"').skip(1).step_by(2).collect();
        assert!(strings.iter().all(|string| string.len() <= 255), "{}", record.value);
        let is_key = record.name.contains("_domainkey");
        assert!(!is_key || world.keys.contains(&format!("\"{}\"", strings.concat())), "{}", record.value);
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_the_fix() {
    let world = world().await;
    let mx = "example.test MX 10 mail.example.test";
    world
        .check(
            mx,
            "example.test MX 10 other.example",
            &[
                "Red MX example.test.: mail goes to another server",
                "Red TXT example.test.: it does not name 2001:db8::1, 192.0.2.1: put mx behind v=spf1",
            ],
        )
        .await;
    world
        .check(
            mx,
            "example.test MX 10 mail.example.test\nexample.test MX 5 other.example",
            &["Orange MX example.test.: another server gets the mail first"],
        )
        .await;
    world
        .check(
            mx,
            "",
            &[
                "Red MX example.test.: without it no mail comes in",
                "Red TXT example.test.: it does not name 2001:db8::1, 192.0.2.1: put mx behind v=spf1",
            ],
        )
        .await;
    world.check("mail.example.test A 192.0.2.1", "mail.example.test A 10.0.0.1", &["Red A/AAAA mail.example.test.: 10.0.0.1 can't be reached from outside", "Orange PTR mail.example.test.: many servers refuse mail from an address without its name: whoever rents you 10.0.0.1 can set it to mail.example.test"]).await;
    world.check("v=spf1 mx ~all", "v=spf1 include:far.example -all", &["Orange TXT example.test.: whether include:far.example names 2001:db8::1, 192.0.2.1 can't be told here: put mx in front of it"]).await;
    world
        .check(
            "v=spf1 mx ~all",
            "v=spf1 ip4:192.0.2.1 -all",
            &["Red TXT example.test.: it does not name 2001:db8::1: put mx behind v=spf1"],
        )
        .await;
    world
        .check("v=spf1 mx ~all", "v=spf1 mx +all", &["Red TXT example.test.: it lets everybody send: end it in ~all"])
        .await;
    world
        .check(
            "another-thing=1",
            "v=spf1 -all",
            &["Red TXT example.test.: several SPF records are none: make one of them"],
        )
        .await;
    world
        .check(
            "v=spf1 mx ~all",
            "v=spf10 mx ~all",
            &["Red TXT example.test.: without it others can't tell who may send for the domain"],
        )
        .await;
}

#[tokio::test]
async fn wrong_keys_policies_and_services_are_said() {
    let world = world().await;
    world
        .check(
            "k=ed25519; p=",
            "k=ed25519; p=A",
            &["Red TXT ed20260921._domainkey.example.test.: DNS has something else in its place: put this there"],
        )
        .await;
    world
        .check(
            "v=DMARC1; p=none",
            "v=DMARC1; x=none",
            &["Red TXT _dmarc.example.test.: it has no policy: p= says none, quarantine or reject"],
        )
        .await;
    world
        .check(
            "SRV 0 1 993 mail",
            "SRV 0 1 993 old",
            &["Red SRV _imaps._tcp.example.test.: it leads mail programs elsewhere"],
        )
        .await;
    world
        .check(
            "SRV 0 1 993 mail.example.test",
            "SRV 0 0 0 .",
            &["Red SRV _imaps._tcp.example.test.: it leads mail programs elsewhere"],
        )
        .await;
}

#[tokio::test]
async fn nothing_published_is_red_where_it_matters() {
    let world = world().await;
    let shown = world.show("elsewhere.test A 192.0.2.9").await;
    let said: Vec<(Verdict, &str)> =
        shown.records.iter().map(|record| (record.verdict, record.kind.as_str())).collect();
    use Verdict::{Orange, Red};
    let expected = [
        (Red, "MX"),
        (Red, "A/AAAA"),
        (Orange, "PTR"),
        (Red, "TXT"),
        (Red, "TXT"),
        (Red, "TXT"),
        (Orange, "TXT"),
        (Orange, "SRV"),
        (Orange, "SRV"),
        (Orange, "TXT"),
    ];
    assert_eq!(said, expected);
    assert!(shown.online);
    assert!(shown.records.iter().all(|record| record.fix.is_some()));
}

#[tokio::test]
async fn silence_is_said_and_the_records_are_told_all_the_same() {
    let world = world().await;
    let shown = world.show("test FAIL\n192.0.2.1 PTR x.example").await;
    assert!(!shown.online);
    assert!(shown.records.iter().all(|record| record.verdict == Verdict::Unknown));
    assert!(shown.records.iter().filter(|record| !record.value.is_empty()).count() >= 8);
    assert_eq!(shown.notes, ["DNS gives no answer: what stands there now is not known"]);
}

#[tokio::test]
async fn keys_that_wait_and_keys_that_go_are_told() {
    let world = world().await;
    world.house.ok(DomainRotateKeys { domain: domain("example.test"), when: RotateWhen::Published }).await;
    let waits = "will be used from 2026-09-22 on, if DNS has it by then, else later";
    let next = [
        format!("Orange TXT rsa20260921-2._domainkey.example.test.: {waits}"),
        format!("Orange TXT ed20260921-2._domainkey.example.test.: {waits}"),
    ];
    world.check("", "", &[&next[0], &next[1]]).await;
    world.house.ok(DomainRotateKeys { domain: domain("example.test"), when: RotateWhen::Now }).await;
    let unseen = "others can't verify what it signs";
    let now = [
        format!("Red TXT rsa20260921-2._domainkey.example.test.: {unseen}"),
        format!("Red TXT ed20260921-2._domainkey.example.test.: {unseen}"),
    ];
    world.check("", "", &[&now[0], &now[1]]).await;
}

#[tokio::test]
async fn split_and_foreign_domains() {
    let world = world().await;
    world
        .house
        .ok(DomainAdd { domain: domain("split.test"), hosting: Hosting::Split("other.split.test".to_owned()) })
        .await;
    world.dns.replace("split.test MX 10 other.split.test\nsplit.test TXT \"v=spf1 a:other.split.test\"").unwrap();
    let shown = world.house.ok(DnsShow { domain: domain("split.test") }).await;
    assert_eq!(shown.records[0].verdict, Verdict::Orange);
    assert_eq!(shown.records[0].found, ["10 other.split.test."]);
    assert_eq!(shown.records[3].value, "\"v=spf1 mx a:other.split.test ~all\"");
    world.house.refused(DnsShow { domain: domain("far.test") }, &["the domain far.test is not hosted here"]).await;
}

#[tokio::test]
async fn what_strangers_publish_does_not_reach_the_terminal_raw() {
    let world = world().await;
    let long = "y".repeat(5000);
    let zone = format!("example.test TXT \"v=spf1 \u{1b}[31m{long}\"");
    let shown = world.show(&zone).await;
    let found = &shown.records[3].found[0];
    assert!(found.starts_with("v=spf1 \u{fffd}[31myyy"), "{found}");
    assert!(found.len() < 700);
}
