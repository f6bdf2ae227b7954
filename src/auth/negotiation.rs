//! A SASL exchange with accounts behind it: answers the questions of [`super::sasl`] and says who it turned out to be.

use super::authenticated::Authenticated;
use super::channel_binding::ChannelBinding;
use super::failure::AuthFailure;
use super::sasl::{Answer, Exchange, FinalData, Mechanism, Question, SaslError, Security, Step};
use super::scram::KeyPair;
use super::service::{Auth, Peer, app_passwords};
use super::throttle::Attempt;
use crate::store::LoginRecord;

/// One attempt to log in by SASL, between the messages of the client.
pub struct Negotiation {
    peer: Peer,
    mechanism: Mechanism,
    exchange: Exchange,
    name: String,
    scram: Option<Scram>,
    outcome: Option<Result<Authenticated, AuthFailure>>,
}

/// What the client's proof will be held against.
struct Scram {
    attempt: Attempt,
    /// None: a stranger's.
    record: Option<LoginRecord>,
    /// Of the candidates, in their order; none is the main password.
    labels: Vec<Option<String>>,
}

/// What to tell the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    Challenge(Vec<u8>),
    Done {
        session: Authenticated,
        /// Only with [`FinalData::WithSuccess`].
        data: Option<Vec<u8>>,
    },
    Failed(AuthFailure),
}

impl Negotiation {
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }
}

impl Auth {
    /// Begins an exchange, if the mechanism is one of those offered to this peer.
    pub fn negotiate(&self, peer: &Peer, mechanism: &str, final_data: FinalData) -> Result<Negotiation, AuthFailure> {
        let offered = self.offered(peer);
        if offered.is_empty() {
            return Err(AuthFailure::EncryptionRequired);
        }
        let mechanism = Mechanism::from_name(mechanism)
            .filter(|mechanism| offered.contains(mechanism))
            .ok_or(AuthFailure::MechanismNotOffered)?;
        let binding = match &peer.security {
            Security::Tls(binding) => binding.clone(),
            Security::Plain => ChannelBinding::none(),
        };
        Ok(Negotiation {
            peer: peer.clone(),
            mechanism,
            exchange: Exchange::new(mechanism, binding, final_data),
            name: String::new(),
            scram: None,
            outcome: None,
        })
    }

    /// The first step, with the initial response if the command carried one.
    pub async fn start(&self, negotiation: &mut Negotiation, initial: Option<&[u8]>) -> Progress {
        let step = negotiation.exchange.start(initial);
        self.drive(negotiation, step).await
    }

    /// The client's next message, decoded.
    pub async fn step(&self, negotiation: &mut Negotiation, message: &[u8]) -> Progress {
        let step = negotiation.exchange.step(message);
        self.drive(negotiation, step).await
    }

    async fn drive(&self, negotiation: &mut Negotiation, mut step: Step) -> Progress {
        let result = loop {
            step = match step {
                Step::Challenge(challenge) => return Progress::Challenge(challenge),
                Step::Ask(question) => {
                    let answer = self.answer(negotiation, question).await;
                    negotiation.exchange.answer(answer)
                }
                Step::Done(data) => match negotiation.outcome.take() {
                    Some(Ok(session)) => break Ok((session, data)),
                    _ => break Err(AuthFailure::Exchange(SaslError::OutOfOrder)),
                },
                Step::Refused => match negotiation.outcome.take() {
                    Some(Err(failure)) => break Err(failure),
                    _ => break Err(AuthFailure::WrongCredentials),
                },
                Step::Failed(error) => break Err(AuthFailure::Exchange(error)),
            };
        };
        let reported = result.as_ref().map(|(session, _)| session);
        self.report(&negotiation.peer, &negotiation.name, negotiation.mechanism, reported);
        match result {
            Ok((session, data)) => Progress::Done { session, data },
            Err(failure) => Progress::Failed(failure),
        }
    }

    /// Decides a question; what was decided stays in the negotiation until the exchange ends.
    async fn answer(&self, negotiation: &mut Negotiation, question: Question) -> Answer {
        let mechanism = negotiation.mechanism;
        let outcome = match question {
            Question::Password { authorization, name, password } => {
                negotiation.name.clone_from(&name);
                let authorization = authorization.as_deref();
                self.check_password(&negotiation.peer, mechanism, authorization, &name, &password).await
            }
            Question::Keys { name } => {
                negotiation.name.clone_from(&name);
                match self.keys(&negotiation.peer, &name).await {
                    Ok((scram, answer)) => {
                        negotiation.scram = Some(scram);
                        return answer;
                    }
                    Err(failure) => Err(failure),
                }
            }
            Question::Proof { authorization, name, fitting } => match negotiation.scram.take() {
                Some(scram) => self.proven(scram, mechanism, authorization.as_deref(), &name, fitting).await,
                None => Err(AuthFailure::Exchange(SaslError::OutOfOrder)),
            },
        };
        let answer = if outcome.is_ok() { Answer::Accepted } else { Answer::Refused };
        negotiation.outcome = Some(outcome);
        answer
    }

    async fn keys(&self, peer: &Peer, name: &str) -> Result<(Scram, Answer), AuthFailure> {
        let attempt = self.attempt(peer, name)?;
        let record = self.record(name).await?;
        let known = record.as_ref().and_then(|record| record.credentials.as_ref());
        let (salt, iterations) =
            known.map_or_else(|| self.strangers_salt(name), |known| (known.scram_salt.clone(), known.scram_iterations));
        let mut labels = vec![None];
        let mut candidates = vec![match known {
            Some(known) => {
                let stored = [known.scram_stored_key.as_slice(), &known.scram_server_key].concat();
                super::app_password::from_stored_form(&stored).ok_or(AuthFailure::Damaged)?
            }
            None => self.strangers_keys(name),
        }];
        if let Some(record) = record.as_ref().filter(|_| known.is_some()) {
            let (more_labels, keys): (Vec<String>, Vec<KeyPair>) = app_passwords(record)?.into_iter().unzip();
            labels.extend(more_labels.into_iter().map(Some));
            candidates.extend(keys);
        }
        let record = record.filter(|record| record.credentials.is_some());
        Ok((Scram { attempt, record, labels }, Answer::Keys { salt, iterations, candidates }))
    }

    async fn proven(
        &self,
        scram: Scram,
        mechanism: Mechanism,
        authorization: Option<&str>,
        name: &str,
        fitting: Option<usize>,
    ) -> Result<Authenticated, AuthFailure> {
        self.admit(&scram.attempt)?;
        // Whoever took his time with the proof is held against what is true now: the password may have been changed, the
        // account suspended. A stranger is looked up again as well.
        let now = self.record(name).await?;
        let (Some(index), Some(record), Some(then)) = (fitting, now, scram.record) else {
            return Err(self.wrong_proof(&scram.attempt));
        };
        let Some(label) = scram.labels.into_iter().nth(index).filter(|_| record.generation == then.generation) else {
            return Err(self.wrong_proof(&scram.attempt));
        };
        self.accept(&scram.attempt, record, label, mechanism, authorization).await
    }
}
