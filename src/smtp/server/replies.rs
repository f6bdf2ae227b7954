//! The one table: what happened → code, enhanced code, text.
//!
//! A new cause without an entry does not compile, because cause and entry are the same line. Texts are for strangers:
//! short, general, without names of ours; the log has the rest, under the session id that every refusal carries.

use crate::smtp::proto::{EnhancedCode, write_reply};

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub code: u16,
    pub enhanced: Option<EnhancedCode>,
    pub text: &'static str,
}

macro_rules! table {
    (@enhanced) => { None };
    (@enhanced $class:literal, $subject:literal, $detail:literal) => { Some(EnhancedCode($class, $subject, $detail)) };
    ($(#[$about:meta])* $name:ident {
        $($(#[$why:meta])* $variant:ident => $code:literal ($($enhanced:literal),*) $text:literal;)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$why])* $variant,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub const fn entry(self) -> Entry {
                match self {
                    $(Self::$variant => Entry {
                        code: $code,
                        enhanced: table!(@enhanced $($enhanced),*),
                        text: $text,
                    },)*
                }
            }
        }
    };
}

table! {
    /// What went well.
    Success {
        SenderOk => 250 (2, 1, 0) "Sender taken";
        RecipientOk => 250 (2, 1, 5) "Recipient taken";
        /// RFC 5321 section 4.1.1.4; an intermediate reply has no enhanced code (RFC 2034 section 4).
        StartData => 354 () "Send the message, end with a line that is a single dot";
        ChunkTaken => 250 (2, 0, 0) "Chunk taken";
        Accepted => 250 (2, 6, 0) "Message accepted";
        Reset => 250 (2, 0, 0) "Forgotten";
        Noop => 250 (2, 0, 0) "Nothing done";
        /// RFC 5321 section 3.5.3: neither confirmed nor denied, so that nobody can collect addresses.
        CannotVerify => 252 (2, 1, 5) "Send mail and see";
        ReadyForTls => 220 (2, 0, 0) "Ready for TLS";
        LoggedIn => 235 (2, 7, 0) "Logged in";
        Goodbye => 221 (2, 0, 0) "Goodbye";
    }
}

table! {
    /// Why something was refused, by the session itself or by the service behind it.
    Cause {
        // The line.
        UnknownCommand => 500 (5, 5, 1) "No such command";
        /// RFC 2033 section 4.1: HELO and EHLO are none in LMTP, and LHLO is none elsewhere.
        WrongHello => 500 (5, 5, 1) "This greeting is of another protocol";
        NotSmtp => 500 (5, 5, 1) "This is a mail server";
        LineTooLong => 500 (5, 5, 2) "Line too long";
        /// RFC 4954 section 6.
        AuthLineTooLong => 500 (5, 5, 6) "Line too long";
        /// RFC 5321 section 2.3.8.
        LineEnd => 500 (5, 5, 2) "Lines end with CR LF, and have neither of them nor NUL inside";
        Syntax => 501 (5, 5, 2) "Malformed command";
        Arguments => 501 (5, 5, 4) "An argument is missing, or one is too many";
        Parameter => 501 (5, 5, 4) "A parameter has a wrong value, or stands there twice";
        UnknownParameter => 555 (5, 5, 4) "A parameter is none that was offered";
        /// RFC 3030 section 2: what comes next is a chunk of unknown size, not a command.
        ChunkSize => 501 (5, 5, 4) "The size of a chunk can't be read, closing";
        SenderSyntax => 501 (5, 1, 7) "Malformed sender address";
        RecipientSyntax => 501 (5, 1, 3) "Malformed recipient address";
        /// RFC 6531 section 3.5.
        SenderNeedsUtf8 => 550 (5, 6, 7) "This sender address needs SMTPUTF8";
        RecipientNeedsUtf8 => 553 (5, 6, 7) "This recipient address needs SMTPUTF8";
        ExpnUnsupported => 502 (5, 5, 1) "Lists are not shown";

        // The order of commands.
        HelloFirst => 503 (5, 5, 1) "Say hello first";
        MailFirst => 503 (5, 5, 1) "MAIL comes first";
        MailTwice => 503 (5, 5, 1) "A message was begun already";
        NoRecipients => 554 (5, 5, 1) "No valid recipients";
        /// RFC 2033 section 4.2 has its own code for the same.
        NoRecipientsLmtp => 503 (5, 5, 1) "No valid recipients";
        DataAfterChunks => 503 (5, 5, 1) "Go on with BDAT";
        /// RFC 3030 section 3.
        BinaryNeedsChunks => 503 (5, 5, 1) "Binary messages come by BDAT";
        /// RFC 2920 section 3.1: who does not wait for the answer is no mail program.
        NotWaited => 503 (5, 5, 1) "You must wait for the answer to this command";

        // TLS and login.
        TlsFirst => 530 (5, 7, 0) "STARTTLS first";
        TlsAlready => 503 (5, 5, 1) "TLS is on already";
        TlsNotOffered => 502 (5, 5, 1) "TLS is not offered";
        LoginFirst => 530 (5, 7, 0) "Log in first";
        LoginNotOffered => 502 (5, 5, 1) "Login is not offered";
        /// RFC 4954 section 6.
        LoginNeedsTls => 538 (5, 7, 11) "Encryption is required for a login";
        LoggedInAlready => 503 (5, 5, 1) "You are logged in already";
        UnknownMechanism => 504 (5, 5, 4) "This way to log in is not offered";
        LoginEncoding => 501 (5, 5, 2) "Not base64";
        LoginMalformed => 501 (5, 5, 2) "Malformed login";
        LoginCancelled => 501 (5, 7, 0) "Login cancelled";
        LoginRefused => 535 (5, 7, 8) "Wrong name or password";
        LoginThrottled => 454 (4, 7, 0) "Too many failed logins, try again later";
        /// The account was suspended, or its password changed, while the session went on.
        LoginEnded => 421 (4, 7, 0) "This login does not count any more, closing";
        LoginUnavailable => 454 (4, 7, 0) "Login is not possible now, try again later";

        // Sizes and numbers.
        TooBig => 552 (5, 3, 4) "The message is too big";
        HeaderTooBig => 552 (5, 3, 4) "The message's header is too big";
        TooManyRecipients => 452 (4, 5, 3) "Too many recipients for one message, send the rest later";
        TooManyErrors => 421 (4, 7, 0) "Too many errors, closing";
        TooManyCommands => 421 (4, 7, 0) "Too many commands without a message, closing";
        TooManyLogins => 421 (4, 7, 0) "Too many failed logins, closing";
        HoldTooLong => 501 (5, 5, 4) "The message would be held for longer than offered";
        DeliverByTooShort => 501 (5, 5, 4) "Less time than offered";

        // The connection and the server.
        ConnectionDeferred => 421 (4, 7, 0) "No mail is taken from you now, try again later";
        TooManyConnections => 421 (4, 7, 0) "Too many connections, try again later";
        Timeout => 421 (4, 4, 2) "Too slow, closing";
        ShuttingDown => 421 (4, 3, 2) "The server is going down, try again later";
        Internal => 451 (4, 3, 0) "Trouble on our side, try again later";
        StorageFull => 452 (4, 3, 1) "No room now, try again later";

        // The sender.
        BlockListed => 554 (5, 7, 1) "Your network is on a block list";
        RateLimited => 451 (4, 7, 1) "Too much in a short time, try again later";
        SenderNotYours => 550 (5, 7, 1) "This sender address is not yours";
        HeaderSenderNotYours => 550 (5, 7, 1) "An address in the message's From or Sender is not yours";
        DmarcFailed => 550 (5, 7, 1) "Refused, as the policy of the author's domain asks";
        AuthenticationDeferred => 451 (4, 4, 3) "The sender can't be checked now, try again later";

        // The recipient.
        NoSuchAddress => 550 (5, 1, 1) "No such address here";
        /// A return path of redirected mail: whoever wants to write to its author writes to the author.
        BouncesOnly => 550 (5, 7, 1) "This address takes reports about mail only, and they come from nobody";
        RelayDenied => 550 (5, 7, 1) "Not a domain of ours";
        RecipientRefused => 550 (5, 7, 1) "This recipient takes no mail from you";
        AddressDisabled => 550 (5, 2, 1) "This address takes no mail";
        AddressPaused => 450 (4, 2, 1) "This address takes no mail now";
        MailboxFull => 452 (4, 2, 2) "The mailbox is full";
        TooManyTargets => 550 (5, 4, 6) "The message would go to too many addresses";

        // The message.
        BareLineEnds => 550 (5, 6, 0) "The message has CR or LF alone, not together";
        Nul => 550 (5, 6, 0) "The message has a NUL";
        /// RFC 3463 section 3.7.
        BinaryNotConvertible => 554 (5, 6, 3) "A binary part of the message is signed and can't be converted";
        Malformed => 550 (5, 6, 0) "The message is malformed";
        Looping => 554 (5, 4, 6) "The message is going round in circles";
        /// RFC 5429: the recipient's own words go with it.
        RejectedByRecipient => 550 (5, 7, 1) "The recipient refuses this message";
    }
}

impl Cause {
    /// Whether the session is over with it. 421 says so by itself (RFC 5321 section 3.8). The others come from somebody
    /// who is no mail program: what follows in his stream must not be read as commands.
    pub const fn ends_session(self) -> bool {
        self.entry().code == 421 || matches!(self, Self::NotSmtp | Self::LineEnd | Self::NotWaited | Self::ChunkSize)
    }

    /// As a line, for those who are told nothing else: a listener's connections above its caps.
    pub fn line(self) -> Vec<u8> {
        let entry = self.entry();
        let mut line = Vec::new();
        write_reply(&mut line, entry.code, entry.enhanced, entry.text);
        line
    }

    /// A temporary refusal, after which the peer comes again.
    pub const fn is_transient(self) -> bool {
        self.entry().code / 100 == 4
    }
}

/// A cause, and what a user or a script wanted said with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub cause: Cause,
    /// Instead of the table's text: the words of a `reject` action, or an address that mail should be sent to.
    pub text: Option<Box<str>>,
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self { cause, text: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let check = |entry: Entry, name: String| {
            assert!(entry.enhanced.is_none_or(|enhanced| u16::from(enhanced.0) == entry.code / 100), "{name}");
            assert!(!entry.text.is_empty() && entry.text.is_ascii(), "{name}");
            // The session id goes behind it, and the whole should stay one line.
            assert!(entry.text.len() < 100, "{name}");
        };
        for success in Success::ALL {
            check(success.entry(), format!("{success:?}"));
            assert!(matches!(success.entry().code, 200..=399));
        }
        for cause in Cause::ALL {
            check(cause.entry(), format!("{cause:?}"));
            assert!(matches!(cause.entry().code, 400..=599) && cause.entry().enhanced.is_some());
        }
    }
}
