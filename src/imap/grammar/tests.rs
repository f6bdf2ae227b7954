use super::*;
use crate::imap::framing::Streamed;
use crate::types::limits::{IMAP_SEARCH_DEPTH_MAX, IMAP_SEARCH_KEYS_MAX};
use crate::types::{Flags, MailboxName};
use proptest::prelude::*;

const REV1: Mode = Mode { utf8_names: false, charset_refused: false };
const UTF8: Mode = Mode { utf8_names: true, charset_refused: false };

fn read(command: &str, mode: Mode) -> Result<Body, Cause> {
    let octets = format!("t {command}");
    match parse(Framed { octets: octets.as_bytes(), streamed: &[] }, mode) {
        Ok(command) => Ok(command.body),
        Err(refused) => {
            assert_eq!(refused.tag.as_ref().map(Tag::as_str), Some("t"), "{command}");
            Err(refused.cause)
        }
    }
}

fn check(command: &str, expected: Body) {
    assert_eq!(read(command, REV1), Ok(expected), "{command}");
}

/// Where and what: the reader of the BAD should see what is wrong.
fn refused(command: &str, at: usize, expected: &'static str) {
    assert_eq!(read(command, REV1), Err(Cause::Syntax { at: at + 2, expected }), "{command}");
}

fn named(name: &str) -> Mailbox {
    Mailbox::Named(MailboxName::parse(name).expect("a name"))
}

fn set(text: &str) -> Numbers {
    let mut input = Input::new(text.as_bytes(), &[], REV1);
    numbers::numbers(&mut input).expect("a set")
}

fn search(key: Key, returns: Option<Vec<ReturnOption>>) -> Body {
    Body::Search { addressing: Addressing::Sequence, returns, key }
}

fn fetch(items: Vec<FetchItem>) -> Fetch {
    Fetch {
        addressing: Addressing::Sequence,
        numbers: set("1"),
        items,
        changed_since: None,
        vanished: false,
        partial: None,
    }
}

#[test]
fn the_frame_of_a_command() {
    check("NOOP", Body::Noop);
    check("nOoP", Body::Noop);
    refused("NOOP x", 4, "the end of the command");
    refused(" NOOP", 0, "a command");
    refused("SELECT  x", 7, "an atom or a string");
    refused("SELECT x y", 9, "an opening parenthesis");
    refused("DELETE x y", 8, "the end of the command");
    refused("SELECT", 6, "one space");
    assert_eq!(read("FROBNICATE x", REV1), Err(Cause::UnknownCommand));
    assert_eq!(read("UID NOOP x", REV1), Err(Cause::UnknownCommand));
    for (octets, tag) in [("", None), ("+ NOOP", None), ("* NOOP", None), ("t", Some("t")), ("t\tNOOP", Some("t"))] {
        let refused = parse(Framed { octets: octets.as_bytes(), streamed: &[] }, REV1).expect_err(octets);
        assert_eq!(refused.tag.as_ref().map(Tag::as_str), tag, "{octets:?}");
    }
    assert_eq!(tag_of(b"a1 LOGIN x").as_ref().map(Tag::as_str), Some("a1"));
    assert_eq!(tag_of(b"a1"), None);
}

#[test]
fn strings_are_what_they_say() {
    let login = |user: &str, password: &[u8]| Body::Login { user: user.into(), password: Secret(password.to_vec()) };
    check("LOGIN a b", login("a", b"b"));
    check("LOGIN \"a\\\\\\\"\" {3}\r\n\"\r\n", login("a\\\"", b"\"\r\n"));
    check("LOGIN {2}\r\nü \"ö\"", login("ü", "ö".as_bytes()));
    refused("LOGIN a \"b", 10, "a closing quotation mark");
    refused("LOGIN a \"\\b\"", 10, "an escaped quotation mark or backslash");
    refused("LOGIN a \"b\0\"", 10, "a closing quotation mark");
    refused("LOGIN a {2}\r\nb\0", 8, "a literal without NUL");
    refused("LOGIN a {3}\r\nb", 13, "as many octets as the literal announces");
    refused("LOGIN a {99999999999999999999}\r\nb", 9, "a number");
    refused("LOGIN a {1}b", 11, "the end of the line after a literal's length");
    refused("LOGIN ü b", 6, "an atom or a string");
    let octets = [b"t LOGIN \"".as_slice(), &[0xff], b"\" b"].concat();
    let refusal = parse(Framed { octets: &octets, streamed: &[] }, REV1).expect_err("not UTF-8");
    assert_eq!(refusal.cause, Cause::Syntax { at: 8, expected: "UTF-8" });
    assert!(!format!("{:?}", read("LOGIN a secret", REV1)).contains("secret"));
}

#[test]
fn logging_in() {
    let check_initial = |command: &str, initial: Option<&[u8]>| {
        let initial = initial.map(|octets| Secret(octets.to_vec()));
        check(command, Body::Authenticate { mechanism: "SCRAM-SHA-256".into(), initial });
    };
    check_initial("AUTHENTICATE scram-sha-256", None);
    check_initial("AUTHENTICATE SCRAM-SHA-256 =", Some(b""));
    check_initial("AUTHENTICATE SCRAM-SHA-256 aGk=", Some(b"hi"));
    refused("AUTHENTICATE PLAIN aGk", 22, "base64");
    assert_eq!(sasl_answer(b"*"), None);
    check("ENABLE condstore IMAP4rev2", Body::Enable(vec!["CONDSTORE".into(), "IMAP4REV2".into()]));
    check("COMPRESS DEFLATE", Body::Compress("DEFLATE".into()));
    check(
        "ID (\"name\" \"x\" \"os\" NIL)",
        Body::Id(Some(vec![("name".into(), Some("x".into())), ("os".into(), None)])),
    );
    check("ID ()", Body::Id(Some(vec![])));
    // A blank at the end of a line means nothing; a line needs more than blanks.
    check("NOOP  ", Body::Noop);
    check("UNSELECT ", Body::Unselect);
    refused("LOGIN ", 5, "one space");
    check("UNAUTHENTICATE", Body::Unauthenticate);
}

#[test]
fn mailbox_names() {
    let check_name = |spelled: &str, mode: Mode, expected: Mailbox| {
        assert_eq!(read(&format!("DELETE {spelled}"), mode), Ok(Body::Delete(expected)), "{spelled}");
    };
    check_name("iNbOx", REV1, named("INBOX"));
    check_name("Entw&APw-rfe", REV1, named("Entwürfe"));
    check_name("\"Entwürfe\"", UTF8, named("Entwürfe"));
    check_name("Entw&APw-rfe", UTF8, named("Entw&APw-rfe"));
    // Form D becomes form C.
    let name = |text: &str| MailboxName::parse(text).expect("a name");
    let respelled = Mailbox::Respelled { name: name("ü"), spelled: name("u\u{308}") };
    check_name("\"u\u{308}\"", UTF8, respelled);
    check_name("dHU&Awg-", REV1, named("dHÜ"));
    check_name("\"Entwürfe\"", REV1, Mailbox::Impossible(Impossible::Encoding));
    check_name("R&D", REV1, Mailbox::Impossible(Impossible::Encoding));
    check_name("a//b", REV1, Mailbox::Impossible(Impossible::Name(crate::types::MailboxNameError::EmptyLevel)));
    check_name("a]b", REV1, named("a]b"));
    check("CREATE a/", Body::Create { mailbox: named("a"), uses: vec![] });
    check(
        "CREATE x (USE (\\sent \\Other))",
        Body::Create { mailbox: named("x"), uses: vec![Use::Known(SpecialUse::Sent), Use::Unknown("\\Other".into())] },
    );
    check("RENAME a b/", Body::Rename { from: named("a"), to: named("b") });
}

#[test]
fn selecting() {
    let select =
        |qresync| Body::Select(Select { mailbox: named("x"), access: Access::ReadWrite, condstore: false, qresync });
    let resync = QResync { uid_validity: 7, mod_seq: 20, known_uids: None, match_data: None };
    check("SELECT x (QRESYNC (7 20))", select(Some(resync.clone())));
    check(
        "SELECT x (QRESYNC (7 20 1:5,9))",
        select(Some(QResync { known_uids: Some(vec![(1, 5), (9, 9)]), ..resync.clone() })),
    );
    check(
        "SELECT x (QRESYNC (7 20 (1,2 10,20)))",
        select(Some(QResync {
            match_data: Some(MatchData { sequence: vec![(1, 1), (2, 2)], uids: vec![(10, 10), (20, 20)] }),
            ..resync.clone()
        })),
    );
    check(
        "SELECT x (QRESYNC (7 20 1:5 (1 10)))",
        select(Some(QResync {
            known_uids: Some(vec![(1, 5)]),
            match_data: Some(MatchData { sequence: vec![(1, 1)], uids: vec![(10, 10)] }),
            ..resync
        })),
    );
    refused("SELECT x (QRESYNC (7 20 1:*))", 24, "a set without *");
    refused("SELECT x (QRESYNC (0 20))", 19, "a number that is not zero");
    refused("SELECT x (ANNOTATE)", 10, "CONDSTORE or QRESYNC");
}

#[test]
fn listing() {
    let pattern = |pattern: &str| Pattern { reference: String::new(), pattern: pattern.into() };
    let list =
        List { selection: ListSelection::default(), patterns: vec![pattern("%")], returns: None, extended: false };
    check("LIST \"\" %", Body::List(list.clone()));
    check("LIST \"\" Entw&APw-*", Body::List(List { patterns: vec![pattern("Entwü*")], ..list.clone() }));
    check(
        "LIST \"\" (INBOX % \"a b\")",
        Body::List(List {
            patterns: vec![pattern("INBOX"), pattern("%"), pattern("a b")],
            extended: true,
            ..list.clone()
        }),
    );
    check(
        "LIST (SUBSCRIBED RECURSIVEMATCH REMOTE SPECIAL-USE) \"\" %",
        Body::List(List {
            selection: ListSelection { subscribed: true, remote: true, recursive_match: true, special_use: true },
            extended: true,
            ..list.clone()
        }),
    );
    check(
        "LIST () \"\" % RETURN ()",
        Body::List(List { returns: Some(ListReturn::default()), extended: true, ..list.clone() }),
    );
    let entry =
        |name: &str| metadata::entries(&mut Input::new(name.as_bytes(), &[], REV1)).expect("an entry").remove(0);
    check(
        "LIST \"\" % RETURN (SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS STATUS (MESSAGES SIZE) \
         METADATA (DEPTH 1) (/shared/Color \"/private/comment\"))",
        Body::List(List {
            returns: Some(ListReturn {
                subscribed: true,
                children: true,
                special_use: true,
                my_rights: true,
                status: Some(vec![StatusItem::Messages, StatusItem::Size]),
                metadata: Some((
                    MetadataOptions { value_octets_max: None, depth: Depth::Children },
                    vec![entry("/shared/color"), entry("/private/comment")],
                )),
            }),
            extended: true,
            ..list
        }),
    );
    refused("LIST (RECURSIVEMATCH) \"\" %", 5, "RECURSIVEMATCH together with SUBSCRIBED or SPECIAL-USE");
    refused("LIST (OTHER) \"\" %", 6, "a selection option that is known");
    refused("LIST \"\" % RETURN (OTHER)", 18, "a return option that is known");
    check("LSUB \"#x.\" *", Body::Lsub(Pattern { reference: "#x.".into(), pattern: "*".into() }));
    check(
        "STATUS x (MAILBOXID HIGHESTMODSEQ APPENDLIMIT DELETED-STORAGE)",
        Body::Status {
            mailbox: named("x"),
            items: vec![
                StatusItem::MailboxId,
                StatusItem::HighestModSeq,
                StatusItem::AppendLimit,
                StatusItem::DeletedStorage,
            ],
        },
    );
    refused("STATUS x ()", 10, "a status item");
}

#[test]
fn appending() {
    let message = |data| AppendMessage { flags: vec![], date: None, data };
    let here = |text: &str| Payload::Here(text.as_bytes().to_vec());
    let append = |messages| Body::Append { mailbox: named("x"), messages };
    check("APPEND x {2}\r\nhi", append(vec![message(AppendData::Message(here("hi")))]));
    check(
        "APPEND x (\\Seen $a \\Recent) \" 1-Jan-1970 00:00:01 +0100\" ~{2+}\r\n\0i (\\Draft) {0}\r\n",
        append(vec![
            AppendMessage {
                flags: vec![Flag::System(Flags::SEEN), Flag::Keyword("$a".into()), Flag::Unknown("\\Recent".into())],
                date: Some(DateTime { seconds: 1 - 3600, zone_minutes: 60 }),
                data: AppendData::Message(here("\0i")),
            },
            AppendMessage { flags: vec![Flag::System(Flags::DRAFT)], date: None, data: AppendData::Message(here("")) },
        ]),
    );
    check("APPEND x UTF8 (~{2}\r\nhi)", append(vec![message(AppendData::Utf8(here("hi")))]));
    check(
        "APPEND x CATENATE (URL \"/INBOX/;UID=1\" TEXT {2}\r\nhi TEXT ~{1}\r\n\0)",
        append(vec![message(AppendData::Catenate(vec![
            CatenatePart::Url("/INBOX/;UID=1".into()),
            CatenatePart::Text(here("hi")),
            CatenatePart::Text(here("\0")),
        ]))]),
    );
    check(
        "REPLACE * x {2}\r\nhi",
        Body::Replace {
            addressing: Addressing::Sequence,
            number: None,
            to: named("x"),
            message: message(AppendData::Message(here("hi"))),
        },
    );
    check(
        "UID REPLACE 7 x CATENATE (TEXT {2}\r\nhi)",
        Body::Replace {
            addressing: Addressing::Uid,
            number: Some(7),
            to: named("x"),
            message: message(AppendData::Catenate(vec![CatenatePart::Text(here("hi"))])),
        },
    );
    refused("APPEND x {2}\r\n\0i", 9, "a literal without NUL, or a literal8");
    refused("APPEND x \"hi\"", 10, "digits");
    refused("APPEND x {2}\r\nhi ", 17, "a literal");
    refused("APPEND x CATENATE ()", 19, "URL or TEXT");
    refused("UID REPLACE * x {2}\r\nhi", 12, "a UID");
}

#[test]
fn long_literals_are_for_messages() {
    let announced = |octets: &str, streamed: &[Streamed]| {
        let octets = octets.as_bytes();
        announced_for(Announced { so_far: octets, streamed, octets: 1_000_000 }, REV1)
    };
    let tag = || tag_of(b"t x").expect("a tag");
    let for_message = |name: &str| AnnouncedFor::Message { tag: tag(), mailbox: named(name) };
    assert_eq!(announced("t APPEND a {1000000}\r\n", &[]), for_message("a"));
    assert_eq!(announced("t APPEND {1}\r\na (x) ~{1000000+}\r\n", &[]), for_message("a"));
    assert_eq!(announced("t REPLACE 5 a {1000000}\r\n", &[]), for_message("a"));
    assert_eq!(announced("t UID REPLACE 5 a CATENATE (TEXT {1000000}\r\n", &[]), for_message("a"));
    let first = Streamed { at: 22, octets: 1_000_000 };
    assert_eq!(announced("t APPEND a {1000000}\r\n UTF8 (~{1000000}\r\n", &[first]), for_message("a"));
    let nothing = |tag, cause| AnnouncedFor::Nothing { tag, cause };
    assert_eq!(announced("t LOGIN a {1000000}\r\n", &[]), nothing(Some(tag()), Cause::LiteralTooBig));
    assert_eq!(announced("t APPEND {1000000}\r\n", &[]), nothing(Some(tag()), Cause::LiteralTooBig));
    assert!(matches!(
        announced("t APPEND a b {1000000}\r\n", &[]),
        AnnouncedFor::Nothing { cause: Cause::Syntax { .. }, .. }
    ));
    // The finished command names the streamed literals by their number.
    let octets = b"t APPEND a {1000000}\r\n {2}\r\nhi";
    let command = parse(Framed { octets, streamed: &[first] }, REV1).expect("a command");
    let Body::Append { messages, .. } = command.body else { panic!("an APPEND") };
    assert_eq!(messages[0].data, AppendData::Message(Payload::Streamed { index: 0, octets: 1_000_000 }));
    assert_eq!(messages[1].data, AppendData::Message(Payload::Here(b"hi".to_vec())));
}

#[test]
fn fetching() {
    let section = |part: &[u32], text| Section { part: part.to_vec(), text };
    let body = |section, window, peek| FetchItem::BodySection { section, window, peek };
    check(
        "FETCH 1 (EMAILID THREADID SAVEDATE PREVIEW)",
        Body::Fetch(fetch(vec![
            FetchItem::EmailId,
            FetchItem::ThreadId,
            FetchItem::SaveDate,
            FetchItem::Preview { lazy: false },
        ])),
    );
    check("FETCH 1 PREVIEW (LAZY)", Body::Fetch(fetch(vec![FetchItem::Preview { lazy: true }])));
    check("FETCH 1 (PREVIEW (LAZY) UID)", Body::Fetch(fetch(vec![FetchItem::Preview { lazy: true }, FetchItem::Uid])));
    check("FETCH 1 FAST", Body::Fetch(fetch(vec![FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size])));
    check(
        "FETCH 1 (BODY[] BODY.PEEK[1.2]<0.5000000000> BODY[3.MIME] BODY[HEADER.FIELDS.NOT (\"a b\")] BODY)",
        Body::Fetch(fetch(vec![
            body(section(&[], SectionText::Whole), None, false),
            body(section(&[1, 2], SectionText::Whole), Some(Window { origin: 0, length: 5_000_000_000 }), true),
            body(section(&[3], SectionText::Mime), None, false),
            body(section(&[], SectionText::HeaderFieldsNot(vec!["a b".into()])), None, false),
            FetchItem::Body,
        ])),
    );
    check("FETCH 1 BINARY.SIZE[1.2]", Body::Fetch(fetch(vec![FetchItem::BinarySize { part: vec![1, 2] }])));
    check(
        "UID FETCH $ UID (CHANGEDSINCE 5 VANISHED PARTIAL -1:-30)",
        Body::Fetch(Fetch {
            addressing: Addressing::Uid,
            numbers: Numbers::Saved,
            items: vec![FetchItem::Uid],
            changed_since: Some(5),
            vanished: true,
            partial: Some(PartialRange { from: PartialFrom::End, first: 1, last: 30 }),
        }),
    );
    refused("FETCH 1 UID (CHANGEDSINCE 5 VANISHED)", 12, "VANISHED only in UID FETCH with CHANGEDSINCE");
    refused("FETCH 1 BODY[MIME]", 13, "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME");
    refused("FETCH 1 BODY[1.]", 15, "a part number or specifier after the dot");
    refused("FETCH 1 BODY[0]", 13, "a number that is not zero");
    refused("FETCH 1 BODY[]<0.0>", 17, "a length that is not zero");
    refused("FETCH 1 BINARY[HEADER]", 14, "part numbers only");
    refused("FETCH 1 (ALL)", 9, "an item to fetch");
    refused("FETCH 0 UID", 6, "a number that is not zero");
    refused("FETCH 1:4294967296 UID", 8, "a number below 2^32");
    refused("FETCH 1,,2 UID", 8, "a number");
    refused("FETCH 1 UID (PARTIAL 1:-30)", 23, "a number");
}

#[test]
fn storing() {
    check(
        "UID STORE $ (UNCHANGEDSINCE 12) -flags.silent (\\Seen)",
        Body::Store(Store {
            addressing: Addressing::Uid,
            numbers: Numbers::Saved,
            unchanged_since: Some(12),
            change: FlagChange::Remove,
            silent: true,
            flags: vec![Flag::System(Flags::SEEN)],
        }),
    );
    check("UID COPY $ y", Body::Copy { addressing: Addressing::Uid, numbers: Numbers::Saved, to: named("y") });
    check("UID EXPUNGE 1:5,7", Body::UidExpunge(set("1:5,7")));
    refused("UID EXPUNGE 1:5,$", 16, "a number");
    refused("STORE 1 +FLAGS", 14, "one space");
    refused("STORE 1 FLAGS.LOUD x", 8, "FLAGS or FLAGS.SILENT");
    refused("STORE 1 FLAGS (\\*)", 16, "a flag");
}

#[test]
fn searching() {
    let not = |key| Key::Not(Box::new(key));
    let text = |of, text: &str| Key::Text(of, text.into());
    check("SEARCH UNSEEN", search(not(Key::Flag(Flags::SEEN)), None));
    check("SEARCH RETURN () ALL", search(Key::All, Some(vec![ReturnOption::All])));
    check(
        "SEARCH RETURN (SAVE MIN PARTIAL 500:1 UPDATE CONTEXT) $",
        search(
            Key::Numbers(Addressing::Sequence, Numbers::Saved),
            Some(vec![
                ReturnOption::Save,
                ReturnOption::Min,
                ReturnOption::Partial(PartialRange { from: PartialFrom::Start, first: 1, last: 500 }),
                ReturnOption::Update(Vec::new()),
                ReturnOption::Context,
            ]),
        ),
    );
    check(
        "SEARCH OLDER 60 YOUNGER 5 SAVEDSINCE 1-Jan-1970 SAVEDATESUPPORTED EMAILID M1_a THREADID T-2 FILTER x LARGER 5000000000",
        search(
            Key::And(vec![
                Key::Older(60),
                Key::Younger(5),
                Key::Date { of: DateOf::Saved, is: DateIs::Since, day: Day(0) },
                Key::SaveDateSupported,
                Key::EmailId("M1_a".into()),
                Key::ThreadId("T-2".into()),
                Key::StoredFilter("x".into()),
                Key::LargerThan(5_000_000_000),
            ]),
            None,
        ),
    );
    check("SEARCH MODSEQ \"/flags/\\\\Draft\" all 620162338", search(Key::ModSeq(620_162_338), None));
    let abc = || vec![text(TextIn::Body, "a"), text(TextIn::To, "b"), text(TextIn::Cc, "c")];
    check("SEARCH OR OR BODY a TO b CC c", search(Key::Or(abc()), None));
    check("SEARCH OR BODY a OR TO b CC c", search(Key::Or(abc()), None));
    check("SEARCH (BODY a TO b CC c)", search(Key::And(abc()), None));
    check("SEARCH OR (BODY a) NOT NOT ALL", search(Key::Or(vec![text(TextIn::Body, "a"), Key::All]), None));
    check("SEARCH CHARSET US-ASCII BODY {2}\r\nü", search(text(TextIn::Body, "ü"), None));
    assert_eq!(read("SEARCH CHARSET x-mine BODY a", REV1), Err(Cause::BadCharset));
    let latin = b"t SEARCH CHARSET ISO-8859-1 BODY {1}\r\n\xfc";
    let command = parse(Framed { octets: latin, streamed: &[] }, REV1).expect("a command");
    assert_eq!(command.body, search(text(TextIn::Body, "ü"), None));
    let broken = b"t SEARCH BODY {1}\r\n\xfc";
    assert!(parse(Framed { octets: broken, streamed: &[] }, REV1).is_err());
    let accept = Mode { utf8_names: true, charset_refused: true };
    assert!(matches!(read("SEARCH CHARSET UTF-8 ALL", accept), Err(Cause::Syntax { at: 9, .. })));
    refused("SEARCH RETURN (PARTIAL 1:5 ALL) ALL", 14, "one PARTIAL and no ALL");
    refused("SEARCH RETURN (RELEVANCY) ALL", 15, "a return option that is known");
    refused("SEARCH ALL  ALL", 11, "a search key");
    refused("SEARCH (ALL", 11, "one space or a closing parenthesis");
    refused("SEARCH OR ALL", 13, "one space");
    refused("SEARCH FUZZY BODY x", 7, "a search key");
}

#[test]
fn searching_has_limits() {
    let run = |prefix: &str, count: usize, end: &str| read(&format!("SEARCH {}{end}", prefix.repeat(count)), REV1);
    let levels = Err(Cause::Limit("levels of search keys"));
    assert!(run("NOT ", IMAP_SEARCH_DEPTH_MAX, "ALL").is_ok());
    assert_eq!(run("NOT ", 15_000, "ALL"), levels);
    assert_eq!(run("(", 60_000, ""), levels);
    assert_eq!(run("(NOT ", 200, "ALL"), levels);
    assert_eq!(run("ALL ", IMAP_SEARCH_KEYS_MAX, "ALL"), Err(Cause::Limit("search keys")));
    // The long ORs of webmail are one level.
    let ors = format!("{}ALL", "OR SEEN ".repeat(900));
    let Ok(Body::Search { key: Key::Or(operands), .. }) = read(&format!("SEARCH {ors}"), REV1) else {
        panic!("a flat OR")
    };
    assert_eq!(operands.len(), 901);
    let ors = format!("{}{}", "OR ".repeat(900), "SEEN ".repeat(900)) + "ALL";
    assert!(read(&format!("SEARCH {ors}"), REV1).is_ok());
}

#[test]
fn sorting_threading_and_others() {
    let criterion = |key, reverse| SortCriterion { key, reverse };
    check(
        "UID SORT RETURN (COUNT) (REVERSE DISPLAYFROM ARRIVAL) UTF-8 ALL",
        Body::Sort {
            addressing: Addressing::Uid,
            returns: Some(vec![ReturnOption::Count]),
            criteria: vec![criterion(SortKey::DisplayFrom, true), criterion(SortKey::Arrival, false)],
            key: Key::All,
        },
    );
    check(
        "SORT (SUBJECT REVERSE SUBJECT DATE SUBJECT) UTF-8 ALL",
        Body::Sort {
            addressing: Addressing::Sequence,
            returns: None,
            criteria: vec![criterion(SortKey::Subject, false), criterion(SortKey::Date, false)],
            key: Key::All,
        },
    );
    check(
        "THREAD REFERENCES UTF-8 ALL",
        Body::Thread { addressing: Addressing::Sequence, algorithm: ThreadAlgorithm::References, key: Key::All },
    );
    refused("THREAD REFS UTF-8 ALL", 7, "ORDEREDSUBJECT or REFERENCES");
    check(
        "ESEARCH IN (mailboxes (a b) subtree c subtree-one d selected inboxes personal subscribed) RETURN (MIN) SEEN",
        Body::MultiSearch {
            sources: Some(vec![
                MailboxFilter::Mailboxes(vec![named("a"), named("b")]),
                MailboxFilter::Subtree(vec![named("c")]),
                MailboxFilter::SubtreeOne(vec![named("d")]),
                MailboxFilter::Selected,
                MailboxFilter::Inboxes,
                MailboxFilter::Personal,
                MailboxFilter::Subscribed,
            ]),
            returns: Some(vec![ReturnOption::Min]),
            key: Key::Flag(Flags::SEEN),
        },
    );
    check("ESEARCH ALL", Body::MultiSearch { sources: None, returns: None, key: Key::All });
    refused("ESEARCH IN (selected-delayed) ALL", 12, "a source other than selected-delayed");
    check("CANCELUPDATE \"a\" \"b\"", Body::CancelUpdate(vec!["a".into(), "b".into()]));
    check("UIDBATCHES 500", Body::UidBatches { size: 500, batches: None });
    check("UIDBATCHES 500 4:2", Body::UidBatches { size: 500, batches: Some((2, 4)) });
    refused("UIDBATCHES 500 4", 16, "a colon");
    let filter = |script| Body::Filter { addressing: Addressing::Uid, script, key: Key::All };
    check("UID FILTER SIEVE DELIVERY ALL", filter(FilterScript::Delivery));
    check("UID FILTER SIEVE PERSONAL \"my script\" ALL", filter(FilterScript::Personal("my script".into())));
    check("UID FILTER SIEVE GLOBAL x ALL", filter(FilterScript::Global("x".into())));
    check("UID FILTER SIEVE SCRIPT {5}\r\nkeep; ALL", filter(FilterScript::Script("keep;".into())));
    check("UID FILTER SIEVE DELIVERY CHARSET UTF-8 ALL", filter(FilterScript::Delivery));
}

#[test]
fn rights_and_quota() {
    let rights = |change, rights: &str| {
        Body::SetAcl(IdentifierRights { mailbox: named("x"), identifier: "bob".into(), change, rights: rights.into() })
    };
    check("SETACL x bob lrs", rights(RightsChange::Replace, "lrs"));
    check("SETACL x bob +lrs", rights(RightsChange::Add, "lrs"));
    check("SETACL x bob -t", rights(RightsChange::Remove, "t"));
    check("SETACL x bob \"\"", rights(RightsChange::Replace, ""));
    refused("SETACL x bob LRS", 13, "rights in lower case");
    check("DELETEACL x \"bob b\"", Body::DeleteAcl { mailbox: named("x"), identifier: "bob b".into() });
    check("LISTRIGHTS x -bob", Body::ListRights { mailbox: named("x"), identifier: "-bob".into() });
    check("GETACL x", Body::GetAcl(named("x")));
    check("MYRIGHTS x", Body::MyRights(named("x")));
    let limit = |resource: &str, limit| QuotaLimit { resource: resource.into(), limit };
    check(
        "SETQUOTA \"\" (storage 512 X-Y 1)",
        Body::SetQuota { root: String::new(), limits: vec![limit("STORAGE", 512), limit("X-Y", 1)] },
    );
}

#[test]
fn metadata_and_notify() {
    let entry =
        |name: &str| metadata::entries(&mut Input::new(name.as_bytes(), &[], REV1)).expect("an entry").remove(0);
    let get = |options| Body::GetMetadata(GetMetadata { mailbox: None, options, entries: vec![entry("/shared/x")] });
    let sized = MetadataOptions { value_octets_max: Some(1024), depth: Depth::Infinity };
    check("GETMETADATA \"\" /shared/X", get(MetadataOptions::default()));
    check("GETMETADATA (MAXSIZE 1024 DEPTH infinity) \"\" (/shared/x)", get(sized));
    check("GETMETADATA \"\" (MAXSIZE 1024 DEPTH infinity) (/shared/x)", get(sized));
    for wrong in ["/", "x", "/a/", "/a//b", "\"/a*\"", "\"/a\tb\""] {
        refused(&format!("GETMETADATA x {wrong}"), 14, "an entry name such as /private/comment");
    }
    check(
        "SETMETADATA INBOX (/private/a NIL /shared/b ~{2}\r\n\0b)",
        Body::SetMetadata(SetMetadata {
            mailbox: Some(named("INBOX")),
            entries: vec![(entry("/private/a"), None), (entry("/shared/b"), Some(b"\0b".to_vec()))],
        }),
    );
    check("NOTIFY NONE", Body::Notify(Notify::None));
    check(
        "NOTIFY SET STATUS (selected-delayed (MessageNew (FLAGS UID) MessageExpunge)) (subtree (a b) (FlagChange Foo)) \
         (inboxes NONE) (personal (MessageNew))",
        Body::Notify(Notify::Set {
            status: true,
            groups: vec![
                EventGroup {
                    mailboxes: MailboxFilter::SelectedDelayed,
                    events: vec![Event::MessageNew(vec![FetchItem::Flags, FetchItem::Uid]), Event::MessageExpunge],
                },
                EventGroup {
                    mailboxes: MailboxFilter::Subtree(vec![named("a"), named("b")]),
                    events: vec![Event::FlagChange, Event::Unknown("Foo".into())],
                },
                EventGroup { mailboxes: MailboxFilter::Inboxes, events: vec![] },
                EventGroup { mailboxes: MailboxFilter::Personal, events: vec![Event::MessageNew(vec![])] },
            ],
        }),
    );
    refused("NOTIFY SET (folders NONE)", 12, "selected, inboxes, personal, subscribed, subtree or mailboxes");
}

#[test]
fn lists_have_limits() {
    let many = "\\Seen ".repeat(1001);
    assert_eq!(read(&format!("STORE 1 FLAGS ({})", many.trim_end()), REV1), Err(Cause::Limit("list elements")));
    let many = " {0}\r\n".repeat(501);
    assert_eq!(read(&format!("APPEND x{many}"), REV1), Err(Cause::TooManyMessages));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_octets_are_answered(octets in proptest::collection::vec(any::<u8>(), 0..200), utf8: bool) {
        let mode = if utf8 { UTF8 } else { REV1 };
        let _ = parse(Framed { octets: &octets, streamed: &[] }, mode);
        let _ = announced_for(Announced { so_far: &octets, streamed: &[], octets: 1_000_000 }, mode);
    }

    #[test]
    fn any_command_is_answered(
        verb in proptest::sample::select(vec![
            "SEARCH", "UID SORT", "FETCH", "STORE", "LIST", "APPEND", "NOTIFY SET", "ESEARCH", "GETMETADATA", "SELECT",
            "SETMETADATA", "UID FILTER SIEVE", "LOGIN", "STATUS", "REPLACE", "ID", "CREATE",
        ]),
        rest in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    " ", "(", ")", "1:*", "$", "\"", "{2}\r\n", "~", "NIL", "ALL", "OR", "NOT", "BODY[", "]", "<0.1>",
                    "RETURN", "CHARSET", "UTF8", "FLAGS", "\\Seen", "1-Jan-1970", "/a", "x", "INBOX", "selected", ",",
                ]).prop_map(str::to_owned),
                ".{0,3}",
            ],
            0..12,
        ),
    ) {
        let octets = format!("t {verb} {}", rest.concat());
        let _ = parse(Framed { octets: octets.as_bytes(), streamed: &[] }, REV1);
    }
}
