//! Encoded words (RFC 2047): `=?utf-8?Q?gr=C3=BCn?=` to text and back.

use super::transfer::{Underscore, decode_base64, decode_quoted_printable, push_escape};
use super::{charset, field};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// Decodes a header value of any kind: unfolded, encoded words replaced wherever they stand, also inside quotes where
/// RFC 2047 section 5 does not want them but mailers put them. Other octets are UTF-8, or windows-1252 if they aren't.
pub fn decode(value: &[u8]) -> Cow<'_, str> {
    let unfolded = field::unfold(value);
    if memchr::memmem::find(&unfolded, b"=?").is_none() {
        return match unfolded {
            Cow::Borrowed(octets) => charset::decode_unlabelled(octets),
            Cow::Owned(octets) => Cow::Owned(charset::decode_unlabelled(&octets).into_owned()),
        };
    }
    let mut out = String::with_capacity(unfolded.len());
    let mut run = Run::default();
    let whole = &unfolded[..];
    let (mut rest, mut plain_from) = (whole, 0);
    while let Some(found) = memchr::memmem::find(rest, b"=?") {
        let start = whole.len() - rest.len() + found;
        let Some((word, len)) = Word::parse(&whole[start..]) else {
            rest = &rest[found + 2..];
            continue;
        };
        let between = &whole[plain_from..start];
        // RFC 2047 section 6.2: blanks between two encoded words are not shown.
        if run.is_empty() || !between.trim_ascii().is_empty() {
            run.flush(&mut out);
            out.push_str(&charset::decode_unlabelled(between));
        }
        run.push(&word, &mut out);
        plain_from = start + len;
        rest = &whole[plain_from..];
    }
    run.flush(&mut out);
    out.push_str(&charset::decode_unlabelled(&whole[plain_from..]));
    Cow::Owned(out)
}

struct Word<'a> {
    charset: &'a [u8],
    content: Vec<u8>,
}

impl<'a> Word<'a> {
    /// `text` begins with `=?`. Gives the word and its length.
    fn parse(text: &'a [u8]) -> Option<(Self, usize)> {
        // Names of sets are short; the bound keeps a row of `=?` linear.
        let charset_len = text[2..].iter().take(80).position(|&byte| byte == b'?')?;
        let charset = &text[2..2 + charset_len];
        if !charset.iter().all(u8::is_ascii_graphic) || charset.is_empty() {
            return None;
        }
        let after = text.get(2 + charset_len + 1..)?;
        let [kind, b'?', encoded @ ..] = after else { return None };
        // Encoded text has no question mark (RFC 2047 section 2). Blanks in it are wrong but common in Q words.
        let len = memchr::memchr(b'?', encoded)?;
        if encoded.get(len + 1) != Some(&b'=') {
            return None;
        }
        let encoded = &encoded[..len];
        let content = match kind {
            b'b' | b'B' => decode_base64(encoded),
            b'q' | b'Q' => decode_quoted_printable(encoded, Underscore::IsSpace),
            _ => return None,
        };
        // RFC 2231 section 5: charset*language.
        let charset = charset.split(|&byte| byte == b'*').next().unwrap_or(charset);
        Some((Self { charset, content }, 2 + charset_len + 3 + len + 2))
    }
}

/// Adjacent words of one set, joined before decoding: mailers split characters between words (against section 5).
#[derive(Default)]
struct Run<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
    words: usize,
}

impl<'a> Run<'a> {
    fn is_empty(&self) -> bool {
        self.words == 0
    }

    fn push(&mut self, word: &Word<'a>, out: &mut String) {
        if !self.is_empty() && !self.charset.eq_ignore_ascii_case(word.charset) {
            self.flush(out);
        }
        self.charset = word.charset;
        self.octets.extend_from_slice(&word.content);
        self.words += 1;
    }

    fn flush(&mut self, out: &mut String) {
        if !self.is_empty() {
            // A decoded word must not bring line ends into what is one line.
            out.extend(charset::decode(self.charset, &self.octets).chars().map(|character| match character {
                '\r' | '\n' | '\0' => ' ',
                other => other,
            }));
            self.octets.clear();
            self.words = 0;
        }
    }
}

/// Characters of an encoded word (RFC 2047 section 2).
pub(super) const WORD_OCTETS_MAX: usize = 75;
const FRAME: &str = "=?utf-8?Q??=";

/// Words of UTF-8 for any text, each valid on its own, to be separated by blanks. Q where most is ASCII, B elsewhere.
pub fn encode(text: &str) -> Vec<String> {
    encode_within(text, WORD_OCTETS_MAX)
}

/// Words of at most `octets`, which are taken for 30 if they are fewer.
pub(super) fn encode_within(text: &str, octets: usize) -> Vec<String> {
    let room = octets.max(30) - FRAME.len();
    let ascii = text.bytes().filter(u8::is_ascii_graphic).count();
    let quoted = ascii * 3 >= text.len() * 2;
    let mut words = Vec::new();
    let mut piece = String::new();
    let mut piece_width = 0;
    for character in text.chars() {
        let width = if quoted { q_width(character) } else { character.len_utf8() };
        let full = if quoted { piece_width + width > room } else { (piece_width + width).div_ceil(3) * 4 > room };
        if full {
            words.push(encode_piece(&piece, quoted));
            piece.clear();
            piece_width = 0;
        }
        piece.push(character);
        piece_width += width;
    }
    if !piece.is_empty() {
        words.push(encode_piece(&piece, quoted));
    }
    words
}

/// RFC 2047 section 5 (3): what a phrase may have unescaped, which is safe everywhere else too.
fn is_q_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte)
}

fn q_width(character: char) -> usize {
    match character {
        ' ' => 1,
        other if other.is_ascii() && is_q_plain(other as u8) => 1,
        other => 3 * other.len_utf8(),
    }
}

fn encode_piece(piece: &str, quoted: bool) -> String {
    if !quoted {
        return format!("=?utf-8?B?{}?=", STANDARD.encode(piece));
    }
    let mut text = Vec::with_capacity(WORD_OCTETS_MAX);
    for byte in piece.bytes() {
        match byte {
            b' ' => text.push(b'_'),
            plain if is_q_plain(plain) => text.push(plain),
            other => push_escape(&mut text, other),
        }
    }
    format!("=?utf-8?Q?{}?=", String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_decoded_where_they_stand() {
        let check = |value: &[u8], expected: &str| assert_eq!(decode(value), expected, "{}", value.escape_ascii());
        check(b"plain", "plain");
        check(b" a\r\n b ", "a b");
        check(b"=?utf-8?Q?gr=C3=BCn_x?=", "gr\u{fc}n x");
        check(b"=?ISO-8859-1?b?Z3L8bg==?= end", "gr\u{fc}n end");
        check(b"a =?utf-8?Q?b?=\r\n  =?utf-8?Q?c?= d", "a bc d");
        check(b"=?utf-8?B?w?= =?utf-8?B?7w=?=", "\u{fffd}");
        check(b"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "\u{fc}");
        check(b"\"=?utf-8?Q?x?=\" <a@b>", "\"x\" <a@b>");
        check(b"=?utf-8*de?Q?x?=", "x");
        check(b"=?utf-8?X?x?=", "=?utf-8?X?x?=");
        check(b"=?utf-8?Q?x", "=?utf-8?Q?x");
        check(b"=?utf-8?Q?a b?=", "a b");
        check(b"=?utf-8?Q?a=0D=0Ab?=", "a  b");
        check(b"gr\xfcn", "gr\u{fc}n");
        check("grün".as_bytes(), "grün");
        check(b"=?iso-2022-jp?B?GyRCJDMkcxsoQg==?=", "\u{3053}\u{3093}");
    }

    #[test]
    fn rows_of_openings_stay_linear() {
        let many = b"=?".repeat(300_000);
        assert_eq!(decode(&many).len(), many.len());
        let many = b"=?a?Q?".repeat(100_000);
        assert_eq!(decode(&many).len(), many.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_encoded_decodes_back(text in "[ -~äéß漢😀]{0,200}") {
            let words = encode(&text);
            prop_assert!(words.iter().all(|word| word.len() <= 75 && word.is_ascii()));
            let value = words.join("\r\n ");
            prop_assert_eq!(decode(value.as_bytes()), text);
        }

        #[test]
        fn anything_decodes_to_one_line(value: Vec<u8>) {
            decode(&value);
        }
    }
}
