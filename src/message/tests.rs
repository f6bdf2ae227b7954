//! Odd mail, whole: each is analysed, and all that is made of it must hold together.

use super::*;
use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;

/// Mail as it has been seen to arrive, or as an attacker would write it.
const ODD_MAIL: &[&[u8]] = &[
    b"",
    b"\n",
    b"\r\n\r\n\r\n",
    b"only text, no header, no line end",
    b"From someone Thu Jan  1 00:00:00 1970\nSubject: mbox line first\n\nx\n",
    b" begins with a blank\r\nSubject: x\r\n\r\nbody",
    b"Subject: header only",
    b"Subject: bare line ends\nTo: a@b\n\nbody\n",
    b"Subject: old\rTo: a@b\r\rbody\r",
    b"Subject: \xff\xfe raw octets \x80\r\nFrom: \xe4\xf6\xfc <a@b>\r\n\r\n\xff\x00\xfe",
    b"Subject\0: nul\0\r\nX\0Y: \0\r\n\r\n\0\0",
    b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n",
    b"Content-Type: multipart/mixed; boundary=\"a b \"\r\n\r\n--a b\r\n\r\nx\r\n--a b--\r\n",
    b"Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n--c\r\n\r\nwrong\r\n--b\r\n\r\nright\r\n--b--",
    b"Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\nx\r\n--ab--",
    b"Content-Type: multipart/mixed;\r\n boundary=b\r\n\r\n--b\r\nno colon\r\n\r\nx\r\n--b--trailing\r\n--b\r\nafter the end",
    b"Content-Type: message/rfc822\r\nContent-Type: text/plain\r\n\r\nContent-Type: message/rfc822\r\n\r\n",
    b"Content-Type: message/partial; id=x; number=1\r\n\r\nSubject: piece\r\n\r\nx",
    b"Content-Type: message/external-body; access-type=url\r\n\r\nContent-Type: image/gif\r\n\r\n",
    b"Content-Type: text/html; charset=\"utf-16\"\r\n\r\n\xfe\xff\x00<\x00p\x00>\x00x",
    b"Content-Type: text/plain; charset=x-unknown\r\nContent-Transfer-Encoding: 8-bit\r\n\r\n\xe4",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n====\r\n%%%\r\nQQ\r\n",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n=E4=\n==3D=",
    b"Content-Type: image/png; name=\"=?utf-8?B?w7w=?=.png\"\r\nContent-Disposition: ATTACHMENT; filename*=utf-8'en'%zz\r\n\r\n",
    b"From: \"unclosed <a@b>\r\nTo: <a@b\r\nCc: (((\r\nBcc: a@b>, <<c@d>>\r\nReply-To: ;;,:@\r\nSender: <@,@:x@y>\r\n\r\n",
    b"Date: Mon, 99 Foo 12345 99:99:99 +99999\r\nMessage-ID: no brackets\r\nReferences: <<<>>> <a> b <c\r\n\r\n",
    b"Subject: =?utf-8?B?////?= =?x?y?z?= =?utf-8?Q?=?=\r\n =?utf-8?Q?open\r\n\r\n",
];

/// imap-codec reads everything we send; and what is stored is read back as it was.
fn check(raw: &[u8]) {
    let analysis = Parsed::parse(raw).analyse();
    let body = body_of(&analysis.bodystructure).expect("our own body structure");
    let items =
        [(&b"ENVELOPE "[..], &analysis.envelope), (b"BODYSTRUCTURE ", &analysis.bodystructure), (b"BODY ", &body)];
    for (name, value) in items {
        let line = [b"* 1 FETCH (", name, value, b")\r\n"].concat();
        let (rest, _) = ResponseCodec::default()
            .decode(&line)
            .unwrap_or_else(|error| panic!("{error:?}\n{}\n{}", raw.escape_ascii(), line.escape_ascii()));
        assert!(rest.is_empty());
    }
    assert_eq!(Structure::from_bytes(&analysis.structure.to_bytes()).as_ref(), Ok(&analysis.structure));
    assert_eq!(Facts::from_bytes(&analysis.facts.to_bytes()).as_ref(), Ok(&analysis.facts));
    assert!(SearchText::from_bytes(&analysis.search_text).is_ok());

    // The header and the text are the message; a multipart's parts lie in order inside it.
    let (header, text) =
        (analysis.structure.section(&[], Section::Header), analysis.structure.section(&[], Section::Text));
    assert_eq!(
        (header.clone().map(|range| range.start), text.clone().map(|range| range.end)),
        (Some(0), Some(raw.len() as u64))
    );
    assert_eq!(header.map(|range| range.end), text.map(|range| range.start));
    let whole = chosen_fields(raw, &["no-such-field"], FieldChoice::AllBut);
    assert_eq!(whole, raw[..body_offset(raw)]);
    for bodies in [Bodies::Decoded, Bodies::Omitted] {
        script_message(raw, &analysis.structure, bodies);
    }
    if let Ok(converted) = to_seven_bit(raw, &analysis.structure) {
        assert!(converted.is_ascii());
    }
}

#[test]
fn odd_mail_holds_together() {
    for raw in ODD_MAIL {
        check(raw);
        check(&to_crlf(raw));
        // Each of them inside others.
        let embedded = [b"Content-Type: message/rfc822\r\n\r\n", *raw].concat();
        check(&embedded);
        let part =
            [b"Content-Type: multipart/mixed; boundary=frame\r\n\r\n--frame\r\n", *raw, b"\r\n--frame--\r\n"].concat();
        check(&part);
    }
}

#[test]
fn every_cut_of_an_odd_mail_holds_together() {
    let raw = b"Subject: =?utf-8?Q?=C3=BC?=\r\nFrom: \"a\" <a@b>, g: c@d;\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n--b--\r\n";
    for end in 0..raw.len() {
        check(&raw[..end]);
    }
}

#[test]
fn the_text_of_a_part_is_what_its_charset_says() {
    let check = |raw: &[u8], needle: &str| {
        let analysis = Parsed::parse(raw).analyse();
        let text = SearchText::from_bytes(&analysis.search_text).expect("just written");
        assert!(text.contains(SearchPlace::Body, &Needle::new(needle)), "{needle}");
    };
    check(b"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2\xc9\xd7\xc5\xd4", "привет");
    check(b"Content-Type: text/plain; charset=\"ISO-2022-JP\"\r\n\r\n\x1b$B$3$s\x1b(B", "こん");
    check(b"Content-Type: text/plain; charset=windows-1252\r\n\r\n\x93quoted\x94", "“quoted”");
    check("Subject: x\r\n\r\nгрусть".as_bytes(), "ГРУСТЬ");
}
