//! The server: from a configuration to everything that runs, and to an orderly end.

use super::control::{self, Client};
use super::house::{House, OpenError};
use super::listeners::{Bindings, Stage, bind_all, port_of};
use super::queue;
use super::resolver::resolver;
use super::signals::{Reload, Signals, tell};
use super::smtp::Smtp;
use super::source::ConfigSource;
use super::upkeep;
use crate::admin::Running;
use crate::config::{Config, LogFormat};
use crate::dns::DnsError;
use crate::net::{
    BindError, Identity, IdentityError, Origin, Shutdown, State, TlsError, TlsServer, connections_that_fit, is_root,
    raise_descriptor_limit,
};
use crate::telemetry::{Format, Log, LogError};
use crate::types::WholeFileError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long a starting server waits for a command to be done with the directory.
const OPEN_PATIENCE: Duration = Duration::from_secs(5);
const OPEN_PAUSE: Duration = Duration::from_millis(25);

/// Why the server did not start.
#[derive(Debug)]
pub enum StartError {
    Log(LogError),
    Signals(io::Error),
    /// A server runs on this directory already.
    Running(PathBuf),
    Directory(PathBuf, io::Error),
    Bind(Vec<(&'static str, BindError)>),
    Identity(IdentityError),
    Tls(TlsError),
    Open(OpenError),
    Dns(DnsError),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(formatter),
            Self::Signals(error) => write!(formatter, "signals can't be heard: {error}"),
            Self::Running(data) => {
                write!(formatter, "a server runs on the data directory {} already", data.display())
            }
            Self::Directory(path, error) => write!(formatter, "{}: {error}", path.display()),
            Self::Bind(errors) => {
                for (index, (name, error)) in errors.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(formatter, "{separator}listen.{name}: {error}")?;
                }
                Ok(())
            }
            Self::Identity(error) => error.fmt(formatter),
            Self::Tls(error) => write!(formatter, "[tls]: {error}"),
            Self::Open(error) => error.fmt(formatter),
            Self::Dns(error) => write!(formatter, "DNS can't be asked: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    /// A file or directory that is somebody else's, or closed.
    pub fn is_permission(&self) -> bool {
        let error = match self {
            Self::Directory(_, error)
            | Self::Tls(TlsError::File(_, error) | TlsError::Unwritten(WholeFileError::Io(_, error))) => error,
            _ => return false,
        };
        error.kind() == io::ErrorKind::PermissionDenied
    }
}

/// What to do when a port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenTaken {
    /// A server that serves only half of what it was told to is worse than none.
    Fail,
    /// The demonstration goes on with the rest.
    GoOn,
}

/// Everything that runs. Its house is its caller's too.
pub struct Server {
    pub house: House,
    /// Each service with where it listens.
    pub listening: Vec<(&'static str, String)>,
    /// Each service with why it does not listen.
    pub failed: Vec<(&'static str, BindError)>,
    /// Services that are configured and that this version does not have.
    pub unserved: Vec<&'static str>,
    smtp: Smtp,
    tls: TlsServer,
    tasks: JoinSet<()>,
    shutdown: Shutdown,
}

/// To be done as root, if we are: root may have as many as he likes.
fn fit_descriptors(connections_max: &mut usize) {
    let descriptors = match raise_descriptor_limit() {
        Ok(descriptors) => descriptors,
        Err(error) => return tracing::warn!(%error, "how many files may be open can't be found out"),
    };
    let fit = connections_that_fit(*connections_max, descriptors);
    if fit < *connections_max {
        tracing::warn!(
            connections_max,
            fit,
            descriptors,
            "fewer connections will be taken: this process may open no more files (ulimit -n, LimitNOFILE)"
        );
        *connections_max = fit;
    }
}

impl Server {
    /// Binds, gives up root, takes the data directory, and starts every long-lived task. The one place that names them.
    pub async fn start(mut config: Config, when_taken: WhenTaken) -> Result<Self, StartError> {
        fit_descriptors(&mut config.limits.connections_max);
        if Client::connect(&config.data).await.is_ok_and(|client| client.is_some()) {
            return Err(StartError::Running(config.data));
        }
        // Sockets in the file system are in it.
        make_directory(&config.data)?;
        let Bindings { bound, failed, unserved } = bind_all(&config);
        if !failed.is_empty() && when_taken == WhenTaken::Fail {
            return Err(StartError::Bind(failed));
        }
        let (tls, origin) = {
            let (files, data) = (&config.tls, &config.data);
            TlsServer::load_or_make(&files.certificate, &files.key, data, &config.host()).map_err(StartError::Tls)?
        };
        if origin == Origin::SelfSigned {
            tracing::warn!(
                certificate = %config.tls.certificate.display(),
                "a self-signed certificate was made: mail programs will warn until a real one takes its place"
            );
        }
        give_up_root(&config)?;
        let grace = Duration::from_secs(config.limits.shutdown_seconds);
        let house = open_patiently(config).await.map_err(StartError::Open)?;
        let socket = control::bind(house.store.directory_path());
        let socket = socket.map_err(|error| StartError::Bind(vec![("control", error)]))?;
        if !unserved.is_empty() {
            tracing::warn!(services = unserved.join(", "), "not served by this version: their ports stay shut");
        }

        let shutdown = Shutdown::new();
        let data = house.config.data.clone();
        let resolver = Arc::new(resolver(&house.config).map_err(StartError::Dns)?);
        let queue = queue::open(&house, Arc::clone(&resolver), &shutdown).await?;
        let managesieve_port = port_of("managesieve", &bound);
        let stage = Stage::new(house.clone(), tls.clone(), shutdown.clone(), resolver, queue.clone(), managesieve_port);
        let stage = stage.map_err(|error| StartError::Directory(data, error))?;
        let mut tasks = JoinSet::new();
        let mut listening = Vec::new();
        for service in bound {
            listening.push((service.name, service.listener.address().to_string()));
            tasks.spawn(service.start(&stage));
        }
        let (admin, metrics) = (house.admin.clone(), house.metrics.clone());
        tasks.spawn(control::serve_control(socket, admin, metrics, grace, shutdown.clone()));
        tasks.spawn(upkeep::run(house.clone(), shutdown.clone()));
        let nudge = queue.nudge();
        tasks.spawn(queue::run(queue, grace, shutdown.clone()));

        for (service, address) in &listening {
            tracing::info!(service, address, "listening");
        }
        let told = listening.iter().map(|(name, address)| ((*name).to_owned(), address.clone())).collect();
        house.admin.set_running(Running { since: house.store.clock().now(), listening: told, queue: nudge });
        Ok(Self { house, listening, failed, unserved, smtp: stage.smtp, tls, tasks, shutdown })
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Lets everybody finish within the grace that sessions have. The data directory is free when this returns.
    pub async fn stop(mut self) {
        self.shutdown.request();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                tracing::error!(%error, "a task of the server died");
            }
        }
        let Self { house, smtp, .. } = self;
        // The store's last clone finishes what is queued, which is no work for a network thread.
        let _ = tokio::task::spawn_blocking(move || drop((house, smtp))).await;
        tracing::info!("stopped");
    }
}

/// `posthouse serve`: until it is told to stop.
pub async fn serve(source: ConfigSource, config: Config) -> Result<(), StartError> {
    let format = match config.log.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let log = Arc::new(Log::start(format, &config.log.filter).map_err(StartError::Log)?);
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data = %config.data.display(), "starting");
    let server = Server::start(config, WhenTaken::Fail).await?;
    let reloads = reloads(&server, source, log);
    tell(State::Ready);
    tracing::info!("ready");
    signals.attend(server.shutdown(), &reloads).await;
    drop(reloads);
    tokio::select! {
        () = server.stop() => {}
        () = signals.impatient() => tracing::warn!("asked twice: stopping without waiting for sessions"),
    }
    Ok(())
}

/// What SIGHUP reads again.
fn reloads(server: &Server, source: ConfigSource, log: Arc<Log>) -> Vec<Reload> {
    let (tls, files) = (server.tls.clone(), server.house.config.tls.clone());
    let certificates = move || tls.reload(&files.certificate, &files.key).map_err(|error| error.to_string());
    let (house, smtp) = (server.house.clone(), server.smtp.clone());
    let configuration = move || {
        let config = source.load().map_err(|error| error.to_string())?;
        log.replace_filter(&config.log.filter).map_err(|error| error.to_string())?;
        let running = &house.config;
        if config.listen != running.listen
            || config.data != running.data
            || config.tls != running.tls
            || config.outbound != running.outbound
        {
            tracing::warn!("listen, data, tls and outbound are read at the start only: restart to have their changes");
        }
        house.adopt(&config);
        smtp.adopt(&config);
        Ok(())
    };
    vec![
        Reload { name: "certificates", act: Box::new(certificates) },
        Reload { name: "configuration", act: Box::new(configuration) },
    ]
}

/// A command may have the directory for a moment.
async fn open_patiently(config: Config) -> Result<House, OpenError> {
    let since = Instant::now();
    loop {
        match House::open(config.clone()).await {
            Err(error) if error.is_owned() && since.elapsed() < OPEN_PATIENCE => tokio::time::sleep(OPEN_PAUSE).await,
            outcome => return outcome,
        }
    }
}

fn make_directory(data: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|error| StartError::Directory(data.to_owned(), error))
}

/// Started as root with an account to become: everything in the data directory is given to it first, since root's own
/// commands may have made files there.
fn give_up_root(config: &Config) -> Result<(), StartError> {
    if !is_root() {
        return Ok(());
    }
    if config.user.is_empty() {
        tracing::warn!("running as root: name an account to become with `user` in the configuration");
        return Ok(());
    }
    let identity = Identity::lookup(&config.user).map_err(StartError::Identity)?;
    identity.own(&config.data).map_err(StartError::Identity)?;
    let unreadable = |error| StartError::Directory(config.data.clone(), error);
    for entry in std::fs::read_dir(&config.data).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // Nothing here is meant to be a link; one that is could lead anywhere.
        if entry.file_type().is_ok_and(|kind| !kind.is_symlink()) {
            identity.own(&entry.path()).map_err(StartError::Identity)?;
        }
    }
    identity.assume().map_err(StartError::Identity)
}
