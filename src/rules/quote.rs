//! Any text as a Sieve string that every implementation reads as that text, and that nothing can break out of.
//!
//! Three dialects are served by one spelling. RFC 5228 section 2.4.2 alone: a backslash escapes quote and backslash. With
//! `variables` (RFC 5229 section 3) and `encoded-character` (RFC 5228 section 2.4.2.4), which every script we write
//! requires, `${…}` is replaced in both kinds of strings, and nothing can escape it but a variable that holds the dollar.
//! And engines that misread two backslashes in a row, or one before the closing quote, never see either.

/// A quoted string, on one line: control characters, which neither a name nor a header line can have, become spaces.
pub(super) fn quoted(text: &str) -> String {
    let mut string = String::with_capacity(text.len() + 2);
    string.push('"');
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => string.push_str("\\\""),
            '\\' => string.push_str("${hex:5c}"),
            '$' if characters.peek() == Some(&'{') => string.push_str("${dollar}"),
            control if control.is_control() => string.push(' '),
            other => string.push(other),
        }
    }
    string.push('"');
    string
}

/// A multi-line string. It ends with a line break, whether the text did or not: the grammar has no other way.
pub(super) fn multi_line(text: &str) -> String {
    let mut string = String::with_capacity(text.len() + text.len() / 16 + 16);
    string.push_str("text:\n");
    // A bare CR is a line break of old machines; left in, engines would disagree about where the line with the dot begins.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        // RFC 5228 section 2.4.2: a line that begins with a dot gets another.
        if line.starts_with('.') {
            string.push('.');
        }
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '$' if characters.peek() == Some(&'{') => string.push_str("${dollar}"),
                '\t' => string.push('\t'),
                control if control.is_control() => string.push(' '),
                other => string.push(other),
            }
        }
        string.push('\n');
    }
    string.push_str(".\n");
    string
}

/// A string list; a list of one is written as a list all the same.
pub(super) fn list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    format!("[{}]", texts.map(quoted).collect::<Vec<_>>().join(", "))
}

/// What may stand in a comment behind `#`: everything up to the line's end, so no line break of any kind.
pub(super) fn comment(text: &str) -> String {
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    text.replace(breaks, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_all_dialects() {
        let check = |text: &str, expected: &str| assert_eq!(quoted(text), expected, "{text:?}");
        check("", r#""""#);
        check("Grüße", r#""Grüße""#);
        check(r#"say "hi""#, r#""say \"hi\"""#);
        check(r"a\", r#""a${hex:5c}""#);
        check(r"$\{x}", r#""$${hex:5c}{x}""#);
        check("${env.name} $ {x} $${y}", r#""${dollar}{env.name} $ {x} $${dollar}{y}""#);
        check("a\r\nb\0c\u{85}d", r#""a  b c d""#);
        assert_eq!(list(["a", "b\""].into_iter()), r#"["a", "b\""]"#);
        assert_eq!(comment("a\r\n*/ \u{2028}b"), "a  */  b");
    }

    #[test]
    fn lines_dots_and_ends() {
        let check = |text: &str, expected: &str| assert_eq!(multi_line(text), expected, "{text:?}");
        check("Hello", "text:\nHello\n.\n");
        check("Hello\n", "text:\nHello\n.\n");
        check("Hello\n\n", "text:\nHello\n\n.\n");
        check("a\r\nb\rc", "text:\na\nb\nc\n.\n");
        check(".\n..\n.x\na.", "text:\n..\n...\n..x\na.\n.\n");
        check("\r.\r;discard;", "text:\n\n..\n;discard;\n.\n");
        check("${hex:40} \"\\\" \0\tx", "text:\n${dollar}{hex:40} \"\\\"  \tx\n.\n");
    }
}
