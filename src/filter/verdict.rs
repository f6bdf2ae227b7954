//! What the spam and virus checks have written into the header (RFC 5235).

use super::fields;
use mail_parser::Message;

/// RFC 5235 section 2.3: 0 is not tested, 1 clear, 10 spam for certain.
pub(super) fn spam(message: &Message<'_>) -> Spam {
    let status = fields::first(message, "X-Spam-Status");
    let score = fields::first(message, "X-Spam-Score");
    let verdict = status.as_deref().or(score.as_deref()).map(str::trim);
    let Some(verdict) = verdict.filter(|verdict| !verdict.is_empty()) else { return Spam { share: None } };
    let is_spam = word(verdict).eq_ignore_ascii_case("yes");
    let score = number_after(verdict, "score=")
        .or_else(|| number_after(verdict, "hits="))
        .or_else(|| score.as_deref().and_then(leading_number));
    let required = number_after(verdict, "required=").filter(|required| *required > 0.0).unwrap_or(5.0);
    let share = match score {
        _ if is_spam => 1.0,
        Some(score) => (score / required).clamp(0.0, 1.0),
        None => 0.0,
    };
    Spam { share: Some(share) }
}

/// How much of what makes a message spam was found in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spam {
    share: Option<f64>,
}

impl Spam {
    pub(super) fn is_tested(self) -> bool {
        self.share.is_some()
    }

    /// 0 to 10, or of a hundred (RFC 5235 section 2.4).
    pub(super) fn value(self, percent: bool) -> String {
        let value = match self.share {
            None => 0.0,
            Some(share) if percent => share * 100.0,
            // What is not spam stays below 10, and what is clear is 1.
            Some(share) if share < 1.0 => 1.0 + (share * 9.0).floor(),
            Some(_) => 10.0,
        };
        format!("{value:.0}")
    }
}

/// RFC 5235 section 3: 0 is not tested, 1 clear, 5 infected.
pub(super) fn virus(message: &Message<'_>) -> &'static str {
    let Some(status) = fields::first(message, "X-Virus-Status") else { return "0" };
    match word(&status).to_ascii_lowercase().as_str() {
        "clean" | "no" => "1",
        "replaced" => "2",
        "cured" => "3",
        "suspicious" => "4",
        "infected" | "yes" => "5",
        _ => "0",
    }
}

fn word(text: &str) -> &str {
    text.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default()
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    let start = text.find(label)? + label.len();
    leading_number(&text[start..])
}

fn leading_number(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(index, character)| {
            !(character.is_ascii_digit() || *character == '.' || (*index == 0 && "+-".contains(*character)))
        })
        .map_or(text.len(), |(index, _)| index);
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, value: &str, percent: &str, virus_value: &str) {
        let raw = format!("{header}\r\n\r\nx");
        let message = mail_parser::MessageParser::default().parse(raw.as_bytes()).expect("parses");
        let verdict = spam(&message);
        assert_eq!((verdict.value(false).as_str(), verdict.value(true).as_str()), (value, percent), "{header}");
        assert_eq!(virus(&message), virus_value, "{header}");
    }

    #[test]
    fn verdicts_become_numbers() {
        check("Subject: x", "0", "0", "0");
        check("X-Spam-Status: Yes, score=7.1 required=5.0", "10", "100", "0");
        check("X-Spam-Status: No, score=-1.0 required=5.0", "1", "0", "0");
        check("X-Spam-Status: No, score=2.5 required=5.0", "5", "50", "0");
        check("X-Spam-Status: No", "1", "0", "0");
        check("X-Spam-Score: 4.9", "9", "98", "0");
        check("X-Spam-Score: ", "0", "0", "0");
        check("X-Virus-Status: Infected (Eicar)", "0", "0", "5");
        check("X-Virus-Status: Clean", "0", "0", "1");
    }
}
