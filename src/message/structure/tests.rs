use super::*;
use proptest::prelude::*;

fn check(raw: &str, expected: &[&str]) {
    let structure = Structure::scan(raw.as_bytes());
    let mut depths = vec![0; structure.parts.len()];
    for index in 0..structure.parts.len() {
        for child in structure.children(index) {
            depths[child] = depths[index] + 1;
        }
    }
    let shown: Vec<String> = structure
        .parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let body = &raw[part.body_start as usize..part.end as usize];
            let body = if part.kind == PartKind::Leaf { format!(" {body:?}") } else { String::new() };
            format!("{}{} {}{body}", "  ".repeat(depths[index]), part.media_type, part.lines)
        })
        .collect();
    assert_eq!(shown, expected, "{raw}");
    assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Ok(&structure));
}

#[test]
fn single_parts() {
    check("Subject: x\r\n\r\na\r\nb\r\n", &["text/plain 2 \"a\\r\\nb\\r\\n\""]);
    check("Subject: x\n\na", &["text/plain 0 \"a\""]);
    check("Subject: x\r\n", &["text/plain 0 \"\""]);
    check("", &["text/plain 0 \"\""]);
    check("\r\nbody", &["text/plain 0 \"body\""]);
    check("Content-Type: nonsense\r\n\r\nx", &["text/plain 0 \"x\""]);
    check("Content-Type: Text/HTML; charset=x\r\n\r\nx", &["text/html 0 \"x\""]);
    check("Content-Type: multipart/mixed\r\n\r\nx", &["text/plain 0 \"x\""]);
    check("Content-Type: multipart/mixed; boundary=b\r\n\r\n--c\r\n\r\nx", &["text/plain 2 \"--c\\r\\n\\r\\nx\""]);
}

#[test]
fn boundaries_come_in_pieces_too() {
    let finds = |parameters: &str, delimiter: &str| {
        let raw = format!(
            "Content-Type: multipart/mixed; {parameters}\r\n\r\n--{delimiter}\r\n\r\none\r\n--{delimiter}--\r\n"
        );
        check(&raw, &["multipart/mixed 4", "  text/plain 0 \"one\""]);
    };
    finds("boundary*0=a; boundary*1=b", "ab");
    finds("boundary*=us-ascii''a%20b", "a b");
    finds("boundary*1=b; boundary*0*=utf-8'en'a%3D", "a=b");
    finds("boundary=plain; boundary*=''other", "plain");
    let text = "Content-Type: text/plain; charset*=''UTF-8\r\n\r\nx";
    assert_eq!(&*Structure::scan(text.as_bytes()).root().charset, "utf-8");
}

#[test]
fn multiparts() {
    let head = "Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n";
    check(
        &format!(
            "{head}preamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: a/b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n"
        ),
        &["multipart/mixed 11", "  text/plain 0 \"one\"", "  a/b 1 \"two\\r\\n\""],
    );
    // The delimiter comes at once, without a blank line, at the end, twice, or never.
    check(&format!("{head}--b\r\n--b--"), &["multipart/mixed 1", "  text/plain 0 \"\""]);
    check(&format!("{head}--b\r\n\r\n--b--"), &["multipart/mixed 2", "  text/plain 0 \"\""]);
    check(&format!("{head}--b\r\nContent-Type: a/b\r\n--b--"), &["multipart/mixed 2", "  a/b 0 \"\""]);
    check(&format!("{head}--b"), &["multipart/mixed 0", "  text/plain 0 \"\""]);
    check(&format!("{head}--b  \r\n\r\nx\r\n"), &["multipart/mixed 3", "  text/plain 1 \"x\\r\\n\""]);
    check(&format!("{head}--b--\r\nx"), &["text/plain 1 \"--b--\\r\\nx\""]);
    check(&format!("{head}--b\n\nx\n--b--\n"), &["multipart/mixed 4", "  text/plain 0 \"x\""]);
    // Only at the beginning of a line.
    check(&format!("{head}--b\r\n\r\nx --b\r\n--b--"), &["multipart/mixed 3", "  text/plain 0 \"x --b\""]);
}

#[test]
fn nested_multiparts() {
    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/related; boundary=";
    // An outer delimiter ends an inner multipart that was never closed.
    check(
        &format!("{head}c\r\n\r\n--c\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--"),
        &["multipart/mixed 9", "  multipart/related 2", "    text/plain 0 \"x\"", "  text/plain 0 \"y\""],
    );
    // One boundary is the beginning of the other.
    check(
        &format!("{head}bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n--b\r\n\r\ny\r\n--b--"),
        &["multipart/mixed 10", "  multipart/related 3", "    text/plain 0 \"x\"", "  text/plain 0 \"y\""],
    );
    // The delimiter's line end is the inner part's blank line.
    check(
        &format!("{head}c\r\n\r\n--c\r\n\r\n--b--"),
        &["multipart/mixed 5", "  multipart/related 1", "    text/plain 0 \"\""],
    );
    // The same boundary twice: the inner one is meant.
    check(
        &format!("{head}b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--"),
        &["multipart/mixed 10", "  multipart/related 3", "    text/plain 0 \"x\"", "  text/plain 0 \"y\""],
    );
}

#[test]
fn embedded_messages() {
    let head = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n";
    check(
        &format!("{head}\r\nSubject: in\r\n\r\nx\r\n--b\r\nContent-Type: text/plain\r\n\r\ny\r\n--b--"),
        &["multipart/digest 9", "  message/rfc822 2", "    text/plain 0 \"x\"", "  text/plain 0 \"y\""],
    );
    check(
        "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx",
        &["message/rfc822 4", "  message/rfc822 2", "    text/plain 0 \"x\""],
    );
    check(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeAo=",
        &["message/rfc822 0 \"U3ViamVjdDogeAo=\""],
    );
    check("Content-Type: message/rfc822\r\n\r\n", &["message/rfc822 0", "  text/plain 0 \"\""]);
}

const MIXED: &str = "Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nX: 1\r\n\r\none\r\n\
    --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n\
    --c\r\nX: 21\r\n\r\ntwo.one\r\n--c\r\nX: 22\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--c--\r\n\
    --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: single\r\n\r\nthree.one\r\n--b--\r\n";

#[test]
fn sections_by_number() {
    let structure = Structure::scan(MIXED.as_bytes());
    let check = |path: &[u32], section: Section, expected: Option<&str>| {
        let range = structure.section(path, section);
        let found = range.map(|range| &MIXED[range.start as usize..range.end as usize]);
        assert_eq!(found, expected, "{path:?} {section:?}");
    };
    check(&[], Section::Whole, Some(MIXED));
    check(&[], Section::Header, Some("Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"));
    check(&[], Section::Mime, None);
    check(&[1], Section::Whole, Some("one"));
    check(&[1], Section::Mime, Some("X: 1\r\n\r\n"));
    check(&[1], Section::Header, None);
    check(&[1, 1], Section::Whole, None);
    check(&[2], Section::Mime, Some("Content-Type: message/rfc822\r\n\r\n"));
    check(&[2], Section::Header, Some("Subject: in\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"));
    check(&[2, 1], Section::Whole, Some("two.one"));
    check(&[2, 2], Section::Mime, Some("X: 22\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    check(&[2, 2], Section::Whole, Some("eA=="));
    check(&[2, 3], Section::Whole, None);
    check(&[3], Section::Whole, Some("Subject: single\r\n\r\nthree.one"));
    check(&[3], Section::Text, Some("three.one"));
    check(&[3, 1], Section::Whole, Some("three.one"));
    check(&[3, 1], Section::Mime, Some("Subject: single\r\n\r\n"));
    check(&[4], Section::Whole, None);
    check(&[0], Section::Whole, None);
    check(&[u32::MAX], Section::Whole, None);
    assert_eq!(structure.decode_part(MIXED.as_bytes(), &[2, 2]).as_deref(), Ok(&b"x"[..]));
    assert_eq!(structure.decode_part(MIXED.as_bytes(), &[9]), Err(DecodeError::NoSuchPart));
    let single = "Subject: s\r\n\r\nbody";
    let structure = Structure::scan(single.as_bytes());
    assert_eq!(structure.section(&[1], Section::Whole), structure.section(&[], Section::Text));
    assert_eq!(structure.section(&[1], Section::Mime), Some(0..14));
    assert_eq!(structure.section(&[2], Section::Whole), None);
}

#[test]
fn too_deep_and_too_many_are_opaque() {
    use crate::types::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};
    let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(170_000);
    let structure = Structure::scan(deep.as_bytes());
    assert_eq!(structure.parts.len(), MIME_DEPTH_MAX + 1);
    assert_eq!(structure.parts.last().map(|part| part.kind), Some(PartKind::Leaf));

    let mut deep = String::new();
    for level in 0..30_000 {
        deep += &format!("Content-Type: multipart/mixed; boundary=b{level}x\r\n\r\n--b{level}x\r\n");
    }
    let structure = Structure::scan(deep.as_bytes());
    assert_eq!(structure.parts.len(), MIME_DEPTH_MAX + 1);
    assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(structure));

    let many = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\n".repeat(100_000));
    let structure = Structure::scan(many.as_bytes());
    assert_eq!(structure.parts.len(), MIME_PARTS_MAX);
    assert_eq!(structure.find(&[MIME_PARTS_MAX as u32 - 1]), Some(MIME_PARTS_MAX - 1));
}

/// Octets that look like mail often enough to be interesting.
pub(in super::super) fn mailish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=b\r\n"),
        Just("Content-Type: multipart/alternative; boundary=\"bb\"\r\n"),
        Just("Content-Type: message/rfc822\r\n"),
        Just("Content-Type: text/html; charset=iso-8859-1; name*=utf-8''%C3%BC\r\n"),
        Just("Content-Transfer-Encoding: base64\r\n"),
        Just("Content-Transfer-Encoding: quoted-printable\r\n"),
        Just("Content-Disposition: attachment; filename=\"a\\\"b\"\r\n"),
        Just("From: \"J. D\" <a@b.example>, group: x@y, z;\r\n"),
        Just("To: =?utf-8?Q?=C3=BC?= (c) <@r,@s:\"q q\"@d>\r\n"),
        Just("Subject: Re: [x] =?utf-8?B?w7w=?=\r\n =?iso-8859-1?Q?=FC?=\r\n"),
        Just("Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("--b\r\n"),
        Just("--bb\r\n"),
        Just("--b--\r\n"),
        Just("--bb--\r\n"),
        Just("text =C3=BC aGVsbG8=\r\n"),
        Just("<p>html &amp; text</p>\r\n"),
    ]
    .prop_map(|piece| piece.as_bytes().to_vec());
    let piece = prop_oneof![8 => piece, 1 => proptest::collection::vec(any::<u8>(), 0..12)];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn ranges_stay_inside_and_survive_storing(raw in mailish()) {
        let structure = Structure::scan(&raw);
        prop_assert_eq!(structure.root().end as usize, raw.len());
        for (index, part) in structure.parts.iter().enumerate() {
            prop_assert!(part.header_start <= part.body_start && part.body_start <= part.end);
            let mut last_end = part.body_start;
            for child in structure.children(index) {
                let child = &structure.parts[child];
                prop_assert!(child.header_start >= last_end && child.end <= part.end);
                last_end = child.end;
            }
            let counted = memchr::memchr_iter(b'\n', part.body_in(&raw)).count();
            prop_assert_eq!(part.lines as usize, counted);
        }
        prop_assert_eq!(Structure::from_bytes(&structure.to_bytes()), Ok(structure));
    }

    #[test]
    fn corrupt_octets_are_refused_or_consistent(raw in mailish(), at in any::<prop::sample::Index>(), with: u8, cut: bool) {
        let mut bytes = Structure::scan(&raw).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if cut {
            bytes.truncate(at);
        }
        if let Ok(structure) = Structure::from_bytes(&bytes) {
            for path in [&[][..], &[1], &[1, 1], &[2, 1], &[1, 1, 1]] {
                structure.section(path, Section::Whole);
                // A structure that belongs to another message must not make us read outside this one.
                let _ = structure.decode_part(&raw, path);
            }
        }
    }

    #[test]
    fn any_octets_are_scanned(raw: Vec<u8>, bytes: Vec<u8>) {
        Structure::scan(&raw);
        let _ = Structure::from_bytes(&bytes);
    }
}
