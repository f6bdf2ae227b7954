//! Whose signature is right.

use super::*;

const MAIL: &str = "From: Jane <jane@example.org>\r\nTo: a@b.example\r\nSubject: Hello  there\r\n\
    Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n\r\nHello,\r\n\r\nthis is it. \r\n\r\n\r\n";

/// The outcomes of a message's signatures, from the top, with their reasons.
async fn check(world: &World, zone: &str, message: &str, expected: &[&str]) {
    world.replace(zone);
    let findings = world.verify(&arrival("client", ""), message.as_bytes()).await;
    let found: Vec<String> = findings
        .dkim
        .iter()
        .map(|finding| format!("{} {}", finding.outcome.word(), finding.reason.unwrap_or_default()).trim().to_owned())
        .collect();
    assert_eq!(found, expected, "{message}");
}

#[tokio::test]
async fn what_we_sign_verifies() {
    let world = World::new("").await;
    for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
        let zone = key_line(kind, "s1", "example.org");
        let mail = signed(kind, "s1", "example.org", MAIL);
        check(&world, &zone, &mail, &["pass"]).await;
        // What may change on the way, by the relaxed canonicalization.
        check(&world, &zone, &mail.replace("Hello  there", "Hello\r\n\tthere"), &["pass"]).await;
        check(&world, &zone, &mail.replace("From: Jane", "FROM:   Jane"), &["pass"]).await;
        check(&world, &zone, &mail.replace("this is it. ", "this  is\tit."), &["pass"]).await;
        check(&world, &zone, &format!("Received: from a\r\n{mail}\r\n\r\n"), &["pass"]).await;
        // What may not.
        check(&world, &zone, &mail.replace("there", "here"), &["fail the signature is wrong"]).await;
        check(&world, &zone, &mail.replace("this is", "that is"), &["fail the body was changed"]).await;
        check(&world, &zone, &mail.replace("Hello,\r\n", ""), &["fail the body was changed"]).await;
        for added in ["From: x@y.example", "Subject: x", "Cc: x@y.example", "Message-ID: <a@b>"] {
            check(&world, &zone, &format!("{added}\r\n{mail}"), &["fail the signature is wrong"]).await;
        }
        check(&world, &zone, &mail.replace("Date: Thu", "X-Date: Thu"), &["fail the signature is wrong"]).await;
    }
}

#[tokio::test]
async fn several_signatures_each_have_their_finding() {
    let world = World::new("").await;
    let zone = key_line(KeyKind::Rsa, "r", "example.org") + &key_line(KeyKind::Ed25519, "e", "example.org");
    let both = signed(KeyKind::Rsa, "r", "example.org", &signed(KeyKind::Ed25519, "e", "example.org", MAIL));
    check(&world, &zone, &both, &["pass", "pass"]).await;
    let between = both.replacen("DKIM-Signature: v=1; a=ed", "DKIM-Signature: broken\r\nDKIM-Signature: v=1; a=ed", 1);
    check(&world, &zone, &between, &["pass", "permerror the signature can't be read", "pass"]).await;
    world.replace(&zone);
    let findings = world.verify(&arrival("client", ""), between.as_bytes()).await;
    let facts = |finding: &DkimFinding| (finding.domain.clone(), finding.selector.clone(), finding.algorithm);
    assert_eq!(facts(&findings.dkim[0]), ("example.org".into(), "r".into(), "rsa-sha256"));
    assert_eq!(facts(&findings.dkim[1]), (String::new(), String::new(), ""));
    assert_eq!(facts(&findings.dkim[2]), ("example.org".into(), "e".into(), "ed25519-sha256"));
    assert_eq!(findings.dkim[0].signature_start.len(), 8);
    assert!(between.replace("\r\n ", "").contains(&format!("b={}", findings.dkim[0].signature_start)));
}

#[tokio::test]
async fn keys_fail_in_their_ways() {
    let world = World::new("").await;
    let mail = signed(KeyKind::Ed25519, "s1", "example.org", MAIL);
    let name = "s1._domainkey.example.org";
    let rsa = key_record(KeyKind::Rsa, &RSA.public);
    let zones = [
        (String::new(), "permerror there is no such key"),
        (format!("{name} A 192.0.2.1"), "permerror there is no such key"),
        (format!("{name} FAIL"), "temperror no answer from DNS"),
        (format!("{name} TXT \"nonsense\""), "permerror there is no such key"),
        (format!("{name} TXT \"v=DKIM2; k=ed25519; p=AAAA\""), "permerror there is no such key"),
        (format!("{name} TXT \"v=DKIM1; k=ed25519; p=\""), "permerror the key was revoked"),
        (format!("{name} TXT \"v=DKIM1; k=dsa; p=AAAA\""), "policy the key is too weak or of no known kind"),
        (format!("{name} TXT \"v=DKIM1; k=ed25519; p=AAAA\""), "fail the signature is wrong"),
        (
            format!("{name} TXT \"v=DKIM1; k=rsa; p=MDwwDQYJKoZIhvcNAQEBBQADKwAwKA==\""),
            "policy the key is too weak or of no known kind",
        ),
        (format!("{name} TXT \"{rsa}\""), "permerror the key is of another kind"),
        (format!("{name} TXT \"x\"\n{}", key_line(KeyKind::Ed25519, "s1", "example.org")), "pass"),
        (
            format!(
                "{name} CNAME k.else.example\n{}",
                key_line(KeyKind::Ed25519, "s1", "example.org").replace(name, "k.else.example")
            ),
            "pass",
        ),
    ];
    for (zone, expected) in zones {
        check(&world, &zone, &mail, &[expected]).await;
    }
}

#[tokio::test]
async fn signatures_that_could_be_right_and_are_not_believed() {
    let world = World::new("").await;
    let zone = key_line(KeyKind::Rsa, "s1", "example.org");
    let mail = signed(KeyKind::Rsa, "s1", "example.org", MAIL);
    check(&world, &zone, &mail.replacen("a=rsa-sha256", "a=rsa-sha1", 1), &["policy SHA-1 is not believed"]).await;
    check(&world, &zone, &mail.replacen("t=1700000000;", "l=10;", 1), &["policy the end of the body is not signed"])
        .await;
    check(
        &world,
        &zone,
        &mail.replacen("t=1700000000;", "t=1700000000; x=1700000001;", 1),
        &["fail the signature has expired"],
    )
    .await;
    check(&world, &zone, &mail.replacen("t=1700000000;", "i=a@other.example;", 1), &["permerror i= is not within d="])
        .await;
    check(&world, &zone, &mail.replacen("h=From:From:", "h=", 1), &["permerror From is not signed"]).await;
    check(&world, &zone, &mail.replacen("v=1;", "v=2;", 1), &["permerror the signature can't be read"]).await;
    let large = mail.replacen("Subject:", &format!("X: {}\r\nSubject:", "y".repeat(1024 * 1024)), 1);
    check(&world, &zone, &large, &["policy the header is too large to be verified"]).await;
    check(&world, &zone, MAIL, &[]).await;
}

/// Signatures that count what they cover (another signer makes them; ours never does).
#[tokio::test]
async fn a_count_of_the_whole_body_leaves_nothing_out() {
    let world = World::new("").await;
    use mail_auth::common::crypto::Ed25519Key;
    use mail_auth::dkim::DkimSigner;
    let mail = "From: jane@example.org\r\n\r\nHello\r\n";
    let signer = DkimSigner::from_key(Ed25519Key::from_pkcs8_der(&ED25519.private).unwrap());
    let signer = signer.domain("example.org").selector("s1").headers(["From"]).body_length(true);
    let mut signature = Vec::new();
    signer.sign(mail.as_bytes()).unwrap().write(&mut signature, true);
    let signed = format!("{}{mail}", std::str::from_utf8(&signature).unwrap());
    assert!(signed.contains("l=7;"));
    let zone = key_line(KeyKind::Ed25519, "s1", "example.org");
    check(&world, &zone, &signed, &["pass"]).await;
    check(&world, &zone, &format!("{signed}and more\r\n"), &["policy the end of the body is not signed"]).await;
}

#[tokio::test]
async fn the_example_of_rfc_8463_verifies() {
    let world = World::new("").await;
    let zone = "brisbane._domainkey.football.example.com TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"
test._domainkey.football.example.com TXT \"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB\"";
    let mail = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
\r
Hi.\r
\r
We lost the game.  Are you hungry yet?\r
\r
Joe.\r
";
    check(&world, zone, mail, &["pass", "pass"]).await;
}

/// One message, signed by another program with every pair of canonicalizations.
#[tokio::test]
async fn signatures_of_another_program_verify() {
    let world = World::new("").await;
    let mail = include_str!("other_signer.eml");
    let zone = "e._domainkey.example.org TXT \"v=DKIM1; k=ed25519; p=OjMm8dZtIaLHhF9uq8mCB11lvY8tpumqGMdyKuJjrRI=\"";
    check(&world, zone, mail, &["pass"; 4]).await;
    let refolded = mail.replace("Hello \t there", "Hello there");
    let simple_header = "fail the signature is wrong";
    check(&world, zone, &refolded, &[simple_header, "pass", simple_header, "pass"]).await;
    let trimmed = mail.replace("this\tis it. ", "this is it.");
    let simple_body = "fail the body was changed";
    check(&world, zone, &trimmed, &[simple_body, simple_body, "pass", "pass"]).await;
}
