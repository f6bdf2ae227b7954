//! A message to try the rules on: a real one, or a plain sample, with what is assumed of it where nobody looks at DNS or
//! at the client that would bring it.

use super::{Answers, Delivery, DeliveryError, Explanation, Mail, Origin};
use crate::message::{self, HeaderFields, NewField, Protocol, Received};
use crate::types::{Address, Envelope, Recipient, Timestamp};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Trial {
    pub to: Address,
    pub sender: TrialSender,
    pub at: Timestamp,
    /// As a file has it; none: a sample.
    pub message: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialSender {
    /// What the message says of itself: Return-Path, else From.
    OfMessage,
    /// As of a bounce.
    Null,
    Address(Address),
}

/// What would happen, and on which assumptions.
#[derive(Clone, Debug)]
pub struct Tried {
    /// None: the null sender.
    pub sender: Option<Address>,
    pub assumed: Vec<String>,
    pub explanation: Explanation,
}

/// Whoever the sample is from.
const SAMPLE_SENDER: &str = "someone@elsewhere.example";

impl Delivery {
    /// What would become of a message that comes from outside. Changes nothing.
    pub async fn try_out(&self, trial: Trial) -> Result<Tried, DeliveryError> {
        let Trial { to, sender, at, message } = trial;
        let is_sample = message.is_none();
        let mut octets = match message {
            Some(file) => message::to_crlf(without_envelope_line(&file)).into_owned(),
            None => sample(&to, &sender, at),
        };
        let is_of_message = sender == TrialSender::OfMessage;
        let sender = match sender {
            TrialSender::Null => None,
            TrialSender::Address(address) => Some(address),
            TrialSender::OfMessage => sender_of(&octets),
        };
        let mut assumed = assumptions(&octets, is_sample);
        if is_of_message && sender.is_none() && HeaderFields::first(&octets, "Return-Path").is_none() {
            assumed.push("the null sender, as the message names none".to_owned());
        }
        let received = Received {
            helo: None,
            client_name: None,
            client_ip: None,
            by: &self.0.hostname,
            protocol: Protocol { is_extended: true, ..Protocol::default() },
            tls_cipher: None,
            id: "explain",
            recipient: None,
            at,
            offset_seconds: 0,
        };
        octets.splice(0..0, received.field().raw().iter().copied());
        let envelope =
            Envelope { sender: sender.clone(), recipients: vec![Recipient::plain(to)], ..Envelope::default() };
        let mail = Mail {
            envelope,
            origin: Origin::Mx,
            now: at,
            remote_ip: None,
            remote_host: None,
            session: "explain".to_owned(),
            verdicts: String::new(),
            not_forwarded: None,
        };
        let explanation = self.explain(mail, Answers::One, octets).await?;
        Ok(Tried { sender, assumed, explanation })
    }
}

/// Of an mbox, the line before the message is no part of it (RFC 4155).
fn without_envelope_line(file: &[u8]) -> &[u8] {
    match file.strip_prefix(b"From ") {
        Some(rest) => rest.iter().position(|octet| *octet == b'\n').map_or(b"", |end| &rest[end + 1..]),
        None => file,
    }
}

fn sample(to: &Address, sender: &TrialSender, at: Timestamp) -> Vec<u8> {
    let from = match sender {
        TrialSender::Address(address) => address.to_string(),
        TrialSender::OfMessage => SAMPLE_SENDER.to_owned(),
        TrialSender::Null => "mailer-daemon@elsewhere.example".to_owned(),
    };
    let mut octets = Vec::new();
    let fields = [
        NewField::new("Date", &message::format_date(at, 0)),
        NewField::new("From", &from),
        NewField::new("To", &to.to_string()),
        NewField::new("Subject", "A sample message"),
        NewField::new("Message-ID", "<sample@elsewhere.example>"),
        NewField::new("MIME-Version", "1.0"),
        NewField::new("Content-Type", "text/plain; charset=utf-8"),
    ];
    fields.into_iter().flatten().for_each(|field| octets.extend_from_slice(field.raw()));
    octets.extend_from_slice(b"\r\nA plain text of one line.\r\n");
    octets
}

fn sender_of(message: &[u8]) -> Option<Address> {
    if let Some(path) = HeaderFields::first(message, "Return-Path") {
        let path = String::from_utf8_lossy(path.value()).trim().to_owned();
        let inside = path.trim_start_matches('<').trim_end_matches('>').trim();
        if inside.is_empty() {
            return None;
        }
        if let Ok(address) = Address::parse(inside) {
            return Some(address);
        }
    }
    let from = HeaderFields::first(message, "From");
    from.and_then(|from| message::mailboxes(from.value()).find_map(|mailbox| mailbox.address()))
}

/// What a real arrival would find out by asking DNS, or would have written into the message before any script sees it.
fn assumptions(octets: &[u8], is_sample: bool) -> Vec<String> {
    let mut assumed = Vec::new();
    if is_sample {
        assumed.push("a plain sample message, as none was given".to_owned());
    }
    assumed.push(match super::outward::spam_status(octets) {
        Some(status) => format!("judged on arrival as its header X-Spam-Status says: {status}"),
        None => "not judged spam".to_owned(),
    });
    let results = HeaderFields::first(octets, "Authentication-Results");
    assumed.push(match results.map(|field| String::from_utf8_lossy(&field.unfolded()).trim().to_owned()) {
        Some(results) => format!("SPF, DKIM and DMARC not looked at again; the message says {results}"),
        None => "SPF, DKIM and DMARC not looked at, and taken as passed".to_owned(),
    });
    assumed
}
