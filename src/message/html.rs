//! The text a person sees of an HTML body, for search and preview. One pass, no tree, no judgement of the markup.

use mail_parser::decoders::html::add_html_token;

/// What an element does to the text around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Neighbours are joined: `w<b>or</b>d` is a word.
    None,
    /// Its content is not shown.
    Hides,
    EndsLine,
    /// Neighbours stand apart on one line.
    Separates,
}

fn effect(name: &str) -> Effect {
    const NAME_OCTETS_MAX: usize = 10;
    let mut lower = [0; NAME_OCTETS_MAX];
    let Some(lower) = lower.get_mut(..name.len()) else { return Effect::None };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"script" | b"style" | b"head" | b"template" | b"title" => Effect::Hides,
        b"address" | b"article" | b"aside" | b"blockquote" | b"br" | b"caption" | b"dd" | b"div" | b"dl" | b"dt"
        | b"footer" | b"form" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"header" | b"hr" | b"li" | b"ol"
        | b"p" | b"pre" | b"section" | b"table" | b"tr" | b"ul" => Effect::EndsLine,
        b"td" | b"th" | b"option" | b"img" => Effect::Separates,
        _ => Effect::None,
    }
}

/// Longest name of an entity, brackets included, with room.
const ENTITY_OCTETS_MAX: usize = 40;

pub(super) fn visible_text(html: &str) -> String {
    let mut text = Text { out: String::with_capacity(html.len() / 2), gap: Gap::Start };
    let mut rest = html;
    while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
        text.push(&rest[..at]);
        rest = &rest[at..];
        let Some(tag) = Tag::parse(rest) else {
            // `a < b` is text.
            text.push("<");
            rest = &rest[1..];
            continue;
        };
        rest = &rest[tag.len..];
        match effect(tag.name) {
            Effect::Hides if !tag.is_closing => rest = behind_closing(rest, tag.name),
            Effect::EndsLine => text.gap = text.gap.max(Gap::Line),
            Effect::Separates => text.gap = text.gap.max(Gap::Blank),
            Effect::Hides | Effect::None => {}
        }
    }
    text.push(rest);
    text.out
}

struct Tag<'a> {
    /// Empty for comments and declarations.
    name: &'a str,
    is_closing: bool,
    len: usize,
}

impl<'a> Tag<'a> {
    /// `text` begins with `<`. `None` when that is no tag. A tag or comment that never ends reaches to the end.
    fn parse(text: &'a str) -> Option<Self> {
        if let Some(comment) = text.strip_prefix("<!--") {
            let len = memchr::memmem::find(comment.as_bytes(), b"-->").map_or(text.len(), |end| end + 7);
            return Some(Self { name: "", is_closing: false, len });
        }
        let inner = &text[1..];
        let is_closing = inner.starts_with('/');
        let name = inner.strip_prefix('/').unwrap_or(inner);
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '!' | '?')) {
            return None;
        }
        let name_len = name.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(name.len());
        Some(Self { name: &name[..name_len], is_closing, len: tag_len(text) })
    }
}

/// A `>` inside a quoted attribute does not end the tag; when a quote is never closed, the first `>` does.
fn tag_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let first = memchr::memchr(b'>', bytes).map_or(text.len(), |end| end + 1);
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]) {
        let quote = bytes[at + found];
        at += found + 1;
        if quote == b'>' {
            return at;
        }
        // Attributes are short: a longer one is a quote somebody forgot, and looking further would not be linear.
        let value = &bytes[at..bytes.len().min(at + 4096)];
        match memchr::memchr(quote, value) {
            Some(end) => at += end + 1,
            None => return first,
        }
        if at > first + 65_536 {
            return first;
        }
    }
    first
}

/// What follows `</name>`. Nothing, when it is never closed: a browser shows nothing either.
fn behind_closing<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"</") {
        rest = &rest[at + 2..];
        if rest.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return memchr::memchr(b'>', rest.as_bytes()).map_or("", |end| &rest[end + 1..]);
        }
    }
    ""
}

/// What separates the next text from the last, the strongest winning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Blank,
    Line,
    Start,
}

struct Text {
    out: String,
    gap: Gap,
}

impl Text {
    /// Adds text between tags: blanks run together, entities become characters.
    fn push(&mut self, raw: &str) {
        let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\x0c');
        let mut rest = raw;
        loop {
            let word = rest.bytes().position(|byte| !is_blank(byte)).unwrap_or(rest.len());
            if word > 0 {
                self.gap = self.gap.max(Gap::Blank);
            }
            rest = &rest[word..];
            if rest.is_empty() {
                return;
            }
            match self.gap {
                Gap::Blank => self.out.push(' '),
                Gap::Line => self.out.push('\n'),
                Gap::None | Gap::Start => {}
            }
            self.gap = Gap::None;
            let end = rest.bytes().position(is_blank).unwrap_or(rest.len());
            self.word(&rest[..end]);
            rest = &rest[end..];
        }
    }

    fn word(&mut self, word: &str) {
        let mut rest = word;
        while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
            self.out.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = rest.bytes().take(ENTITY_OCTETS_MAX).position(|byte| byte == b';').unwrap_or(0);
            add_html_token(&mut self.out, &rest.as_bytes()[..=end], false);
            rest = &rest[end + 1..];
        }
        self.out.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_seen() {
        let check = |html: &str, expected: &str| assert_eq!(visible_text(html), expected, "{html}");
        check("plain", "plain");
        check("<p>one</p><p>two <b>th</b>ree</p>", "one\ntwo three");
        check("a<br>b<BR/>c", "a\nb\nc");
        check("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\nc");
        check("<html><head><title>t</title><style>p {}</style></head><body> x \r\n y</body>", "x y");
        check("<script>if (a < b) {}</script>x", "x");
        check("a<!-- <b> -->b<!DOCTYPE html>c", "abc");
        check("fish &amp; chips &#8364;&#x41; &nosuch; &", "fish & chips €A &nosuch; &");
        check("<a title=\"x > y\" href='>'>link</a>", "link");
        check("<a title=\"open>link</a>", "link");
        check("1 < 2 > 0", "1 < 2 > 0");
        check("<style>x", "");
        check("x<", "x<");
        check("<!-- never closed", "");
        check("grün&uuml;<i>ä</i>", "grünüä");
    }

    #[test]
    fn hostile_markup_stays_linear() {
        for piece in ["<", "<a \"", "<!--", "&", "<style>", "</", "<a '\"", "<p", "&amp"] {
            visible_text(&piece.repeat(400_000 / piece.len()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_markup_is_read(html in "[<>/!a-c\"'&;# \\-é]{0,60}") {
            visible_text(&html);
        }
    }
}
