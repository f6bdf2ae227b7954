//! The commands, a file for each group: what state they need, whom they ask, what they answer.

mod acl;
mod any_state;
mod append;
mod catenate;
mod expunge;
mod fetch;
mod fetching;
mod filter;
mod idle;
mod large;
mod list;
mod login;
mod mailboxes;
mod metadata;
mod multi_search;
mod notify;
mod quota;
mod search;
mod select;
mod sort;
mod store;
mod transport;
mod uid_batches;

pub(super) use fetching::Fetching;
pub(super) use filter::Filtering;
pub(super) use notify::Notifier;
pub(super) use store::Telling;

use super::cause::Cause;
use super::grammar::{self, Addressing, Body};
use super::session::{COMPLETED, Outcome, Running, Session, is_for_strangers};
use super::view::NumbersError;

/// Does a command, or the first part of it.
pub(super) async fn begin(session: &mut Session, body: Body) -> Outcome {
    if session.login.is_none() && !is_for_strangers(&body) {
        return Err(Cause::LoginFirst);
    }
    if session.enabled.uid_only && speaks_of_numbers(&body) {
        return Err(Cause::Numbers(NumbersError::UidRequired));
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
        Body::Idle => session.idle(),
        body => mailboxes(session, body).await,
    }
}

async fn mailboxes(session: &mut Session, body: Body) -> Outcome {
    match body {
        Body::Select(select) => session.select(select).await,
        Body::Create { mailbox, uses } => session.create(mailbox, &uses).await,
        Body::Delete(mailbox) => session.delete(mailbox).await,
        Body::Rename { from, to } => session.rename(from, to).await,
        Body::Subscribe(mailbox) => session.subscribe(mailbox).await,
        Body::Unsubscribe(mailbox) => session.unsubscribe(mailbox).await,
        Body::List(list) => session.list(list).await,
        Body::Lsub(pattern) => session.lsub(&pattern).await,
        Body::Status { mailbox, items } => session.status(mailbox, &items).await,
        Body::Append { mailbox, messages } => session.append(mailbox, messages).await,
        body => access(session, body).await,
    }
}

async fn access(session: &mut Session, body: Body) -> Outcome {
    match body {
        Body::GetAcl(mailbox) => session.acl(mailbox).await,
        Body::SetAcl(wanted) => session.set_acl(wanted).await,
        Body::DeleteAcl { mailbox, identifier } => session.delete_acl(mailbox, &identifier).await,
        Body::ListRights { mailbox, identifier } => session.list_rights(mailbox, &identifier).await,
        Body::MyRights(mailbox) => session.my_rights(mailbox).await,
        Body::GetQuota(root) => session.quota(&root).await,
        Body::GetQuotaRoot(mailbox) => session.quota_root(mailbox).await,
        Body::SetQuota { root, limits } => session.set_quota(&root, &limits).await,
        Body::GetMetadata(wanted) => session.metadata(wanted).await,
        Body::SetMetadata(wanted) => session.set_metadata(wanted).await,
        body => messages(session, body).await,
    }
}

async fn messages(session: &mut Session, body: Body) -> Outcome {
    match body {
        Body::Check => session.selected().map(|_| COMPLETED),
        Body::Close => session.close().await,
        Body::Unselect => session.unselect(),
        body => {
            session.read_messages().await?;
            of_messages(session, body).await
        }
    }
}

/// The commands that look at the messages of the selected mailbox.
async fn of_messages(session: &mut Session, body: Body) -> Outcome {
    match body {
        Body::Expunge => session.expunge(None).await,
        Body::UidExpunge(numbers) => session.expunge(Some(numbers)).await,
        Body::Fetch(fetch) => session.fetch(fetch).await,
        Body::Store(store) => session.store(store).await,
        Body::Copy { addressing, numbers, to } => session.copy(addressing, &numbers, to).await,
        Body::Move { addressing, numbers, to } => session.move_messages(addressing, &numbers, to).await,
        Body::Replace { addressing, number, to, message } => session.replace(addressing, number, to, message).await,
        Body::Search { addressing, returns, key } => session.search(addressing, returns, key).await,
        Body::Sort { addressing, returns, criteria, key } => session.sort(addressing, returns, criteria, key).await,
        Body::Thread { addressing, algorithm, key } => session.thread(addressing, algorithm, key).await,
        Body::MultiSearch { sources, returns, key } => session.multi_search(sources, returns, key).await,
        Body::Notify(notify) => session.notify(notify).await,
        Body::CancelUpdate(tags) => session.cancel_update(&tags),
        Body::Filter { addressing, script, key } => session.filter(addressing, script, key).await,
        Body::UidBatches { size, batches } => session.uid_batches(size, batches),
        _ => Err(Cause::Grammar(grammar::Cause::UnknownCommand)),
    }
}

/// RFC 9586 section 3.1: whoever has switched sequence numbers off can't use them any more.
fn speaks_of_numbers(body: &Body) -> bool {
    let addressing = match body {
        Body::Fetch(fetch) => fetch.addressing,
        Body::Store(store) => store.addressing,
        Body::Search { addressing, .. }
        | Body::Sort { addressing, .. }
        | Body::Thread { addressing, .. }
        | Body::Copy { addressing, .. }
        | Body::Move { addressing, .. }
        | Body::Replace { addressing, .. }
        | Body::Filter { addressing, .. } => *addressing,
        _ => Addressing::Uid,
    };
    addressing == Addressing::Sequence
}

/// Goes on with a line that was asked for.
pub(super) async fn answer(session: &mut Session, line: &[u8]) -> Outcome {
    if session.idling { session.idle_end(line) } else { session.login_answer(line).await }
}

/// Goes on with a command that is done in pieces.
pub(super) async fn run(session: &mut Session, running: Running) -> Outcome {
    match running {
        Running::Fetching(fetching) => session.show_messages(fetching).await,
        Running::Telling(telling) => session.tell_stored(telling).await,
        Running::Filtering(filtering) => session.filter_next(filtering).await,
    }
}
