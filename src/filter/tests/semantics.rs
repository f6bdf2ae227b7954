//! What RFC 5228 and its extensions say, where it is easy to get wrong.

use super::*;

fn edited(script: &str, message: &str) -> String {
    let run = Case { message: message.as_bytes().to_vec(), ..Case::default() }.run(script);
    assert_eq!(run.errors, [], "{script}");
    match &run.actions[0].content {
        Content::Edited(octets) => String::from_utf8_lossy(octets).into_owned(),
        Content::Original => message.to_owned(),
    }
}

#[test]
fn the_implicit_keep() {
    assert_eq!(plan(""), "keep(implicit)");
    assert_eq!(plan("stop; discard;"), "keep(implicit)");
    assert_eq!(plan("if false { discard; } elsif false { keep; } else { }"), "keep(implicit)");
    assert_eq!(plan("discard;"), "discard");
    assert_eq!(plan("require \"imap4flags\"; setflag \"\\\\Seen\";"), "keep(implicit) \\Seen");
    assert_eq!(plan("require \"imap4flags\"; keep; addflag \"\\\\Seen\";"), "keep");
}

#[test]
fn refusing_and_delivering_exclude_each_other() {
    let conflict = "keep(failure); error main:1 a message can't be refused and delivered at once";
    assert_eq!(plan("require \"reject\"; keep; reject \"x\";"), conflict);
    assert_eq!(plan("require \"ereject\"; ereject \"x\"; keep;"), conflict);
    assert_eq!(plan("require \"reject\"; reject \"x\"; reject \"x\";"), conflict);
    assert_eq!(plan("require \"reject\"; discard; reject \"x\";"), "discard; reject \"x\"");
    let answered = "require [\"reject\", \"vacation\"]; vacation \"away\"; reject \"x\";";
    assert_eq!(plan(answered), "reject \"x\"; no Reply: the message is refused");
}

#[test]
fn tests_nest_and_stop_early() {
    let check = |test: &str, expected: bool| {
        let script = format!("require [\"fileinto\", \"variables\"]; if {test} {{ discard; }}");
        assert_eq!(plan(&script), if expected { "discard" } else { "keep(implicit)" }, "{test}");
    };
    check("not true", false);
    check("not not true", true);
    check("not not not header \"subject\" \"x\"", true);
    check("anyof(false, allof(true, not anyof(false, false)), false)", true);
    check("not allof(true, anyof(false, true))", false);
    check("allof(not exists \"x-none\", exists [\"from\", \"to\"], not exists [\"from\", \"x\"])", true);
    check("not anyof(size :over 1M, size :under 10)", true);
    check("address :domain \"to\" \"EXAMPLE.org\"", true);
    check("address :all :contains [\"from\", \"to\"] [\"nobody\", \"joe@\"]", true);
    check("header :is [\"x-none\", \"subject\"] \"[list] hello, world\"", true);
    check("header \"x-none\" \"\"", false);
    check("header :contains \"x-none\" \"\"", false);
    check("header :matches \"subject\" [\"x\", \"\\\\[*\"]", true);
    check("header :matches \"subject\" [\"x\", \"\\\\\\\\[*\"]", false);
    check("header :matches \"subject\" [\"x\", \"[l?st]*\"]", true);
    check("string :is \"${unset}\" \"\"", true);
}

#[test]
fn match_variables_are_of_the_last_match_that_held() {
    let check = |commands: &str, expected: &str| {
        let script = format!(
            "require [\"variables\", \"reject\", \"regex\", \"date\"]; {commands} reject \"${{1}}|${{2}}|${{0}}\";"
        );
        assert_eq!(plan(&script), format!("reject {expected:?}"), "{commands}");
    };
    check("", "||");
    check("if header :matches \"subject\" \"[*] *\" {}", "list|Hello, World|[list] Hello, World");
    check(
        "if header :matches \"subject\" \"[*] *\" {} if header :matches \"subject\" \"x*\" {}",
        "list|Hello, World|[list] Hello, World",
    );
    check(
        "if header :matches \"subject\" \"[*] *\" {} if address :matches \"from\" \"*@*.net\" {}",
        "joe|example|joe@example.net",
    );
    check(
        "if header :matches \"subject\" \"[*] *\" {} if header :matches \"from\" \"*\" {}",
        "Joe Miller <joe@example.net>||Joe Miller <joe@example.net>",
    );
    check("if header :regex \"subject\" \"([A-Z])[a-z]+, (W[a-z]*)\" {}", "H|World|Hello, World");
    check("if currentdate :matches \"date\" \"*-*-*\" {}", "2026|11|2026-11-20");
    check("if not header :matches \"subject\" \"[*] *\" { stop; }", "list|Hello, World|[list] Hello, World");
    check("if allof(header :matches \"subject\" \"[*] *\", string :matches \"${1}\" \"l*t\") {}", "is||list");
    check("if string :matches [\"ab\", \"cd\"] [\"x*\", \"c*\"] {}", "d||cd");
}

#[test]
fn variables_expand_and_shrink() {
    let check = |commands: &str, expected: &str| {
        let script =
            format!("require [\"variables\", \"reject\", \"enotify\", \"regex\"]; {commands} reject \"${{a}}\";");
        assert_eq!(plan(&script), format!("reject {expected:?}"), "{commands}");
    };
    check("set \"a\" \"x\"; set \"A\" \"${a}y\";", "xy");
    check("set :length \"a\" \"äöü\";", "3");
    check("set :upperfirst :lower \"a\" \"jUMBLED lETTERS\";", "Jumbled letters");
    check("set :quotewildcard \"a\" \"Rock*?\\\\\";", "Rock\\*\\?\\\\");
    check("set :encodeurl \"a\" \"a b&\";", "a%20b%26");
    check("set \"a\" \"$\"; set \"b\" \"x\"; set \"a\" \"${a}{b}\";", "${b}");
    check("set \"a\" \"007\";", "007");
    check("set \"a\" \"1.50\";", "1.50");
    check("set \"a\" \"-\";", "-");
    check("set \"a\" text:\r\n1\r\n.\r\n;", "1");
}

#[test]
fn scripts_share_globals_and_nothing_else() {
    let host = Lists {
        personal: [
            ("sets", "require [\"include\", \"variables\"]; global \"g\"; set \"g\" \"Lists\"; set \"l\" \"inner\"; return; discard;".to_owned()),
            ("stops", "stop;".to_owned()),
            ("once", "require [\"include\", \"variables\"]; global \"n\"; set \"n\" \"${n}x\";".to_owned()),
            ("loop", "require \"include\"; include \"loop\";".to_owned()),
        ]
        .into(),
        ..Lists::default()
    };
    let case = Case { host, ..Case::default() };
    let check = |commands: &str, expected: &str| {
        let script = format!("require [\"include\", \"variables\", \"fileinto\", \"reject\"]; {commands}");
        assert_eq!(case.plan(&script), expected, "{commands}");
    };
    check("global [\"g\"]; include \"sets\"; fileinto \"${g}${l}\";", "fileinto Lists");
    check("include \"sets\"; fileinto \"${global.g}\";", "fileinto Lists");
    check("include \"stops\"; discard;", "keep(implicit)");
    check("return; discard;", "keep(implicit)");
    check("include \"once\"; include \"once\"; include :once \"once\"; reject \"${global.n}\";", "reject \"xx\"");
    check(
        "include \"loop\"; discard;",
        "keep(failure); error loop:1 too many scripts are included, or one includes itself",
    );
}

#[test]
fn causes_name_script_version_and_line() {
    let host = Lists { personal: [("inner", "\n  keep;".to_owned())].into(), ..Lists::default() };
    let case = Case { host, ..Case::default() };
    let run = case.run("require [\"include\", \"copy\"];\n\nredirect :copy\n  \"a@example.net\";\ninclude \"inner\";\nif true\n{ stop; }");
    let causes: Vec<(&str, Option<u64>, u32, u32)> = run
        .actions
        .iter()
        .map(|action| {
            (action.cause.script.name.as_str(), action.cause.script.version, action.cause.line, action.cause.column)
        })
        .collect();
    assert_eq!(causes, [("main", None, 3, 1), ("inner", Some(7), 2, 3)]);
    let trace: Vec<(&str, u32)> = run.trace.iter().map(|cause| (cause.script.name.as_str(), cause.line)).collect();
    assert_eq!(trace, [("main", 3), ("main", 5), ("inner", 2), ("main", 6), ("main", 7)]);
}

#[test]
fn edits_reach_what_is_kept_filed_and_sent() {
    let script = "require [\"editheader\", \"fileinto\", \"copy\"];
        fileinto :copy \"Lists\"; addheader \"X-A\" \"1\"; redirect :copy \"a@example.net\"; keep;";
    assert_eq!(plan(script), "fileinto Lists; redirect a@example.net edited; keep edited");
    assert_eq!(edited("require \"editheader\"; addheader \"X-A\" \"1\";", MAIL), format!("X-A: 1\r\n{MAIL}"));
    let last = edited("require \"editheader\"; addheader :last \"X-A\" \"Grüße\";", MAIL);
    assert!(last.contains("\r\nX-A: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\nThe body"), "{last}");
    let gone = edited("require \"editheader\"; deleteheader :matches \"subject\" \"*hello*\";", MAIL);
    assert_eq!(gone, MAIL.replace("Subject: [list] Hello, World\r\n", ""));
    assert_eq!(plan("require \"editheader\"; deleteheader \"x-none\"; keep;"), "keep");
    assert_eq!(plan("require \"editheader\"; deleteheader :contains \"subject\" \"nothing\"; keep;"), "keep");
    let twice = "X-A: 1\r\nX-A: 2\r\nX-A: 3\r\n\r\nbody\r\n";
    assert_eq!(
        edited("require \"editheader\"; deleteheader :index 2 :last \"x-a\";", twice),
        "X-A: 1\r\nX-A: 3\r\n\r\nbody\r\n"
    );
}

#[test]
fn parts_can_be_replaced_and_wrapped() {
    let mail = "From: joe@example.net\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\n\r\nplain\r\n--b\r\nContent-Type: application/x-evil\r\nX-Keep: 1\r\n\r\nbad\r\n--b--\r\nepilogue\r\n";
    let script = "require [\"foreverypart\", \"mime\", \"replace\"];
        foreverypart { if header :mime :contenttype \"content-type\" \"application/x-evil\" { replace \"removed\nhere\"; } }";
    let expected = mail.replace(
        "Content-Type: application/x-evil\r\nX-Keep: 1\r\n\r\nbad\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n\r\nremoved\r\nhere\r\n",
    );
    assert_eq!(edited(script, mail), expected);
    let whole = edited("require \"replace\"; replace :subject \"cut\" \"grün\";", mail);
    for part in ["Subject: cut\r\n", "Original-Subject: s\r\n", "MIME-Version: 1.0\r\n", "From: joe@example.net\r\n"] {
        assert!(whole.contains(part), "{part} in {whole}");
    }
    assert!(whole.ends_with("Content-Transfer-Encoding: 8bit\r\n\r\ngrün"), "{whole}");
    assert!(whole.contains("@mail.example.org>"), "{whole}");
    let wrapped = edited("require \"enclose\"; enclose :subject \"w\" :headers [\"X-Y: z\"] \"look\";", MAIL);
    let structure = crate::message::Structure::scan(wrapped.as_bytes());
    let kinds: Vec<&str> = structure.parts().iter().map(|part| &*part.media_type).collect();
    assert_eq!(kinds, ["multipart/mixed", "text/plain", "message/rfc822", "text/plain"]);
    assert!(wrapped.contains("X-Y: z\r\n") && wrapped.contains(MAIL), "{wrapped}");
    let nested =
        mail.replace("\r\nplain\r\n", "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n");
    let script = "require [\"foreverypart\", \"mime\", \"replace\"];
        foreverypart { if header :mime :contains \"content-type\" \"boundary=c\" { replace \"x\"; } }";
    assert_eq!(
        plan_of(script, &nested),
        "keep(failure); error main:2 a part that has parts can't be replaced inside foreverypart"
    );
}

#[test]
fn loops_end_where_they_are_told_to() {
    let mail = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n";
    let check = |body: &str, expected: &str| {
        let script = format!(
            "require [\"foreverypart\", \"variables\", \"extracttext\", \"reject\"]; {body} reject \"${{x}}\";"
        );
        assert_eq!(plan_of(&script, mail), format!("reject {expected:?}"), "{body}");
    };
    check("foreverypart { extracttext \"t\"; set \"x\" \"${x}${t},\"; }", ",one,two,");
    check(
        "foreverypart { extracttext \"t\"; set \"x\" \"${x}${t},\"; if string \"${t}\" \"one\" { break; } }",
        ",one,",
    );
    check("foreverypart :name \"a\" { foreverypart { set \"x\" \"${x}i\"; break :name \"a\"; } }", "i");
    check("foreverypart { set \"x\" \"${x}o\"; foreverypart { set \"x\" \"${x}i\"; } }", "oiioo");
}

#[test]
fn ihave_lets_pass_what_is_not_reached() {
    assert_eq!(plan("require \"ihave\"; if ihave \"x\" { x; if y { z :t 5; } } else { discard; }"), "discard");
    assert_eq!(
        plan("require \"ihave\";\nunknown \"x\";"),
        "keep(failure); error main:2 the script says: unknown command \"unknown\""
    );
    assert_eq!(
        plan("require \"ihave\"; if ihave [\"reject\", \"fileinto\"] { fileinto \"Lists\"; }"),
        "fileinto Lists"
    );
    assert_eq!(plan("require \"ihave\"; if not ihave \"variables\" { discard; }"), "discard");
    let asked_first = "require \"ihave\"; if not ihave \"fileinto\" { stop; } fileinto \"Lists\";";
    assert_eq!(plan(asked_first), "fileinto Lists");
    assert_eq!(plan(&asked_first.replace("\"fileinto\" {", "[\"fileinto\", \"x\"] {")), "keep(implicit)");
    assert!(compile(b"if ihave \"x\" { keep; }", ScriptKind::Personal).is_err());
}

#[test]
fn looping_mail_stays() {
    let mail = format!("{}{MAIL}", "Received: x\r\n".repeat(50));
    assert_eq!(
        plan_of("redirect \"a@example.net\";", &mail),
        "keep(implicit); error main:1 the message has passed too many servers to be sent on"
    );
}

#[test]
fn headers_are_unfolded_and_decoded() {
    let mail = "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n and =?iso-8859-1?Q?=E4?=\r\nTo: \"A, B\" <a@example.net>,\r\n\tc@example.net\r\nX-Last:   padded   \r\n\r\n";
    let check = |test: &str| {
        assert_eq!(
            plan_of(&format!("require [\"regex\", \"relational\"]; if {test} {{ discard; }}"), mail),
            "discard",
            "{test}"
        );
    };
    check("header \"subject\" \"Grüße and ä\"");
    check("header :matches \"subject\" \"Gr??e and *\"");
    check("header \"x-last\" \"padded\"");
    check("address :is \"to\" \"c@example.net\"");
    check("address :count \"eq\" \"to\" \"2\"");
    check("header :count \"eq\" \"to\" \"1\"");
    check("header :regex \"subject\" \"and ä$\"");
    let bare = "Subject: no line end";
    assert_eq!(plan_of("if header \"subject\" \"no line end\" { discard; }", bare), "discard");
}

#[test]
fn an_imap_event_keeps_mail_where_it_is() {
    let mut case = Case { flags: vec!["\\Seen".to_owned(), "$todo".to_owned()], ..Case::default() };
    case.envelope.recipients.clear();
    let script = "require [\"imap4flags\", \"fileinto\", \"imapsieve\", \"copy\"];
        if hasflag \"$TODO\" { removeflag \"$todo\"; fileinto :copy \"INBOX\"; }";
    assert_eq!(case.plan(script), "fileinto INBOX \\Seen; keep(implicit) \\Seen");
}

#[test]
fn patterns_reach_every_kind_of_value() {
    let mail = "X-N: one\r\nX-N: two\r\nTo: jane+tag@example.org, b@example.net\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; name=\"notes.txt\"\r\n\r\nfirst words\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>last</p>\r\n--b--\r\n";
    let check = |test: &str, finds: &str| {
        let script = format!(
            "require [\"variables\", \"reject\", \"index\", \"mime\", \"subaddress\", \"envelope\", \"regex\", \"body\", \"environment\", \
             \"imap4flags\", \"spamtest\", \"mboxmetadata\", \"enotify\"]; addflag [\"a1\", \"b2\"]; if {test} {{ reject \"${{1}}|${{2}}\"; }}"
        );
        assert_eq!(plan_of(&script, mail), format!("reject {finds:?}"), "{test}");
    };
    check("header :index 1 :last :matches \"x-n\" \"t*\"", "wo|");
    check("header :index 2 :regex \"x-n\" \"(.)(.)o\"", "t|w");
    check("header :mime :anychild :param \"name\" :matches \"content-type\" \"*.txt\"", "notes|");
    check("header :mime :anychild :subtype :regex \"content-type\" \"^(h)(t)\"", "h|t");
    check("address :detail :matches \"to\" \"t*\"", "ag|");
    check("address :domain :regex \"to\" \"^(example)\\\\.(net)$\"", "example|net");
    check("envelope :user :matches \"to\" \"j*e\"", "an|");
    check("envelope :all :regex [\"from\", \"to\"] \"^(joe)@(.*)$\"", "joe|example.net");
    check("body :regex \"(first) (words)\"", "|");
    check("allof(header :matches \"x-n\" \"o*\", body :content \"text/html\" :regex \"<(.)>(l)\")", "ne|");
    check("environment :matches \"remote-ip\" \"192.*.*.7\"", "0|2");
    check("hasflag :matches \"B?\"", "2|");
    check("spamtest :matches \"*\"", "0|");
    check("metadata :regex \"Lists\" \"/private/comment\" \"(about) (.*)\"", "about|lists");
    check("notify_method_capability :matches \"mailto:a@example.net\" \"online\" \"m*\"", "aybe|");
    // Without match variables the same tests only say yes or no.
    assert_eq!(
        plan_of("require \"regex\"; if not header :regex \"x-n\" [\"^z\", \"^two$\"] { discard; }", mail),
        "keep(implicit)"
    );
}
