//! Which servers are tried, in which order, and how they have to prove themselves.

use super::world::{World, ZONE, submission};
use crate::queue::{Login, Protocol, Smarthost};
use crate::store::{NewSend, SendDetails, SendRecord};
use crate::types::{HostPort, SendId};

/// What became of a send to `to`, with the zone added: each connection, and the outcome.
async fn outcome(world: &World, zone: &str, send: NewSend) -> (Vec<String>, String) {
    world.resolver.replace(&format!("{ZONE}\n{zone}")).expect("a zone");
    let before = world.ledger().await.len();
    let seen = world.seen().len();
    let ids = world.put("Subject: hi\n\nhello\n", vec![send]).await;
    world.run_until(before + 1).await;
    let opened = world.seen()[seen..].iter().filter_map(|line| line.strip_prefix("open ").map(str::to_owned)).collect();
    let record: Option<SendRecord> = world.store.send(ids[0]).await.expect("readable");
    let last = world.ledger().await;
    let detail: serde_json::Value = serde_json::from_str(&last[before].entry.detail).expect("JSON");
    let outcome = format!("{} {}", last[before].entry.event, detail["reply"].as_str().unwrap_or_default());
    assert_eq!(record.is_some(), outcome.starts_with("postponed"));
    for left in world.all().await {
        // Reports are another test's business.
        let _ = crate::queue::remove(&world.store, SendId(left.id.0), "test").await;
    }
    (opened, outcome)
}

async fn check(zone: &str, to: &str, opened: &[&str], expected: &str) {
    let world = World::new();
    let (seen, outcome) = outcome(&world, zone, submission(to)).await;
    let seen: Vec<&str> =
        seen.iter().map(|line| line.rsplit_once(' ').map_or(line.as_str(), |(host, _)| host)).collect();
    assert_eq!((seen.as_slice(), outcome.as_str()), (opened, expected), "{zone}");
}

#[tokio::test]
async fn mail_exchangers_by_preference() {
    let sent = "sent 250 queued";
    check(
        "d.example MX 20 b.example\n d.example MX 10 down.a.example\n b.example A 192.0.2.9\n down.a.example A 192.0.2.8",
        "x@d.example",
        &["down.a.example 192.0.2.8:25", "b.example 192.0.2.9:25"],
        sent,
    )
    .await;
    // Without MX the domain is its own; a name that does not exist is none.
    check("d.example A 192.0.2.9", "x@d.example", &["d.example 192.0.2.9:25"], sent).await;
    check("", "x@d.example", &[], "failed 5.1.2 there is no such domain").await;
    check("d.example TXT \"x\"", "x@d.example", &[], "failed 5.4.4 the domain's mail server has no address").await;
    check("d.example MX 0 .", "x@d.example", &[], "failed 5.1.10 the domain takes no mail").await;
    check("", "x@[192.0.2.77]", &["[192.0.2.77] 192.0.2.77:25"], sent).await;
    // Aliases are followed.
    check("d.example CNAME one.example", "x@d.example", &["mx.one.example 192.0.2.1:25"], sent).await;
    check(
        "d.example MX 10 alias.example\n alias.example CNAME mx.one.example",
        "x@d.example",
        &["alias.example 192.0.2.1:25"],
        sent,
    )
    .await;
    // Both families, one after the other.
    check(
        "d.example MX 1 down.d.example\n down.d.example A 192.0.2.8\n down.d.example AAAA 2001:db8::8\n
         d.example MX 2 b.example\n b.example A 192.0.2.9",
        "x@d.example",
        &["down.d.example [2001:db8::8]:25", "down.d.example 192.0.2.8:25", "b.example 192.0.2.9:25"],
        sent,
    )
    .await;
}

#[tokio::test]
async fn what_dns_does_not_say_now_it_may_say_later() {
    let none = "postponed 4.4.3 the domain's mail servers could not be looked up";
    check("d.example FAIL", "x@d.example", &[], none).await;
    let none = "postponed 4.4.3 the address of the domain's mail server could not be looked up";
    check("d.example MX 1 mx.d2.example\n mx.d2.example FAIL", "x@d.example", &[], none).await;
    // One that is gone for good does not outweigh one that may come back.
    check(
        "d.example MX 1 gone.example\n d.example MX 2 mx.down.example",
        "x@d.example",
        &["mx.down.example 192.0.2.3:25"],
        "postponed mx.down.example: 4.4.1 no connection to the server could be made",
    )
    .await;
}

#[tokio::test]
async fn our_own_name_among_the_exchangers_is_where_it_ends() {
    let zone = "d.example MX 10 b.example\n d.example MX 20 mail.us.example\n d.example MX 20 c.example\n
                d.example MX 30 e.example\n b.example A 192.0.2.9\n c.example A 192.0.2.10\n mail.us.example A 192.0.2.99";
    check(zone, "x@d.example", &["b.example 192.0.2.9:25"], "sent 250 queued").await;
    let zone = "d.example MX 10 mail.us.example\n d.example MX 20 b.example\n b.example A 192.0.2.9";
    let loops = "failed 5.4.6 the domain's mail servers are this one, which does not know the domain";
    check(zone, "x@d.example", &[], loops).await;
    let mut world = World::new();
    world.settings.own_addresses = vec!["192.0.2.9".parse().expect("an address")];
    let zone = "d.example MX 10 b.example\n b.example A 192.0.2.9";
    let (opened, outcome) = outcome(&world, zone, submission("x@d.example")).await;
    assert!(opened.is_empty());
    assert_eq!(outcome, "failed 5.4.6 the domain's mail server is this one under another name");
}

#[tokio::test]
async fn inner_addresses_are_ours_where_we_answer_there() {
    for inner in ["A 127.0.0.1", "A 127.9.9.9", "AAAA ::1", "A 0.0.0.0", "AAAA ::ffff:127.0.0.1"] {
        let mut world = World::new();
        world.settings.own_addresses = vec!["127.0.0.1".parse().expect("an address")];
        let zone = format!("d.example MX 10 b.example\n b.example {inner}");
        let (opened, outcome) = outcome(&world, &zone, submission("x@d.example")).await;
        assert!(opened.is_empty(), "{inner}");
        assert_eq!(outcome, "failed 5.4.6 the domain's mail server is this one under another name", "{inner}");
    }
}

#[tokio::test]
async fn addresses_in_the_place_of_a_domain_are_no_way_around() {
    let loops = "failed 5.4.6 the domain's mail server is this one under another name";
    let mut world = World::new();
    world.settings.own_addresses = vec!["127.0.0.1".parse().expect("an address")];
    for literal in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "IPv6:::1", "IPv6:::", "IPv6:::ffff:127.0.0.1", "192.0.2.98"] {
        let send = submission(&format!("x@[{literal}]"));
        let (opened, outcome) = outcome(&world, "", send).await;
        assert_eq!((opened.len(), outcome.as_str()), (0, loops), "{literal}");
    }
    let (opened, outcome_) = outcome(&world, "", submission("x@[192.0.2.5]")).await;
    assert_eq!(opened, ["[192.0.2.5] 192.0.2.5:25 IfOffered"]);
    assert_eq!(outcome_, "sent 250 queued");
    // Another server of this machine, named by an administrator.
    world.settings.connect_to = HostPort::parse("127.0.0.1:2525");
    let (opened, _) = outcome(&world, "", submission("x@far.example")).await;
    assert_eq!(opened, ["[127.0.0.1] 127.0.0.1:2525 IfOffered"]);
    world.settings.connect_to = HostPort::parse("127.0.0.1:25");
    assert_eq!(outcome(&world, "", submission("x@far.example")).await.1, loops);
}

#[tokio::test]
async fn zones_made_to_hurt_cost_little() {
    let looked_up = "postponed 4.4.3 the domain's mail servers could not be looked up";
    check("d.example CNAME e.example\n e.example CNAME d.example", "x@d.example", &[], looked_up).await;
    let circle = "d.example MX 10 a.example\n a.example CNAME b.example\n b.example CNAME a.example";
    let address = "postponed 4.4.3 the address of the domain's mail server could not be looked up";
    check(circle, "x@d.example", &[], address).await;
    let many: String = (0..500)
        .map(|n| format!("d.example MX {n} down{n}.far.example\ndown{n}.far.example A 192.0.2.{}\n", n % 250))
        .collect();
    let world = World::new();
    let (opened, outcome) = outcome(&world, &many, submission("x@d.example")).await;
    assert!((1..=crate::types::limits::MX_ADDRESSES_TRIED_MAX).contains(&opened.len()), "{}", opened.len());
    assert!(outcome.starts_with("postponed"), "{outcome}");
}

#[tokio::test]
async fn equal_preferences_share_the_load() {
    let world = World::new();
    world
        .resolver
        .replace("d.example MX 1 a.example\n d.example MX 1 b.example\n a.example A 192.0.2.1\n b.example A 192.0.2.2")
        .expect("a zone");
    let mut first = std::collections::BTreeSet::new();
    // Thirty times the same by chance is one in a thousand million.
    for n in 1..=30 {
        world.put_to(&[&format!("x{n}@d.example")]).await;
        world.run_until(n).await;
        first.extend(world.seen().into_iter().filter(|line| line.starts_with("open")));
    }
    assert_eq!(first.len(), 2);
}

#[tokio::test]
async fn an_attempt_has_an_end() {
    let zone: String =
        (0..30).map(|n| format!("d.example MX {n} down{n}.example\n down{n}.example A 192.0.2.{n}\n")).collect();
    let world = World::new();
    let (opened, outcome) = outcome(&world, &zone, submission("x@d.example")).await;
    assert_eq!(opened.len(), crate::types::limits::MX_ADDRESSES_TRIED_MAX);
    assert!(outcome.starts_with("postponed"));
}

#[tokio::test]
async fn administrators_name_servers() {
    let host = |text: &str| HostPort::parse(text).expect("a host");
    let mut world = World::new();
    world.settings.connect_to = Some(host("192.0.2.50:2525"));
    let (opened, outcome_) = outcome(&world, "", submission("x@nowhere.example")).await;
    assert_eq!(
        (opened.as_slice(), outcome_.as_str()),
        (["[192.0.2.50] 192.0.2.50:2525 IfOffered".to_owned()].as_slice(), "sent 250 queued")
    );

    let mut world = World::new();
    let login = Login { name: "us".to_owned(), password: "secret".to_owned().into() };
    world.settings.smarthost = Some(Smarthost::new(host("mx.one.example"), Protocol::Smtp, Some(login.clone())));
    let (opened, _) = outcome(&world, "", submission("x@nowhere.example")).await;
    assert_eq!(opened, ["mx.one.example 192.0.2.1:587 Verified as us"]);
    world.settings.smarthost = Some(Smarthost::new(host("mx.one.example:465"), Protocol::Smtp, Some(login)));
    let (opened, _) = outcome(&world, "", submission("x@nowhere.example")).await;
    assert_eq!(opened, ["mx.one.example 192.0.2.1:465 FromTheStart as us"]);
    world.settings.smarthost = Some(Smarthost::new(host("mx.one.example:25"), Protocol::Smtp, None));
    let (opened, _) = outcome(&world, "", submission("x@nowhere.example")).await;
    assert_eq!(opened, ["mx.one.example 192.0.2.1:25 IfOffered"]);

    // A split domain's other server gets its mail directly, relay or not, and its MX is not asked for.
    let handover = |next_hop: &str| NewSend {
        destination: next_hop.to_owned(),
        details: SendDetails { next_hop: Some(next_hop.to_owned()), ..SendDetails::default() },
        ..submission("x@us.example")
    };
    let (opened, _) = outcome(&world, "", handover("mx.two.example:2525")).await;
    assert_eq!(opened, ["mx.two.example 192.0.2.2:2525 IfOffered"]);
    let (_, refused) = outcome(&world, "", handover("!")).await;
    assert_eq!(refused, "failed 5.3.5 the other server of the domain has no usable name");
}

#[tokio::test]
async fn tls_that_nobody_insists_on_may_fail() {
    let world = World::new();
    let (opened, sent) = outcome(&world, "", submission("x@badtls.example")).await;
    assert_eq!(opened, ["mx.badtls.example 192.0.2.6:25 IfOffered", "mx.badtls.example 192.0.2.6:25 Never"]);
    assert_eq!(sent, "sent 250 queued");
    let ledger = world.ledger().await;
    assert!(ledger[0].entry.detail.contains("mx.badtls.example: TLS failed: alert"), "{}", ledger[0].entry.detail);
}

#[tokio::test]
async fn a_domains_own_policy_is_obeyed() {
    let policy = |mode: &str| format!("version: STSv1\nmode: {mode}\nmx: *.d.example\nmax_age: 1000\n");
    let zone = "d.example MX 1 other.example\n d.example MX 2 mx.d.example\n other.example A 192.0.2.7\n
                mx.d.example A 192.0.2.8\n mta-sts.d.example A 192.0.2.9\n";
    let record = "_mta-sts.d.example TXT \"v=STSv1; id=1;\"\n";
    let with_record = format!("{zone}{record}");
    let world = World::new();
    world.resolver.replace(&format!("{ZONE}{with_record}")).expect("a zone");
    // Announced, and not to be had: nothing is known, and it is not asked for again so soon.
    let queue = world.queue().await;
    let putting = async {
        world.put_to(&["x@d.example"]).await;
        world.ledger_has(1).await;
        *world.transport.policy.lock().expect("not poisoned") = Some(policy("enforce"));
        world.put_to(&["x@d.example"]).await;
    };
    let (ran, ()) = tokio::join!(queue.run(world.ledger_has(2)), putting);
    ran.expect("runs");
    let open = "open other.example 192.0.2.7:25 IfOffered";
    let mail = "mail jane@us.example > x at other.example";
    assert_eq!(world.seen(), ["policy of mta-sts.d.example", open, mail, mail]);
    let (opened, _) = outcome(&world, &with_record, submission("x@d.example")).await;
    assert_eq!(opened, ["mx.d.example 192.0.2.8:25 Verified"]);
    // The record is suppressed, the policy is remembered; a new record means a new policy.
    let (opened, _) = outcome(&world, zone, submission("x@d.example")).await;
    assert_eq!(opened, ["mx.d.example 192.0.2.8:25 Verified"]);
    assert_eq!(world.seen().iter().filter(|line| line.starts_with("policy")).count(), 2);
    *world.transport.policy.lock().expect("not poisoned") = Some(policy("testing"));
    let (opened, _) = outcome(&world, &with_record.replace("id=1", "id=2"), submission("x@d.example")).await;
    assert_eq!(opened, ["other.example 192.0.2.7:25 IfOffered"]);
    // No server of the domain is one of the policy's.
    *world.transport.policy.lock().expect("not poisoned") = Some(policy("enforce").replace("*.d", "mx.e"));
    let (opened, outcome_) = outcome(&world, &with_record.replace("id=1", "id=3"), submission("x@d.example")).await;
    assert!(opened.is_empty());
    let unnamed = "postponed 4.7.5 none of the domain's mail servers is one its own policy names";
    assert_eq!(outcome_, unnamed);
    // A newer one is announced and can't be fetched: the one that is known holds as long as it said.
    *world.transport.policy.lock().expect("not poisoned") = None;
    let newer = with_record.replace("id=1", "id=4");
    assert_eq!(outcome(&world, &newer, submission("x@d.example")).await.1, unnamed);
    world.clock.advance_seconds(1001);
    let (opened, _) = outcome(&world, &newer, submission("x@d.example")).await;
    assert_eq!(opened, ["other.example 192.0.2.7:25 IfOffered"]);
}

#[tokio::test]
async fn signed_dns_names_certificates() {
    let zone = "d.example MX 1 mx.d.example\n mx.d.example A 192.0.2.8\n d.example SIGNED\n";
    let check = async |more: &str, opened: &[&str], expected: &str| {
        let world = World::new();
        let (seen, outcome) = outcome(&world, &format!("{zone}{more}"), submission("x@d.example")).await;
        assert_eq!(
            (seen.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), outcome.as_str()),
            (opened, expected)
        );
    };
    let sent = "sent 250 queued";
    check("", &["mx.d.example 192.0.2.8:25 IfOffered"], sent).await;
    let pin = "_25._tcp.mx.d.example TLSA 3 1 1 00ff\n";
    check(pin, &["mx.d.example 192.0.2.8:25 pinned by 1"], sent).await;
    // Kinds that count for the web only, or that nobody knows, still say that there is TLS.
    let web = "_25._tcp.mx.d.example TLSA 1 1 1 00ff\n";
    check(web, &["mx.d.example 192.0.2.8:25 Encrypted"], sent).await;
    check(&format!("{pin}{web}"), &["mx.d.example 192.0.2.8:25 pinned by 1"], sent).await;
    // Who can suppress the answer must not get the mail.
    let none = "postponed 4.7.5 the certificate of the domain's mail server could not be looked up";
    check("_25._tcp.mx.d.example FAIL\n", &[], none).await;
    // Not signed from one end to the other, it is worth nothing.
    let world = World::new();
    let unsigned = format!("{}{pin}", zone.replace("d.example SIGNED", "mx.d.example SIGNED"));
    let (opened, _) = outcome(&world, &unsigned, submission("x@d.example")).await;
    assert_eq!(opened, ["mx.d.example 192.0.2.8:25 IfOffered"]);
}

#[tokio::test]
async fn tls_all_the_way_needs_servers_that_are_known_for_sure() {
    let demanding =
        |to: &str| NewSend { details: SendDetails { requiretls: true, ..SendDetails::default() }, ..submission(to) };
    let world = World::new();
    let (opened, refused) = outcome(&world, "", demanding("x@one.example")).await;
    assert!(opened.is_empty());
    assert!(refused.starts_with("failed 5.7.30 "), "{refused}");
    let zone = "d.example MX 1 mx.d.example\n mx.d.example A 192.0.2.8\n d.example SIGNED\n";
    let (opened, _) = outcome(&world, zone, demanding("x@d.example")).await;
    assert_eq!(opened, ["mx.d.example 192.0.2.8:25 Verified"]);
}
