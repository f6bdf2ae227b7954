//! From findings to what becomes of a message, and what its header says afterwards.

use super::*;
use crate::message::HeaderEdit;

const QUARANTINE: &str = "_dmarc.example.org TXT \"v=DMARC1; p=quarantine\"\n";
const REJECT: &str = "_dmarc.example.org TXT \"v=DMARC1; p=reject\"\n";
const JANE: &str = "From: jane@example.org\r\nSubject: x\r\n\r\nHello\r\n";

async fn assess(world: &World, zone: &str, sender: &str, message: &str) -> Assessment {
    world.replace(zone);
    Assessment::of(world.verify(&arrival("mail.example.org", sender), message.as_bytes()).await)
}

fn shown(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Junk(reason) => format!("junk: {reason}"),
        Verdict::Defer(domain) => format!("defer: {domain}"),
        Verdict::Refuse(domain) => format!("refuse: {domain}"),
    }
}

/// The verdict, and whether the message may be sent on.
async fn check(world: &World, zone: &str, sender: &str, message: &str, verdict: &str, forwarding: &str) {
    let assessment = assess(world, zone, sender, message).await;
    assert_eq!(shown(assessment.verdict()), verdict, "{zone}\n{message}");
    let admission = assessment.forwarding_admission();
    assert_eq!(admission.map_or_else(|why| why.to_string(), |()| "yes".to_owned()), forwarding, "{zone}\n{message}");
}

fn spf(domain: &str, rest: &str) -> String {
    format!("{domain} TXT \"v=spf1 {rest}\"\n")
}

#[tokio::test]
async fn verdicts_follow_the_policy_of_the_author() {
    let world = World::new("").await;
    let junk = "nothing vouches for example.org, whose policy is quarantine";
    check(&world, "", "a@b.example", JANE, "accept", "yes").await;
    check(&world, &REJECT.replace("reject", "none"), "a@b.example", JANE, "accept", "yes").await;
    check(&world, QUARANTINE, "a@b.example", JANE, &format!("junk: {junk}"), junk).await;
    let unsigned = "it has no valid signature of example.org, whose policy is reject";
    check(&world, REJECT, "a@b.example", JANE, "refuse: example.org", unsigned).await;

    // SPF vouches here, and no longer behind us.
    let allowed = REJECT.to_owned() + &spf("example.org", &format!("ip4:{CLIENT} -all"));
    check(&world, &allowed, "jane@example.org", JANE, "accept", unsigned).await;
    // A signature vouches everywhere.
    let keyed = REJECT.to_owned() + &key_line(KeyKind::Ed25519, "s", "example.org");
    check(&world, &keyed, "a@b.example", &signed(KeyKind::Ed25519, "s", "example.org", JANE), "accept", "yes").await;
    // Somebody else's does not.
    let other = REJECT.to_owned() + &key_line(KeyKind::Ed25519, "s", "other.example");
    let theirs = signed(KeyKind::Ed25519, "s", "other.example", JANE);
    check(&world, &other, "a@b.example", &theirs, "refuse: example.org", unsigned).await;
}

#[tokio::test]
async fn trouble_with_dns_defers_only_what_would_be_refused() {
    let world = World::new("").await;
    let mail = signed(KeyKind::Ed25519, "s", "example.org", JANE);
    let key = "s._domainkey.example.org FAIL\n";
    check(&world, &(REJECT.to_owned() + key), "a@b.example", &mail, "defer: example.org", "yes").await;
    check(&world, &(QUARANTINE.to_owned() + key), "a@b.example", &mail, "accept", "yes").await;
    check(&world, "example.org FAIL", "jane@example.org", &mail, "accept", "yes").await;
    check(&world, "_dmarc.example.org FAIL", "a@b.example", JANE, "accept", "yes").await;
}

#[tokio::test]
async fn spf_decides_where_nothing_else_can() {
    let world = World::new("").await;
    let forbidden = spf("b.example", "-all");
    let junk = "the client may not send for b.example";
    check(&world, &forbidden, "a@b.example", JANE, &format!("junk: {junk}"), junk).await;
    check(&world, &spf("b.example", "~all"), "a@b.example", JANE, "accept", "yes").await;
    let own_policy = forbidden.clone() + &REJECT.replace("reject", "none");
    check(&world, &own_policy, "a@b.example", JANE, "accept", "yes").await;
    let keyed = forbidden + &key_line(KeyKind::Ed25519, "s", "list.example");
    check(&world, &keyed, "a@b.example", &signed(KeyKind::Ed25519, "s", "list.example", JANE), "accept", "yes").await;
}

#[tokio::test]
async fn two_authors_are_one_too_many() {
    let world = World::new("").await;
    let unclear = "its author is not clear";
    let two = format!("From: x@b.example\r\n{JANE}");
    check(&world, "", "a@b.example", &two, &format!("junk: {unclear}"), unclear).await;
    let unsigned = "it has no valid signature of example.org, whose policy is reject";
    check(&world, REJECT, "a@b.example", &two, "refuse: example.org", unsigned).await;
    check(&world, "", "a@b.example", "From: x@b.example, y@c.example\r\n\r\n", "accept", "yes").await;
    check(&world, "", "a@b.example", "From: x@-b-\r\n\r\n", &format!("junk: {unclear}"), unclear).await;
}

/// The header after arriving, unfolded.
fn header(message: &str, trust: Trust, assessment: &Assessment) -> Vec<String> {
    let mut edit = HeaderEdit::new(message.as_bytes());
    remove_forgeries(&mut edit, trust, &hostname());
    edit.prepend(&assessment_fields(assessment, &hostname()));
    let fields = crate::message::HeaderFields::new(edit.header());
    fields.map(|field| String::from_utf8_lossy(&crate::message::unfold(field.raw())).into_owned()).collect()
}

#[tokio::test]
async fn the_header_says_what_was_found() {
    let world = World::new("").await;
    let zone = QUARANTINE.to_owned()
        + &spf("b.example", "-all")
        + &spf("mail.example.org", "?all")
        + &key_line(KeyKind::Rsa, "r", "b.example")
        + &key_line(KeyKind::Ed25519, "e", "b.example");
    let mail = signed(KeyKind::Rsa, "r", "b.example", &signed(KeyKind::Ed25519, "x", "b.example", JANE));
    let assessment = assess(&world, &zone, "\"a b\"@b.example", &mail).await;
    let start = |index: usize| assessment.findings().unwrap().dkim[index].signature_start.clone();
    let quoted = |text: String| if text.contains('/') { format!("\"{text}\"") } else { text };
    assert_eq!(
        header("Subject: x\r\n\r\n", Trust::Nobody, &assessment),
        [
            "X-Spam-Status: Yes, nothing vouches for example.org, whose policy is quarantine".to_owned(),
            format!(
                "Authentication-Results: mx.ours.example; spf=neutral smtp.helo=mail.example.org; spf=fail \
                 smtp.mailfrom=\"\\\"a b\\\"@b.example\"; dkim=pass header.d=b.example header.s=r header.a=rsa-sha256 \
                 header.b={}; dkim=permerror reason=\"there is no such key\" header.d=b.example header.s=x \
                 header.a=ed25519-sha256 header.b={}; dmarc=fail header.from=example.org policy.dmarc=quarantine",
                quoted(start(0)),
                quoted(start(1))
            ),
            "Subject: x".to_owned(),
        ]
    );
    assert_eq!(
        header("", Trust::Nobody, &assess(&world, "", "", JANE).await),
        ["Authentication-Results: mx.ours.example; spf=none smtp.helo=mail.example.org; dkim=none; dmarc=none \
             header.from=example.org"]
    );
    assert_eq!(header("Subject: x\r\n\r\n", Trust::Nobody, &Assessment::unchecked()), ["Subject: x"]);
}

#[test]
fn forged_fields_go() {
    let check = |trust: Trust, field: &str, goes: bool| {
        let mail = format!("Subject: x\r\n{field}\r\nTo: y\r\n\r\nbody");
        let kept = header(&mail, trust, &Assessment::unchecked());
        assert_eq!(kept.len() == 2, goes, "{field}: {kept:?}");
        assert!(kept.contains(&"Subject: x".to_owned()) && kept.contains(&"To: y".to_owned()), "{kept:?}");
    };
    check(Trust::Nobody, "Authentication-Results: mx.ours.example; dkim=pass", true);
    check(Trust::Nobody, "authentication-results:\r\n MX.ours.example.;\r\n dkim=pass", true);
    check(Trust::Nobody, "Authentication-Results: other.example; dkim=pass", false);
    check(Trust::Nobody, "X-Spam-Status: No, score=-100", true);
    check(Trust::Nobody, "x-spam-score : 0", true);
    check(Trust::Nobody, "X-Virus-Status: clean", true);
    check(Trust::Nobody, "X-Posthouse-Anything: y", true);
    check(Trust::Nobody, "X-Posthouse-Passed: 00112233445566778899", false);
    check(Trust::Nobody, "X-Spammy: y", false);
    check(Trust::Nobody, "Return-Path: <x@y.example>", true);
    check(Trust::Neighbour, "X-Spam-Status: Yes", false);
    check(Trust::Neighbour, "Authentication-Results: mx.ours.example; dkim=pass", false);
    check(Trust::Neighbour, "Return-Path: <x@y.example>", true);
}
