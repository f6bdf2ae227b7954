//! Forwarding that arrives, and what comes back of it.

use super::first::{from_outside, house};
use crate::support::peer::{Got, Peer, say};
use crate::support::running::Running;
use posthouse::admin::{RedirectResume, RedirectShow, RedirectionView, Trace, TraceAbout};
use posthouse::dns::{FakeResolver, FakeServer};
use posthouse::store::LedgerFilter;

const MESSAGE: &str = "From: paul@author.example\nMessage-ID: <one@author.example>\nSubject: hello\n\nhow are you\n";

async fn shown(house: &Running, address: &str) -> RedirectionView {
    house.act(RedirectShow { address: address.parse().unwrap() }).await
}

fn path_of(got: &Got) -> String {
    let path = got.from.split(' ').next().unwrap();
    path.trim_matches(['<', '>']).to_owned()
}

fn report(about: &str, status: &str) -> String {
    format!(
        "From: mailer@far.example\nSubject: failure\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\n\nIt could not be delivered.\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.far.example\n\nFinal-Recipient: rfc822; {about}\nAction: failed\nStatus: 5.2.2\n\
         Diagnostic-Code: smtp; {status}\n\n--b--\n"
    )
}

#[tokio::test]
async fn a_bounce_goes_to_the_author_and_is_counted() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house.redirect("jane@example.org", &["jane@far.example"], Some(true)).await;
    from_outside(&house, "paul@author.example", &["jane@example.org"], MESSAGE).await;
    let path = path_of(&peer.got(1).await[0]);
    let check = async |from: &str, to: &[&str], expected: &str| {
        let reply = from_outside(&house, from, to, &report("jane@far.example", "552 5.2.2 her mailbox is full")).await;
        assert!(reply.starts_with(expected), "{from} to {to:?}: {reply}");
    };
    // It takes what nobody sends, to itself alone, and no other path of the kind.
    check("mary@far.example", &[&path], "550 5.7.1").await;
    check("", &[&path, "jane@example.org"], "452 4.5.3").await;
    check("", &["jane@example.org", &path], "452 4.5.3").await;
    check("", &[&path.replace("paul", "mary")], "550 5.1.1").await;
    check("", &["SRS0=nonsense@example.org"], "550 5.1.1").await;
    check("", &[&path.to_lowercase()], "250").await;
    let got = peer.got(2).await;
    assert!(got[1].from.starts_with("<>") && got[1].to[0].starts_with("<paul@author.example>"), "{:?}", got[1]);
    assert!(got[1].text().contains("552 5.2.2 her mailbox is full"), "{}", got[1].text());
    house.idle().await;
    // Neither the target nor the mailbox has heard of it.
    assert_eq!((peer.seen.count("RCPT TO:<jane@far.example>"), peer.seen.count("MAIL")), (1, 2));
    assert_eq!(house.filed("jane@example.org").await.len(), 1);
    let target = shown(&house, "jane@example.org").await.targets.remove(0);
    assert_eq!((target.refusals, target.last_reply.as_deref()), (1, Some("552 5.2.2 her mailbox is full")));
    // What it takes again is forgiven.
    from_outside(&house, "paul@author.example", &["jane@example.org"], MESSAGE).await;
    peer.got(3).await;
    house.idle().await;
    assert_eq!(shown(&house, "jane@example.org").await.targets[0].refusals, 0);
    house.close().await;
}

#[tokio::test]
async fn a_target_that_refuses_again_and_again_is_paused_and_the_owner_told() {
    let peer = Peer::start(
        &[],
        |line, _| {
            if line.starts_with("RCPT TO:<gone@") { say("550 5.1.1 she has left") } else { None }
        },
    )
    .await;
    let extra = format!("{}refusals_before_pause = 2\n", peer.outbound());
    let house = Running::open(&["smtp"], &extra).await;
    house.domain("example.org").await;
    house.account("boss@example.org", None).await;
    house.account("jane@example.org", None).await;
    house.redirect("jane@example.org", &["gone@far.example", "here@far.example"], Some(true)).await;
    house.redirect("team@example.org", &["gone@far.example"], None).await;
    let check = async |address: &str, owner: &str| {
        for _ in 0..2 {
            from_outside(&house, "paul@author.example", &[address], MESSAGE).await;
            house.idle().await;
        }
        let find = async || {
            let filed = house.filed(owner).await;
            filed.into_iter().find(|one| one.field("Subject").unwrap().contains(&format!("what {address} passes on")))
        };
        house.until("the owner is told", async || find().await.is_some()).await;
        let notice = find().await.unwrap();
        let text = String::from_utf8(notice.octets.clone()).unwrap();
        let resume = format!("posthouse redirect resume {address}");
        for expected in ["gone@far.example", "550 5.1.1 she has left", "2 messages in a row", &resume] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(text.starts_with("Return-Path: <>\r\n"), "{text}");
        let view = shown(&house, address).await;
        assert_eq!((view.targets[0].state.as_str(), view.targets[0].refusals), ("paused", 2), "{view:?}");
    };
    check("jane@example.org", "jane@example.org").await;
    check("team@example.org", "boss@example.org").await;
    // Nothing more goes there, and the rest goes on.
    let before = (peer.seen.count("RCPT TO:<gone@"), peer.seen.count("RCPT TO:<here@"));
    from_outside(&house, "paul@author.example", &["jane@example.org"], MESSAGE).await;
    house.idle().await;
    assert_eq!((peer.seen.count("RCPT TO:<gone@"), peer.seen.count("RCPT TO:<here@")), (before.0, before.1 + 1));
    house.act(RedirectResume { address: "jane@example.org".parse().unwrap() }).await;
    let target = shown(&house, "jane@example.org").await.targets.remove(0);
    assert_eq!((target.state.as_str(), target.refusals), ("active", 0));
    // The author has heard each time, by the name he wrote to.
    let reports: Vec<Got> =
        peer.got(1).await.into_iter().filter(|got| got.to[0].starts_with("<paul@author.example>")).collect();
    assert_eq!(reports.len(), 4);
    assert!(reports.iter().all(|got| got.from.starts_with("<>") && !got.text().contains("gone@")), "{reports:?}");
    house.close().await;
}

#[tokio::test]
async fn the_target_finds_us_by_spf() {
    let zone = "
        author.example TXT \"v=spf1 -all\"
        example.org TXT \"v=spf1 ip4:127.0.0.1 -all\"
        _dmarc.author.example TXT \"v=DMARC1; p=none\"
    ";
    let dns = FakeServer::start(FakeResolver::new(zone).unwrap()).await.unwrap();
    let asking = format!(
        "[dns]\nservers = [\"{}\"]\nvalidate = false\nattempts = 1\n[mx]\nauthenticate = true\n",
        dns.address()
    );
    let target = Running::open(&["smtp"], &asking).await;
    target.domain("far.example").await;
    target.account("jane@far.example", None).await;
    let outbound = format!("[outbound]\nconnect_to = \"{}\"\n", target.port("smtp"));
    let house = Running::open(&["smtp"], &outbound).await;
    house.domain("example.org").await;
    house.redirect("jane@example.org", &["jane@far.example"], None).await;
    let reply = from_outside(&house, "paul@author.example", &["jane@example.org"], MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    house.idle().await;
    let filed = target.filed("jane@far.example").await;
    let results = filed[0].field("Authentication-Results").unwrap();
    assert!(results.contains("spf=pass smtp.mailfrom=\"SRS0=") && results.contains("=paul@example.org"), "{results}");
    house.close().await;
    target.close().await;
}

#[tokio::test]
async fn what_would_not_arrive_stays_and_is_shown() {
    let zone = "
        author.example TXT \"v=spf1 ip4:127.0.0.1 -all\"
        _dmarc.author.example TXT \"v=DMARC1; p=reject\"
    ";
    let dns = FakeServer::start(FakeResolver::new(zone).unwrap()).await.unwrap();
    let peer = Peer::kind().await;
    let extra = format!(
        "{}[dns]\nservers = [\"{}\"]\nvalidate = false\nattempts = 1\n[mx]\nauthenticate = true\n",
        peer.outbound(),
        dns.address()
    );
    let house = Running::open(&["smtp", "lmtp"], &extra).await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    house.redirect("jane@example.org", &["jane@far.example"], Some(false)).await;
    house.redirect("team@example.org", &["jane@far.example"], None).await;
    let check = async |address: &str, reply: &str, kept: usize| {
        let said = from_outside(&house, "paul@author.example", &[address], MESSAGE).await;
        assert!(said.starts_with(reply), "{address}: {said}");
        assert_eq!(house.filed("jane@example.org").await.len(), kept);
        let target = shown(&house, address).await.targets.remove(0);
        assert_eq!(target.not_passed_on, 1, "{address}");
        let why = target.not_passed_on_why.unwrap();
        assert!(why.contains("author.example, whose policy is reject"), "{why}");
        let ledger = house.server.house.store.ledger(LedgerFilter::Address(address.to_owned()), 10).await.unwrap();
        assert!(ledger.iter().any(|record| record.entry.detail.contains("whose policy is reject")), "{ledger:?}");
    };
    // Her own mailbox has it, although she wants no copies; without one, its sender hears why.
    check("jane@example.org", "250", 1).await;
    check("team@example.org", "550 5.7.1", 1).await;
    // Spam that a filter before us has marked.
    let spam = format!("X-Spam-Status: Yes, score=9\n{MESSAGE}");
    let mut sender = crate::support::smtp::Sender::connect(house.port("lmtp"), "LHLO filter.example").await.unwrap();
    let reply = sender.send("a@b.example", &["jane@example.org"], spam.replace('\n', "\r\n").as_bytes()).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let target = shown(&house, "jane@example.org").await.targets.remove(0);
    assert_eq!(target.not_passed_on, 2);
    assert!(target.not_passed_on_why.unwrap().contains("spam"));
    assert_eq!(peer.seen.count("MAIL"), 0);
    house.close().await;
}

#[tokio::test]
async fn a_bounce_of_what_was_passed_on_is_not_passed_on() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house.redirect("jane@example.org", &["jane@far.example"], Some(false)).await;
    house.redirect("team@example.org", &["jane@far.example"], None).await;
    for address in ["jane@example.org", "team@example.org"] {
        from_outside(&house, "paul@author.example", &[address], MESSAGE).await;
    }
    let got = peer.got(2).await;
    // A server that does not know where bounces go, and sends them to whom it takes for the sender.
    let check = async |got: &Got, address: &str, expected: &str| {
        let status = report("jane@far.example", "550 no");
        let returned = format!("--b\nContent-Type: message/rfc822\n\n{}\n--b--\n", got.text().replace("\r\n", "\n"));
        let bounce = status.replace("--b--\n", &returned);
        let reply = from_outside(&house, "", &[address], &bounce).await;
        assert!(reply.starts_with(expected), "{address}: {reply}");
    };
    let about = |address: &str| got.iter().find(|got| got.text().contains(address)).unwrap().clone();
    check(&about("jane@example.org"), "jane@example.org", "250").await;
    check(&about("team@example.org"), "team@example.org", "5").await;
    house.idle().await;
    assert_eq!(peer.seen.count("MAIL"), 2);
    assert_eq!(house.filed("jane@example.org").await.len(), 1);
    // A report about something else is mail like any other.
    let reply = from_outside(&house, "", &["jane@example.org"], &report("mary@far.example", "550 no")).await;
    assert!(reply.starts_with("250"), "{reply}");
    peer.got(3).await;
    house.idle().await;
    house.close().await;
}

#[tokio::test]
async fn a_bounce_is_told_with_what_it_is_about() {
    let peer = Peer::kind().await;
    let house = house(&peer).await;
    house.redirect("jane@example.org", &["jane@far.example"], None).await;
    house.redirect("team@example.org", &["team@far.example"], None).await;
    let forward = async |to: &str, id: &str| {
        let message = MESSAGE.replace("one@author.example", id);
        from_outside(&house, "paul@author.example", &[to], &message).await;
        house.idle().await;
    };
    for (to, id) in [("jane@example.org", "one"), ("jane@example.org", "two"), ("team@example.org", "three")] {
        forward(to, &format!("{id}@author.example")).await;
    }
    let path = path_of(&peer.got(3).await[0]);
    let bounce = async |id: &str, text: &str| {
        let reply = from_outside(&house, "", &[&path], &format!("Message-ID: <{id}@far.example>\n{text}")).await;
        assert!(reply.starts_with("250"), "{reply}");
        house.idle().await;
    };
    let told = async |id: &str| {
        let about = TraceAbout::MessageId(id.to_owned());
        let traced = house.act(Trace { about, last: 10 }).await.messages.remove(0);
        let last = traced.events.last().unwrap();
        (traced.events.len(), last.lines.join("\n"))
    };
    // Of what was passed on to her under one path it says which it was; by her name alone it would not be known.
    let header = "--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <one@author.example>\n\n--b--\n";
    let text = report("jane@far.example", "552 5.2.2 full");
    bounce("b1", &text.replace("--b--\n", header)).await;
    let (events, last) = told("one@author.example").await;
    assert!(events == 3 && last.starts_with("came back, and was passed on to paul@author.example"), "{last}");
    assert!(last.contains("552 5.2.2 full") && last.contains("the report is b1@far.example"), "{last}");
    bounce("b2", &text).await;
    assert_eq!((told("one@author.example").await.0, told("two@author.example").await.0), (3, 2));
    assert!(!told("b2@far.example").await.1.contains("it is about"));
    // There is only one that can be meant.
    bounce("b3", &report("team@far.example", "550 5.1.1 nobody")).await;
    let (events, last) = told("three@author.example").await;
    assert!(events == 3 && last.contains("550 5.1.1 nobody"), "{last}");
    // What the target passes on is the target's.
    let header = header.replace("one@", "two@");
    bounce("b4", &report("jane@third.example", "550 5.7.1 no").replace("--b--\n", &header)).await;
    let target = shown(&house, "jane@example.org").await.targets.remove(0);
    assert_eq!((target.refusals, target.last_reply.as_deref()), (3, Some("jane@third.example: 550 5.7.1 no")));
    // The same bounce again, from a server that lost our answer.
    bounce("b1", &text.replace("--b--\n", &header)).await;
    assert_eq!(peer.got(7).await.len(), 7);
    assert_eq!(shown(&house, "jane@example.org").await.targets[0].refusals, 3);
    house.close().await;
}

#[tokio::test]
async fn what_was_passed_back_and_bounces_here_reaches_its_author() {
    let peer =
        Peer::start(
            &[],
            |line, _| {
                if line.starts_with("RCPT TO:<gone@") { say("550 5.1.1 nobody of that name") } else { None }
            },
        )
        .await;
    let house = house(&peer).await;
    house.redirect("jane@example.org", &["jane@far.example"], None).await;
    house.redirect("team@example.org", &["gone@far.example"], None).await;
    from_outside(&house, "paul@author.example", &["jane@example.org"], MESSAGE).await;
    let path = path_of(&peer.got(1).await[0]);
    // Her other server passes it on as it is.
    let reply = from_outside(&house, &path, &["team@example.org"], MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    let bounce = peer.got(2).await.remove(1);
    assert!(bounce.from.starts_with("<>") && bounce.to[0].starts_with("<paul@author.example>"), "{bounce:?}");
    assert!(bounce.text().contains("550 5.1.1 nobody of that name") && bounce.text().contains("team@example.org"));
    house.idle().await;
    assert_eq!(peer.seen.got.lock().unwrap().len(), 2);
    house.close().await;
}
