//! Holds the grammar against imap-codec: whatever it reads, we read, and to the same meaning.
//!
//! Two ways: what imap-codec read and wrote again must mean to us what the original means; and for the commands whose
//! reading matters most, its types are translated into ours by hand.

use super::*;
use crate::imap::framing::Framed;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::command::{Command as TheirCommand, CommandBody, StoreModifier};
use imap_codec::imap_types::core::AString;
use imap_codec::imap_types::datetime::NaiveDate;
use imap_codec::imap_types::flag::{Flag as TheirFlag, StoreResponse, StoreType};
use imap_codec::imap_types::mailbox::Mailbox as TheirMailbox;
use imap_codec::imap_types::search::SearchKey;
use imap_codec::imap_types::sequence::{SeqOrUid, Sequence, SequenceSet as TheirSet};
use proptest::prelude::*;

fn ours(octets: &[u8]) -> Result<Command, Refused> {
    let octets = octets.strip_suffix(b"\r\n").expect("a whole command");
    parse(Framed { octets, streamed: &[] }, Mode::default())
}

fn theirs(octets: &[u8]) -> Option<TheirCommand<'_>> {
    match CommandCodec::default().decode(octets) {
        Ok((b"", command)) => Some(command),
        _ => None,
    }
}

/// `true` if imap-codec read it.
fn compare(octets: &[u8]) -> bool {
    let Some(command) = theirs(octets) else { return false };
    let shown = String::from_utf8_lossy(octets);
    let read = match ours(octets) {
        Ok(read) => read,
        Err(refused) if stricter(&refused.cause) => return true,
        Err(refused) => panic!("{shown}: they read {command:?}, we say {refused:?}"),
    };
    let written = CommandCodec::default().encode(&command).dump();
    assert_eq!(ours(&written).as_ref(), Ok(&read), "{shown} is the same as {}", String::from_utf8_lossy(&written));
    if let Some(expected) = translated(&command.body) {
        assert_eq!(read.body, expected, "{shown}");
    }
    true
}

/// Where we refuse what imap-codec reads, and mean it.
fn stricter(cause: &Cause) -> bool {
    match cause {
        // They leave it to the server which there are.
        Cause::BadCharset | Cause::BadCharsetUnsaved => true,
        Cause::Syntax { expected, .. } => matches!(
            *expected,
            "ORDEREDSUBJECT or REFERENCES"
                // Leading zeros, against the grammar.
                | "a number that is not zero"
                // An hour of more than 59 minutes.
                | "a zone"
                // RFC 7162 section 3.2.6.
                | "VANISHED only in UID FETCH with CHANGEDSINCE"
        ),
        _ => false,
    }
}

fn translated(body: &CommandBody<'_>) -> Option<Body> {
    let addressing = |uid: bool| if uid { Addressing::Uid } else { Addressing::Sequence };
    Some(match body {
        CommandBody::Search { charset: None, criteria, uid } => {
            let keys: Vec<Key> = criteria.as_ref().iter().map(search_key).collect();
            Body::Search { addressing: addressing(*uid), returns: None, key: joined(keys) }
        }
        CommandBody::Store { sequence_set, kind, response, flags, uid, modifiers } => Body::Store(Store {
            addressing: addressing(*uid),
            numbers: set(sequence_set),
            unchanged_since: modifiers.last().map(|StoreModifier::UnchangedSince(since)| *since),
            change: match kind {
                StoreType::Add => FlagChange::Add,
                StoreType::Remove => FlagChange::Remove,
                StoreType::Replace => FlagChange::Replace,
            },
            silent: *response == StoreResponse::Silent,
            flags: flags.iter().map(flag).collect(),
        }),
        CommandBody::Copy { sequence_set, mailbox, uid } => {
            // Another test is about names.
            let Ok(Command { body: Body::Delete(to), .. }) = ours(&written_with(mailbox)) else { return None };
            Body::Copy { addressing: addressing(*uid), numbers: set(sequence_set), to }
        }
        CommandBody::ExpungeUid { sequence_set } => Body::UidExpunge(set(sequence_set)),
        _ => return None,
    })
}

fn written_with(mailbox: &TheirMailbox<'_>) -> Vec<u8> {
    let delete = CommandBody::Delete { mailbox: mailbox.clone() }.tag("a").expect("a tag");
    CommandCodec::default().encode(&delete).dump()
}

fn set(theirs: &TheirSet) -> Numbers {
    let number = |number: &SeqOrUid| match number {
        SeqOrUid::Value(value) => value.to_string(),
        SeqOrUid::Asterisk => "*".into(),
    };
    let ranges: Vec<String> = theirs
        .0
        .as_ref()
        .iter()
        .map(|sequence| match sequence {
            Sequence::Single(one) => format!("{0}:{0}", number(one)),
            Sequence::Range(first, last) => format!("{}:{}", number(first), number(last)),
        })
        .collect();
    let text = ranges.join(",");
    numbers::numbers(&mut Input::new(text.as_bytes(), &[], Mode::default())).expect("a set")
}

fn flag(theirs: &TheirFlag<'_>) -> Flag {
    match theirs {
        TheirFlag::Keyword(name) => Flag::Keyword(name.inner().into()),
        other => {
            let name = other.to_string();
            crate::types::Flags::system(&name).map_or_else(|| Flag::Unknown(name.into()), Flag::System)
        }
    }
}

fn joined(mut keys: Vec<Key>) -> Key {
    if keys.len() == 1 { keys.remove(0) } else { Key::And(keys) }
}

fn not(key: Key) -> Key {
    match key {
        Key::Not(inner) => *inner,
        key => Key::Not(Box::new(key)),
    }
}

fn string(theirs: &AString<'_>) -> String {
    let octets = match theirs {
        AString::Atom(atom) => atom.inner().as_bytes().to_vec(),
        AString::String(string) => string.as_ref().to_vec(),
    };
    String::from_utf8(octets).expect("we would have refused it")
}

fn day(theirs: &NaiveDate) -> Day {
    let text = theirs.as_ref().to_string();
    let date: jiff::civil::Date = text.parse().expect("a date");
    day_number(i64::from(date.year()), date.month() as u32, date.day() as u32).expect("a day")
}

fn search_key(theirs: &SearchKey<'_>) -> Key {
    use crate::types::Flags;
    let text = |of, value: &AString<'_>| Key::Text(of, string(value));
    let date = |of, is, date| Key::Date { of, is, day: day(date) };
    use DateIs::{Before, On, Since};
    use DateOf::{Arrival, Sent};
    match theirs {
        SearchKey::And(keys) => joined(keys.as_ref().iter().map(search_key).collect()),
        SearchKey::SequenceSet(numbers) => Key::Numbers(Addressing::Sequence, set(numbers)),
        SearchKey::Uid(numbers) => Key::Numbers(Addressing::Uid, set(numbers)),
        SearchKey::All => Key::All,
        SearchKey::Answered => Key::Flag(Flags::ANSWERED),
        SearchKey::Deleted => Key::Flag(Flags::DELETED),
        SearchKey::Draft => Key::Flag(Flags::DRAFT),
        SearchKey::Flagged => Key::Flag(Flags::FLAGGED),
        SearchKey::Seen => Key::Flag(Flags::SEEN),
        SearchKey::Unanswered => not(Key::Flag(Flags::ANSWERED)),
        SearchKey::Undeleted => not(Key::Flag(Flags::DELETED)),
        SearchKey::Undraft => not(Key::Flag(Flags::DRAFT)),
        SearchKey::Unflagged => not(Key::Flag(Flags::FLAGGED)),
        SearchKey::Unseen => not(Key::Flag(Flags::SEEN)),
        SearchKey::Keyword(name) => Key::Keyword(name.inner().into()),
        SearchKey::Unkeyword(name) => not(Key::Keyword(name.inner().into())),
        SearchKey::New => Key::And(vec![Key::Recent, not(Key::Flag(Flags::SEEN))]),
        SearchKey::Old => not(Key::Recent),
        SearchKey::Recent => Key::Recent,
        SearchKey::Not(inner) => not(search_key(inner)),
        SearchKey::Or(one, other) => {
            let mut operands = Vec::new();
            for operand in [one, other] {
                match (search_key(operand), &**operand) {
                    (Key::Or(inner), SearchKey::Or(..)) => operands.extend(inner),
                    (key, _) => operands.push(key),
                }
            }
            Key::Or(operands)
        }
        SearchKey::Bcc(value) => text(TextIn::Bcc, value),
        SearchKey::Body(value) => text(TextIn::Body, value),
        SearchKey::Cc(value) => text(TextIn::Cc, value),
        SearchKey::From(value) => text(TextIn::From, value),
        SearchKey::Subject(value) => text(TextIn::Subject, value),
        SearchKey::Text(value) => text(TextIn::Text, value),
        SearchKey::To(value) => text(TextIn::To, value),
        SearchKey::Header(name, value) => Key::Header { name: string(name), value: string(value) },
        SearchKey::Before(day) => date(Arrival, Before, day),
        SearchKey::On(day) => date(Arrival, On, day),
        SearchKey::Since(day) => date(Arrival, Since, day),
        SearchKey::SentBefore(day) => date(Sent, Before, day),
        SearchKey::SentOn(day) => date(Sent, On, day),
        SearchKey::SentSince(day) => date(Sent, Since, day),
        SearchKey::Larger(octets) => Key::LargerThan(u64::from(*octets)),
        SearchKey::Smaller(octets) => Key::SmallerThan(u64::from(*octets)),
        SearchKey::ModSequence { modseq, .. } => Key::ModSeq(*modseq),
    }
}

/// A string in one of its spellings.
fn astring() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9!#$&'+,./:;<=>?@^_`|}~-]{1,8}",
        "[a-zA-Z0-9 (){%*.]{0,8}".prop_map(|text| format!("\"{text}\"")),
        r#"([a-z]|\\"|\\\\){0,5}"#.prop_map(|text| format!("\"{text}\"")),
        "[ -~]{0,12}".prop_map(|text| format!("{{{}}}\r\n{text}", text.len())),
        "[ -~]{0,12}".prop_map(|text| format!("{{{}+}}\r\n{text}", text.len())),
    ]
}

fn number_set() -> impl Strategy<Value = String> {
    let number = prop_oneof![Just("*".to_owned()), (1_u32..).prop_map(|number| number.to_string())];
    let range =
        prop_oneof![number.clone(), (number.clone(), number).prop_map(|(first, last)| format!("{first}:{last}"))];
    proptest::collection::vec(range, 1..4).prop_map(|ranges| ranges.join(","))
}

fn date() -> impl Strategy<Value = String> {
    let month = proptest::sample::select(&dates::MONTHS[..]);
    (1_u32..=31, month, 1900_u32..2100, any::<bool>()).prop_map(|(day, month, year, quoted)| {
        let mark = if quoted { "\"" } else { "" };
        format!("{mark}{day}-{month}-{year}{mark}")
    })
}

fn search() -> impl Strategy<Value = String> {
    let words = [
        "ALL",
        "ANSWERED",
        "deleted",
        "Flagged",
        "NEW",
        "OLD",
        "RECENT",
        "SEEN",
        "UNANSWERED",
        "UNDELETED",
        "UNFLAGGED",
        "UNSEEN",
        "DRAFT",
        "UNDRAFT",
        "KEYWORD $Junk",
        "UNKEYWORD x",
        "MODSEQ 5",
        "MODSEQ \"/flags/\\\\Seen\" all 7",
    ];
    let texts = ["BCC", "BODY", "CC", "FROM", "subject", "TEXT", "TO", "HEADER Message-ID"];
    let dates = ["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"];
    let leaf = prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(str::to_owned),
        (proptest::sample::select(texts.to_vec()), astring()).prop_map(|(key, value)| format!("{key} {value}")),
        (proptest::sample::select(dates.to_vec()), date()).prop_map(|(key, date)| format!("{key} {date}")),
        (any::<bool>(), any::<u32>())
            .prop_map(|(more, size)| format!("{} {size}", if more { "LARGER" } else { "SMALLER" })),
        number_set(),
        number_set().prop_map(|numbers| format!("UID {numbers}")),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("OR {one} {other}")),
            proptest::collection::vec(inner, 1..3).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    })
}

fn flags() -> impl Strategy<Value = String> {
    let names = ["\\Seen", "\\deleted", "\\Flagged", "\\Other", "$Forwarded", "x", "NonJunk"];
    proptest::collection::vec(proptest::sample::select(names.to_vec()), 1..4).prop_map(|names| names.join(" "))
}

fn section() -> impl Strategy<Value = String> {
    let part = proptest::collection::vec(1_u32..20, 0..3)
        .prop_map(|part| part.iter().map(u32::to_string).collect::<Vec<_>>().join("."));
    let text = proptest::sample::select(vec![
        "",
        "HEADER",
        "TEXT",
        "MIME",
        "HEADER.FIELDS (From \"To\")",
        "HEADER.FIELDS.NOT (received)",
    ]);
    (part, text)
        .prop_map(|(part, text)| format!("[{part}{}{text}]", if part.is_empty() || text.is_empty() { "" } else { "." }))
}

fn fetch_items() -> impl Strategy<Value = String> {
    let item = prop_oneof![
        proptest::sample::select(vec![
            "ENVELOPE",
            "FLAGS",
            "INTERNALDATE",
            "RFC822",
            "RFC822.HEADER",
            "RFC822.SIZE",
            "RFC822.TEXT",
            "BODY",
            "BODYSTRUCTURE",
            "uid",
            "MODSEQ",
        ])
        .prop_map(str::to_owned),
        (any::<bool>(), section(), proptest::option::of((any::<u32>(), 1_u32..))).prop_map(
            |(peek, section, window)| {
                let window = window.map_or(String::new(), |(origin, length)| format!("<{origin}.{length}>"));
                format!("BODY{}{section}{window}", if peek { ".PEEK" } else { "" })
            }
        ),
        (0_usize..3, proptest::collection::vec(1_u32..9, 0..3)).prop_map(|(kind, part)| {
            let part = part.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
            format!("BINARY{}[{part}]", ["", ".PEEK", ".SIZE"][kind])
        }),
    ];
    prop_oneof![
        proptest::collection::vec(item.clone(), 1..4).prop_map(|items| format!("({})", items.join(" "))),
        item,
        proptest::sample::select(vec!["ALL", "FAST", "FULL"]).prop_map(str::to_owned),
    ]
}

fn command() -> impl Strategy<Value = String> {
    let uid = || proptest::sample::select(vec!["", "UID "]);
    prop_oneof![
        (uid(), proptest::collection::vec(search(), 1..3))
            .prop_map(|(uid, keys)| format!("{uid}SEARCH {}", keys.join(" "))),
        (search()).prop_map(|key| format!("SORT (REVERSE DATE SUBJECT) UTF-8 {key}")),
        (search()).prop_map(|key| format!("UID THREAD REFERENCES utf-8 {key}")),
        (uid(), number_set(), fetch_items(), proptest::option::of(1_u64..1 << 60)).prop_map(
            |(uid, numbers, items, since)| {
                let since = since.map_or(String::new(), |since| format!(" (CHANGEDSINCE {since})"));
                format!("{uid}FETCH {numbers} {items}{since}")
            }
        ),
        (uid(), number_set(), 0_usize..3, any::<(bool, bool)>(), flags()).prop_map(
            |(uid, numbers, kind, (silent, list), flags)| {
                let (open, close) = if list { ("(", ")") } else { ("", "") };
                let silent = if silent { ".SILENT" } else { "" };
                format!("{uid}STORE {numbers} {}FLAGS{silent} {open}{flags}{close}", ["", "+", "-"][kind])
            }
        ),
        (number_set(), flags())
            .prop_map(|(numbers, flags)| format!("STORE {numbers} (UNCHANGEDSINCE 7) +FLAGS ({flags})")),
        (uid(), number_set(), astring()).prop_map(|(uid, numbers, mailbox)| format!("{uid}COPY {numbers} {mailbox}")),
        (uid(), number_set(), astring()).prop_map(|(uid, numbers, mailbox)| format!("{uid}MOVE {numbers} {mailbox}")),
        number_set().prop_map(|numbers| format!("UID EXPUNGE {numbers}")),
        (astring(), astring()).prop_map(|(user, password)| format!("LOGIN {user} {password}")),
        (astring(), astring()).prop_map(|(from, to)| format!("RENAME {from} {to}")),
        (astring(), "[a-z%*/]{1,5}").prop_map(|(reference, pattern)| format!("LIST {reference} {pattern}")),
        (
            proptest::sample::select(vec!["CREATE", "DELETE", "SUBSCRIBE", "SELECT", "EXAMINE", "UNSUBSCRIBE"]),
            astring()
        )
            .prop_map(|(verb, mailbox)| format!("{verb} {mailbox}")),
        (astring(), flags(), "[ -~]{0,20}").prop_map(|(mailbox, flags, text)| {
            format!("APPEND {mailbox} ({flags}) \"17-Jul-1996 02:44:25 -0700\" {{{}}}\r\n{text}", text.len())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_imap_codec_reads_we_read_the_same(command in command()) {
        compare(format!("a1 {command}\r\n").as_bytes());
    }

    /// One octet changed: most are wrong then, and where imap-codec still reads something, so do we.
    #[test]
    fn also_when_slightly_wrong(command in command(), at: proptest::sample::Index, octet in "[ -~]") {
        let mut octets = format!("a1 {command}\r\n").into_bytes();
        let at = at.index(octets.len() - 2);
        octets[at] = octet.as_bytes()[0];
        compare(&octets);
    }
}

#[test]
fn a_corpus_that_imap_codec_reads() {
    for line in include_str!("oracle_corpus.txt").lines() {
        let octets = line.replace("\\r\\n", "\r\n") + "\r\n";
        assert!(
            compare(octets.as_bytes()),
            "imap-codec refuses {line}: {:?}",
            CommandCodec::default().decode(octets.as_bytes())
        );
    }
}
