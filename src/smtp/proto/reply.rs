//! What a server says: written by ours, read by our client.

use crate::types::limits::{REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX, REPLY_LINES_WRITTEN_MAX, REPLY_READ_OCTETS_MAX};
use std::fmt;
use std::io::Write;

/// RFC 3463: class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

impl EnhancedCode {
    /// From the start of a reply's text (RFC 2034 section 4); the rest of the text comes with it.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut numbers = word.split('.');
        let mut number = || numbers.next().and_then(|number| super::mail::digits(number, 3));
        let code = (number()?, number()?, number()?);
        if numbers.next().is_some() || !matches!(code.0, 2 | 4 | 5) {
            return None;
        }
        let code = Self(u8::try_from(code.0).ok()?, u16::try_from(code.1).ok()?, u16::try_from(code.2).ok()?);
        Some((code, rest))
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A whole reply as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// Taken off every line that had it, if the first line did and its class fits the code.
    pub enhanced: Option<EnhancedCode>,
    pub lines: Vec<String>,
}

impl Reply {
    /// 2yz.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3yz.
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4yz.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

/// On one line, as a bounce and the ledger quote it.
impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(formatter, " {enhanced}")?;
        }
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            write!(formatter, " {line}")?;
        }
        Ok(())
    }
}

/// Why what the server said is no reply. After any of them the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// No three digits, or none between 200 and 559.
    Code,
    TooLong,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Code => "the server's reply does not start with a code",
            Self::TooLong => "the server's reply does not end",
        })
    }
}

impl std::error::Error for ReplyError {}

/// Takes line after line, gives a reply with its last one, and is ready for the next then.
#[derive(Clone, Debug, Default)]
pub struct ReplyParser {
    lines: Vec<String>,
    octets: usize,
}

impl ReplyParser {
    /// `line` comes without its line end.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        self.octets += line.len();
        if self.lines.len() >= REPLY_LINES_MAX || self.octets > REPLY_READ_OCTETS_MAX {
            return Err(ReplyError::TooLong);
        }
        let (code, last, text) = split_line(line).ok_or(ReplyError::Code)?;
        // What a peer says ends up in bounces and in the log: no control characters, and no octets that are no UTF-8.
        let text = String::from_utf8_lossy(text).replace(char::is_control, " ");
        self.lines.push(text.trim_end().to_owned());
        if !last {
            return Ok(None);
        }
        // RFC 5321 section 4.2.1 wants one code on all lines and lets clients go by any of them. Where they differ the last
        // one counts, as it does for other clients: to break off instead would send again what has been taken.
        let read = std::mem::take(self);
        Ok(Some(finish(code, read.lines)))
    }
}

/// `250-text`, `250 text`, and `250`, which RFC 5321 section 4.2 wants clients to take as well.
fn split_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    // `+25` would parse as a number, too.
    if !digits.iter().all(u8::is_ascii_digit) || !(200..=559).contains(&code) {
        return None;
    }
    match rest.split_first() {
        None => Some((code, true, b"")),
        Some((b' ', text)) => Some((code, true, text)),
        Some((b'-', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}

fn finish(code: u16, mut lines: Vec<String>) -> Reply {
    let fitting = |line: &str| {
        let (enhanced, rest) = EnhancedCode::parse(line)?;
        // RFC 2034 section 4: the class has to say what the code says.
        (u16::from(enhanced.0) == code / 100).then(|| (enhanced, rest.to_owned()))
    };
    let enhanced = lines.first().and_then(|line| fitting(line)).map(|(enhanced, _)| enhanced);
    if enhanced.is_some() {
        for line in &mut lines {
            if let Some((_, rest)) = fitting(line) {
                *line = rest;
            }
        }
    }
    Reply { code, enhanced, lines }
}

/// Appends a reply. `text` may be anything, of any length: what can't stand in a reply is replaced, long lines are folded
/// (RFC 5321 section 4.5.3.1.5 has 512 octets for one), and what is beyond reason is left out.
pub fn write_reply(out: &mut Vec<u8>, code: u16, enhanced: Option<EnhancedCode>, text: &str) {
    let mut start = [0_u8; 16];
    let head = match enhanced {
        None => 0,
        Some(enhanced) => {
            let mut free = start.as_mut_slice();
            // The longest, `5.999.999 `, has ten octets.
            let _ = write!(free, "{enhanced} ");
            16 - free.len()
        }
    };
    let start = &start[..head];
    let room = REPLY_LINE_OCTETS_MAX - "250 \r\n".len() - head;
    let mut lines = text.lines().flat_map(|line| fold(line, room)).take(REPLY_LINES_WRITTEN_MAX).peekable();
    loop {
        let line = lines.next().unwrap_or_default();
        let separator = if lines.peek().is_some() { '-' } else { ' ' };
        // Writing to a vector can't fail.
        let _ = write!(out, "{code}{separator}");
        out.extend_from_slice(start);
        for character in line.chars() {
            out.push(match character {
                ' '..='~' => u8::try_from(character).unwrap_or(b'?'),
                other if other.is_control() => b' ',
                // RFC 6531 section 3.7.4: a reply may hold UTF-8 only where the client said it can read it.
                _ => b'?',
            });
        }
        out.extend_from_slice(b"\r\n");
        if lines.peek().is_none() {
            return;
        }
    }
}

/// Cuts after spaces where there are some. Counts in octets of UTF-8, which is never less than what is written.
fn fold(line: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        if text.len() <= room {
            rest = None;
            return Some(text);
        }
        let edge = text.floor_char_boundary(room);
        let cut = text[..edge].rfind(' ').map_or(edge, |space| space + 1);
        rest = Some(&text[cut..]);
        Some(&text[..cut])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Reply>, ReplyError> {
        let mut parser = ReplyParser::default();
        let mut reply = Ok(None);
        for line in text.split("\r\n") {
            reply = parser.line(line.as_bytes());
        }
        reply
    }

    #[test]
    fn replies_are_read() {
        let check = |text: &str, expected: Result<(u16, Option<EnhancedCode>, &[&str]), ReplyError>| {
            let got = read(text).map(|reply| reply.expect("a whole reply"));
            let expected = expected.map(|(code, enhanced, lines)| Reply {
                code,
                enhanced,
                lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            });
            assert_eq!(got, expected, "{text}");
        };
        check("250 OK", Ok((250, None, &["OK"])));
        check("250", Ok((250, None, &[""])));
        check("250 2.1.0 fine", Ok((250, Some(EnhancedCode(2, 1, 0)), &["fine"])));
        check("550-5.1.1 no\r\n550 5.1.1 body", Ok((550, Some(EnhancedCode(5, 1, 1)), &["no", "body"])));
        check("550-5.1.1 no\r\n550 body", Ok((550, Some(EnhancedCode(5, 1, 1)), &["no", "body"])));
        check("550 2.1.1 odd", Ok((550, None, &["2.1.1 odd"])));
        check("550 5.1 odd", Ok((550, None, &["5.1 odd"])));
        check("550 5.1.1.1 odd", Ok((550, None, &["5.1.1.1 odd"])));
        check("220-mail\r\n220 ESMTP\t\u{7}", Ok((220, None, &["mail", "ESMTP"])));
        check("25", Err(ReplyError::Code));
        check("+25 x", Err(ReplyError::Code));
        check("HTTP/1.1 200 OK", Err(ReplyError::Code));
        check("150 x", Err(ReplyError::Code));
        check("999 x", Err(ReplyError::Code));
        check("250_x", Err(ReplyError::Code));
        check("250-x\r\n251 y", Ok((251, None, &["x", "y"])));
        check("550-5.1.1 x\r\n450 4.2.1 y", Ok((450, None, &["5.1.1 x", "4.2.1 y"])));
        assert_eq!(read("250-x"), Ok(None));
    }

    #[test]
    fn a_reply_has_to_end() {
        let mut parser = ReplyParser::default();
        let error = (0..10_000).find_map(|_| parser.line(b"250-more").err());
        assert_eq!(error, Some(ReplyError::TooLong));
        assert_eq!(ReplyParser::default().line(&[b'2'; 1_000_000]), Err(ReplyError::TooLong));
    }

    #[test]
    fn replies_are_written() {
        let check = |enhanced: Option<EnhancedCode>, text: &str, expected: &str| {
            let mut out = Vec::new();
            write_reply(&mut out, 550, enhanced, text);
            assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
        };
        check(None, "no", "550 no\r\n");
        check(None, "", "550 \r\n");
        check(Some(EnhancedCode(5, 7, 1)), "no", "550 5.7.1 no\r\n");
        check(
            Some(EnhancedCode(5, 7, 1)),
            "one\r\ntwo\nthree",
            "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n",
        );
        check(None, "a\rb\0c\u{7f} café", "550 a b c  caf?\r\n");
    }

    #[test]
    fn long_replies_are_folded_and_cut() {
        for text in ["word ".repeat(300), "x".repeat(1500), "ä".repeat(1500), "a\n".repeat(1000)] {
            let mut out = Vec::new();
            write_reply(&mut out, 550, Some(EnhancedCode(5, 999, 999)), &text);
            let written = String::from_utf8(out).expect("ASCII");
            let lines: Vec<&str> = written.split_terminator("\r\n").collect();
            assert!(lines.len() > 1 && lines.len() <= REPLY_LINES_WRITTEN_MAX);
            assert!(lines.iter().all(|line| line.len() + 2 <= REPLY_LINE_OCTETS_MAX));
            let (last, others) = lines.split_last().expect("not empty");
            assert!(last.starts_with("550 5.999.999 "));
            assert!(others.iter().all(|line| line.starts_with("550-5.999.999 ")));
        }
    }
}
