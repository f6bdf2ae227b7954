use super::list::NamespaceKind::{OtherUsers, Personal, Shared};
use super::*;
use crate::imap::grammar::{PartialFrom, PartialRange, Section, SectionText, StatusItem};
use crate::types::{MailboxName, ModSeq, SpecialUse, Uid};
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use proptest::prelude::*;

/// Whether imap-codec knows the reply and must read it, or is known not to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Codec {
    Reads,
    Unknown,
}
use Codec::{Reads, Unknown};

fn check(codec: Codec, expected: &str, write: impl FnOnce(&mut Replies)) {
    check_in(Utf8::Never, codec, expected, write);
}

fn check_in(utf8: Utf8, codec: Codec, expected: &str, write: impl FnOnce(&mut Replies)) {
    let mut replies = Replies { out: Vec::new(), utf8 };
    write(&mut replies);
    assert_eq!(String::from_utf8_lossy(&replies.out), expected);
    // A table that says "unknown" for what has become known would hide mistakes.
    let read = ResponseCodec::default().decode(&replies.out);
    assert_eq!(matches!(read, Ok((b"", _))), codec == Reads, "{expected} {read:?}");
}

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).expect("a name")
}

fn uids(ranges: &[(u32, u32)]) -> UidSet {
    UidSet::from_ranges(ranges.iter().copied())
}

fn keywords(names: &[&str]) -> Keywords {
    names.iter().map(|name| Box::from(*name)).collect()
}

#[test]
fn results() {
    let tagged = |codec, expected: &str, status, code: Option<Code>, text: &str| {
        check(codec, expected, |replies| replies.tagged("a1", status, code.as_ref(), text));
    };
    tagged(Reads, "a1 OK Done\r\n", Status::Ok, None, "Done");
    tagged(Reads, "a1 BAD -\r\n", Status::Bad, None, "");
    tagged(Reads, "a1 NO (x] y  z ?\r\n", Status::No, None, "[x] y\r\nz ü");
    check_in(Utf8::Welcome, Unknown, "a1 NO ü\r\n", |replies| replies.tagged("a1", Status::No, None, "ü"));
    check(Reads, "* BYE [UNAVAILABLE] Later\r\n", |replies| replies.bye(Some(&Code::Unavailable), "Later"));
    check(Reads, "* OK [ALERT] Hot\r\n", |replies| replies.untagged(Status::Ok, Some(&Code::Alert), "Hot"));
    let mut replies = Replies::default();
    replies.continuation("Go on");
    replies.challenge("");
    replies.challenge("aGk=");
    assert_eq!(replies.out, b"+ Go on\r\n+ \r\n+ aGk=\r\n");
}

#[test]
fn codes() {
    let code = |codec, expected: &str, code: Code| {
        check(codec, &format!("* OK [{expected}] x\r\n"), |replies| replies.untagged(Status::Ok, Some(&code), "x"));
    };
    code(Reads, "APPENDUID 7 3", Code::AppendUid { uid_validity: 7, uids: uids(&[(3, 3)]) });
    code(Reads, "APPENDUID 7 3:5", Code::AppendUid { uid_validity: 7, uids: uids(&[(3, 5)]) });
    code(
        Reads,
        "COPYUID 7 1:2,5 9:11",
        Code::CopyUid { uid_validity: 7, from: uids(&[(1, 2), (5, 5)]), to: uids(&[(9, 11)]) },
    );
    code(Reads, "BADCHARSET (UTF-8 US-ASCII)", Code::BadCharset(&["UTF-8", "US-ASCII"]));
    code(Reads, "BADEVENT (MessageNew)", Code::BadEvent(&["MessageNew"]));
    code(Reads, "BADURL \"/a\\\"b\"", Code::BadUrl("/a\"b\r\nü".into()));
    code(Reads, "CAPABILITY IMAP4rev1 IDLE", Code::Capability(vec!["IMAP4rev1".into(), "IDLE".into()]));
    code(Reads, "HIGHESTMODSEQ 715194045007", Code::HighestModSeq(715_194_045_007));
    code(Reads, "INPROGRESS (\"a1\" 5 NIL)", Code::InProgress { tag: "a1".into(), done: Some(5), of: None });
    code(Reads, "MAILBOXID (F12)", Code::MailboxId(MailboxId(12)));
    code(Reads, "MESSAGELIMIT 1000 23221", Code::MessageLimit { messages: 1000, uid: Some(23221) });
    code(Reads, "METADATA LONGENTRIES 2199", Code::MetadataLongEntries(2199));
    code(Reads, "METADATA MAXSIZE 1024", Code::MetadataMaxSize(1024));
    code(Reads, "METADATA TOOMANY", Code::MetadataTooMany);
    code(Reads, "METADATA NOPRIVATE", Code::MetadataNoPrivate);
    code(Reads, "MODIFIED 7,9", Code::Modified(uids(&[(7, 7), (9, 9)])));
    code(Reads, "NOUPDATE \"B02\"", Code::NoUpdate("B02".into()));
    code(
        Reads,
        "PERMANENTFLAGS (\\Seen $a \\*)",
        Code::PermanentFlags {
            flags: Flags::SEEN.with(Flags::keyword(0)),
            keywords: keywords(&["$a", "b"]),
            more: true,
        },
    );
    code(Reads, "UIDNEXT 4392", Code::UidNext(4392));
    code(Reads, "UIDVALIDITY 3857529045", Code::UidValidity(3_857_529_045));
    code(Reads, "UNSEEN 12", Code::Unseen(12));
    code(Reads, "UNDEFINED-FILTER x", Code::UndefinedFilter("x".into()));
}

#[test]
fn codes_without_arguments() {
    let plain = [
        Code::AlreadyExists,
        Code::AuthenticationFailed,
        Code::AuthorizationFailed,
        Code::Cannot,
        Code::ClientBug,
        Code::Closed,
        Code::CompressionActive,
        Code::ContactAdmin,
        Code::Corruption,
        Code::Expired,
        Code::ExpungeIssued,
        Code::HasChildren,
        Code::InUse,
        Code::Limit,
        Code::NoModSeq,
        Code::NonExistent,
        Code::NoPerm,
        Code::NotificationOverflow,
        Code::NotSaved,
        Code::OverQuota,
        Code::Parse,
        Code::PrivacyRequired,
        Code::ReadOnly,
        Code::ReadWrite,
        Code::ServerBug,
        Code::TooBig,
        Code::TryCreate,
        Code::UidNotSticky,
        Code::UidRequired,
        Code::Unavailable,
        Code::UnknownCte,
        Code::UseAttr,
    ];
    for plain in plain {
        let mut out = Vec::new();
        plain.write(&mut out);
        let text = String::from_utf8(out).expect("ASCII");
        assert!(
            text.trim_end().trim_matches(['[', ']']).bytes().all(|octet| octet.is_ascii_uppercase() || octet == b'-')
        );
        check(Reads, &format!("* OK {text}x\r\n"), |replies| replies.untagged(Status::Ok, Some(&plain), "x"));
    }
}

#[test]
fn of_the_session_and_the_mailbox() {
    check(Reads, "* CAPABILITY IMAP4rev1 IDLE\r\n", |replies| replies.capability(&["IMAP4rev1".into(), "IDLE".into()]));
    check(Reads, "* ENABLED CONDSTORE\r\n", |replies| replies.enabled(&["CONDSTORE"]));
    check(Reads, "* ID (\"name\" \"x\")\r\n", |replies| replies.id(&[("name", "x")]));
    check(Reads, "* 172 EXISTS\r\n", |replies| replies.exists(172));
    check(Reads, "* 0 RECENT\r\n", |replies| replies.recent(0));
    check(Reads, "* 3 EXPUNGE\r\n", |replies| replies.expunge(3));
    check(Reads, "* VANISHED 3:4,9\r\n", |replies| replies.vanished(&uids(&[(3, 4), (9, 9)])));
    check(Reads, "* VANISHED (EARLIER) 3\r\n", |replies| replies.vanished_earlier(&uids(&[(3, 3)])));
    check(Reads, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft a c)\r\n", |replies| {
        let flags = Flags(0x1f).with(Flags::keyword(0)).with(Flags::keyword(2)).with(Flags::keyword(40));
        replies.flags(flags, &keywords(&["a", "b", "c"]));
    });
}

#[test]
fn of_names() {
    let list = |name: &MailboxName, attributes: &[Attribute], subscribed_child, replies: &mut Replies| {
        replies.list(&ListReply { name, attributes, subscribed_child, old_name: None });
    };
    check(Reads, "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n", |replies| {
        list(&name("Sent"), &[Attribute::HasNoChildren, Attribute::Use(SpecialUse::Sent)], false, replies);
    });
    check(Reads, "* LIST () \"/\" Entw&APw-rfe\r\n", |replies| list(&name("Entwürfe"), &[], false, replies));
    check_in(Utf8::Welcome, Reads, "* LIST () \"/\" \"Entwürfe\"\r\n", |replies| {
        list(&name("Entwürfe"), &[], false, replies);
    });
    check(Reads, "* LIST () \"/\" \"a \\\"b\\\\\"\r\n", |replies| list(&name("a \"b\\"), &[], false, replies));
    check(Reads, "* LIST () \"/\" \"nil\"\r\n", |replies| list(&name("nil"), &[], false, replies));
    check(Unknown, "* LIST (\\NonExistent) \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n", |replies| {
        list(&name("x"), &[Attribute::NonExistent], true, replies);
    });
    check(Unknown, "* LIST () \"/\" x (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (y))\r\n", |replies| {
        let (now, old) = (name("x"), name("y"));
        replies.list(&ListReply { name: &now, attributes: &[], subscribed_child: true, old_name: Some(&old) });
    });
    check(Reads, "* LSUB (\\Noselect) \"/\" x\r\n", |replies| replies.lsub(&name("x"), &[Attribute::NoSelect]));
    check(Reads, "* LIST (\\Noselect) \"/\" \"\"\r\n", Replies::list_root);
    check(Reads, "* STATUS x (MESSAGES 231 UIDNEXT 44292)\r\n", |replies| {
        replies.mailbox_status(&name("x"), &[(StatusItem::Messages, 231), (StatusItem::UidNext, 44292)]);
    });
    check(Unknown, "* STATUS x (MAILBOXID (F7) APPENDLIMIT 5)\r\n", |replies| {
        replies.mailbox_status(&name("x"), &[(StatusItem::MailboxId, 7), (StatusItem::AppendLimit, 5)]);
    });
    check(Reads, "* NAMESPACE ((\"\" \"/\")) ((\"Users/\" \"/\")) NIL\r\n", |replies| {
        replies.namespace(&[(Personal, ""), (OtherUsers, "Users/")]);
    });
    check(Reads, "* NAMESPACE NIL NIL ((\"a\" \"/\")(\"b\" \"/\"))\r\n", |replies| {
        replies.namespace(&[(Shared, "a"), (Shared, "b")]);
    });
    check(Unknown, "* ACL x bob lrs \"a b\" \"\"\r\n", |replies| {
        replies.acl(&name("x"), [("bob", "lrs"), ("a b", "")]);
    });
    check(Unknown, "* LISTRIGHTS x bob \"\" l r\r\n", |replies| {
        replies.list_rights(&name("x"), "bob", "", &["l", "r"]);
    });
    check(Unknown, "* MYRIGHTS x lrs\r\n", |replies| replies.my_rights(&name("x"), "lrs"));
    check(Reads, "* QUOTA \"\" (STORAGE 10 512 MESSAGE 2 100)\r\n", |replies| {
        replies.quota("", &[("STORAGE", 10, 512), ("MESSAGE", 2, 100)]);
    });
    check(Reads, "* QUOTAROOT INBOX \"\"\r\n", |replies| replies.quota_root(&MailboxName::inbox(), &[""]));
    check(Reads, "* METADATA INBOX (/a/b \"x\" /c NIL)\r\n", |replies| {
        replies.metadata(Some(&MailboxName::inbox()), [("/a/b", Some(b"x".as_slice())), ("/c", None)]);
    });
    check(Reads, "* METADATA \"\" (/a ~{2}\r\n\0x)\r\n", |replies| {
        replies.metadata(None, [("/a", Some(b"\0x".as_slice()))]);
    });
    check(Reads, "* METADATA \"\" /a /b\r\n", |replies| replies.metadata_changed(None, ["/a", "/b"]));
}

#[test]
fn of_searches() {
    check(Reads, "* SEARCH 2 84 882\r\n", |replies| replies.search([2, 84, 882], None));
    check(Reads, "* SEARCH\r\n", |replies| replies.search([], None));
    check(Reads, "* SEARCH 2 (MODSEQ 917162500)\r\n", |replies| replies.search([2], Some(917_162_500)));
    check(Reads, "* SORT 2 84\r\n", |replies| replies.sort([2, 84], None));
    let scope = SearchScope { tag: "A1", mailbox: None, uid: true };
    check(Unknown, "* ESEARCH (TAG \"A1\") UID MIN 2 MAX 9 COUNT 3 ALL 2,8:9 MODSEQ 7\r\n", |replies| {
        replies.esearch(scope).min(2).max(9).count(3).all(&uids(&[(2, 2), (8, 9)])).mod_seq(7).finish();
    });
    check(Unknown, "* ESEARCH (TAG \"A1\") COUNT 0\r\n", |replies| {
        let scope = SearchScope { uid: false, ..scope };
        replies.esearch(scope).count(0).all(&UidSet::new()).all_sorted(&[]).finish();
    });
    check(Unknown, "* ESEARCH (TAG \"A1\" MAILBOX \"a b\" UIDVALIDITY 8) UID ALL 9:11,3,5,4\r\n", |replies| {
        let mailbox = name("a b");
        let scope = SearchScope { mailbox: Some((&mailbox, 8)), ..scope };
        replies.esearch(scope).all_sorted(&[9, 10, 11, 3, 5, 4]).finish();
    });
    let range = PartialRange { from: PartialFrom::End, first: 1, last: 100 };
    check(Unknown, "* ESEARCH (TAG \"A1\") UID PARTIAL (-1:-100 3:4)\r\n", |replies| {
        replies.esearch(scope).partial(range, &uids(&[(3, 4)])).finish();
    });
    check(Unknown, "* ESEARCH (TAG \"A1\") UID PARTIAL (1:100 NIL) PARTIAL (1:100 9,7)\r\n", |replies| {
        let range = PartialRange { from: PartialFrom::Start, ..range };
        replies.esearch(scope).partial(range, &UidSet::new()).partial_sorted(range, &[9, 7]).finish();
    });
    check(Unknown, "* ESEARCH (TAG \"A1\") UID ADDTO (0 5:6) REMOVEFROM (2 9)\r\n", |replies| {
        replies.esearch(scope).add_to(0, &[5, 6]).remove_from(2, &[9]).finish();
    });
    check(Unknown, "* UIDBATCHES (TAG \"A1\") 99:50,49:1\r\n", |replies| {
        replies.uid_batches("A1", &[(99, 50), (49, 1)]);
    });
    check(Unknown, "* 3 FILTERED (TAG \"A1\") UID 7 OK\r\n", |replies| replies.filtered(3, "A1", Some(7), None));
    check(Unknown, "* 3 FILTERED (TAG \"A1\") ERRORS {3}\r\na\nb\r\n", |replies| {
        replies.filtered(3, "A1", None, Some("a\nb"));
    });
    check(Unknown, "* FILTER (TAG \"A1\") ERRORS \"x\"\r\n", |replies| replies.filter_errors("A1", "x"));
}

fn fetch(codec: Codec, expected: &str, write: &dyn Fn(&mut FetchReply, &mut Vec<u8>)) {
    check(codec, &format!("* 12 FETCH ({expected})\r\n"), |replies| {
        let mut fetch = FetchReply::start(&mut replies.out, 12);
        write(&mut fetch, &mut replies.out);
        fetch.finish(&mut replies.out);
    });
}

#[test]
fn of_messages() {
    fetch(Reads, "UID 5 FLAGS (\\Seen $x) MODSEQ (65402)", &|fetch, out| {
        fetch.uid(out, Uid(5));
        fetch.flags(out, Flags::SEEN.with(Flags::keyword(1)), &keywords(&["y", "$x"]));
        fetch.mod_seq(out, ModSeq(65402));
    });
    fetch(Reads, "INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286", &|fetch, out| {
        fetch.internal_date(out, 837_596_665, -420);
        fetch.size(out, 4286);
    });
    fetch(Reads, "INTERNALDATE \"01-Jan-1970 00:00:00 +0530\"", &|fetch, out| fetch.internal_date(out, -330 * 60, 330));
    fetch(Reads, "INTERNALDATE \"31-Dec-9999 23:59:59 +0000\"", &|fetch, out| fetch.internal_date(out, i64::MAX, 0));
    fetch(Unknown, "SAVEDATE NIL SAVEDATE \"01-Jan-1970 00:00:01 +0000\"", &|fetch, out| {
        fetch.save_date(out, None);
        fetch.save_date(out, Some(1));
    });
    fetch(Unknown, "EMAILID (M3) THREADID (T4) PREVIEW \"a\" PREVIEW NIL", &|fetch, out| {
        fetch.email_id(out, BodyId(3));
        fetch.thread_id(out, ThreadId(4));
        fetch.preview(out, Some("a"), Utf8::Never);
        fetch.preview(out, None, Utf8::Never);
    });
    fetch(Unknown, "PREVIEW {2}\r\nü", &|fetch, out| fetch.preview(out, Some("ü"), Utf8::Never));
    fetch(Reads, "ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", &|fetch, out| {
        fetch.envelope(out, b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    });
}

#[test]
fn of_parts_of_messages() {
    let section = |part: &[u32], text| Section { part: part.to_vec(), text };
    fetch(Reads, "BODY[] {3}\r\nabc BODY[1.2.HEADER]<7> NIL BODY[3] {0}\r\n", &|fetch, out| {
        fetch.section(out, &section(&[], SectionText::Whole), None, Utf8::Never);
        fetch.literal(out, 3);
        out.extend_from_slice(b"abc");
        fetch.section(out, &section(&[1, 2], SectionText::Header), Some(7), Utf8::Never);
        fetch.nothing(out);
        fetch.section(out, &section(&[3], SectionText::Whole), None, Utf8::Never);
        fetch.literal(out, 0);
    });
    fetch(
        Reads,
        "BODY[HEADER.FIELDS (DATE \"a b\")] {0}\r\n BODY[2.MIME] NIL BODY[2.HEADER.FIELDS.NOT (X)] NIL",
        &|fetch, out| {
            fetch.section(
                out,
                &section(&[], SectionText::HeaderFields(vec!["DATE".into(), "a b".into()])),
                None,
                Utf8::Never,
            );
            fetch.literal(out, 0);
            fetch.section(out, &section(&[2], SectionText::Mime), None, Utf8::Never);
            fetch.nothing(out);
            fetch.section(out, &section(&[2], SectionText::HeaderFieldsNot(vec!["X".into()])), None, Utf8::Never);
            fetch.nothing(out);
        },
    );
    fetch(
        Reads,
        "BINARY[1.2] ~{2}\r\n\0a BINARY.SIZE[1] 7 RFC822 {1}\r\nx RFC822.HEADER NIL RFC822.TEXT NIL",
        &|fetch, out| {
            fetch.binary(out, &[1, 2], None);
            fetch.literal8(out, 2);
            out.extend_from_slice(b"\0a");
            fetch.binary_size(out, &[1], 7);
            fetch.rfc822(out);
            fetch.literal(out, 1);
            out.push(b'x');
            fetch.rfc822_header(out);
            fetch.nothing(out);
            fetch.rfc822_text(out);
            fetch.nothing(out);
        },
    );
    check(Unknown, "* 25996 UIDFETCH (FLAGS ())\r\n", |replies| {
        let mut fetch = FetchReply::start_uid(&mut replies.out, Uid(25996));
        fetch.flags(&mut replies.out, Flags::NONE, &keywords(&[]));
        fetch.finish(&mut replies.out);
    });
}

#[test]
fn identifiers_come_back() {
    assert_eq!(email_id_of("M12"), Some(BodyId(12)));
    assert_eq!(thread_id_of("T0"), Some(ThreadId(0)));
    for wrong in ["", "M", "12", "M012", "T12", "m12", "M+1", "M-1", "M99999999999999999999"] {
        assert_eq!(email_id_of(wrong), None, "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a client has called something, what we write of it can be read, and means the same.
    #[test]
    fn any_string_survives(octets in proptest::collection::vec(1_u8.., 0..40), long in 0_usize..3) {
        let octets = if long == 0 { octets.repeat(60) } else { octets };
        for utf8 in [Utf8::Never, Utf8::Welcome] {
            let mut out = Vec::new();
            text::astring(&mut out, &octets, utf8);
            let line = [b"t LOGIN a ".as_slice(), &out].concat();
            let framed = crate::imap::framing::Framed { octets: &line, streamed: &[] };
            let command = crate::imap::grammar::parse(framed, crate::imap::grammar::Mode::default());
            let Ok(crate::imap::grammar::Command { body: crate::imap::grammar::Body::Login { password, .. }, .. }) = command
            else { panic!("{line:?}") };
            prop_assert_eq!(&password.0, &octets);
        }
    }

    #[test]
    fn any_text_is_one_line(text in "\\PC{0,10}[\r\n\0\\[]{0,3}\\PC{0,10}", welcome: bool) {
        let utf8 = if welcome { Utf8::Welcome } else { Utf8::Never };
        let mut replies = Replies { out: Vec::new(), utf8 };
        replies.tagged("a", Status::No, None, &text);
        prop_assert_eq!(replies.out.iter().filter(|octet| octet.is_ascii_control()).count(), 2);
        prop_assert!(replies.out.len() > "a NO \r\n".len());
        prop_assert!(replies.out[5] != b'[');
    }
}
