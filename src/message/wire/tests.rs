use super::super::structure::tests::mailish;
use super::*;
use crate::types::limits::MIME_DEPTH_MAX;
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use proptest::prelude::*;

fn shown(octets: &[u8]) -> String {
    octets
        .iter()
        .map(|&byte| if byte.is_ascii() { char::from(byte).to_string() } else { format!("\\x{byte:02x}") })
        .collect()
}

fn check_envelope(header: &[u8], expected: &str) {
    let written = envelope(header);
    assert_eq!(shown(&written), expected, "{}", header.escape_ascii());
    decodes("ENVELOPE", &written);
}

/// Both forms; BODY is given without what only BODYSTRUCTURE has.
fn check_body(raw: &[u8], body: &str, full: &str) {
    let structure = Structure::scan(raw);
    let written = bodystructure(raw, &structure);
    assert_eq!(shown(&written), full, "{}", raw.escape_ascii());
    let short = body_of(&written).expect("our own body structure");
    assert_eq!(shown(&short), body, "{}", raw.escape_ascii());
    decodes("BODYSTRUCTURE", &written);
    decodes("BODY", &short);
}

/// imap-codec, which clients are built on, takes it whole.
fn decodes(item: &str, written: &[u8]) {
    let line = [b"* 1 FETCH (", item.as_bytes(), b" ", written, b")\r\n"].concat();
    let (rest, _) = ResponseCodec::default().decode(&line).unwrap_or_else(|error| panic!("{error:?} {}", shown(&line)));
    assert!(rest.is_empty());
}

#[test]
fn envelopes() {
    check_envelope(
        b"Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nSubject: =?utf-8?Q?gr=C3=BCn?=\r\n \"x\"\r\nFrom: Jane \"D\\\"\" <a@b>\r\n\
        To: a@b, C <c@d>\r\nTo: e@f\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n\r\n",
        "(\"Thu, 1 Jan 1970 00:00:00 +0000\" \"=?utf-8?Q?gr=C3=BCn?= \\\"x\\\"\" ((\"Jane D\\\"\" NIL \"a\" \"b\")) \
        ((\"Jane D\\\"\" NIL \"a\" \"b\")) ((\"Jane D\\\"\" NIL \"a\" \"b\")) \
        ((NIL NIL \"a\" \"b\")(\"C\" NIL \"c\" \"d\")(NIL NIL \"e\" \"f\")) NIL NIL \"<0@x>\" \"<1@x>\")",
    );
    check_envelope(b"", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(
        b"Subject:\r\nSender:\r\nReply-To: r@s\r\nFrom: root\r\n",
        "(NIL \"\" ((NIL NIL \"root\" \"\")) \
        ((NIL NIL \"root\" \"\")) ((NIL NIL \"r\" \"s\")) NIL NIL NIL NIL NIL)",
    );
    check_envelope(
        b"To: friends: a@b, <@r:c@d>;, e@f\r\nCc: undisclosed-recipients:;\r\nBcc: <>\r\n",
        "(NIL NIL NIL NIL NIL ((NIL NIL \"friends\" NIL)(NIL NIL \"a\" \"b\")(NIL \"@r\" \"c\" \"d\")(NIL NIL NIL NIL)\
        (NIL NIL \"e\" \"f\")) ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)",
    );
    check_envelope(b"Subject: gr\xfcn\r\n", "(NIL {4}\r\ngr\\xfcn NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(b"Subject: a\0b\rc\x01\r\n", "(NIL {6}\r\na?b c\x01 NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(b"Subject: a\r\n b\r\nSubject: c\r\n", "(NIL \"a b\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    check_envelope(b"From jane\r\nSubject: a\r\nSubject : b\r\n", "(NIL \"a\" NIL NIL NIL NIL NIL NIL NIL NIL)");
}

#[test]
fn bodies_of_single_parts() {
    check_body(
        b"Subject: x\r\n\r\nhi\r\n",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1)",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1 NIL NIL NIL NIL)",
    );
    check_body(
        b"Content-Type: Application/PDF; name*0*=utf-8''%C3; name*1*=%BC\r\nContent-ID: <1@x>\r\n\
        Content-Description: a \"b\"\r\nContent-Transfer-Encoding: BASE64 (x)\r\nContent-MD5: Q2hl\r\n\
        Content-Disposition: attachment; filename=\"a b\"\r\nContent-Language: de, en\r\nContent-Location: http://x\r\n\r\nAA==",
        "(\"Application\" \"PDF\" (\"name*\" \"utf-8''%C3%BC\") \"<1@x>\" \"a \\\"b\\\"\" \"BASE64\" 4)",
        "(\"Application\" \"PDF\" (\"name*\" \"utf-8''%C3%BC\") \"<1@x>\" \"a \\\"b\\\"\" \"BASE64\" 4 \
        \"Q2hl\" (\"attachment\" (\"filename\" \"a b\")) (\"de\" \"en\") \"http://x\")",
    );
    check_body(
        b"Content-Type: text\r\nContent-Disposition: inline\r\nContent-Language: de\r\n",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL (\"inline\" NIL) \"de\" NIL)",
    );
    // A multipart without parts, and a message that can't be looked into.
    check_body(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\nx",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0)",
        "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL)",
    );
    check_body(
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAA==",
        "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 4 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
        (\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0) 0)",
        "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 4 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
        (\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0) 0 NIL NIL NIL NIL)",
    );
}

#[test]
fn bodies_of_several_parts() {
    check_body(
        b"Content-Type: multipart/digest; boundary=\"b\"\r\nContent-Language: de\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nx\r\n\
        --b\r\nContent-Type: message/global\r\n\r\nSubject: g\r\n\r\ny\r\n--b--\r\n",
        "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) \
        (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) 2)\
        (\"message\" \"global\" NIL NIL NIL \"7bit\" 15) \"digest\")",
        "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) \
        (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL)\
        (\"message\" \"global\" NIL NIL NIL \"7bit\" 15 NIL NIL NIL NIL) \"digest\" (\"boundary\" \"b\") NIL \"de\" NIL)",
    );
}

#[test]
fn what_is_written_has_a_size_limit() {
    let many = format!("To: {}\r\n", "a,".repeat(400_000));
    assert!(envelope(many.as_bytes()).len() < ENVELOPE_OCTETS_MAX + 1000);
    let long = format!("Subject: {0}\r\nFrom: {0} <{0}@{0}>\r\nMessage-ID: {0}\r\n", "x".repeat(400_000));
    assert!(envelope(long.as_bytes()).len() < ENVELOPE_OCTETS_MAX + 1000);
    decodes("ENVELOPE", &envelope(long.as_bytes()));
    let part = format!("--b\r\nContent-Type: message/rfc822\r\n\r\n{many}\r\n\r\nx\r\n");
    let raw = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", part.repeat(12));
    let structure = Structure::scan(raw.as_bytes());
    let written = bodystructure(raw.as_bytes(), &structure);
    assert!(written.len() < BODYSTRUCTURE_OCTETS_MAX + 10_000, "{}", written.len());
    assert!(body_of(&written).is_some());
}

#[test]
fn the_deepest_nest_is_written() {
    let raw = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000);
    let written = bodystructure(raw.as_bytes(), &Structure::scan(raw.as_bytes()));
    assert!(body_of(&written).is_some());
    assert!(written.len() < MIME_DEPTH_MAX * 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn clients_can_read_any_mail(raw in mailish()) {
        let structure = Structure::scan(&raw);
        let written = bodystructure(&raw, &structure);
        let short = body_of(&written);
        prop_assert!(short.is_some());
        let depth = deepest(&structure, 0);
        // imap-codec itself refuses deeper ones.
        if depth < 4 {
            decodes("BODYSTRUCTURE", &written);
            decodes("BODY", &short.unwrap_or_default());
        }
        decodes("ENVELOPE", &envelope(&raw));
    }

    #[test]
    fn anything_is_refused_or_cut(octets in "[(){}\" 0-9a\\\\\r\n]{0,30}") {
        let _ = body_of(octets.as_bytes());
    }
}

fn deepest(structure: &Structure, index: usize) -> usize {
    structure.children(index).map(|child| 1 + deepest(structure, child)).max().unwrap_or(0)
}
