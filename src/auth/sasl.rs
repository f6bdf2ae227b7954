//! The server's side of SASL (RFC 4422), one state machine for SMTP, IMAP and ManageSieve.
//!
//! It reads and writes the decoded octets of the mechanisms and asks its caller the questions that need the store or a
//! password hash. It does no I/O, knows no account, and does not know how a protocol wraps its messages: `*` (cancel) and
//! base64 are the protocol's, for which [`decode`] and [`encode`] stand here.

use super::channel_binding::ChannelBinding;
use super::scram::KeyPair;
use super::scram::server::{Challenge, ClientFirst, ScramError, Variant, random_nonce};
use crate::types::limits::SASL_MESSAGE_OCTETS_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The mechanisms there are. OAUTHBEARER is absent: there is nobody yet who would issue its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Never standardised; Outlook and old devices know nothing else.
    Login,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
}

impl Mechanism {
    /// Strongest first: clients that take the first one they know take the best.
    pub const ALL: [Self; 4] = [Self::ScramSha256Plus, Self::ScramSha256, Self::Plain, Self::Login];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }

    /// RFC 4422 section 3.1 has names in upper case; clients that write them otherwise are understood.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether the connection is encrypted, and what it can be bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    Plain,
    Tls(ChannelBinding),
}

/// Whether passwords may cross this connection without encryption: only from networks the administrator listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plaintext {
    Refused,
    Allowed,
}

/// What to offer on a connection. Nothing at all without TLS, SCRAM neither: a login that succeeds there would leave the
/// mail itself readable on the way.
pub(super) fn offered(security: &Security, plaintext: Plaintext) -> &'static [Mechanism] {
    match (security, plaintext) {
        (Security::Tls(binding), _) if !binding.is_empty() => &Mechanism::ALL,
        (Security::Tls(_), _) | (Security::Plain, Plaintext::Allowed) => &Mechanism::ALL[1..],
        (Security::Plain, Plaintext::Refused) => &[],
    }
}

/// How the protocol carries data that comes with success (RFC 4422 section 4, paragraph 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalData {
    /// SMTP and IMAP can't: it goes out as a challenge, which the client answers with nothing.
    AsChallenge,
    /// ManageSieve can, in its OK.
    WithSuccess,
}

/// Why an exchange ended without anybody's password having been wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslError {
    TooLong,
    NotUtf8,
    /// The message is not what the mechanism has at this place.
    Syntax,
    Scram(ScramError),
    /// The exchange is over, or an answer came that was not asked for.
    OutOfOrder,
    /// No random numbers.
    System,
}

impl fmt::Display for SaslError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(formatter, "the message is longer than {SASL_MESSAGE_OCTETS_MAX} octets"),
            Self::NotUtf8 => formatter.write_str("the message is not UTF-8"),
            Self::Syntax => formatter.write_str("the message does not have the form of its mechanism"),
            Self::Scram(error) => error.fmt(formatter),
            Self::OutOfOrder => formatter.write_str("the message came when none was expected"),
            Self::System => formatter.write_str("the machine gives no random numbers"),
        }
    }
}

impl std::error::Error for SaslError {}

impl From<ScramError> for SaslError {
    fn from(error: ScramError) -> Self {
        Self::Scram(error)
    }
}

/// What an exchange needs to know before it can go on.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// Does this name have this password, and may it act for that one? Answer: accepted or refused.
    Password { authorization: Option<String>, name: String, password: String },
    /// Which salt and which keys has this name? Answer: keys, made-up ones when there is no such name.
    Keys { name: String },
    /// The proof fits this candidate, or none. Is that a login? Answer: accepted or refused.
    Proof { authorization: Option<String>, name: String, fitting: Option<usize> },
}

pub(super) enum Answer {
    Accepted,
    Refused,
    Keys { salt: Vec<u8>, iterations: u32, candidates: Vec<KeyPair> },
}

/// What comes next.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Step {
    Challenge(Vec<u8>),
    Ask(Question),
    /// The peer is who he says, with the data for the protocol's success message.
    Done(Option<Vec<u8>>),
    /// He is not; the caller that refused knows why.
    Refused,
    Failed(SaslError),
}

/// One attempt to log in.
pub(super) struct Exchange {
    mechanism: Mechanism,
    binding: ChannelBinding,
    final_data: FinalData,
    state: State,
}

enum State {
    /// The client's first message is expected; the empty challenge that asks for it may have gone out.
    First,
    LoginName,
    LoginPassword {
        name: String,
    },
    PasswordAsked,
    KeysAsked {
        first: ClientFirst,
        expected_binding: Vec<u8>,
    },
    ScramFinal {
        challenge: Challenge,
        authorization: Option<String>,
        name: String,
        candidates: Vec<KeyPair>,
    },
    ProofAsked {
        server_final: Option<String>,
    },
    /// The server's signature is out; the client's empty answer is expected.
    ScramLast,
    Over,
}

impl Exchange {
    pub(super) fn new(mechanism: Mechanism, binding: ChannelBinding, final_data: FinalData) -> Self {
        Self { mechanism, binding, final_data, state: State::First }
    }

    /// The first step; `initial` is the initial response, where the protocol's command carried one.
    pub(super) fn start(&mut self, initial: Option<&[u8]>) -> Step {
        match (initial, self.mechanism) {
            // Some clients send LOGIN's name along with the command; an empty one they mean as none.
            (Some(name), Mechanism::Login) if !name.is_empty() => {
                self.state = State::LoginName;
                self.step(name)
            }
            (_, Mechanism::Login) => {
                self.state = State::LoginName;
                Step::Challenge(b"Username:".to_vec())
            }
            (Some(message), _) => self.step(message),
            // RFC 4422 section 3.3: where the client goes first, an empty challenge asks it to.
            (None, _) => Step::Challenge(Vec::new()),
        }
    }

    /// The client's answer to the last challenge.
    pub(super) fn step(&mut self, message: &[u8]) -> Step {
        if message.len() > SASL_MESSAGE_OCTETS_MAX {
            self.state = State::Over;
            return Step::Failed(SaslError::TooLong);
        }
        self.read(message).unwrap_or_else(Step::Failed)
    }

    fn read(&mut self, message: &[u8]) -> Result<Step, SaslError> {
        match (std::mem::replace(&mut self.state, State::Over), self.mechanism) {
            (State::First, Mechanism::Plain) => {
                let (authorization, name, password) = plain(message)?;
                self.state = State::PasswordAsked;
                Ok(Step::Ask(Question::Password { authorization, name, password }))
            }
            (State::First, Mechanism::ScramSha256) => self.scram_first(message, Variant::Bare),
            (State::First, Mechanism::ScramSha256Plus) => self.scram_first(message, Variant::Plus),
            (State::LoginName, _) => {
                self.state = State::LoginPassword { name: utf8(message)? };
                Ok(Step::Challenge(b"Password:".to_vec()))
            }
            (State::LoginPassword { name }, _) => {
                let password = utf8(message)?;
                self.state = State::PasswordAsked;
                Ok(Step::Ask(Question::Password { authorization: None, name, password }))
            }
            (State::ScramFinal { challenge, authorization, name, candidates }, _) => {
                let (fitting, server_final) = challenge.verify(message, &candidates)?.unzip();
                self.state = State::ProofAsked { server_final };
                Ok(Step::Ask(Question::Proof { authorization, name, fitting }))
            }
            (State::ScramLast, _) if message.is_empty() => Ok(Step::Done(None)),
            (State::ScramLast, _) => Err(SaslError::Syntax),
            _ => Err(SaslError::OutOfOrder),
        }
    }

    fn scram_first(&mut self, message: &[u8], variant: Variant) -> Result<Step, SaslError> {
        let first = ClientFirst::parse(message)?;
        let expected_binding = first.expected_binding(variant, &self.binding)?;
        let name = first.name.clone();
        self.state = State::KeysAsked { first, expected_binding };
        Ok(Step::Ask(Question::Keys { name }))
    }

    /// The caller's answer to the last question.
    pub(super) fn answer(&mut self, answer: Answer) -> Step {
        match (std::mem::replace(&mut self.state, State::Over), answer) {
            (State::PasswordAsked | State::ProofAsked { .. } | State::KeysAsked { .. }, Answer::Refused) => {
                Step::Refused
            }
            (State::PasswordAsked, Answer::Accepted) => Step::Done(None),
            (State::KeysAsked { first, expected_binding }, Answer::Keys { salt, iterations, candidates }) => {
                let Ok(nonce) = random_nonce() else {
                    return Step::Failed(SaslError::System);
                };
                let (name, authorization) = (first.name.clone(), first.authorization.clone());
                let challenge = Challenge::new(first, expected_binding, &nonce, &salt, iterations);
                let message = challenge.message().as_bytes().to_vec();
                self.state = State::ScramFinal { challenge, authorization, name, candidates };
                Step::Challenge(message)
            }
            // Without a server-final-message the proof fitted nothing, and no caller can accept that.
            (State::ProofAsked { server_final: Some(message) }, Answer::Accepted) => match self.final_data {
                FinalData::AsChallenge => {
                    self.state = State::ScramLast;
                    Step::Challenge(message.into_bytes())
                }
                FinalData::WithSuccess => Step::Done(Some(message.into_bytes())),
            },
            _ => Step::Failed(SaslError::OutOfOrder),
        }
    }
}

/// RFC 4616 section 2: `[authzid] NUL authcid NUL passwd`.
fn plain(message: &[u8]) -> Result<(Option<String>, String, String), SaslError> {
    let message = std::str::from_utf8(message).map_err(|_| SaslError::NotUtf8)?;
    let mut fields = message.split('\0');
    let (Some(authorization), Some(name), Some(password), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(SaslError::Syntax);
    };
    if name.is_empty() || password.is_empty() {
        return Err(SaslError::Syntax);
    }
    let authorization = (!authorization.is_empty()).then(|| authorization.to_owned());
    Ok((authorization, name.to_owned(), password.to_owned()))
}

fn utf8(message: &[u8]) -> Result<String, SaslError> {
    match std::str::from_utf8(message) {
        Ok(text) if text.contains('\0') || text.is_empty() => Err(SaslError::Syntax),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(SaslError::NotUtf8),
    }
}

/// One line of base64 from the client. The bare `=` of an empty initial response (RFC 4954 section 4, RFC 9051
/// section 6.2.2) is empty too.
pub fn decode(line: &[u8]) -> Result<Vec<u8>, SaslError> {
    if line.len() > SASL_MESSAGE_OCTETS_MAX.div_ceil(3) * 4 {
        return Err(SaslError::TooLong);
    }
    if line == b"=" {
        return Ok(Vec::new());
    }
    STANDARD.decode(line).map_err(|_| SaslError::Syntax)
}

/// A challenge as base64.
pub fn encode(message: &[u8]) -> String {
    STANDARD.encode(message)
}

#[cfg(test)]
#[path = "sasl_tests.rs"]
mod tests;
