//! The base subject (RFC 5256 section 2.1): what is left of a subject without replies, forwards and list tags.

use std::ops::ControlFlow;

/// A base subject, and whether anything was taken off that a reply or forward adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSubject {
    pub text: String,
    pub is_reply_or_forward: bool,
}

/// Of a decoded subject. The numbers are the steps of RFC 5256 section 2.1.
pub fn base_subject(subject: &str) -> BaseSubject {
    // (1) One blank for any run of them.
    let subject = subject.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut rest = subject.as_str();
    let mut is_reply_or_forward = false;
    loop {
        // (2)
        loop {
            rest = rest.trim_end_matches(' ');
            let Some(shorter) = strip_suffix_ignoring_case(rest, "(fwd)") else { break };
            (rest, is_reply_or_forward) = (shorter, true);
        }
        // (3) to (5)
        while let ControlFlow::Continue(shorter) = strip_leader(rest, &mut is_reply_or_forward) {
            rest = shorter;
        }
        // (6)
        let inner = strip_prefix_ignoring_case(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']'));
        let Some(inner) = inner else { break };
        (rest, is_reply_or_forward) = (inner, true);
    }
    BaseSubject { text: rest.to_owned(), is_reply_or_forward }
}

/// One leader or blob off the beginning, if there is one.
fn strip_leader<'a>(text: &'a str, replied: &mut bool) -> ControlFlow<(), &'a str> {
    // (3) A blank, or blobs and then `Re:`, `Fw:`, `Fwd:`, which may have a blob of their own.
    if let Some(rest) = text.strip_prefix(' ') {
        return ControlFlow::Continue(rest);
    }
    // Blobs in a row are looked at again for each that is then stripped by (4); the bound keeps that linear.
    const BLOBS_MAX: usize = 16;
    let mut behind_blobs = text;
    for _ in 0..BLOBS_MAX {
        let Some(rest) = strip_blob(behind_blobs) else { break };
        behind_blobs = rest;
    }
    if let Some(rest) = strip_refwd(behind_blobs) {
        *replied = true;
        return ControlFlow::Continue(rest);
    }
    // (4) A blob, unless it is all there is.
    match strip_blob(text) {
        Some(rest) if !rest.is_empty() => ControlFlow::Continue(rest),
        _ => ControlFlow::Break(()),
    }
}

fn strip_refwd(text: &str) -> Option<&str> {
    let rest = ["fwd", "fw", "re"].iter().find_map(|word| strip_prefix_ignoring_case(text, word))?;
    let rest = rest.trim_start_matches(' ');
    let rest = strip_blob(rest).unwrap_or(rest);
    rest.strip_prefix(':')
}

/// `[anything but brackets]` and the blanks behind it.
fn strip_blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    let rest = inner[end..].strip_prefix(']')?;
    Some(rest.trim_start_matches(' '))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    text.get(at..)?.eq_ignore_ascii_case(suffix).then(|| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_lose_what_was_added() {
        let check = |subject: &str, base: &str, replied: bool| {
            let found = base_subject(subject);
            assert_eq!((found.text.as_str(), found.is_reply_or_forward), (base, replied), "{subject:?}");
        };
        check("hello", "hello", false);
        check("Re: hello", "hello", true);
        check("RE : hello", "hello", true);
        check("re: Fwd: FW: hello  there", "hello there", true);
        check("Re[2]: hello", "hello", true);
        check("[list] hello", "hello", false);
        check("[list] Re: [list] hello", "hello", true);
        check("[a] [b] re: hello", "hello", true);
        check("hello (fwd)", "hello", true);
        check("hello (FWD) (fwd) ", "hello", true);
        check("[Fwd: Re: hello]", "hello", true);
        check("[fwd: hello] (fwd)", "hello", true);
        check("[only a blob]", "[only a blob]", false);
        check("Re: [only a blob]", "[only a blob]", true);
        check("Re:", "", true);
        check("", "", false);
        check(" \t\r\n ", "", false);
        check("Reply: no", "Reply: no", false);
        check("[open", "[open", false);
        check("[ä] über", "über", false);
        check("Re", "Re", false);
    }

    #[test]
    fn long_subjects_stay_linear() {
        for piece in ["[a]", "re:", "[fwd:", "[", "(fwd)", "re[", " "] {
            base_subject(&piece.repeat(200_000 / piece.len()));
        }
        let nested = format!("{}{}", "[fwd:".repeat(50_000), "]".repeat(50_000));
        assert_eq!(base_subject(&nested).text, "");
    }
}
