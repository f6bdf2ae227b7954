//! Keeping the house: how it stands, whether it is sound, a copy of it.

use super::error::{Cause, Refused};
use super::{Act, Admin, Caller, FaultView};
use crate::store::{self, AccountState, DATABASE_FILE, StoreError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatusView {
    pub version: String,
    pub data: PathBuf,
    /// None: no server runs on this directory.
    pub server: Option<RunningView>,
    pub domains: usize,
    pub accounts: usize,
    pub accounts_suspended: usize,
    pub accounts_parked: usize,
    pub aliases: usize,
    pub redirections: usize,
    pub responders: usize,
    pub messages: u64,
    pub mail_octets: u64,
    /// Mail on its way out.
    pub queued: u64,
    pub database_octets: u64,
    /// What somebody should look after.
    pub attention: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunningView {
    pub process: u32,
    pub since: String,
    pub listening: Vec<ListeningView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListeningView {
    pub service: String,
    pub address: String,
}

/// Every rule of the whole directory, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checked {
    pub domains: usize,
    pub addresses: usize,
    /// Empty: all is well.
    pub findings: Vec<String>,
}

/// Every invariant of the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verify {}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verified {
    /// Empty: all is well.
    pub findings: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Backup {
    /// Whole: the server's working directory is not its caller's.
    pub file: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupDone {
    pub file: PathBuf,
    pub octets: u64,
}

/// Checks a backup. Blocks.
pub fn verify_backup(file: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, Refused> {
    let findings = store::verify_file(file, progress).map_err(|error| unusable(file, error))?;
    Ok(Verified { findings: findings.iter().map(ToString::to_string).collect() })
}

/// What is wrong with the file is not wrong with the store.
fn unusable(file: &Path, error: StoreError) -> Refused {
    let why = match error {
        _ if !file.is_file() => "there is no such file".to_owned(),
        StoreError::Damaged(why) => why,
        other => return other.into(),
    };
    Cause::NoBackup { file: file.to_owned(), why }.into()
}

/// Puts a backup in the place of a data directory that nobody has open. Answers where what was there is kept. Blocks.
pub fn restore_backup(
    data: &Path,
    file: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<PathBuf>, Refused> {
    store::restore(data, file, progress).map_err(|error| unusable(file, error))
}

impl Act for Status {
    const NAME: &'static str = "status";
    type Answer = StatusView;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<StatusView, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let accounts = admin.store().directory().await?.accounts;
        let data = admin.store().directory_path().to_owned();
        let in_state = |wanted: fn(&AccountState) -> bool| accounts.iter().filter(|one| wanted(&one.state)).count();
        let switches = || snapshot.addresses().iter().map(|record| &record.switches);
        let scripts = faults(&admin.script_faults().await?);
        let running = admin.0.running.load();
        let server = (**running).as_ref().map(|running| RunningView {
            process: std::process::id(),
            since: running.since.rfc3339(),
            listening: running
                .listening
                .iter()
                .map(|(service, address)| ListeningView { service: service.clone(), address: address.clone() })
                .collect(),
        });
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            server,
            domains: snapshot.domains().len(),
            accounts: in_state(|state| !matches!(state, AccountState::Parked { .. })),
            accounts_suspended: in_state(|state| *state == AccountState::Suspended),
            accounts_parked: in_state(|state| matches!(state, AccountState::Parked { .. })),
            aliases: switches().filter(|switches| switches.alias.is_some()).count(),
            redirections: switches().filter(|switches| switches.redirection.is_some()).count(),
            responders: switches().filter(|switches| switches.responder.is_some()).count(),
            messages: accounts.iter().map(|account| account.messages).sum(),
            mail_octets: accounts.iter().map(|account| account.used_octets).sum(),
            queued: admin.store().send_count().await?,
            database_octets: std::fs::metadata(data.join(DATABASE_FILE)).map_or(0, |file| file.len()),
            attention: [attention(&snapshot), scripts, admin.queue_trouble().await?, admin.keys_waiting().await?]
                .concat(),
            data,
        })
    }
}

/// Destinations of the queue that are named.
const TROUBLES_NAMED_MAX: usize = 5;

impl Admin {
    async fn queue_trouble(&self) -> Result<Vec<String>, Refused> {
        let trouble = self.store().send_trouble(TROUBLES_NAMED_MAX as u32).await?;
        let mut lines = Vec::new();
        if trouble.held > 0 {
            lines.push(format!("the queue holds {} back", super::words::count(trouble.held, "message", "messages")));
        }
        for one in trouble.destinations {
            let waiting = super::words::count(one.waiting, "message waits", "messages wait");
            let since = super::words::minute(one.since);
            let reply = one.reply.map(|reply| format!(": {reply}")).unwrap_or_default();
            lines.push(format!("{waiting} for {} since {since}{reply}", one.destination));
        }
        Ok(lines)
    }
}

fn attention(snapshot: &crate::directory::Snapshot) -> Vec<String> {
    let mut lines = Vec::new();
    if snapshot.domains().is_empty() {
        lines.push("no domain is hosted yet: posthouse domain add DOMAIN".to_owned());
    } else if snapshot.administrator().is_none() {
        lines.push("no account administers, so postmaster and abuse take no mail: posthouse account set ADDRESS --administrator".to_owned());
    }
    for account in snapshot.accounts() {
        if !account.has_password && !matches!(account.state, AccountState::Parked { .. }) {
            let address = &account.address;
            lines.push(format!("{address} has no password: posthouse account password {address} --password-stdin"));
        }
    }
    for record in snapshot.addresses() {
        let targets = record.switches.redirection.iter().flat_map(|redirection| &redirection.targets);
        for target in targets.filter(|target| target.paused) {
            lines.push(format!("{}: nothing is sent to {}, which refused it", record.address, target.address));
        }
    }
    lines
}

/// One line for each script; what else is wrong with it is counted.
fn faults(faults: &[FaultView]) -> Vec<String> {
    let mut scripts: Vec<(&FaultView, usize)> = Vec::new();
    for fault in faults {
        let same = |(known, _): &&mut (&FaultView, usize)| known.place == fault.place && known.name == fault.name;
        match scripts.iter_mut().find(same) {
            Some((_, more)) => *more += 1,
            None => scripts.push((fault, 0)),
        }
    }
    let line = |(fault, more): &(&FaultView, usize)| match more {
        0 => fault.to_string(),
        more => format!("{fault}; and {more} more: posthouse script check --for {}", fault.place),
    };
    let mut lines: Vec<String> = scripts.iter().take(SCRIPTS_AT_FAULT_TOLD).map(line).collect();
    if scripts.len() > SCRIPTS_AT_FAULT_TOLD {
        let more = scripts.len() - SCRIPTS_AT_FAULT_TOLD;
        lines.push(format!("something is wrong with {more} more scripts: posthouse script check"));
    }
    lines
}

const SCRIPTS_AT_FAULT_TOLD: usize = 10;

impl Act for Check {
    const NAME: &'static str = "check";
    type Answer = Checked;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Checked, Refused> {
        let snapshot = admin.directory().snapshot().await?;
        let (domains, addresses) = (snapshot.domains().len(), snapshot.addresses().len());
        let proving = tokio::task::spawn_blocking(move || snapshot.graph().prove());
        let findings = match proving.await.map_err(|_| Cause::TaskDied)? {
            Ok(()) => Vec::new(),
            Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
        };
        Ok(Checked { domains, addresses, findings })
    }
}

impl Act for Verify {
    const NAME: &'static str = "verify";
    type Answer = Verified;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Verified, Refused> {
        let (store, progress) = (admin.store().clone(), caller.progress.clone());
        let verifying = tokio::task::spawn_blocking(move || store.verify(&mut |done, all| progress.tell(done, all)));
        let findings = verifying.await.map_err(|_| Cause::TaskDied)??;
        Ok(Verified { findings: findings.iter().map(ToString::to_string).collect() })
    }
}

impl Act for Backup {
    const NAME: &'static str = "backup";
    type Answer = BackupDone;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<BackupDone, Refused> {
        let (store, progress, file) = (admin.store().clone(), caller.progress.clone(), self.file.clone());
        let copying =
            tokio::task::spawn_blocking(move || store.backup(&file, &mut |done, all| progress.tell(done, all)));
        copying.await.map_err(|_| Cause::TaskDied)??;
        tracing::info!(author = caller.author, file = %self.file.display(), "backup made");
        let octets = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        Ok(BackupDone { file: self.file, octets })
    }
}
