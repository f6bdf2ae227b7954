//! One session, without sockets and timers: events of the framer in; replies, and what to do next, out.
//!
//! Invariants:
//! - every command gets exactly one tagged reply, after everything that belongs to it;
//! - what happened in the selected mailbox is told at the end of a command and while the client listens, nowhere else;
//! - nothing that came before TLS counts after it (RFC 9051 section 6.2.1);
//! - a command that has much to say says it in pieces (`Step::GoOn`), between which the driver writes.
//!
//! Each command's rules are in the file of its group under `cmd/`.

use super::cause::{self, Cause};
use super::cmd;
use super::framing::{Fatal, Framed, Refusal, Sizes};
use super::grammar::{self, Addressing, Body, Command, Mode, Tag};
use super::replies::{Code, Replies, Status, Utf8};
use super::selected::Selected;
use super::uploads::Uploads;
use super::view::{Dialect, Expunges};
use super::work::Work;
use crate::auth::{Auth, Authenticated, Negotiation, Peer};
use crate::delivery::Delivery;
use crate::mailbox::Mailboxes;
use crate::telemetry::SessionId;
use crate::types::limits::IMAP_ERRORS_MAX;
use crate::types::{AccountId, Clock, Domain, UidSet};
use std::sync::Arc;
use std::time::Duration;

/// What all sessions share.
#[derive(Clone)]
pub struct Services {
    pub auth: Auth,
    pub mailboxes: Mailboxes,
    /// Runs scripts over mail in mailboxes.
    pub delivery: Delivery,
    pub clock: Arc<dyn Clock>,
    /// By which URLs of clients name this server.
    pub hostname: Domain,
    /// Where scripts are put by ManageSieve, if anywhere.
    pub managesieve_port: Option<u16>,
    /// The most messages that one command works on (RFC 9738).
    pub messages_max: u32,
    /// Silence after which a session ends that is logged in.
    pub idle: Duration,
    /// After which a command counts as one that takes long, and how often its client is told that it goes on (RFC 9585).
    pub patience: Duration,
    pub progress: Duration,
    /// How long a client that idles hears nothing, before it is told that we are still here.
    pub keepalive: Duration,
}

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send what is written and feed the next event.
    Read,
    /// The same, but what comes next is a line and no command.
    ReadLine,
    /// Send if there is much, and call [`Session::go_on`].
    GoOn,
    /// Send, shake hands, call [`Session::encrypted`].
    StartTls,
    /// Send, compress from here on.
    Compress,
    /// Send and hang up.
    Close,
}

/// What a handler has done.
pub(super) enum Done {
    Completed(Option<Code>),
    /// The tagged reply comes later: there is something to do or to read first.
    Later(Step),
    /// Completed, and then this.
    CompletedThen(Step),
}

pub(super) type Outcome = Result<Done, Cause>;

pub(super) const COMPLETED: Done = Done::Completed(None);

/// The connection as the session sees it.
pub(super) struct Link {
    pub(super) peer: Peer,
    pub(super) can_start_tls: bool,
    pub(super) encrypted: bool,
    pub(super) compressed: bool,
}

/// What the client has switched on (RFC 5161) or by using it (RFC 7162 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Enabled {
    pub(super) rev2: bool,
    pub(super) utf8_accept: bool,
    pub(super) condstore: bool,
    pub(super) qresync: bool,
    pub(super) uid_only: bool,
}

/// What is told between commands (RFC 5465).
pub(super) enum Notifying {
    /// The client never asked: the selected mailbox while it is idle, and nothing else.
    Unasked,
    Nothing,
    Set(Box<cmd::Notifier>),
}

pub(super) struct Session {
    pub(super) services: Arc<Services>,
    pub(super) id: SessionId,
    pub(super) link: Link,
    pub(super) replies: Replies,
    pub(super) login: Option<Authenticated>,
    pub(super) enabled: Enabled,
    /// A SASL exchange between the client's lines.
    pub(super) negotiation: Option<Negotiation>,
    pub(super) selected: Option<Box<Selected>>,
    /// Messages that come in with a command.
    pub(super) uploads: Uploads,
    /// Why the literal that is being read past is not wanted.
    pub(super) refused_upload: Option<(Option<Tag>, Cause)>,
    /// Between IDLE and DONE.
    pub(super) idling: bool,
    /// What NOTIFY has asked for.
    pub(super) notifying: Notifying,
    /// The command that is being done, if it did not end at once.
    pub(super) tag: Option<Tag>,
    /// How far it has come.
    pub(super) work: Arc<Work>,
    /// What its end may tell.
    expunges: Expunges,
    next: Option<Next>,
    /// Refused commands in a row.
    errors: u32,
}

/// What `go_on` has to do.
enum Next {
    Begin(Command),
    Answer(Vec<u8>),
    Run(Box<Running>),
}

/// A command that is done in pieces.
pub(super) enum Running {
    Fetching(cmd::Fetching),
    Telling(cmd::Telling),
    Filtering(Box<cmd::Filtering>),
}

impl Session {
    pub(super) fn new(services: Arc<Services>, id: SessionId, link: Link) -> Self {
        Self {
            services,
            id,
            link,
            replies: Replies::default(),
            login: None,
            enabled: Enabled::default(),
            negotiation: None,
            selected: None,
            uploads: Uploads::default(),
            refused_upload: None,
            idling: false,
            notifying: Notifying::Unasked,
            tag: None,
            work: Arc::default(),
            expunges: Expunges::Deferred,
            next: None,
            errors: 0,
        }
    }

    pub(super) fn greet(&mut self) {
        let code = Code::Capability(self.capabilities());
        self.replies.untagged(Status::Ok, Some(&code), "Mail is here");
    }

    pub(super) fn mode(&self) -> Mode {
        Mode {
            utf8_names: self.enabled.rev2 || self.enabled.utf8_accept,
            charset_refused: self.enabled.utf8_accept && !self.enabled.rev2,
        }
    }

    pub(super) fn command(&mut self, framed: Framed<'_>) -> Step {
        match grammar::parse(framed, self.mode()) {
            Ok(command) => {
                self.next = Some(Next::Begin(command));
                Step::GoOn
            }
            Err(grammar::Refused { tag, cause }) => {
                // RFC 5182 section 2.1: a search that was answered NO leaves nothing saved.
                if let (grammar::Cause::BadCharsetUnsaved, Some(selected)) = (cause, &mut self.selected) {
                    selected.view.save(UidSet::new());
                }
                self.refuse(tag.as_ref(), &Cause::Grammar(cause))
            }
        }
    }

    /// Whether a command is about to begin.
    pub(super) fn begins(&self) -> bool {
        matches!(self.next, Some(Next::Begin(_)))
    }

    /// A line the session asked for with [`Step::ReadLine`].
    pub(super) fn line(&mut self, line: &[u8]) -> Step {
        self.next = Some(Next::Answer(line.to_vec()));
        Step::GoOn
    }

    /// A command that was not kept.
    pub(super) fn refused(&mut self, so_far: &[u8], cause: Refusal) -> Step {
        if let Some((tag, cause)) = self.refused_upload.take() {
            return self.refuse(tag.as_ref(), &cause);
        }
        if let Some(tag) = self.tag.take() {
            // A line that answers a challenge, and is too long for one.
            self.negotiation = None;
            self.idling = false;
            return self.refuse(Some(&tag), &Cause::Framing(cause));
        }
        self.refuse(grammar::tag_of(so_far).as_ref(), &Cause::Framing(cause))
    }

    pub(super) fn fatal(&mut self, fatal: Fatal) -> Step {
        self.bye(None, cause::fatal_text(fatal))
    }

    pub(super) fn timed_out(&mut self) -> Step {
        self.bye(Some(&Code::Unavailable), "Nothing was heard from you for too long")
    }

    pub(super) fn shut_down(&mut self) -> Step {
        self.bye(Some(&Code::Unavailable), "The server stops, come back soon")
    }

    pub(super) fn bye(&mut self, code: Option<&Code>, text: &str) -> Step {
        self.replies.bye(code, text);
        Step::Close
    }

    /// TLS is on now: whatever the client said before does not count.
    pub(super) fn encrypted(&mut self, link: Link) {
        *self = Self::new(Arc::clone(&self.services), self.id, link);
    }

    /// The client doesn't read: a command that is done in pieces lets go of what it can look up again.
    pub(super) fn rest(&mut self) {
        let Some(Next::Run(running)) = &mut self.next else { return };
        match &mut **running {
            Running::Fetching(fetching) => fetching.rest(),
            Running::Telling(telling) => telling.rest(),
            Running::Filtering(_) => {}
        }
    }

    /// Does the next piece of what there is to do.
    pub(super) async fn go_on(&mut self) -> Step {
        // Boxed, so that a session that waits does not keep room for the largest of all handlers.
        let outcome = match self.next.take() {
            Some(Next::Begin(Command { tag, body })) => {
                self.work.begin(&tag, &body);
                self.tag = Some(tag);
                self.expunges = expunges_at_the_end(&body);
                Box::pin(cmd::begin(self, body)).await
            }
            Some(Next::Answer(line)) => Box::pin(cmd::answer(self, &line)).await,
            Some(Next::Run(running)) => Box::pin(cmd::run(self, *running)).await,
            None => return Step::Read,
        };
        self.end(outcome).await
    }

    /// More is to be done, after what there is to say was written.
    #[allow(clippy::unnecessary_wraps)] // the end of a handler
    pub(super) fn run(&mut self, running: Running) -> Outcome {
        self.next = Some(Next::Run(Box::new(running)));
        Ok(Done::Later(Step::GoOn))
    }

    async fn end(&mut self, outcome: Outcome) -> Step {
        if let Ok(Done::Later(step)) = outcome {
            return step;
        }
        self.work.end();
        self.uploads.clear();
        if let Some(step) = Box::pin(self.tell_news(self.expunges)).await {
            return step;
        }
        if let Notifying::Set(_) = self.notifying {
            Box::pin(self.tell_all_events()).await;
        }
        let (code, step) = match outcome {
            Ok(Done::Later(step)) => return step,
            Ok(Done::Completed(code)) => (code, Step::Read),
            Ok(Done::CompletedThen(step)) => (None, step),
            Err(cause) => {
                let tag = self.tag.take();
                return self.refuse(tag.as_ref(), &cause);
            }
        };
        self.errors = 0;
        if let Some(tag) = self.tag.take() {
            self.replies.tagged(tag.as_str(), Status::Ok, code.as_ref(), "Done");
        }
        step
    }

    /// Whether the client is told things as they happen.
    pub(super) fn listens(&self) -> bool {
        match &self.notifying {
            Notifying::Unasked => self.idling && self.selected.is_some(),
            Notifying::Nothing => false,
            Notifying::Set(notifier) => {
                notifier.rules.has_others() || (self.selected.is_some() && notifier.rules.selected.wanted.messages)
            }
        }
    }

    async fn tell_all_events(&mut self) {
        if let Err(cause) = self.tell_events().await {
            // The next event is told with what is so by then.
            tracing::error!(session = %self.id, ?cause, "events could not be told");
        }
    }

    /// Returns when there is something to tell. May be dropped at any time.
    pub(super) async fn news(&mut self) {
        let Self { selected, notifying, .. } = self;
        match (selected, notifying) {
            (Some(selected), Notifying::Set(notifier)) if notifier.rules.selected.wanted.messages => {
                tokio::select! {
                    () = selected.news() => {}
                    () = notifier.feeds.heard() => {}
                }
            }
            (_, Notifying::Set(notifier)) => notifier.feeds.heard().await,
            (Some(selected), _) => selected.news().await,
            (None, _) => std::future::pending().await,
        }
    }

    /// Tells it.
    pub(super) async fn push(&mut self) -> Option<Step> {
        let Notifying::Set(notifier) = &self.notifying else {
            return Box::pin(self.tell_news(Expunges::Allowed)).await;
        };
        let of_selected = &notifier.rules.selected;
        let expunges = if of_selected.delayed && !self.idling { Expunges::Deferred } else { Expunges::Allowed };
        if of_selected.wanted.messages
            && let Some(step) = Box::pin(self.tell_news(expunges)).await
        {
            return Some(step);
        }
        Box::pin(self.tell_all_events()).await;
        None
    }

    /// So that nothing on the way takes the connection for dead.
    pub(super) fn keep_alive(&mut self) {
        self.replies.untagged(Status::Ok, None, "Still here");
    }

    pub(super) fn refuse(&mut self, tag: Option<&Tag>, cause: &Cause) -> Step {
        self.uploads.clear();
        let answer = cause.answer();
        let mut text = answer.text;
        if cause.is_ours() {
            tracing::error!(session = %self.id, ?cause, "a command could not be done");
            text = format!("{text} [{}]", self.id).into();
        } else {
            tracing::debug!(session = %self.id, ?cause, "refused");
        }
        if matches!(cause, Cause::WithinReply(_)) {
            return Step::Close;
        }
        match tag {
            Some(tag) => self.replies.tagged(tag.as_str(), answer.status, answer.code.as_ref(), &text),
            None => self.replies.untagged(answer.status, answer.code.as_ref(), &text),
        }
        self.errors += u32::from(answer.status == Status::Bad || self.login.is_none());
        if self.errors >= IMAP_ERRORS_MAX {
            return self.bye(None, "Too many errors");
        }
        Step::Read
    }

    /// After a change of what the client reads.
    pub(super) fn adapt_replies(&mut self) {
        self.replies.utf8 = if self.mode().utf8_names { Utf8::Welcome } else { Utf8::Never };
    }

    /// Whose mail is meant.
    pub(super) fn viewer(&self) -> Result<AccountId, Cause> {
        Ok(self.person()?.account())
    }

    pub(super) fn dialect(&self) -> Dialect {
        match (self.enabled.uid_only, self.enabled.qresync) {
            (true, _) => Dialect::UidOnly,
            (false, true) => Dialect::Vanished,
            (false, false) => Dialect::Numbers,
        }
    }

    pub(super) fn sizes(&self) -> Sizes {
        if self.login.is_some() { Sizes::AFTER_LOGIN } else { Sizes::BEFORE_LOGIN }
    }

    pub(super) fn person(&self) -> Result<&Authenticated, Cause> {
        self.login.as_ref().ok_or(Cause::LoginFirst)
    }
}

/// RFC 9051 section 7.5.1: nothing may renumber messages while a command speaks of them by number.
fn expunges_at_the_end(body: &Body) -> Expunges {
    let addressing = match body {
        Body::Fetch(fetch) => fetch.addressing,
        Body::Store(store) => store.addressing,
        Body::Search { addressing, .. } | Body::Sort { addressing, .. } | Body::Thread { addressing, .. } => {
            *addressing
        }
        _ => Addressing::Uid,
    };
    if addressing == Addressing::Sequence { Expunges::Deferred } else { Expunges::Allowed }
}

/// Whether a command may come before login.
pub(super) fn is_for_strangers(body: &Body) -> bool {
    matches!(
        body,
        Body::Capability
            | Body::Noop
            | Body::Logout
            | Body::Id(_)
            | Body::StartTls
            | Body::Authenticate { .. }
            | Body::Login { .. }
    )
}
