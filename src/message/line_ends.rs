//! What kind of octets a message is made of, and making all its line ends CRLF.

use crate::types::BodyKind;
use crate::types::limits::MESSAGE_LINE_OCTETS_MAX;
use std::borrow::Cow;

/// What a transport has to know about octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OctetFacts {
    pub has_eight_bit: bool,
    pub has_nul: bool,
    /// A CR that no LF follows.
    pub has_bare_cr: bool,
    /// An LF that no CR precedes.
    pub has_bare_lf: bool,
    /// Without its line end.
    pub longest_line_octets: usize,
}

impl OctetFacts {
    pub fn of(octets: &[u8]) -> Self {
        let mut facts = Self { has_eight_bit: !octets.is_ascii(), ..Self::default() };
        facts.has_nul = memchr::memchr(0, octets).is_some();
        let mut line_start = 0;
        for at in memchr::memchr2_iter(b'\r', b'\n', octets) {
            if octets[at] == b'\r' {
                facts.has_bare_cr |= octets.get(at + 1) != Some(&b'\n');
                continue;
            }
            let has_cr = at > 0 && octets[at - 1] == b'\r';
            facts.has_bare_lf |= !has_cr;
            let end = if has_cr { at - 1 } else { at };
            facts.longest_line_octets = facts.longest_line_octets.max(end.saturating_sub(line_start));
            line_start = at + 1;
        }
        facts.longest_line_octets = facts.longest_line_octets.max(octets.len() - line_start);
        facts
    }

    /// RFC 2045 sections 2.7 to 2.9: lines end with CRLF and have at most 998 octets, else it is binary.
    pub fn kind(self) -> BodyKind {
        if self.has_nul || self.has_bare_cr || self.has_bare_lf || self.longest_line_octets > MESSAGE_LINE_OCTETS_MAX {
            BodyKind::Binary
        } else if self.has_eight_bit {
            BodyKind::EightBit
        } else {
            BodyKind::SevenBit
        }
    }
}

/// Every line end becomes CRLF: also a bare LF and a bare CR, which RFC 5321 section 2.3.8 allows nobody to send and
/// which different readers take for different things.
pub fn to_crlf(raw: &[u8]) -> Cow<'_, [u8]> {
    let facts = OctetFacts::of(raw);
    if !facts.has_bare_cr && !facts.has_bare_lf {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32 + 2);
    let mut from = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', raw) {
        if raw[at] == b'\r' && raw.get(at + 1) == Some(&b'\n') {
            continue;
        }
        let end = if raw[at] == b'\n' && at > from && raw[at - 1] == b'\r' { at - 1 } else { at };
        out.extend_from_slice(&raw[from..end]);
        out.extend_from_slice(b"\r\n");
        from = at + 1;
    }
    out.extend_from_slice(&raw[from..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kinds_of_octets() {
        let check = |octets: &[u8], kind: BodyKind, longest: usize| {
            let facts = OctetFacts::of(octets);
            assert_eq!((facts.kind(), facts.longest_line_octets), (kind, longest), "{}", octets.escape_ascii());
        };
        check(b"abc\r\nd\r\n", BodyKind::SevenBit, 3);
        check(b"", BodyKind::SevenBit, 0);
        check(b"a\r\nb\xc3\xbcc", BodyKind::EightBit, 4);
        check(b"a\nbc", BodyKind::Binary, 2);
        check(b"a\rb", BodyKind::Binary, 3);
        check(b"a\0", BodyKind::Binary, 2);
        check(&[b'x'; 998], BodyKind::SevenBit, 998);
        check(&[b'x'; 999], BodyKind::Binary, 999);
    }

    #[test]
    fn line_ends_become_crlf() {
        let check = |raw: &[u8], expected: &[u8]| assert_eq!(&*to_crlf(raw), expected, "{}", raw.escape_ascii());
        check(b"a\r\nb", b"a\r\nb");
        check(b"a\nb\n", b"a\r\nb\r\n");
        check(b"a\rb\r", b"a\r\nb\r\n");
        check(b"\n\r\n\r\r\n", b"\r\n\r\n\r\n\r\n");
        check(b"a\r\nb\nc", b"a\r\nb\r\nc");
    }

    proptest! {
        #[test]
        fn nothing_bare_is_left(raw in "[a\r\n]{0,30}") {
            let once = to_crlf(raw.as_bytes()).into_owned();
            let facts = OctetFacts::of(&once);
            prop_assert!(!facts.has_bare_cr && !facts.has_bare_lf);
            prop_assert_eq!(&*to_crlf(&once), &once[..]);
            let text = |octets: &[u8]| octets.iter().filter(|&&byte| byte == b'a').count();
            prop_assert_eq!(text(&once), text(raw.as_bytes()));
        }
    }
}
