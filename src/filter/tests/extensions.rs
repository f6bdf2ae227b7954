//! Every extension that `require` offers works from the script to the plan.

use super::*;
use crate::types::{DsnReturn, Notify};

/// Scripts that need the extension, without its `require`, and what comes of them. A script that needs another one too
/// says so itself.
const CASES: [(&str, &str, &str); 62] = [
    ("body", "if body :contains \"WORDS\" { discard; }", "discard"),
    ("body", "if body :raw :matches \"*has*\" { discard; }", "discard"),
    ("body", "if body :content \"text/html\" :contains \"words\" { discard; }", "keep(implicit)"),
    (
        "comparator-i;ascii-casemap",
        "if header :comparator \"i;ascii-casemap\" \"subject\" \"[LIST] hello, world\" { discard; }",
        "discard",
    ),
    (
        "comparator-i;ascii-numeric",
        "require \"relational\"; if header :value \"gt\" :comparator \"i;ascii-numeric\" \"x-score\" \"9\" { discard; }",
        "discard",
    ),
    (
        "comparator-i;octet",
        "if header :comparator \"i;octet\" \"subject\" \"[LIST] Hello, World\" { discard; }",
        "keep(implicit)",
    ),
    ("copy", "redirect :copy \"a@example.net\";", "redirect a@example.net; keep(implicit)"),
    ("copy", "require \"fileinto\"; fileinto :copy \"Lists\";", "fileinto Lists; keep(implicit)"),
    ("date", "if date :zone \"+0000\" \"date\" \"hour\" \"03\" { discard; }", "discard"),
    ("date", "if date :originalzone :matches \"date\" \"time\" \"04:*\" { discard; }", "discard"),
    ("date", "if currentdate \"date\" \"2026-11-20\" { discard; }", "discard"),
    ("duplicate", "if not duplicate { discard; }", "discard"),
    ("editheader", "addheader \"X-Tag\" \"yes\"; if header \"x-tag\" \"yes\" { discard; }", "discard"),
    ("editheader", "deleteheader \"x-score\"; redirect \"a@example.net\";", "redirect a@example.net edited"),
    (
        "enclose",
        "enclose :subject \"wrapped\" \"see below\"; if header \"subject\" \"wrapped\" { keep; }",
        "keep edited",
    ),
    ("encoded-character", "if header :contains \"subject\" \"${hex:5b}list${unicode:5d}\" { discard; }", "discard"),
    ("enotify", "notify :message \"mail\" \"mailto:a@example.net\";", "notify a@example.net: mail; keep(implicit)"),
    ("enotify", "if valid_notify_method [\"mailto:a@example.net\"] { discard; }", "discard"),
    ("enotify", "if notify_method_capability \"mailto:a@example.net\" \"Online\" \"maybe\" { discard; }", "discard"),
    ("enotify", "if valid_notify_method \"xmpp:a@example.net\" { discard; }", "keep(implicit)"),
    ("envelope", "if envelope :localpart \"from\" \"joe\" { discard; }", "discard"),
    ("envelope", "if envelope :matches \"to\" \"jane+*@example.org\" { discard; }", "discard"),
    ("envelope-deliverby", "require \"envelope\"; if envelope \"bymode\" \"return\" { discard; }", "discard"),
    (
        "envelope-deliverby",
        "require \"envelope\"; if envelope :zone \"+0100\" \"bytimeabsolute\" \"2026-11-20T05:31:42+01:00\" { discard; }",
        "discard",
    ),
    ("envelope-dsn", "require \"envelope\"; if envelope \"orcpt\" \"original@example.org\" { discard; }", "discard"),
    ("envelope-dsn", "require \"envelope\"; if envelope :contains \"notify\" \"DELAY\" { discard; }", "discard"),
    (
        "envelope-dsn",
        "require \"envelope\"; if allof(envelope \"ret\" \"HDRS\", envelope \"envid\" \"QQ\") { discard; }",
        "discard",
    ),
    ("environment", "if environment \"remote-ip\" \"192.0.2.7\" { discard; }", "discard"),
    ("environment", "if environment :matches \"domain\" \"*.org\" { discard; }", "discard"),
    ("environment", "if environment \"no-such-item\" \"\" { discard; }", "keep(implicit)"),
    ("ereject", "ereject \"go away\";", "ereject \"go away\""),
    ("extlists", "if address :list \"from\" \"friends\" { discard; }", "discard"),
    ("extlists", "redirect :list \"friends\";", "redirect joe@example.net; redirect ann@example.net"),
    ("extlists", "if valid_ext_list \"enemies\" { discard; }", "keep(implicit)"),
    (
        "extracttext",
        "require [\"foreverypart\", \"variables\"]; foreverypart { extracttext :first 8 \"t\"; } if string \"${t}\" \"The body\" { discard; }",
        "discard",
    ),
    (
        "fcc",
        "require \"vacation\"; vacation :fcc \"Lists\" :subject \"s\" \"away\";",
        "reply to joe@example.net from jane@example.org: s; keep(implicit)",
    ),
    ("fileinto", "fileinto \"Lists\";", "fileinto Lists"),
    ("fileinto", "fileinto \"Nowhere\";", "keep(no such mailbox); error main:1 there is no mailbox \"Nowhere\""),
    ("foreverypart", "foreverypart { discard; break; }", "discard"),
    ("ihave", "if ihave \"fileinto\" { fileinto \"Lists\"; }", "fileinto Lists"),
    ("ihave", "if ihave \"bogus\" { bogus \"x\"; } else { discard; }", "discard"),
    (
        "imap4flags",
        "setflag \"\\\\Flagged\"; addflag \"$todo\"; if hasflag :contains \"todo\" { keep; }",
        "keep \\Flagged $todo",
    ),
    ("imap4flags", "require \"fileinto\"; fileinto :flags [\"\\\\Seen\"] \"Lists\";", "fileinto Lists \\Seen"),
    ("imapsieve", "require \"environment\"; if environment \"imap.mailbox\" \"Archive\" { discard; }", "discard"),
    ("include", "include :global \"one\";", "discard"),
    ("index", "if header :index 1 :last \"x-twice\" \"second\" { discard; }", "discard"),
    ("mailbox", "if mailboxexists [\"Lists\", \"INBOX\"] { discard; }", "discard"),
    ("mailbox", "require \"fileinto\"; fileinto :create \"New/One\";", "fileinto New/One create"),
    (
        "mailboxid",
        "require \"fileinto\"; if mailboxidexists \"F7\" { fileinto :mailboxid \"F7\" \"Lists\"; }",
        "fileinto Lists/Rust",
    ),
    (
        "mboxmetadata",
        "if allof(metadata :contains \"Lists\" \"/private/comment\" \"about\", not metadataexists \"Lists\" \"/x\") { discard; }",
        "discard",
    ),
    ("mime", "if header :mime :subtype \"content-type\" \"plain\" { discard; }", "discard"),
    (
        "redirect-deliverby",
        "redirect :bytimerelative 600 :bymode \"return\" \"a@example.net\";",
        "redirect a@example.net",
    ),
    ("redirect-dsn", "redirect :notify \"NEVER\" :ret \"FULL\" \"a@example.net\";", "redirect a@example.net"),
    ("regex", "if header :regex \"subject\" \"^\\\\[[a-z]+\\\\] Hel+o\" { discard; }", "discard"),
    ("reject", "reject \"no\";", "reject \"no\""),
    ("relational", "if header :count \"eq\" \"x-twice\" \"2\" { discard; }", "discard"),
    ("replace", "replace :subject \"cut\" \"gone\"; if header \"subject\" \"cut\" { keep; }", "keep edited"),
    ("servermetadata", "if servermetadata :matches \"/shared/admin\" \"mailto:*\" { discard; }", "discard"),
    (
        "special-use",
        "require \"fileinto\"; if specialuse_exists \"Junk\" \"\\\\Junk\" { fileinto :specialuse \"\\\\Junk\" \"x\"; }",
        "fileinto Junk",
    ),
    ("subaddress", "require \"envelope\"; if envelope :detail \"to\" \"tag\" { discard; }", "discard"),
    (
        "spamtest",
        "require [\"relational\", \"comparator-i;ascii-numeric\"]; if spamtest :value \"ge\" :comparator \"i;ascii-numeric\" \"5\" { discard; }",
        "discard",
    ),
    ("spamtestplus", "if spamtest :percent \"62\" { discard; }", "discard"),
];

const MORE: [(&str, &str, &str); 5] = [
    (
        "vacation",
        "vacation :addresses \"x@example.org\" :subject \"s\" \"away\";",
        "reply to joe@example.net from jane@example.org: s; keep(implicit)",
    ),
    (
        "vacation-seconds",
        "vacation :seconds 60 :subject \"s\" \"away\";",
        "reply to joe@example.net from jane@example.org: s; keep(implicit)",
    ),
    ("variables", "require \"fileinto\"; set :upperfirst :lower \"b\" \"LISTS\"; fileinto \"${b}\";", "fileinto Lists"),
    (
        "variables",
        "require \"fileinto\"; if header :matches \"subject\" \"* *, *\" { set \"x\" \"${2}\"; } if string \"${x}\" \"Hello\" { discard; }",
        "discard",
    ),
    ("virustest", "if virustest \"5\" { discard; }", "discard"),
];

fn case() -> Case {
    let header = "X-Twice: first\r\nX-Twice: second\r\nX-Score: 12 points\r\nContent-Type: text/plain\r\n\
        X-Spam-Status: No, score=3.1 required=5.0\r\nX-Virus-Status: Infected\r\n";
    let mut envelope = envelope("joe@example.net");
    envelope.deliver_by = Some((NOW.plus_seconds(3600), true));
    envelope.dsn_return = Some(DsnReturn::Headers);
    envelope.dsn_envelope_id = Some("QQ".to_owned());
    envelope.recipients[0].notify = Notify { failure: true, delay: true, ..Notify::default() };
    envelope.recipients[0].original = Some("rfc822;original@example.org".to_owned());
    Case {
        message: format!("{header}{MAIL}").into_bytes(),
        envelope,
        host: Lists { global: [("one", "discard;".to_owned())].into(), ..Lists::default() },
        ..Case::default()
    }
}

#[test]
fn each_extension_works_and_needs_its_require() {
    let case = case();
    let mut tried: Vec<&str> = Vec::new();
    for (extension, script, expected) in CASES.into_iter().chain(MORE) {
        let whole = format!("require \"{extension}\"; {script}");
        assert_eq!(case.plan(&whole), expected, "{whole}");
        tried.push(extension);
        let always_there = ["comparator-i;ascii-casemap", "comparator-i;octet", "imapsieve", "encoded-character"];
        if !always_there.contains(&extension) {
            assert!(compile(script.as_bytes(), ScriptKind::Personal).is_err(), "without require: {script}");
        }
    }
    let untried: Vec<&str> = supported_extensions().filter(|name| !tried.contains(name)).collect();
    assert_eq!(untried, Vec::<&str>::new());
}

#[test]
fn what_a_redirection_carries() {
    let script = "require [\"redirect-dsn\", \"redirect-deliverby\", \"copy\"];
        redirect :copy :notify \"SUCCESS, FAILURE\" :ret \"HDRS\" :bytimeabsolute \"2026-11-20T05:31:42+01:00\" :bytrace
        \"a@example.net\";";
    let run = Case::default().run(script);
    let ActionKind::Redirect(redirect) = &run.actions[0].kind else { panic!("no redirect in {run:?}") };
    assert_eq!(redirect.notify, Some(Notify { success: true, failure: true, ..Notify::default() }));
    assert_eq!(redirect.dsn_return, Some(DsnReturn::Headers));
    let expected = DeliverBy { time: NOW.plus_seconds(3600), return_when_late: false, trace: true };
    assert_eq!((redirect.deliver_by, redirect.copy), (Some(expected), true));
    let late = "require [\"redirect-deliverby\", \"variables\"]; set \"t\" \"soon\"; redirect :bytimeabsolute \"${t}\" \"a@example.net\";";
    assert_eq!(plan(late), "keep(failure); error main:1 \"soon\" is no date");
}

#[test]
fn what_an_answer_carries() {
    let script = "require [\"vacation\", \"fcc\", \"mailbox\", \"imap4flags\", \"variables\"];
        set \"name\" \"Joe\";
        vacation :days 1000 :from \"Masked <mask@example.org>\" :handle \"h\" :mime :fcc \"Sent\" :create :flags \"\\\\Seen\"
        \"Content-Type: text/plain\r\n\r\nHello ${name}\";";
    let run = Case::default().run(script);
    let ActionKind::Reply(reply) = &run.actions[0].kind else { panic!("no reply in {run:?}") };
    assert_eq!(reply.from_name.as_deref(), Some("Masked"));
    assert_eq!(reply.body, ReplyBody::Mime("Content-Type: text/plain\r\n\r\nHello Joe".into()));
    assert_eq!(reply.memory.key, ReplyKey { sender: "joe@example.net".into(), handle: "h".into() });
    assert_eq!(reply.memory.until, Some(NOW.plus_seconds(366 * 86_400)));
    let filing = reply.fcc.as_ref().expect("a copy");
    assert_eq!(
        (filing.mailbox.as_str(), filing.create, filing.flags.as_slice()),
        ("Sent", Some(Create::default()), &["\\Seen".to_owned()][..])
    );

    let answered = Lists { answered: vec![reply.memory.key.clone()], ..Lists::default() };
    let case = Case { host: answered, ..Case::default() };
    assert_eq!(case.plan(script), "keep(implicit); no Reply: answered already");
    // RFC 6131 section 2: 0 seconds answers everything and remembers nothing.
    let always = script.replace(":days 1000", ":seconds 0").replace("\"vacation\"", "\"vacation-seconds\"");
    let run = case.run(&always);
    let ActionKind::Reply(reply) = &run.actions[0].kind else { panic!("no reply in {run:?}") };
    assert_eq!(reply.memory.until, None);
}

#[test]
fn a_mask_answers_as_itself() {
    let mut case = Case::default();
    case.envelope.recipients[0].address = address("Mask@example.org");
    case.message = MAIL.replace("jane@", "mask@").into_bytes();
    for from in ["", ":from \"jane@example.org\""] {
        let run = case.run(&format!("require \"vacation\"; vacation {from} :subject \"s\" \"away\";"));
        let ActionKind::Reply(reply) = &run.actions[0].kind else { panic!("no reply in {run:?}") };
        assert_eq!((reply.from.to_string().as_str(), reply.from_name.as_deref()), ("mask@example.org", None));
    }
    // Nobody answers in another's name, but an administrator may.
    let script = "require \"vacation\"; vacation :from \"boss@example.org\" :subject \"s\" \"away\";";
    assert_eq!(plan(script), "reply to joe@example.net from jane@example.org: s; keep(implicit)");
    let case = Case { kind: ScriptKind::Admin, ..Case::default() };
    assert_eq!(case.plan(script), "reply to joe@example.net from boss@example.org: s; keep(implicit)");
}

#[test]
fn what_a_notification_carries() {
    let script = "require [\"enotify\", \"fcc\"];
        notify :importance \"1\" :from \"nobody@example.com\" :fcc \"Lists\" \"mailto:a@example.net?cc=b@example.net&body=x&subject=uri\";";
    let run = Case::default().run(script);
    let ActionKind::Notify(notify) = &run.actions[0].kind else { panic!("no notification in {run:?}") };
    assert_eq!((notify.subject.as_str(), notify.body.as_str(), notify.importance), ("uri", "x", Importance::High));
    assert_eq!((notify.from.to_string().as_str(), notify.cc.len()), ("jane@example.org", 1));
    assert_eq!(notify.fcc.as_ref().map(|filing| filing.mailbox.as_str()), Some("Lists"));
    let automatic = format!("Auto-Submitted: auto-replied\r\n{MAIL}");
    assert_eq!(plan_of(script, &automatic), "keep(implicit); no Notification: Auto-Submitted is auto-replied");
    let late = "require [\"enotify\", \"variables\"]; set \"m\" \"tel:1\"; notify \"${m}\";";
    assert_eq!(plan(late), "keep(failure); error main:1 \"tel:1\" is no way to notify");
}

#[test]
fn duplicates_are_remembered_with_the_plan() {
    let check = |test: &str, id: &str, seconds: i64| {
        let script = format!("require \"duplicate\"; if {test} {{ discard; }}");
        let run = Case::default().run(&script);
        let expected = DuplicateEntry { id: id.to_owned(), until: NOW.plus_seconds(seconds) };
        assert_eq!((show(&run).as_str(), run.duplicates.as_slice()), ("keep(implicit)", &[expected][..]), "{test}");
        let host = Lists { seen: vec![id.to_owned()], ..Lists::default() };
        let run = Case { host, ..Case::default() }.run(&script);
        // RFC 7352 section 3.1: only ":last" moves the time of one that is known.
        let remembered = usize::from(test.contains(":last"));
        assert_eq!((show(&run).as_str(), run.duplicates.len()), ("discard", remembered), "{test}");
    };
    check("duplicate", "0:<one@example.net>", 7 * 86_400);
    check("duplicate :header \"subject\" :seconds 60", "0:[list] Hello, World", 60);
    check("duplicate :uniqueid \"x\" :handle \"h\" :last :seconds 99999999", "1:hx", 30 * 86_400);
    assert_eq!(plan("require \"duplicate\"; if duplicate :header \"x-none\" { discard; }"), "keep(implicit)");
    let failing = Case::default().run("require [\"duplicate\", \"ihave\"]; if duplicate { } error \"x\";");
    assert_eq!(failing.duplicates, []);
}
