//! The server's end of the control socket.

use super::{LENGTH_OCTETS_MAX, Reply, Request, SocketPath, frame, length_of};
use crate::admin::{Admin, Caller, Cause, Problem, Progress, Refused, perform};
use crate::net::{BindError, Caps, Connection, Listener, NetError, Peer, Security, Service, Shutdown, Timeouts, serve};
use crate::telemetry::Metrics;
use crate::types::limits::{
    CONTROL_CONNECTIONS_MAX, CONTROL_IDLE_SECONDS, CONTROL_REQUEST_OCTETS_MAX, TRANSFER_OCTETS_PER_SECOND_MIN,
    WRITE_SECONDS,
};
use crate::types::{ListenAddress, Networks};
use nix::unistd::{Uid, User};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// Steps of progress are told at most this often.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// The bound socket.
pub(crate) struct ControlListener {
    listener: Listener,
    /// Outlives the listener, which removes its file by this path.
    path: SocketPath,
}

/// To be called by whoever holds the data directory: a file that is there was left by a server that is gone.
pub(crate) fn bind(data: &Path) -> Result<ControlListener, BindError> {
    let address = |path: &Path| ListenAddress::Unix(path.to_owned());
    let path = SocketPath::of(data).map_err(|error| BindError { address: address(data), error })?;
    let listener = Listener::bind(&address(&path.path), 0o600)?;
    Ok(ControlListener { listener, path })
}

/// Until the shutdown is requested and the acts under way are done.
pub(crate) async fn serve_control(
    control: ControlListener,
    admin: Admin,
    metrics: Metrics,
    grace: Duration,
    shutdown: Shutdown,
) {
    let ControlListener { listener, path } = control;
    let busy = Reply::Refused(Refused::from(crate::store::StoreError::Busy).into());
    let service = Service {
        name: "control",
        security: Security::Plain,
        // Its own: a server full of other connections can still be administered.
        caps: Caps::new(CONTROL_CONNECTIONS_MAX, CONTROL_CONNECTIONS_MAX, Networks::default()),
        proxies: Networks::default(),
        timeouts: Timeouts {
            idle: Duration::from_secs(CONTROL_IDLE_SECONDS),
            write: Duration::from_secs(WRITE_SECONDS),
            handshake: Duration::from_secs(WRITE_SECONDS),
            octets_per_second_min: TRANSFER_OCTETS_PER_SECOND_MIN,
        },
        refusal: frame(&busy).unwrap_or_default(),
        grace,
        metrics,
    };
    let handler = move |connection: Connection| {
        let admin = admin.clone();
        async move {
            let mut connection = connection;
            if let Err(error) = converse(&mut connection, &admin).await {
                tracing::debug!(%error, "the conversation ended");
            }
            connection.close().await;
        }
    };
    serve(listener, service, shutdown, handler).await;
    drop(path);
}

async fn converse(connection: &mut Connection, admin: &Admin) -> Result<(), NetError> {
    let Some(author) = author(connection.peer()) else {
        tracing::warn!(peer = %connection.peer(), "another user tried to give orders");
        return Ok(());
    };
    let shutdown = connection.shutdown().clone();
    loop {
        let request = tokio::select! {
            () = shutdown.requested() => return Ok(()),
            request = read_request(connection) => request?,
        };
        let reply = match request {
            Ok(request) => act(connection, admin, &author, request).await?,
            Err(refused) => Reply::Refused(refused.into()),
        };
        send(connection, &reply).await?;
    }
}

/// The user behind the peer, if he may: the server's own, and root. The socket's mode keeps others out already; a copy of
/// its descriptor would not.
fn author(peer: Peer) -> Option<String> {
    let Peer::Local { user_id } = peer else { return None };
    let user = Uid::from_raw(user_id);
    if user != Uid::effective() && !user.is_root() {
        return None;
    }
    Some(user_name(user))
}

/// As versions are signed.
fn user_name(user: Uid) -> String {
    match User::from_uid(user) {
        Ok(Some(found)) => found.name,
        _ => format!("user {user}"),
    }
}

async fn read_request(connection: &mut Connection) -> Result<Result<Request, Refused>, NetError> {
    let line = connection.read_line(LENGTH_OCTETS_MAX).await?;
    let Some(length) = length_of(&line.octets, CONTROL_REQUEST_OCTETS_MAX) else {
        // Where the next frame begins can't be known.
        let refused: Refused =
            Cause::BadRequest(format!("it is no frame, or longer than {CONTROL_REQUEST_OCTETS_MAX} octets")).into();
        send(connection, &Reply::Refused(refused.into())).await?;
        return Err(NetError::InputFull);
    };
    let octets = connection.read_count(length).await?;
    Ok(serde_json::from_slice(&octets).map_err(|error| Cause::BadRequest(error.to_string()).into()))
}

/// The act runs in a task of its own: a caller who goes away half way must not leave it half done, and a panic in it
/// becomes an answer.
async fn act(connection: &mut Connection, admin: &Admin, author: &str, request: Request) -> Result<Reply, NetError> {
    let (told, mut progress) = watch::channel(None);
    let caller = Caller {
        author: author.to_owned(),
        origin: "local".to_owned(),
        progress: Progress::new(move |done, all| {
            told.send_replace(Some((done, all)));
        }),
    };
    let admin = admin.clone();
    let span = tracing::Span::current();
    let running = async move { perform(&admin, &caller, &request.act, request.data).await };
    let mut task = tokio::spawn(tracing::Instrument::instrument(running, span));
    let mut ticks = tokio::time::interval(PROGRESS_PAUSE);
    let mut connected = true;
    let outcome = loop {
        tokio::select! {
            outcome = &mut task => break outcome,
            _ = ticks.tick(), if connected => {
                let news = if progress.has_changed().unwrap_or(false) { *progress.borrow_and_update() } else { None };
                if let Some((done, all)) = news {
                    connected = send(connection, &Reply::Progress(done, all)).await.is_ok();
                }
            }
        }
    };
    Ok(match outcome {
        Ok(Ok(answer)) => Reply::Done(answer),
        Ok(Err(refused)) => Reply::Refused(Problem::from(refused)),
        Err(error) => {
            tracing::error!(%error, "an act died");
            Reply::Refused(Problem::from(Refused::from(Cause::TaskDied)))
        }
    })
}

async fn send(connection: &mut Connection, reply: &Reply) -> Result<(), NetError> {
    let octets = frame(reply).map_err(|error| NetError::Io(error.into()))?;
    connection.queue(&octets);
    connection.flush().await
}

/// Who runs this process.
pub fn own_name() -> String {
    user_name(Uid::current())
}
