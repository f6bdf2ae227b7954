//! A message's first words (RFC 8970): what a list of messages shows below the subject.

use crate::types::limits::PREVIEW_CHARACTERS_MAX;

/// Of decoded text: quoted lines left out, blanks run together, at most `PREVIEW_CHARACTERS_MAX` characters. Empty
/// when the text has nothing of its own to say.
pub(super) fn preview(text: &str) -> String {
    // Enough for any preview; a text that begins with more quotes or blanks than this has none.
    const LOOKED_AT_OCTETS: usize = 16 * 1024;
    let mut cut = text.len().min(LOOKED_AT_OCTETS);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut out = String::new();
    let mut room = PREVIEW_CHARACTERS_MAX;
    let own_lines = text[..cut].lines().filter(|line| !line.starts_with('>')).take_while(|line| *line != "-- ");
    for word in
        own_lines.flat_map(|line| line.split(|character: char| character.is_whitespace() || is_invisible(character)))
    {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            if room < 2 {
                break;
            }
            out.push(' ');
            room -= 1;
        }
        for character in word.chars().take(room) {
            out.push(character);
            room -= 1;
        }
        if room == 0 {
            break;
        }
    }
    out
}

/// Controls, and the zero-width characters newsletters fill their hidden first lines with.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words() {
        let check = |text: &str, expected: &str| assert_eq!(preview(text), expected, "{text:?}");
        check(" Hello,\r\n\r\n\tworld\0! ", "Hello, world !");
        check("> quoted\r\n> more\r\nanswer\r\n-- \r\nsignature", "answer");
        check("", "");
        check("> only quoted", "");
        check("\u{34f}\u{200c} \u{34f} x", "x");
        check(&"ä".repeat(300), &"ä".repeat(200));
        let words = preview(&"words ".repeat(100));
        assert!(words.chars().count() <= 200 && words.ends_with(" wo"), "{words}");
    }
}
