//! What the machine asks of a running server: SIGTERM and SIGINT to stop, SIGHUP to read again what can change.

use crate::net::{Shutdown, State, notify};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Heard from the moment this is made: make it before saying that the server is ready.
pub struct Signals {
    stop: Signal,
    interrupt: Signal,
    reload: Signal,
}

/// One thing that is read again on SIGHUP.
pub struct Reload {
    /// For the log: `certificates`.
    pub name: &'static str,
    /// On failure: why, with everything left as it was.
    pub act: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl Signals {
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            stop: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads as often as asked, and returns when the server is to stop, with `shutdown` requested. It can be requested
    /// by others too.
    pub async fn attend(&mut self, shutdown: &Shutdown, reloads: &[Reload]) {
        loop {
            tokio::select! {
                _ = self.stop.recv() => break,
                _ = self.interrupt.recv() => break,
                () = shutdown.requested() => break,
                _ = self.reload.recv() => reload_all(reloads),
            }
        }
        tell(State::Stopping);
        tracing::info!("stopping");
        shutdown.request();
    }

    /// Returns when somebody asks a second time: they don't want to wait for the sessions.
    pub async fn impatient(&mut self) {
        tokio::select! {
            _ = self.stop.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// All of them, whatever becomes of one: a broken certificate must not keep a new log filter out.
fn reload_all(reloads: &[Reload]) {
    tell(State::Reloading);
    for reload in reloads {
        match (reload.act)() {
            Ok(()) => tracing::info!(what = reload.name, "read again"),
            Err(why) => tracing::error!(what = reload.name, %why, "not read again, the old one stays"),
        }
    }
    tell(State::Ready);
}

/// A supervisor that can't be told is no reason to stop serving mail.
pub fn tell(state: State) {
    if let Err(error) = notify(state) {
        tracing::warn!(%error, ?state, "the supervisor could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::Arc;
    use tokio::sync::mpsc;

    /// The shell's parent is this process.
    fn send(name: &str) {
        assert!(Command::new("sh").args(["-c", &format!("kill -{name} $PPID")]).status().unwrap().success());
    }

    #[tokio::test]
    async fn hangup_reloads_everything_and_terminate_stops() {
        let (sender, mut seen) = mpsc::unbounded_channel();
        let sender = Arc::new(sender);
        let reload = |name: &'static str, outcome: Result<(), String>| {
            let sender = Arc::clone(&sender);
            let act = move || {
                sender.send(name).unwrap();
                outcome.clone()
            };
            Reload { name, act: Box::new(act) }
        };
        let reloads = [reload("broken", Err("no such file".to_owned())), reload("sound", Ok(()))];
        let mut signals = Signals::listen().unwrap();
        let shutdown = Shutdown::new();
        let conversation = async {
            send("HUP");
            assert_eq!(seen.recv().await, Some("broken"));
            assert_eq!(seen.recv().await, Some("sound"));
            assert!(!shutdown.is_requested());
            send("TERM");
        };
        tokio::join!(signals.attend(&shutdown, &reloads), conversation);
        assert!(shutdown.is_requested());
        tokio::join!(signals.impatient(), async { send("INT") });
    }

    #[tokio::test]
    async fn a_shutdown_from_inside_ends_it_too() {
        let shutdown = Shutdown::new();
        shutdown.request();
        Signals::listen().unwrap().attend(&shutdown, &[]).await;
    }
}
