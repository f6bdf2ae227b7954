//! Answers what a session asks: who logs in, by `auth`; what becomes of his scripts, by `admin`.

use super::cause::Cause;
use super::session::{Answer, Ask, ScriptAsk};
use crate::admin::{
    Act, Admin, Caller, ScriptActivate, ScriptCheck, ScriptPut, ScriptRemove, ScriptRename, ScriptWhere,
};
use crate::auth::{Auth, Authenticated, FinalData, Mechanism, Negotiation, Peer, Progress, Security};
use crate::filter::{self, ScriptKind};
use crate::types::Address;
use std::sync::Arc;
use std::time::Duration;

/// What all sessions share.
#[derive(Clone)]
pub struct Services {
    pub auth: Auth,
    pub admin: Admin,
    /// Silence after which a session ends that is logged in.
    pub idle: Duration,
}

/// One session's desk.
pub(super) struct Desk {
    services: Arc<Services>,
    peer: Peer,
    negotiation: Option<Negotiation>,
    login: Option<Login>,
}

struct Login {
    proof: Authenticated,
    /// Just now: what was true of the account a moment ago need not be asked again.
    is_fresh: bool,
}

impl Desk {
    pub(super) fn new(services: Arc<Services>, peer: Peer) -> Self {
        Self { services, peer, negotiation: None, login: None }
    }

    pub(super) fn mechanisms(&self) -> &'static [Mechanism] {
        self.services.auth.offered(&self.peer)
    }

    /// TLS is on now: other mechanisms are on offer, and nobody has logged in.
    pub(super) fn encrypted(&mut self, security: Security) {
        self.peer.security = security;
        self.negotiation = None;
        self.login = None;
    }

    pub(super) async fn answer(&mut self, ask: Ask) -> Answer {
        let outcome = match ask {
            Ask::LogIn { mechanism, initial } => {
                self.begin(&mechanism, initial.as_ref().map(|initial| initial.reveal().as_slice())).await
            }
            Ask::GoOn(message) => self.go_on(message.reveal()).await,
            Ask::LogOut => {
                self.login = None;
                Ok(Answer::LoggedOut)
            }
            Ask::Scripts(ask) => self.scripts(ask).await,
        };
        outcome.unwrap_or_else(Answer::Refused)
    }

    async fn begin(&mut self, mechanism: &str, initial: Option<&[u8]>) -> Result<Answer, Cause> {
        let auth = &self.services.auth;
        let mut negotiation = auth.negotiate(&self.peer, mechanism, FinalData::WithSuccess).map_err(Cause::Auth)?;
        let progress = auth.start(&mut negotiation, initial).await;
        self.progress(negotiation, progress)
    }

    async fn go_on(&mut self, message: &[u8]) -> Result<Answer, Cause> {
        let mut negotiation = self.negotiation.take().ok_or(Cause::OutOfStep)?;
        let progress = self.services.auth.step(&mut negotiation, message).await;
        self.progress(negotiation, progress)
    }

    fn progress(&mut self, negotiation: Negotiation, progress: Progress) -> Result<Answer, Cause> {
        match progress {
            Progress::Challenge(challenge) => {
                self.negotiation = Some(negotiation);
                Ok(Answer::Challenge(challenge))
            }
            Progress::Done { session, data } => {
                let owner = session.address().to_string();
                self.login = Some(Login { proof: session, is_fresh: true });
                Ok(Answer::LoggedIn { owner, data })
            }
            Progress::Failed(failure) => Err(Cause::Auth(failure)),
        }
    }

    /// The proof that makes it so, if it still does: sessions may last for days.
    async fn owner(&mut self) -> Result<&Authenticated, Cause> {
        let login = self.login.as_mut().ok_or(Cause::LoginFirst)?;
        let is_fresh = std::mem::take(&mut login.is_fresh);
        let still_valid = self.services.auth.still_valid(&login.proof);
        if !is_fresh && !still_valid.await.map_err(|error| Cause::Admin(error.into()))? {
            return Err(Cause::LoginEnded);
        }
        Ok(&login.proof)
    }

    async fn scripts(&mut self, ask: ScriptAsk) -> Result<Answer, Cause> {
        let origin = self.peer.address.to_string();
        let services = Arc::clone(&self.services);
        let proof = self.owner().await?;
        let caller = Caller { author: proof.author(), origin, progress: crate::admin::Progress::default() };
        perform(&services.admin, &caller, proof.address(), ask).await
    }
}

async fn perform(admin: &Admin, caller: &Caller, owner: &Address, ask: ScriptAsk) -> Result<Answer, Cause> {
    let place = ScriptWhere::Address(owner.clone());
    let done = match ask {
        ScriptAsk::HaveSpace { name, octets } => admin.script_room(owner, &name, octets).await.map(|()| Answer::Done),
        ScriptAsk::Put { name, text } => {
            let put = ScriptPut { place, name, text: readable(text)?, activate: false };
            put.run(admin, caller).await.map(|done| Answer::Compiled { warnings: done.warnings })
        }
        ScriptAsk::Check { text } => {
            let check = ScriptCheck { place, name: String::new(), text: readable(text)? };
            check.run(admin, caller).await.map(|checked| Answer::Compiled { warnings: checked.warnings })
        }
        ScriptAsk::List => {
            let shown = admin.shown_scripts(owner).await;
            shown.map(|shown| Answer::List(shown.into_iter().map(|script| (script.name, script.is_active)).collect()))
        }
        ScriptAsk::Activate { name } => {
            let activate = ScriptActivate { place, names: name.into_iter().collect() };
            activate.run(admin, caller).await.map(|_| Answer::Done)
        }
        ScriptAsk::Get { name } => admin.shown_script(owner, &name).await.map(Answer::Text),
        ScriptAsk::Delete { name } => ScriptRemove { place, name }.run(admin, caller).await.map(|_| Answer::Done),
        ScriptAsk::Rename { from, to } => {
            let rename = ScriptRename { address: owner.clone(), from, to };
            rename.run(admin, caller).await.map(|_| Answer::Done)
        }
    };
    done.map_err(Cause::Admin)
}

/// RFC 5228 section 2.1. The compiler says where a text stops being UTF-8.
fn readable(text: Vec<u8>) -> Result<String, Cause> {
    String::from_utf8(text).map_err(|error| {
        let compiled = filter::compile(error.as_bytes(), ScriptKind::Personal);
        Cause::NoText(compiled.err().map_or_else(|| error.to_string(), |error| error.to_string()))
    })
}
