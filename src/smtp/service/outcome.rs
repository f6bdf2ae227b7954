//! From what delivery decided to what is said.

use crate::delivery::{Answers, Fate};
use crate::directory::NotTaken;
use crate::smtp::server::{Cause, Delivered, Refusal, Verdict};

impl From<NotTaken> for Cause {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Unknown => Self::NoSuchAddress,
            NotTaken::Paused => Self::AddressDisabled,
        }
    }
}

fn verdict(fate: &Fate) -> Verdict {
    let cause = match fate {
        Fate::Accepted => return Ok(()),
        Fate::Unknown => Cause::NoSuchAddress,
        Fate::Paused => Cause::AddressDisabled,
        Fate::Suspended => Cause::AddressPaused,
        Fate::RulesFailed => Cause::Internal,
        Fate::NoMailbox => Cause::AddressDisabled,
        Fate::OverQuota => Cause::MailboxFull,
        Fate::Loop => Cause::Looping,
        Fate::TooFar => Cause::TooManyTargets,
        Fate::NotOurs => Cause::RelayDenied,
        Fate::Rejected(reason) | Fate::NotForwarded(reason) => {
            return Err(Refusal { cause: Cause::RejectedByRecipient, text: Some(reason.as_ref().into()) });
        }
    };
    Err(cause.into())
}

/// One reply for all, or one for each. Where nobody takes the message and for some that may change, the sender is asked
/// to come again: a refusal for good would end it for those as well.
pub(super) fn delivered(fates: &[Fate], answers: Answers) -> Delivered {
    if answers == Answers::Each {
        return Delivered::Each(fates.iter().map(verdict).collect());
    }
    let accepted = fates.iter().find(|fate| **fate == Fate::Accepted);
    let decides = accepted.or_else(|| fates.iter().find(|fate| fate.is_temporary())).or_else(|| fates.first());
    Delivered::All(decides.map_or(Err(Cause::Internal.into()), verdict))
}

/// For the log: `2 accepted, 1 unknown`.
pub(super) fn in_words(fates: &[Fate]) -> String {
    let mut counted: Vec<(&'static str, usize)> = Vec::new();
    for fate in fates {
        let word = word(fate);
        match counted.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counted.push((word, 1)),
        }
    }
    counted.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Accepted => "accepted",
        Fate::Unknown => "unknown",
        Fate::Paused => "paused",
        Fate::Suspended => "suspended",
        Fate::RulesFailed => "with rules that failed",
        Fate::NoMailbox => "without a mailbox",
        Fate::OverQuota => "over quota",
        Fate::Loop => "looping",
        Fate::TooFar => "to too many",
        Fate::NotOurs => "not ours",
        Fate::NotForwarded(_) => "not forwarded",
        Fate::Rejected(_) => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reply_for_all() {
        let check = |fates: &[Fate], expected: Result<(), Cause>| {
            let Delivered::All(verdict) = delivered(fates, Answers::One) else { panic!("one reply was asked for") };
            assert_eq!(verdict.map_err(|refusal| refusal.cause), expected, "{}", in_words(fates));
        };
        check(&[Fate::Accepted], Ok(()));
        check(&[Fate::Unknown, Fate::Accepted, Fate::OverQuota], Ok(()));
        check(&[Fate::Unknown, Fate::OverQuota], Err(Cause::MailboxFull));
        check(&[Fate::Loop, Fate::Unknown], Err(Cause::Looping));
        check(&[Fate::Rejected("no".into())], Err(Cause::RejectedByRecipient));
        check(&[], Err(Cause::Internal));
    }

    #[test]
    fn a_reply_for_each() {
        let fates = [Fate::Accepted, Fate::Suspended, Fate::Rejected("go away".into())];
        let rejected = Refusal { cause: Cause::RejectedByRecipient, text: Some("go away".into()) };
        let expected = vec![Ok(()), Err(Cause::AddressPaused.into()), Err(rejected)];
        assert_eq!(delivered(&fates, Answers::Each), Delivered::Each(expected));
        assert_eq!(in_words(&fates), "1 accepted, 1 suspended, 1 rejected");
    }
}
