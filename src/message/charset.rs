//! Octets of any character set to text. Never fails: what can't be read becomes U+FFFD.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use mail_parser::decoders::charsets::map::charset_decoder;
use std::borrow::Cow;

/// `label` as it stood in the mail; empty when there was none.
pub fn decode<'a>(label: &[u8], octets: &'a [u8]) -> Cow<'a, str> {
    // Most text is UTF-8 whatever its label says, and ASCII is ASCII in nearly every set.
    if octets.is_ascii() && !shifts_ascii(label) {
        return std::str::from_utf8(octets).map_or(Cow::Borrowed(""), Cow::Borrowed);
    }
    match Encoding::for_label(label.trim_ascii()) {
        Some(encoding) if encoding == UTF_8 => String::from_utf8_lossy(octets),
        // A lone us-ascii label on 8-bit text is a lie; UTF-8 is the better guess when it fits.
        Some(encoding) if !label.trim_ascii().eq_ignore_ascii_case(b"us-ascii") => {
            encoding.decode_without_bom_handling(octets).0
        }
        Some(_) => decode_unlabelled(octets),
        None => match charset_decoder(label.trim_ascii()) {
            Some(decoder) if !label.is_empty() => Cow::Owned(decoder(octets)),
            _ => decode_unlabelled(octets),
        },
    }
}

/// Eight-bit octets without a label: UTF-8 if they are, else what most mailers meant, which is windows-1252.
pub(super) fn decode_unlabelled(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0,
    }
}

/// Sets whose ASCII octets are not ASCII text.
fn shifts_ascii(label: &[u8]) -> bool {
    let label = label.trim_ascii();
    let starts = |prefix: &[u8]| label.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
    starts(b"iso-2022")
        || starts(b"utf-7")
        || starts(b"utf-16")
        || starts(b"hz-")
        || starts(b"unicode")
        || starts(b"cs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_lies() {
        let check = |label: &str, octets: &[u8], expected: &str| {
            assert_eq!(decode(label.as_bytes(), octets), expected, "{label}");
        };
        check("utf-8", "grün".as_bytes(), "grün");
        check("ISO-8859-1", b"gr\xfcn", "grün");
        check("us-ascii", b"gr\xfcn", "grün");
        check("us-ascii", "grün".as_bytes(), "grün");
        check("", b"gr\xfcn", "grün");
        check("no-such-set", "grün".as_bytes(), "grün");
        check("utf-8", b"gr\xfcn", "gr\u{fffd}n");
        check("koi8-r", b"\xf0\xd2\xc9", "При");
        check("iso-2022-jp", b"\x1b$B$3$s\x1b(B", "こん");
        check("utf-7", b"gr+APw-n", "grün");
        check("gb2312", b"\xc4\xe3", "你");
        check("cp850", b"gr\x81n", "grün");
    }
}
