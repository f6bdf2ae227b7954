//! i;unicode-casemap (RFC 5051): the form in which texts are compared, searched and sorted.

use std::borrow::Cow;
use unicode_normalization::char::decompose_compatible;

/// The titlecased, decomposed form. Two texts are equal to their reader's eye when these are equal octets; one
/// contains the other when its form contains the other's.
pub fn casemap(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    casemap_into(text, &mut out);
    Cow::Owned(out)
}

/// Appends the form of `text`.
pub(super) fn casemap_into(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest.bytes().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (plain, other) = rest.split_at(ascii);
        let start = out.len();
        out.push_str(plain);
        out[start..].make_ascii_uppercase();
        let end = other.find(|character: char| character.is_ascii()).unwrap_or(other.len());
        for character in other[..end].chars() {
            map(character, out);
        }
        rest = &other[end..];
    }
}

/// RFC 5051 section 2: the titlecase property, then the decomposition property, as long as either applies.
fn map(character: char, out: &mut String) {
    let title = titlecase(character);
    // The properties RFC 5051 reads are those of UnicodeData.txt, where Hangul syllables have none.
    if ('\u{ac00}'..='\u{d7a3}').contains(&title) {
        out.push(title);
        return;
    }
    decompose_compatible(title, |piece| {
        // Every piece of a full decomposition is a single character that has no decomposition but may have a case.
        let piece = titlecase(piece);
        decompose_compatible(piece, |last| out.push(last));
    });
}

/// The simple titlecase mapping of UnicodeData.txt. The standard library has the full upper-case mapping, which is the
/// same but for the characters listed here.
fn titlecase(character: char) -> char {
    match character {
        'a'..='z' => character.to_ascii_uppercase(),
        // Digraphs have a titlecase of their own.
        '\u{01c4}'..='\u{01c6}' => '\u{01c5}',
        '\u{01c7}'..='\u{01c9}' => '\u{01c8}',
        '\u{01ca}'..='\u{01cc}' => '\u{01cb}',
        '\u{01f1}'..='\u{01f3}' => '\u{01f2}',
        // Georgian letters have an upper case but are their own titlecase.
        '\u{10d0}'..='\u{10ff}' => character,
        // Greek with iota subscript: the full mapping writes the iota out.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(character as u32 + 8).unwrap_or(character)
        }
        '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}' => character,
        '\u{1fb3}' | '\u{1fbc}' => '\u{1fbc}',
        '\u{1fc3}' | '\u{1fcc}' => '\u{1fcc}',
        '\u{1ff3}' | '\u{1ffc}' => '\u{1ffc}',
        other => {
            let mut upper = other.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) => single,
                // Several characters (ß, ŉ, ﬁ): there is no simple mapping.
                _ => other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_that_mean_the_same() {
        let check = |text: &str, expected: &str| assert_eq!(casemap(text), expected, "{text}");
        check("Hello, World 1", "HELLO, WORLD 1");
        check("ÄÖÜ", "A\u{308}O\u{308}U\u{308}");
        check("äöü", "A\u{308}O\u{308}U\u{308}");
        check("a\u{308}", "A\u{308}");
        check("Straße", "STRAßE");
        check("ﬁn", "FIN");
        check("ｆｕｌｌ", "FULL");
        check("σς", "ΣΣ");
        check("ǆ", "Dz\u{30c}".to_uppercase().as_str());
        check("ᾳ", "Α\u{345}".replace('\u{345}', "Ι").as_str());
        check("한글", "한글");
        check("привет", "ПРИВЕТ");
        check("a\u{a0}b", "A B");
        check("ა", "ა");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn mapping_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = casemap(&text).into_owned();
            prop_assert_eq!(casemap(&once).into_owned(), once);
        }

        #[test]
        fn case_and_place_do_not_matter(before in "\\PC{0,10}", needle in "[a-zäöüéßа-я]{1,10}", after in "\\PC{0,10}") {
            let text = format!("{before}{needle}{after}");
            prop_assert!(casemap(&text).contains(&*casemap(&needle)));
        }
    }
}
