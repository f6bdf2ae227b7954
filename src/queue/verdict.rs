//! What a failure means: for good or for now, under which code, in which words. One table.

use super::transport::{ContentError, Failure, FailureCause, Stage};
use std::fmt;

/// RFC 3463: class, subject, detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status(pub(super) u8, pub(super) u16, pub(super) u16);

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Why a send did not go out this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setback {
    pub(super) status: Status,
    /// In words for a person.
    pub(super) words: String,
    /// Which server, where one was reached or tried.
    pub(super) host: Option<String>,
    /// Its reply.
    pub(super) diagnostic: Option<String>,
    /// It is about this recipient and nobody else, so a redirection's target is counted by it.
    pub(super) is_about_recipient: bool,
}

impl Setback {
    /// Trying again makes no sense.
    pub(super) fn is_permanent(&self) -> bool {
        self.status.0 == 5
    }

    /// Without a server that said anything.
    pub(super) fn of_ours(status: Status, words: &str) -> Self {
        Self { status, words: words.to_owned(), host: None, diagnostic: None, is_about_recipient: false }
    }

    pub(super) fn at_host(failure: &Failure, host: &str) -> Self {
        let (status, words) = judge(failure);
        Self {
            status,
            words: words.to_owned(),
            host: Some(host.to_owned()),
            diagnostic: failure.answer().map(ToString::to_string),
            is_about_recipient: is_about_recipient(failure, status),
        }
    }

    /// Time is up: what was for now is for good.
    #[must_use]
    pub(super) fn expired(self) -> Self {
        let words = format!("it could not be delivered in time; at the last attempt: {}", self.words);
        Self { status: Status(5, 4, 7), words, ..self }
    }
}

/// As `queue list` and the ledger show it.
impl fmt::Display for Setback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(formatter, "{host}: ")?;
        }
        match &self.diagnostic {
            Some(diagnostic) => formatter.write_str(diagnostic),
            None => write!(formatter, "{} {}", self.status, self.words),
        }
    }
}

fn judge(failure: &Failure) -> (Status, &'static str) {
    match &failure.cause {
        FailureCause::Answer(answer) => {
            let (status, words) = answered(failure.stage, answer.code);
            // RFC 2034 section 4: the server's own code says more, where its class is that of our verdict.
            let own = answer.enhanced.filter(|(class, ..)| *class == status.0);
            match own {
                // RFC 3463 section 3.5: two servers that hand it to each other, mostly, and the second time it is noticed.
                Some((5, 4, 6)) => (Status(5, 4, 6), "the message goes round in circles between servers"),
                Some((class, subject, detail)) => (Status(class, subject, detail), words),
                None => (status, words),
            }
        }
        FailureCause::Unreachable(_) => (Status(4, 4, 1), "no connection to the server could be made"),
        FailureCause::Lost => (Status(4, 4, 2), "the server broke off the connection"),
        FailureCause::TimedOut => (Status(4, 4, 2), "the server did not answer in time"),
        FailureCause::Protocol(_) => (Status(4, 5, 0), "the server's answer could not be understood"),
        FailureCause::NoTls => (Status(4, 7, 5), "an encrypted connection is required, and the server offers none"),
        FailureCause::Tls(_) => (Status(4, 7, 5), "the encrypted connection that is required could not be made"),
        FailureCause::Login(_) => (Status(4, 7, 0), "our own relay did not let us in"),
        // RFC 6531 section 3.5.
        FailureCause::NoUtf8 => {
            (Status(5, 6, 7), "the address or the message has letters that the server there does not take")
        }
        // RFC 8689 section 7.
        FailureCause::NoRequireTls => {
            (Status(5, 7, 30), "the sender asked for encryption all the way, and the server there does not promise it")
        }
        FailureCause::TooLarge { .. } => (Status(5, 3, 4), "the message is too large for the server there"),
        FailureCause::TooManyRecipients => (Status(4, 5, 3), "the server takes no more recipients at a time"),
        // RFC 6152 section 3.
        FailureCause::Content(ContentError::EightBit(_)) => (
            Status(5, 6, 3),
            "the server there takes messages of seven-bit characters only, and this one can't be changed",
        ),
        FailureCause::Content(ContentError::Unreadable(_)) => (Status(4, 3, 0), "the message could not be read here"),
    }
}

/// Where a server gives no code of its own, or none that fits.
fn answered(stage: Stage, code: u16) -> (Status, &'static str) {
    let is_permanent = code / 100 == 5;
    match (stage, code) {
        // RFC 7504 section 3 and 4.
        (_, 521 | 556) => (Status(5, 3, 2), "the server there takes no mail at all"),
        // A refusal of the connection is about us or about today, and seldom about the message: others may be let in
        // later, and nobody loses mail by waiting.
        (Stage::Connect | Stage::Greeting | Stage::Hello | Stage::Tls, _) => {
            (Status(4, 4, 0), "the server there does not let us in")
        }
        (Stage::Login, _) => (Status(4, 7, 0), "our own relay did not let us in"),
        // RFC 5321 section 4.5.3.1.10: it may mean too many recipients.
        (Stage::Rcpt, 552) => (Status(4, 5, 3), "the server takes no more recipients at a time"),
        (Stage::Rcpt, _) if is_permanent => (Status(5, 1, 1), "the server there does not take mail for this address"),
        (Stage::Rcpt, _) => (Status(4, 2, 0), "the server there does not take mail for this address now"),
        (Stage::Mail, _) if is_permanent => (Status(5, 1, 0), "the server there does not take mail from this sender"),
        (_, 552) => (Status(5, 3, 4), "the message is too large for the server there"),
        _ if is_permanent => (Status(5, 0, 0), "the server there refused the message"),
        _ => (Status(4, 0, 0), "the server there does not take the message now"),
    }
}

/// Refusals of what a message says, or of who sends it, tell nothing about the address.
fn is_about_recipient(failure: &Failure, status: Status) -> bool {
    failure.answer().is_some() && status.0 == 5 && failure.stage == Stage::Rcpt && status.1 != 7
}

#[cfg(test)]
mod tests {
    use super::super::transport::Answer;
    use super::*;

    #[test]
    fn failures_have_one_meaning() {
        let check = |stage: Stage, cause: FailureCause, expected: &str, is_about_recipient: bool| {
            let setback = Setback::at_host(&Failure::new(stage, cause.clone()), "mx.far.example");
            assert_eq!(setback.status.to_string(), expected, "{stage:?} {cause:?}");
            assert_eq!(setback.is_about_recipient, is_about_recipient, "{stage:?} {cause:?}");
        };
        let answer = |code: u16, enhanced: Option<(u8, u16, u16)>| {
            FailureCause::Answer(Answer { code, enhanced, text: "x".to_owned() })
        };
        check(Stage::Rcpt, answer(550, Some((5, 1, 1))), "5.1.1", true);
        check(Stage::Rcpt, answer(550, None), "5.1.1", true);
        check(Stage::Rcpt, answer(550, Some((5, 7, 1))), "5.7.1", false);
        check(Stage::Rcpt, answer(550, Some((4, 7, 1))), "5.1.1", true);
        check(Stage::Rcpt, answer(450, Some((4, 2, 1))), "4.2.1", false);
        check(Stage::Rcpt, answer(552, None), "4.5.3", false);
        check(Stage::Mail, answer(550, None), "5.1.0", false);
        check(Stage::Message, answer(554, None), "5.0.0", false);
        check(Stage::Message, answer(552, None), "5.3.4", false);
        check(Stage::Message, answer(451, None), "4.0.0", false);
        check(Stage::Message, answer(550, Some((5, 7, 1))), "5.7.1", false);
        check(Stage::Greeting, answer(554, Some((5, 7, 1))), "4.4.0", false);
        check(Stage::Greeting, answer(521, None), "5.3.2", false);
        check(Stage::Hello, answer(550, None), "4.4.0", false);
        check(Stage::Login, answer(535, Some((5, 7, 8))), "4.7.0", false);
        check(Stage::Connect, FailureCause::Unreachable("refused".to_owned()), "4.4.1", false);
        check(Stage::Message, FailureCause::Lost, "4.4.2", false);
        check(Stage::Mail, FailureCause::NoUtf8, "5.6.7", false);
        check(Stage::Mail, FailureCause::NoRequireTls, "5.7.30", false);
        check(Stage::Tls, FailureCause::NoTls, "4.7.5", false);
        check(Stage::Mail, FailureCause::TooLarge { octets: 2, octets_max: 1 }, "5.3.4", false);
        check(Stage::Mail, FailureCause::Content(ContentError::EightBit("x".to_owned())), "5.6.3", false);
        check(Stage::Data, FailureCause::Content(ContentError::Unreadable("x".to_owned())), "4.3.0", false);
    }

    #[test]
    fn setbacks_read_well() {
        let failure = Failure::new(Stage::Connect, FailureCause::Unreachable("refused".to_owned()));
        let setback = Setback::at_host(&failure, "mx.far.example");
        assert_eq!(setback.to_string(), "mx.far.example: 4.4.1 no connection to the server could be made");
        let late = setback.expired();
        assert!(late.is_permanent());
        assert_eq!(
            late.words,
            "it could not be delivered in time; at the last attempt: no connection to the server could be made"
        );
        let ours = Setback::of_ours(Status(5, 1, 2), "there is no such domain");
        assert_eq!(ours.to_string(), "5.1.2 there is no such domain");
    }
}
