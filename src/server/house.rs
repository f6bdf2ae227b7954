//! The services every way of running needs, opened in order: for `serve`, and for a command that finds no server running.

use super::listeners::is_built;
use super::neighbours::Callers;
use super::resolver::resolver_without_memory;
use crate::admin::{self, Admin, OfferedService, Reached};
use crate::auth::{Auth, AuthFailure, AuthSettings, HashSettings};
use crate::config::Config;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::rules::{AddressRules, Limits, PasswordRules};
use crate::store::{DATABASE_FILE, Store, StoreError};
use crate::telemetry::Metrics;
use crate::types::{ListenAddress, SystemClock};
use std::fmt;
use std::sync::Arc;

/// Clones share everything.
#[derive(Clone)]
pub struct House {
    pub config: Arc<Config>,
    pub metrics: Metrics,
    pub store: Store,
    pub directory: Directory,
    pub auth: Auth,
    pub delivery: Delivery,
    pub admin: Admin,
}

#[derive(Debug)]
pub enum OpenError {
    Store(StoreError),
    Auth(AuthFailure),
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) | Self::Auth(AuthFailure::Store(error)) => error.fmt(formatter),
            Self::Auth(error) => write!(formatter, "logins can't be served: {error:?}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// Somebody else holds the directory.
    pub fn is_owned(&self) -> bool {
        matches!(self.store_error(), Some(StoreError::Owned(_)))
    }

    pub fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) | Self::Auth(AuthFailure::Store(error)) => Some(error),
            Self::Auth(_) => None,
        }
    }
}

/// Whether a data directory has anything of ours in it, if one may look.
pub fn has_store(data: &std::path::Path) -> std::io::Result<bool> {
    data.join(DATABASE_FILE).try_exists()
}

impl House {
    /// Takes the data directory, making it if it is not there, and holds it until the last clone is gone.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let data = config.data.clone();
        // Opening may migrate, or finish a restore that was interrupted; that is no work for a network thread.
        let opening = tokio::task::spawn_blocking(move || Store::open(&data, Arc::new(SystemClock)));
        let opened = opening.await.map_err(|error| OpenError::Store(StoreError::Io(error.to_string())))?;
        let store = opened.map_err(OpenError::Store)?;
        let metrics = Metrics::new();
        let directory = Directory::new(store.clone(), rule_limits(&config));
        let auth = Auth::open(store.clone(), auth_settings(&config), &metrics).await.map_err(OpenError::Auth)?;
        let lifetime_seconds = i64::from(config.outbound.lifetime_seconds);
        let delivery = Delivery::open(store.clone(), directory.clone(), config.host(), lifetime_seconds)
            .await
            .map_err(OpenError::Store)?;
        let admin =
            Admin::new(store.clone(), directory.clone(), auth.clone(), delivery.clone(), admin_settings(&config));
        match resolver_without_memory(&config) {
            Ok(resolver) => admin.set_resolver(Arc::new(resolver)),
            // Most of what is done here needs no names.
            Err(error) => tracing::debug!(%error, "DNS can't be asked"),
        }
        let config = Arc::new(config);
        admin.set_neighbours(Arc::new(Callers::new(Arc::clone(&config), Arc::clone(store.clock()))));
        Ok(Self { config, metrics, store, directory, auth, delivery, admin })
    }

    /// What can change while running does.
    pub fn adopt(&self, config: &Config) {
        self.directory.replace_limits(rule_limits(config));
        self.admin.replace_settings(admin_settings(config));
        let plaintext = config.auth.plaintext_networks.0.clone();
        self.auth.replace_networks(plaintext, config.throttle.exempt_networks.0.clone());
    }
}

fn rule_limits(config: &Config) -> Limits {
    Limits {
        redirection_targets_max: config.limits.redirection_targets_max,
        responder_text_octets_max: config.limits.responder_text_octets_max,
        address_hops_max: config.limits.address_hops_max,
        expanded_recipients_max: config.limits.expanded_recipients_max,
    }
}

fn auth_settings(config: &Config) -> AuthSettings {
    let hash = HashSettings {
        memory_kibibytes: config.auth.argon2_memory_kib,
        passes: config.auth.argon2_iterations,
        lanes: config.auth.argon2_parallelism,
        concurrent: config.auth.argon2_threads,
        ..HashSettings::default()
    };
    AuthSettings {
        hash,
        plaintext_networks: config.auth.plaintext_networks.0.clone(),
        exempt_networks: config.throttle.exempt_networks.0.clone(),
    }
}

fn admin_settings(config: &Config) -> admin::Settings {
    let (address, password) = (&config.address, &config.password);
    admin::Settings {
        address: AddressRules {
            characters_min: address.characters_min,
            characters_max: address.characters_max,
            characters: address.characters.clone(),
        },
        password: PasswordRules {
            characters_min: password.characters_min,
            characters_max: password.characters_max,
            ascii_only: password.ascii_only,
            upper_case: password.upper_case,
            lower_case: password.lower_case,
            digit: password.digit,
            refuse_local_part: password.refuse_local_part,
        },
        keep_days: config.removal.keep_days,
        script_octets_max: config.limits.script_octets_max,
        hostname: config.host(),
        services: config.listen.all().map(|(name, addresses)| offered(name, addresses)).into(),
        smarthost: config.outbound.smarthost.as_ref().map(ToString::to_string),
    }
}

/// Where a service is reached from outside, if it is.
fn offered(name: &'static str, addresses: &[ListenAddress]) -> OfferedService {
    let ports = addresses.iter().filter_map(|address| match address {
        ListenAddress::Socket(socket) => Some(socket),
        ListenAddress::Unix(_) => None,
    });
    let outside = ports.into_iter().find(|socket| !socket.ip().to_canonical().is_loopback());
    let reached = match outside {
        _ if addresses.is_empty() => Reached::Off,
        _ if !is_built(name) => Reached::NotBuilt,
        Some(socket) => Reached::At(socket.port()),
        None => Reached::FromHereOnly,
    };
    OfferedService { name, reached }
}
