//! Who may send.

use super::*;

/// `hello` and `sender` against one zone; the outcomes for HELO and MAIL FROM, `-` where there was nothing to ask.
async fn check(world: &World, zone: &str, hello: &str, sender: &str, expected: &str) {
    world.replace(zone);
    let findings = world.verify(&arrival(hello, sender), b"Subject: x\r\n\r\n").await;
    let shown = |identity| findings.spf_of(identity).map_or("-", |finding| finding.outcome.word());
    let found = format!("{} {}", shown(SpfIdentity::Helo), shown(SpfIdentity::MailFrom));
    assert_eq!(found, expected, "{zone}\n{hello} {sender}");
}

#[tokio::test]
async fn every_result_of_rfc_7208_section_2_6() {
    let world = World::new("").await;
    let from = |record: &str| format!("example.com TXT \"{record}\"\nmail.example.com A {CLIENT}\n");
    let all = [
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass"),
        ("v=spf1 a:mail.example.com -all", "pass"),
        ("V=SPF1 IP4:192.0.2.3", "pass"),
        ("v=spf1 -all", "fail"),
        ("v=spf1 ip4:198.51.100.0/24 ~all", "softfail"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1", "neutral"),
        ("v=spf10 -all", "none"),
        ("something else", "none"),
        ("v=spf1 ip4:nonsense -all", "permerror"),
        ("v=spf1 all:x", "permerror"),
        ("v=spf1 include:nothing.example -all", "permerror"),
        ("v=spf1 a:broken.example -all\"\nbroken.example FAIL\nx.example TXT \"", "temperror"),
        ("v=spf1 mx:broken.example -all\"\nbroken.example FAIL\nx.example TXT \"", "temperror"),
        ("v=spf1 include:broken.example -all\"\nbroken.example FAIL\nx.example TXT \"", "temperror"),
        ("v=spf1 exists:broken.example -all\"\nbroken.example FAIL\nx.example TXT \"", "temperror"),
    ];
    for (record, expected) in all {
        check(&world, &from(record), "client", "a@example.com", &format!("- {expected}")).await;
    }
    check(&world, "example.com FAIL", "client", "a@example.com", "- temperror").await;
    check(&world, "", "client", "a@example.com", "- none").await;
    let twice = "example.com TXT \"v=spf1 +all\"\nexample.com TXT \"v=spf1 -all\"";
    check(&world, twice, "client", "a@example.com", "- permerror").await;
    let beside = "example.com TXT \"v=spf1 nonsense:\"\nexample.com TXT \"something else\"";
    check(&world, beside, "client", "a@example.com", "- permerror").await;
}

#[tokio::test]
async fn mechanisms_follow_dns() {
    let world = World::new("").await;
    let zone = "
        example.com            TXT \"v=spf1 mx include:other.example redirect=last.example\"
        example.com            MX  10 mx.example.com
        mx.example.com         A   198.51.100.1
        other.example          TXT \"v=spf1 a:host.other.example -all\"
        host.other.example     A   198.51.100.2
        last.example           TXT \"v=spf1 exists:%{ir}.%{v}._spf.%{d} -all\"
        3.2.0.192.in-addr._spf.last.example A 127.0.0.2
    ";
    check(&world, zone, "client", "a@example.com", "- pass").await;
    check(&world, &zone.replace("exists:", "-exists:"), "client", "a@example.com", "- fail").await;
    check(&world, &zone.replace("198.51.100.1", CLIENT), "client", "a@example.com", "- pass").await;
    check(&world, &zone.replace("198.51.100.2", CLIENT), "client", "a@example.com", "- pass").await;
    check(&world, &zone.replace("3.2.0.192", "4.2.0.192"), "client", "a@example.com", "- fail").await;
}

/// The expansions of RFC 7208 section 7.4, as names that have to exist.
#[tokio::test]
async fn macros_expand_as_the_examples_say() {
    let world = World::new("").await;
    let expansions = [
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{h}", "client.example.net"),
    ];
    for (text, name) in expansions {
        let zone = |found: &str| {
            format!("email.example.com TXT \"v=spf1 exists:{text}.below.test -all\"\n{found}.below.test A 127.0.0.2\n")
        };
        check(&world, &zone(name), "client.example.net", "strong-bad@email.example.com", "none pass").await;
        check(&world, &zone("x"), "client.example.net", "strong-bad@email.example.com", "none fail").await;
    }
}

#[tokio::test]
async fn lookups_are_bounded() {
    let world = World::new("").await;
    // RFC 7208 section 4.6.4: ten, not more.
    let chain = |links: usize| {
        let mut zone = String::new();
        for link in 0..links {
            zone += &format!("d{link}.example TXT \"v=spf1 include:d{}.example -all\"\n", link + 1);
        }
        zone + &format!("d{links}.example TXT \"v=spf1 ip4:{CLIENT} -all\"\n")
    };
    check(&world, &chain(10), "client", "a@d0.example", "- pass").await;
    check(&world, &chain(11), "client", "a@d0.example", "- permerror").await;
    check(&world, "example.com TXT \"v=spf1 include:example.com -all\"", "client", "a@example.com", "- permerror")
        .await;
    check(&world, "example.com TXT \"v=spf1 redirect=example.com\"", "client", "a@example.com", "- permerror").await;
}

#[tokio::test]
async fn names_in_helo_are_asked_for_when_they_are_names() {
    let world = World::new("").await;
    let zone = format!("client.example TXT \"v=spf1 ip4:{CLIENT} -all\"\nexample.com TXT \"v=spf1 -all\"");
    check(&world, &zone, "client.example", "a@example.com", "pass fail").await;
    check(&world, &zone, "client.example", "", "pass -").await;
    check(&world, &zone, "CLIENT.example.", "", "pass -").await;
    check(&world, &zone, "[192.0.2.3]", "", "- -").await;
    check(&world, &zone, "localhost", "", "- -").await;
    check(&world, &zone, "a b\r\n", "", "- -").await;
    check(&world, &zone, "client.example", "a@[192.0.2.3]", "pass none").await;
}

#[tokio::test]
async fn addresses_in_two_forms_are_one() {
    let world = World::new("example.com TXT \"v=spf1 ip4:192.0.2.3 ip6:2001:db8::/32 -all\"").await;
    for (client, expected) in [
        ("::ffff:192.0.2.3", Outcome::Pass),
        ("2001:db8::1", Outcome::Pass),
        ("2001:db9::1", Outcome::Fail),
        ("192.0.2.4", Outcome::Fail),
    ] {
        let arrival = Arrival { client: client.parse().ok(), ..arrival("client", "\"a b\"@example.com") };
        let findings = world.verify(&arrival, b"").await;
        assert_eq!(findings.spf_of_sender().unwrap().outcome, expected, "{client}");
    }
    let neighbour = Arrival { client: None, ..arrival("client.example", "a@example.com") };
    assert_eq!(world.verify(&neighbour, b"").await.spf, []);
}
