//! Where acts are done: by the server that holds the data directory, or here if there is none.

use super::failure::Failure;
use super::output::Output;
use super::progress::Bar;
use crate::admin::{Act, Caller, Progress, Refused};
use crate::config::Config;
use crate::server::{Client, ConfigSource, House, has_store, own_name};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a command waits for another one to be done with the directory, or for a starting server to listen.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(25);

pub(super) struct Desk {
    source: ConfigSource,
    output: Output,
    reach: Option<Reach>,
}

enum Reach {
    Server(Client),
    Here(Box<House>),
}

impl Desk {
    pub(super) fn new(source: ConfigSource, output: &Output) -> Self {
        Self { source, output: *output, reach: None }
    }

    pub(super) fn config(&self) -> Result<Config, Failure> {
        Ok(self.source.load()?)
    }

    /// The configuration's file, if there is one.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.source.file.as_deref()
    }

    /// A directory that is not there is not made for it: whoever names the wrong one wants to hear that.
    pub(super) async fn perform<A: Act>(&mut self, act: A) -> Result<A::Answer, Failure> {
        self.require_data()?;
        self.begin(act).await
    }

    /// For what a house begins with: makes the directory.
    pub(super) async fn begin<A: Act>(&mut self, act: A) -> Result<A::Answer, Failure> {
        self.long(act, "").await
    }

    /// For what takes long: shows how far it has come.
    pub(super) async fn long<A: Act>(&mut self, act: A, label: &'static str) -> Result<A::Answer, Failure> {
        let bar = Arc::new(Bar::new(label, &self.output));
        match self.reach().await? {
            Reach::Server(client) => Ok(client.call(&act, |done, all| bar.tell(done, all)).await?),
            Reach::Here(house) => {
                let told = Arc::clone(&bar);
                let caller = Caller {
                    author: own_name(),
                    origin: "local".to_owned(),
                    progress: Progress::new(move |done, all| told.tell(done, all)),
                };
                Ok(Box::pin(act.run(&house.admin, &caller)).await?)
            }
        }
    }

    pub(super) fn require_data(&self) -> Result<(), Failure> {
        if self.has_data()? {
            return Ok(());
        }
        let message = format!("there is nothing of posthouse in {}", self.config()?.data.display());
        let hint =
            "begin with posthouse domain add, or name the directory with --data or the configuration with --config";
        Err(Failure::refused("no-data", message, Some(hint)))
    }

    /// Whether anything is stored. An error when that can't be seen.
    pub(super) fn has_data(&self) -> Result<bool, Failure> {
        let data = self.config()?.data;
        has_store(&data).map_err(|error| {
            let message = format!("{}: {error}", data.display());
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => {
                    Failure::refused("not-allowed", message, Some("only the server's own user and root may"))
                }
                _ => Failure::refused(
                    "file",
                    message,
                    Some("name the data directory with --data or in the configuration"),
                ),
            }
        })
    }

    /// Whether a server holds the directory.
    pub(super) async fn is_served(&mut self) -> Result<bool, Failure> {
        let data = self.config()?.data;
        Ok(connect(&data).await?.is_some())
    }

    async fn reach(&mut self) -> Result<&mut Reach, Failure> {
        if self.reach.is_none() {
            self.reach = Some(self.find().await?);
        }
        self.reach.as_mut().ok_or_else(|| Failure::fault("internal", "no desk"))
    }

    /// Between looking for a server and taking the directory somebody else may have taken it: then it is looked again.
    async fn find(&self) -> Result<Reach, Failure> {
        let config = self.config()?;
        let since = Instant::now();
        loop {
            if let Some(client) = connect(&config.data).await? {
                return Ok(Reach::Server(client));
            }
            match House::open(config.clone()).await {
                Ok(house) => return Ok(Reach::Here(Box::new(house))),
                Err(error) if error.is_owned() && since.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

async fn connect(data: &Path) -> Result<Option<Client>, Failure> {
    Client::connect(data).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Failure::refused(
            "not-allowed",
            format!("the server in {} takes orders from its own user and from root only", data.display()),
            Some("run the command as one of them"),
        ),
        _ => Failure::from(Refused::from(crate::admin::Cause::BadRequest(error.to_string()))),
    })
}
