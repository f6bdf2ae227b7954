//! A listener on a port of the machine's choice, around any session.

use posthouse::net::{Caps, Connection, Listener, Security, Service, Shutdown, Timeouts, serve};
use posthouse::telemetry::Metrics;
use posthouse::types::{ListenAddress, Networks};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinHandle;

pub struct Listening {
    pub address: SocketAddr,
    pub shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Listening {
    /// `idle` is how long a silent client is borne.
    pub fn start<H, F>(security: Security, idle: Duration, handler: H) -> Self
    where
        H: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let long = Duration::from_secs(20);
        let service = Service {
            name: "test",
            security,
            caps: Caps::new(100, 100, Networks::default()),
            proxies: Networks::default(),
            timeouts: Timeouts { idle, write: long, handshake: long, octets_per_second_min: 1 },
            refusal: Vec::new(),
            grace: long,
            metrics: Metrics::new(),
        };
        let listener = Listener::bind(&ListenAddress::parse("127.0.0.1:0").unwrap(), 0o600).unwrap();
        let ListenAddress::Socket(address) = *listener.address() else { panic!("a socket was asked for") };
        let shutdown = Shutdown::new();
        let task = tokio::spawn(serve(listener, service, shutdown.clone(), handler));
        Self { address, shutdown, task }
    }

    pub async fn stop(self) {
        self.shutdown.request();
        self.task.await.unwrap();
    }
}
