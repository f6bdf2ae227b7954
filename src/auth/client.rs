//! The client's side of SASL, for logging in to a smarthost. It speaks PLAIN, LOGIN and SCRAM-SHA-256 with and without
//! channel binding, and never sends a password before it is asked to by its caller.

use super::channel_binding::ChannelBinding;
use super::password::{Password, PasswordError};
use super::sasl::{Mechanism, Security};
use super::scram::server::random_nonce;
use super::scram::{Key, client_key, hash, mac, salted_password, server_key, xor};
use crate::types::limits::{SASL_MESSAGE_OCTETS_MAX, SCRAM_ITERATIONS_ACCEPTED_MAX};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// Why the client gave up on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// None of the server's mechanisms is one of ours.
    NoMechanism,
    Password(PasswordError),
    /// The server's message is not what the mechanism has at this place.
    Syntax,
    /// The server asks for so many rounds, or so few, that answering would harm us.
    Iterations,
    /// The server does not know the password either: it is not who it says.
    ServerSignature,
    /// No random numbers.
    System,
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMechanism => formatter.write_str("the server offers no way to log in that we know"),
            Self::Password(error) => error.fmt(formatter),
            Self::Syntax => formatter.write_str("the server's side of the login is malformed"),
            Self::Iterations => formatter.write_str("the server asks for an unreasonable number of SCRAM rounds"),
            Self::ServerSignature => formatter.write_str("the server could not prove that it knows the password"),
            Self::System => formatter.write_str("the machine gives no random numbers"),
        }
    }
}

impl std::error::Error for ClientError {}

/// One login to another server. Messages are the decoded octets; base64 is the protocol's business.
pub struct Client {
    mechanism: Mechanism,
    name: String,
    password: Password,
    binding: ChannelBinding,
    state: State,
}

enum State {
    Start,
    LoginPassword,
    ScramFirst { header: Vec<u8>, bare: String, nonce: String },
    ScramFinal { server_signature: Key },
    Over,
}

impl Client {
    /// With the strongest of the mechanisms the server offers. On a connection without TLS that is never one that shows
    /// the password; whether to log in there at all is the caller's decision.
    pub fn new(offered: &[Mechanism], name: &str, password: &str, security: &Security) -> Result<Self, ClientError> {
        let (encrypted, binding) = match security {
            Security::Tls(binding) => (true, binding.clone()),
            Security::Plain => (false, ChannelBinding::none()),
        };
        let usable = |mechanism: Mechanism| match mechanism {
            Mechanism::ScramSha256Plus => !binding.is_empty(),
            Mechanism::ScramSha256 => true,
            Mechanism::Plain | Mechanism::Login => encrypted,
        };
        let mechanism = [Mechanism::ScramSha256Plus, Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login]
            .into_iter()
            .find(|mechanism| offered.contains(mechanism) && usable(*mechanism))
            .ok_or(ClientError::NoMechanism)?;
        let password = Password::prepare(password).map_err(ClientError::Password)?;
        Ok(Self { mechanism, name: name.to_owned(), password, binding, state: State::Start })
    }

    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What to send with the command, where the protocol allows it; otherwise it answers the first, empty challenge.
    pub fn initial_response(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        match self.mechanism {
            Mechanism::Login => Ok(None),
            Mechanism::Plain => {
                self.state = State::Over;
                Ok(Some([b"\0", self.name.as_bytes(), b"\0", self.password.as_bytes()].concat()))
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                self.scram_first(&random_nonce().map_err(|_| ClientError::System)?).map(Some)
            }
        }
    }

    /// The answer to a challenge.
    pub fn step(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ClientError> {
        if challenge.len() > SASL_MESSAGE_OCTETS_MAX {
            return Err(ClientError::Syntax);
        }
        match (std::mem::replace(&mut self.state, State::Over), self.mechanism) {
            // The texts of LOGIN's two challenges vary between servers; their order does not.
            (State::Start, Mechanism::Login) => {
                self.state = State::LoginPassword;
                Ok(self.name.clone().into_bytes())
            }
            (State::LoginPassword, _) => Ok(self.password.as_bytes().to_vec()),
            (State::ScramFirst { header, bare, nonce }, _) => self.scram_final(challenge, &header, &bare, &nonce),
            (State::ScramFinal { server_signature }, _) => {
                check_server(challenge, &server_signature)?;
                Ok(Vec::new())
            }
            (State::Start | State::Over, _) => Err(ClientError::Syntax),
        }
    }

    /// Called with the server's positive answer, and the data in it if the protocol has such. With SCRAM, a server that
    /// says yes without having proved itself is not believed.
    pub fn accepted(&mut self, data: Option<&[u8]>) -> Result<(), ClientError> {
        match (std::mem::replace(&mut self.state, State::Over), data) {
            (State::ScramFinal { server_signature }, Some(data)) => check_server(data, &server_signature),
            (State::Over, _) => Ok(()),
            _ => Err(ClientError::ServerSignature),
        }
    }

    fn scram_first(&mut self, nonce: &str) -> Result<Vec<u8>, ClientError> {
        let (flag, data) = match (self.mechanism, self.binding.preferred()) {
            (Mechanism::ScramSha256Plus, Some((name, data))) => (format!("p={name}"), data),
            (Mechanism::ScramSha256Plus, None) => return Err(ClientError::NoMechanism),
            // RFC 5802 section 6: we could have bound, the server did not offer to. If it did, it will notice.
            (_, Some(_)) => ("y".to_owned(), [].as_slice()),
            (_, None) => ("n".to_owned(), [].as_slice()),
        };
        let bare = format!("n={},r={nonce}", escaped(&self.name));
        let header = [flag.as_bytes(), b",,", data].concat();
        let message = format!("{flag},,{bare}");
        self.state = State::ScramFirst { header, bare, nonce: nonce.to_owned() };
        Ok(message.into_bytes())
    }

    fn scram_final(
        &mut self,
        challenge: &[u8],
        header: &[u8],
        bare: &str,
        nonce: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let server_first = std::str::from_utf8(challenge).map_err(|_| ClientError::Syntax)?;
        let mut fields = server_first.split(',');
        let mut field = |prefix: &str| fields.next()?.strip_prefix(prefix).map(str::to_owned);
        let (Some(full_nonce), Some(salt), Some(iterations)) = (field("r="), field("s="), field("i=")) else {
            return Err(ClientError::Syntax);
        };
        if !full_nonce.starts_with(nonce) || full_nonce.len() == nonce.len() {
            return Err(ClientError::Syntax);
        }
        let salt = STANDARD.decode(salt).map_err(|_| ClientError::Syntax)?;
        let iterations: u32 = iterations.parse().map_err(|_| ClientError::Syntax)?;
        if !(4096..=SCRAM_ITERATIONS_ACCEPTED_MAX).contains(&iterations) {
            return Err(ClientError::Iterations);
        }
        let salted = salted_password(&self.password, &salt, iterations);
        let client_key = client_key(&salted);
        let without_proof = format!("c={},r={full_nonce}", STANDARD.encode(header));
        let auth_message = [bare, ",", server_first, ",", &without_proof].concat();
        let proof = xor(&client_key, &mac(&hash(&client_key), &[auth_message.as_bytes()]));
        let server_signature = mac(&server_key(&salted), &[auth_message.as_bytes()]);
        self.state = State::ScramFinal { server_signature };
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes())
    }
}

fn check_server(message: &[u8], expected: &Key) -> Result<(), ClientError> {
    let signature = message.strip_prefix(b"v=").ok_or(ClientError::ServerSignature)?;
    let signature = signature.split(|octet| *octet == b',').next().unwrap_or_default();
    let signature = STANDARD.decode(signature).map_err(|_| ClientError::ServerSignature)?;
    if signature.ct_eq(expected).into() { Ok(()) } else { Err(ClientError::ServerSignature) }
}

/// RFC 5802 section 5.1: how `=` and `,` are written in a name.
pub(super) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scram(security: &Security) -> Client {
        Client::new(&[Mechanism::ScramSha256], "user", "pencil", security).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let mut client = scram(&Security::Plain);
        assert_eq!(client.scram_first("rOprNGfwEbeRWgbNEkqO").unwrap(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = client
            .step(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
            .unwrap();
        let expected = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
        assert_eq!(client.step(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(Vec::new()));
        assert_eq!(client.accepted(None), Ok(()));
    }

    #[test]
    fn a_server_that_proves_nothing_is_not_believed() {
        let first = b"r=abcXYZ,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let started = || {
            let mut client = scram(&Security::Plain);
            client.scram_first("abc").unwrap();
            client.step(first).unwrap();
            client
        };
        assert_eq!(started().accepted(None), Err(ClientError::ServerSignature));
        assert_eq!(started().accepted(Some(b"v=AAAA")), Err(ClientError::ServerSignature));
        assert_eq!(started().step(b"e=invalid-proof"), Err(ClientError::ServerSignature));
        let mut early = scram(&Security::Plain);
        early.scram_first("abc").unwrap();
        assert_eq!(early.accepted(None), Err(ClientError::ServerSignature));
    }

    #[test]
    fn a_servers_first_message_is_read_with_suspicion() {
        let check = |message: &str, expected: ClientError| {
            let mut client = scram(&Security::Plain);
            client.scram_first("abc").unwrap();
            assert_eq!(client.step(message.as_bytes()), Err(expected), "{message}");
        };
        check("", ClientError::Syntax);
        check("r=abc,s=c2FsdA==,i=4096", ClientError::Syntax);
        check("r=xyz,s=c2FsdA==,i=4096", ClientError::Syntax);
        check("m=x,r=abcXYZ,s=c2FsdA==,i=4096", ClientError::Syntax);
        check("r=abcXYZ,s=?,i=4096", ClientError::Syntax);
        check("r=abcXYZ,s=c2FsdA==,i=x", ClientError::Syntax);
        check("r=abcXYZ,s=c2FsdA==,i=1", ClientError::Iterations);
        check("r=abcXYZ,s=c2FsdA==,i=4000000000", ClientError::Iterations);
    }

    #[test]
    fn the_strongest_safe_mechanism_is_chosen() {
        use Mechanism::{Login, Plain, ScramSha256, ScramSha256Plus};
        let bound = || Security::Tls(ChannelBinding::new(Some([7; 32]), None));
        let check = |offered: &[Mechanism], security: Security, expected: Option<Mechanism>| {
            let client = Client::new(offered, "user", "pencil", &security);
            assert_eq!(client.map(|client| client.mechanism()).ok(), expected);
        };
        check(&[Plain, Login, ScramSha256, ScramSha256Plus], bound(), Some(ScramSha256Plus));
        check(&[Plain, Login, ScramSha256, ScramSha256Plus], Security::Tls(ChannelBinding::none()), Some(ScramSha256));
        check(&[Login, Plain], bound(), Some(Plain));
        check(&[Login], bound(), Some(Login));
        check(&[Login, Plain], Security::Plain, None);
        check(&[Login, ScramSha256], Security::Plain, Some(ScramSha256));
        check(&[], bound(), None);
    }

    #[test]
    fn a_client_that_could_bind_says_so() {
        let mut client = scram(&Security::Tls(ChannelBinding::new(Some([7; 32]), None)));
        assert_eq!(client.scram_first("abc").unwrap(), b"y,,n=user,r=abc");
    }
}
