//! What vouches for the author, and what his domain wants.

use super::*;

/// Finding per author: outcome, policy, and whether DKIM and SPF vouch.
fn shown(findings: &Findings) -> Vec<String> {
    let policy = |finding: &DmarcFinding| finding.policy.map_or("-".to_owned(), |policy| format!("{policy:?}"));
    let one = |finding: &DmarcFinding| {
        let (outcome, dkim, spf) = (finding.outcome.word(), finding.dkim.word(), finding.spf.word());
        format!("{} {outcome} {} dkim={dkim} spf={spf}", finding.domain, policy(finding))
    };
    findings.dmarc.iter().map(one).collect()
}

async fn check(world: &World, zone: &str, sender: &str, message: &str, expected: &[&str]) {
    world.replace(zone);
    let findings = world.verify(&arrival("mail.sender.example", sender), message.as_bytes()).await;
    assert_eq!(shown(&findings), expected, "{zone}\n{message}");
}

fn mail(from: &str) -> String {
    format!("From: {from}\r\nTo: a@b.example\r\n\r\nHello\r\n")
}

fn policy(domain: &str, tags: &str) -> String {
    format!("_dmarc.{domain} TXT \"v=DMARC1; {tags}\"\n")
}

fn spf(domain: &str) -> String {
    format!("{domain} TXT \"v=spf1 ip4:{CLIENT} -all\"\n")
}

#[tokio::test]
async fn what_is_aligned_vouches() {
    let world = World::new("").await;
    let jane = mail("jane@example.org");
    let reject = policy("example.org", "p=reject");
    check(&world, "", "jane@example.org", &jane, &["example.org none - dkim=none spf=none"]).await;
    check(&world, &reject, "jane@example.org", &jane, &["example.org fail Reject dkim=none spf=none"]).await;
    let zone = reject.clone() + &spf("example.org") + &spf("bounces.example.org") + &spf("sender.example");
    check(&world, &zone, "jane@example.org", &jane, &["example.org pass Reject dkim=none spf=pass"]).await;
    check(&world, &zone, "x@bounces.example.org", &jane, &["example.org pass Reject dkim=none spf=pass"]).await;
    check(&world, &zone, "x@sender.example", &jane, &["example.org fail Reject dkim=none spf=fail"]).await;
    let strict = zone.replace("p=reject", "p=reject; aspf=s; adkim=s");
    check(&world, &strict, "x@bounces.example.org", &jane, &["example.org fail Reject dkim=none spf=fail"]).await;

    let zone =
        reject + &key_line(KeyKind::Ed25519, "s", "example.org") + &key_line(KeyKind::Ed25519, "s", "m.example.org");
    let vouched = signed(KeyKind::Ed25519, "s", "example.org", &jane);
    check(&world, &zone, "x@sender.example", &vouched, &["example.org pass Reject dkim=pass spf=none"]).await;
    let below = signed(KeyKind::Ed25519, "s", "m.example.org", &jane);
    check(&world, &zone, "", &below, &["example.org pass Reject dkim=pass spf=none"]).await;
    let strict = zone.replace("p=reject", "p=reject; adkim=s");
    check(&world, &strict, "", &below, &["example.org fail Reject dkim=fail spf=none"]).await;
    let changed = vouched.replace("Hello", "Hallo");
    check(&world, &zone, "", &changed, &["example.org fail Reject dkim=none spf=none"]).await;
    let other = zone + &key_line(KeyKind::Ed25519, "s", "other.example");
    let theirs = signed(KeyKind::Ed25519, "s", "other.example", &jane);
    check(&world, &other, "", &theirs, &["example.org fail Reject dkim=fail spf=none"]).await;
}

#[tokio::test]
async fn the_name_in_helo_vouches_for_notices() {
    let world = World::new("").await;
    let zone = policy("sender.example", "p=reject") + &spf("mail.sender.example");
    check(&world, &zone, "", &mail("postmaster@sender.example"), &["sender.example pass Reject dkim=none spf=pass"])
        .await;
}

#[tokio::test]
async fn policies_are_found_up_the_tree() {
    let world = World::new("").await;
    let from = |name: &str| mail(&format!("x@{name}"));
    let zone = policy("example.org", "p=quarantine; sp=reject; np=none") + "deep.example.org A 192.0.2.1\n";
    check(&world, &zone, "", &from("example.org"), &["example.org fail Quarantine dkim=none spf=none"]).await;
    check(&world, &zone, "", &from("deep.example.org"), &["deep.example.org fail Reject dkim=none spf=none"]).await;
    check(&world, &zone, "", &from("gone.example.org"), &["gone.example.org fail None dkim=none spf=none"]).await;
    let testing = policy("example.org", "p=reject; t=y");
    check(&world, &testing, "", &from("example.org"), &["example.org fail Quarantine dkim=none spf=none"]).await;
    let idn = policy("xn--bcher-kva.example", "p=reject");
    check(&world, &idn, "", &from("bücher.example"), &["xn--bcher-kva.example fail Reject dkim=none spf=none"]).await;
    let reports_only = policy("example.org", "rua=mailto:r@example.org");
    check(&world, &reports_only, "", &from("example.org"), &["example.org fail None dkim=none spf=none"]).await;
    check(
        &world,
        &policy("example.org", "p=nonsense"),
        "",
        &from("example.org"),
        &["example.org permerror - dkim=permerror spf=permerror"],
    )
    .await;
}

#[tokio::test]
async fn trouble_with_dns_is_neither_pass_nor_fail() {
    let world = World::new("").await;
    let jane = mail("jane@example.org");
    let temporary = &["example.org temperror - dkim=temperror spf=temperror"];
    check(&world, "_dmarc.example.org FAIL", "jane@example.org", &jane, temporary).await;
    // The policy is known, and whether anything vouches is not.
    let zone = policy("example.org", "p=reject") + "s._domainkey.example.org FAIL\n";
    let vouched = signed(KeyKind::Ed25519, "s", "example.org", &jane);
    check(&world, &zone, "", &vouched, &["example.org temperror Reject dkim=temperror spf=none"]).await;
    // Something else that vouches is enough.
    check(
        &world,
        &(zone + &spf("example.org")),
        "jane@example.org",
        &vouched,
        &["example.org pass Reject dkim=temperror spf=pass"],
    )
    .await;
}

#[tokio::test]
async fn every_author_is_asked_about() {
    let world = World::new("").await;
    let zone = policy("a.example", "p=none") + &policy("b.example", "p=reject") + &spf("a.example");
    let both = mail("x@a.example, y@b.example");
    let expected = ["a.example pass None dkim=none spf=pass", "b.example fail Reject dkim=none spf=fail"];
    check(&world, &zone, "x@a.example", &both, &expected).await;
    check(&world, &zone, "x@a.example", &mail("x@a.example\r\nFrom: y@b.example"), &expected).await;
    check(&world, &zone, "x@a.example", "Subject: no author\r\n\r\n", &[]).await;
}
