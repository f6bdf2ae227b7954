//! The commands, a file for each group: what state they need, whom they ask, what they answer.

mod any_state;
mod login;
mod transport;

use super::cause::Cause;
use super::grammar::{self, Body};
use super::session::{Outcome, Session, is_for_strangers};

/// Does a command, or the first part of it.
pub(super) async fn begin(session: &mut Session, body: Body) -> Outcome {
    if session.login.is_none() && !is_for_strangers(&body) {
        return Err(Cause::LoginFirst);
    }
    match body {
        Body::Capability => session.capability(),
        Body::Noop => session.noop(),
        Body::Logout => session.logout(),
        Body::Id(_) => session.identify(),
        Body::StartTls => session.start_tls(),
        Body::Compress(algorithm) => session.compress(&algorithm),
        Body::Authenticate { mechanism, initial } => session.authenticate(&mechanism, initial).await,
        Body::Login { user, password } => session.log_in(&user, &password).await,
        Body::Unauthenticate => session.unauthenticate(),
        Body::Enable(names) => session.enable(&names),
        Body::Namespace => session.namespace(),
        _ => Err(Cause::Grammar(grammar::Cause::UnknownCommand)),
    }
}

/// Goes on with a line that was asked for.
pub(super) async fn answer(session: &mut Session, line: &[u8]) -> Outcome {
    session.login_answer(line).await
}
