//! The server's side of SCRAM: reads the client's two messages, writes ours, and says which key the proof fits.
//!
//! Whether a name exists is not known here. A caller with no account passes a made-up salt and keys that nothing fits,
//! so that both cases run through the same lines.

use super::{KEY_OCTETS, Key, KeyPair, hash, mac, xor};
use crate::auth::channel_binding::ChannelBinding;
use crate::types::limits::{SASL_MESSAGE_OCTETS_MAX, SCRAM_NONCE_OCTETS_MAX};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// Why a SCRAM message was refused. A wrong password is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramError {
    /// Not the grammar of RFC 5802 section 7.
    Syntax,
    TooLong,
    /// `m=`: the client insists on an extension (RFC 5802 section 5.1), and there are none.
    MandatoryExtension,
    /// `y`: the client believes we have no -PLUS, but it was offered. Somebody took it out of the list on the way.
    Downgrade,
    /// A binding was announced without -PLUS, or -PLUS was chosen without a binding.
    BindingMismatch,
    /// A binding type we don't have on this connection.
    BindingType,
    /// The `c=` attribute is not what this connection has: somebody sits in the middle.
    BindingData,
    /// The nonce is not the one we sent.
    Nonce,
}

impl fmt::Display for ScramError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Syntax => "the SCRAM message is malformed",
            Self::TooLong => "the SCRAM message is too long",
            Self::MandatoryExtension => "the client requires a SCRAM extension that does not exist here",
            Self::Downgrade => "the client was not shown SCRAM-SHA-256-PLUS, although it was offered",
            Self::BindingMismatch => "the SCRAM mechanism and the channel binding flag contradict each other",
            Self::BindingType => "the client asks for a channel binding that this connection does not have",
            Self::BindingData => "the client's channel binding is not that of this connection",
            Self::Nonce => "the client's final nonce is not the one it was sent",
        })
    }
}

impl std::error::Error for ScramError {}

/// Which of the two mechanisms the client chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Variant {
    Bare,
    Plus,
}

/// The client-first-message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::auth) struct ClientFirst {
    binding: Flag,
    gs2_header: String,
    bare: String,
    nonce: String,
    pub(in crate::auth) authorization: Option<String>,
    pub(in crate::auth) name: String,
}

/// The gs2-cbind-flag.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Flag {
    /// `n`
    Unsupported,
    /// `y`
    NotOffered,
    /// `p=`
    Used(String),
}

impl ClientFirst {
    pub(in crate::auth) fn parse(message: &[u8]) -> Result<Self, ScramError> {
        let message = text(message)?;
        let mut fields = message.splitn(3, ',');
        let (Some(flag), Some(authorization), Some(bare)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(ScramError::Syntax);
        };
        let binding = match flag {
            "n" => Flag::Unsupported,
            "y" => Flag::NotOffered,
            _ => Flag::Used(binding_name(flag.strip_prefix("p=").ok_or(ScramError::Syntax)?)?),
        };
        let authorization = match authorization {
            "" => None,
            some => Some(sasl_name(some.strip_prefix("a=").ok_or(ScramError::Syntax)?)?),
        };
        if bare.starts_with("m=") {
            return Err(ScramError::MandatoryExtension);
        }
        // What follows the nonce are extensions, which RFC 5802 section 5.1 lets us ignore.
        let mut fields = bare.split(',');
        let name = fields.next().and_then(|field| field.strip_prefix("n=")).ok_or(ScramError::Syntax)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(ScramError::Syntax)?;
        if nonce.is_empty() || !nonce.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(ScramError::Syntax);
        }
        if nonce.len() > SCRAM_NONCE_OCTETS_MAX {
            return Err(ScramError::TooLong);
        }
        Ok(Self {
            binding,
            gs2_header: message[..message.len() - bare.len()].to_owned(),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
            authorization,
            name: sasl_name(name)?,
        })
    }

    /// What the `c=` attribute must decode to, or why this flag is not acceptable here (RFC 5802 section 6).
    pub(in crate::auth) fn expected_binding(
        &self,
        variant: Variant,
        available: &ChannelBinding,
    ) -> Result<Vec<u8>, ScramError> {
        let data = match (&self.binding, variant) {
            (Flag::Used(name), Variant::Plus) => available.data(name).ok_or(ScramError::BindingType)?,
            (Flag::Unsupported | Flag::NotOffered, Variant::Plus) | (Flag::Used(_), Variant::Bare) => {
                return Err(ScramError::BindingMismatch);
            }
            // RFC 5802 section 6: having offered -PLUS, "y" is the sign of a downgrade.
            (Flag::NotOffered, Variant::Bare) if !available.is_empty() => return Err(ScramError::Downgrade),
            (Flag::Unsupported | Flag::NotOffered, Variant::Bare) => &[],
        };
        Ok([self.gs2_header.as_bytes(), data].concat())
    }
}

/// What was sent to the client and what its answer must fit.
#[derive(Clone)]
pub(in crate::auth) struct Challenge {
    client_first_bare: String,
    message: String,
    nonce: String,
    expected_binding: Vec<u8>,
}

/// A client-final-message that is in order, before anybody knows whether its proof fits.
struct ClientFinal<'message> {
    without_proof: &'message str,
    proof: Key,
}

impl Challenge {
    pub(in crate::auth) fn new(
        first: ClientFirst,
        expected_binding: Vec<u8>,
        server_nonce: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Self {
        let nonce = format!("{}{server_nonce}", first.nonce);
        let message = format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt));
        Self { client_first_bare: first.bare, message, nonce, expected_binding }
    }

    /// The server-first-message.
    pub(in crate::auth) fn message(&self) -> &str {
        &self.message
    }

    /// Which candidate the proof fits, and the server-final-message for it. Every candidate is tried, whatever fits.
    pub(in crate::auth) fn verify(
        &self,
        message: &[u8],
        candidates: &[KeyPair],
    ) -> Result<Option<(usize, String)>, ScramError> {
        let client_final = self.client_final(text(message)?)?;
        let auth_message =
            [&self.client_first_bare, ",", &self.message, ",", client_final.without_proof].concat().into_bytes();
        let mut fitting = None;
        for (index, candidate) in candidates.iter().enumerate() {
            let client_signature = mac(&candidate.stored_key, &[&auth_message]);
            let client_key = xor(&client_final.proof, &client_signature);
            if hash(&client_key).ct_eq(&candidate.stored_key).into() {
                fitting = Some((index, candidate));
            }
        }
        Ok(fitting.map(|(index, candidate)| {
            (index, format!("v={}", STANDARD.encode(mac(&candidate.server_key, &[&auth_message]))))
        }))
    }

    fn client_final<'message>(&self, message: &'message str) -> Result<ClientFinal<'message>, ScramError> {
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Syntax)?;
        let mut fields = without_proof.split(',');
        let binding = fields.next().and_then(|field| field.strip_prefix("c=")).ok_or(ScramError::Syntax)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(ScramError::Syntax)?;
        let binding = STANDARD.decode(binding).map_err(|_| ScramError::Syntax)?;
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Syntax)?;
        let proof: Key = proof.try_into().map_err(|_| ScramError::Syntax)?;
        if nonce != self.nonce {
            return Err(ScramError::Nonce);
        }
        if !bool::from(binding.ct_eq(&self.expected_binding)) {
            return Err(ScramError::BindingData);
        }
        Ok(ClientFinal { without_proof, proof })
    }
}

/// UTF-8 of bounded length without NUL (RFC 5802 section 7, `value-char`).
fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > SASL_MESSAGE_OCTETS_MAX {
        return Err(ScramError::TooLong);
    }
    match std::str::from_utf8(message) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(ScramError::Syntax),
    }
}

/// `cb-name`: letters, digits, `.` and `-`.
fn binding_name(name: &str) -> Result<String, ScramError> {
    let allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-');
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(ScramError::Syntax);
    }
    Ok(name.to_owned())
}

/// `saslname`: comma and equals sign are written `=2C` and `=3D`, and `=` stands for nothing else.
fn sasl_name(written: &str) -> Result<String, ScramError> {
    if written.is_empty() {
        return Err(ScramError::Syntax);
    }
    let mut pieces = written.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else if let Some(rest) = piece.strip_prefix("3D") {
            name.push('=');
            name.push_str(rest);
        } else {
            return Err(ScramError::Syntax);
        }
    }
    Ok(name)
}

/// 144 random bits, in characters a nonce may have.
pub(in crate::auth) fn random_nonce() -> Result<String, getrandom::Error> {
    let mut random = [0; 18];
    getrandom::fill(&mut random)?;
    Ok(STANDARD.encode(random))
}

const _: () = assert!(KEY_OCTETS == 32, "the base64 of a proof and of a signature is sized by SHA-256");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::password::Password;
    use proptest::prelude::*;

    const NONE: ChannelBinding = ChannelBinding::none();

    fn exporter() -> ChannelBinding {
        ChannelBinding::new(Some([7; 32]), None)
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!((first.name.as_str(), &first.authorization), ("user", &None));
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = KeyPair::derive(&Password::prepare("pencil").unwrap(), &salt, 4096);
        let other = KeyPair::derive(&Password::prepare("pencils").unwrap(), &salt, 4096);
        let binding = first.expected_binding(Variant::Bare, &NONE).unwrap();
        let challenge = Challenge::new(first, binding, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", &salt, 4096);
        assert_eq!(
            challenge.message(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_owned();
        let check = |candidates: &[KeyPair], expected| {
            assert_eq!(challenge.verify(client_final.as_bytes(), candidates), Ok(expected));
        };
        check(std::slice::from_ref(&keys), Some((0, server_final.clone())));
        check(std::slice::from_ref(&other), None);
        check(&[other.clone(), keys, other], Some((1, server_final)));
        check(&[], None);
    }

    #[test]
    fn client_first_messages() {
        let check = |message: &str, expected: Result<(&str, Option<&str>), ScramError>| {
            let first = ClientFirst::parse(message.as_bytes());
            let found = first.as_ref().map(|first| (first.name.as_str(), first.authorization.as_deref()));
            assert_eq!(found.map_err(|error| *error), expected, "{message}");
        };
        check("n,,n=user,r=abc", Ok(("user", None)));
        check("y,,n=user,r=abc", Ok(("user", None)));
        check("p=tls-exporter,,n=user,r=abc", Ok(("user", None)));
        check("n,a=boss,n=us=2Cer=3D,r=abc", Ok(("us,er=", Some("boss"))));
        check("n,,n=jörg@example.org,r=abc,x=extension", Ok(("jörg@example.org", None)));
        check("n,,m=must,n=user,r=abc", Err(ScramError::MandatoryExtension));
        check("", Err(ScramError::Syntax));
        check("n", Err(ScramError::Syntax));
        check("n,,", Err(ScramError::Syntax));
        check("x,,n=user,r=abc", Err(ScramError::Syntax));
        check("p=,,n=user,r=abc", Err(ScramError::Syntax));
        check("p=tls exporter,,n=user,r=abc", Err(ScramError::Syntax));
        check("n,boss,n=user,r=abc", Err(ScramError::Syntax));
        check("n,a=,n=user,r=abc", Err(ScramError::Syntax));
        check("n,,n=,r=abc", Err(ScramError::Syntax));
        check("n,,n=us=2cer,r=abc", Err(ScramError::Syntax));
        check("n,,n=user=,r=abc", Err(ScramError::Syntax));
        check("n,,n=user,r=", Err(ScramError::Syntax));
        check("n,,n=user,r=a b", Err(ScramError::Syntax));
        check("n,,n=user", Err(ScramError::Syntax));
        check("n,,r=abc,n=user", Err(ScramError::Syntax));
        check("n,,n=us\0er,r=abc", Err(ScramError::Syntax));
        check(&format!("n,,n=user,r={}", "a".repeat(SCRAM_NONCE_OCTETS_MAX + 1)), Err(ScramError::TooLong));
        check(&format!("n,,n={},r=abc", "a".repeat(SASL_MESSAGE_OCTETS_MAX)), Err(ScramError::TooLong));
    }

    #[test]
    fn flags_must_fit_the_mechanism_and_the_connection() {
        let check = |flag: &str, variant: Variant, available: &ChannelBinding, expected: Result<&[u8], ScramError>| {
            let first = ClientFirst::parse(format!("{flag},,n=user,r=abc").as_bytes()).unwrap();
            let binding = first.expected_binding(variant, available);
            assert_eq!(binding.as_deref().map_err(|error| *error), expected, "{flag} {variant:?}");
        };
        let end_point = ChannelBinding::for_tests(None, Some(b"hash"));
        check("n", Variant::Bare, &NONE, Ok(b"n,,"));
        check("n", Variant::Bare, &exporter(), Ok(b"n,,"));
        check("y", Variant::Bare, &NONE, Ok(b"y,,"));
        check("y", Variant::Bare, &exporter(), Err(ScramError::Downgrade));
        check("p=tls-exporter", Variant::Bare, &exporter(), Err(ScramError::BindingMismatch));
        check("n", Variant::Plus, &exporter(), Err(ScramError::BindingMismatch));
        check("y", Variant::Plus, &exporter(), Err(ScramError::BindingMismatch));
        check("p=tls-exporter", Variant::Plus, &exporter(), Ok(&[b"p=tls-exporter,,".as_slice(), &[7; 32]].concat()));
        check("p=tls-server-end-point", Variant::Plus, &end_point, Ok(b"p=tls-server-end-point,,hash"));
        check("p=tls-server-end-point", Variant::Plus, &exporter(), Err(ScramError::BindingType));
        check("p=tls-unique", Variant::Plus, &exporter(), Err(ScramError::BindingType));
        check("p=tls-exporter", Variant::Plus, &NONE, Err(ScramError::BindingType));
    }

    #[test]
    fn client_final_messages() {
        let first = ClientFirst::parse(b"n,,n=user,r=abc").unwrap();
        let challenge = Challenge::new(first, b"n,,".to_vec(), "XYZ", b"salt", 4096);
        let proof = STANDARD.encode([0; KEY_OCTETS]);
        let check = |message: String, expected| {
            assert_eq!(challenge.verify(message.as_bytes(), &[]), expected, "{message}");
        };
        check(format!("c=biws,r=abcXYZ,p={proof}"), Ok(None));
        check(format!("c=biws,r=abcXYZ,x=ext,p={proof}"), Ok(None));
        check(format!("c=biws,r=abc,p={proof}"), Err(ScramError::Nonce));
        check(format!("c=biws,r=abcXYZW,p={proof}"), Err(ScramError::Nonce));
        check(format!("c=eSws,r=abcXYZ,p={proof}"), Err(ScramError::BindingData));
        check(format!("c=,r=abcXYZ,p={proof}"), Err(ScramError::BindingData));
        check(format!("c=b*ws,r=abcXYZ,p={proof}"), Err(ScramError::Syntax));
        check("c=biws,r=abcXYZ".to_owned(), Err(ScramError::Syntax));
        check("c=biws,r=abcXYZ,p=".to_owned(), Err(ScramError::Syntax));
        check("c=biws,r=abcXYZ,p=AAAA".to_owned(), Err(ScramError::Syntax));
        check(format!("c=biws,r=abcXYZ,p={proof},x=ext"), Err(ScramError::Syntax));
        check(format!("r=abcXYZ,c=biws,p={proof}"), Err(ScramError::Syntax));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_message_makes_it_panic(octets in prop::collection::vec(any::<u8>(), 0..200), text in "[nypamrcvs=,2C3Da-z ]{0,80}") {
            let challenge =
                Challenge::new(ClientFirst::parse(b"n,,n=u,r=a").unwrap(), b"n,,".to_vec(), "b", b"salt", 4096);
            for message in [octets.as_slice(), text.as_bytes()] {
                let _ = ClientFirst::parse(message);
                let _ = challenge.verify(message, &[]);
            }
        }

        #[test]
        fn names_survive_writing_and_reading(name in "[^\0]{1,30}") {
            let written = crate::auth::client::escaped(&name);
            prop_assert_eq!(sasl_name(&written), Ok(name));
        }
    }
}
