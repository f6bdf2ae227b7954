//! App passwords: one per program, each revocable by itself.

use super::accounts::revealed;
use super::error::Refused;
use super::{Act, Admin, Caller};
use crate::telemetry::Secret;
use crate::types::Address;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppPasswordAdd {
    pub address: Address,
    pub label: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppPasswordList {
    pub address: Address,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppPasswordRemove {
    pub address: Address,
    pub label: String,
}

/// The password is told this once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppPasswordAdded {
    pub address: Address,
    pub label: String,
    #[serde(with = "revealed")]
    pub password: Secret<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordView {
    pub label: String,
    pub created: String,
    pub last_used: Option<String>,
}

async fn list(admin: &Admin, address: &Address) -> Result<Vec<AppPasswordView>, Refused> {
    let records = admin.auth().app_passwords(address).await?;
    let view = |record: crate::store::AppPasswordRecord| AppPasswordView {
        label: record.label,
        created: record.created.rfc3339(),
        last_used: record.last_used.map(crate::types::Timestamp::rfc3339),
    };
    Ok(records.into_iter().map(view).collect())
}

impl Act for AppPasswordAdd {
    const NAME: &'static str = "account app-password add";
    type Answer = AppPasswordAdded;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<AppPasswordAdded, Refused> {
        admin.account(&self.address).await?;
        let password = admin.auth().add_app_password(&self.address, &self.label).await?;
        tracing::info!(author = caller.author, act = Self::NAME, address = %self.address, "app password made");
        Ok(AppPasswordAdded { address: self.address.canonical(), label: self.label, password })
    }
}

impl Act for AppPasswordList {
    const NAME: &'static str = "account app-password list";
    type Answer = Vec<AppPasswordView>;

    async fn run(self, admin: &Admin, _: &Caller) -> Result<Vec<AppPasswordView>, Refused> {
        admin.account(&self.address).await?;
        list(admin, &self.address).await
    }
}

impl Act for AppPasswordRemove {
    const NAME: &'static str = "account app-password remove";
    /// Those that are left.
    type Answer = Vec<AppPasswordView>;

    async fn run(self, admin: &Admin, caller: &Caller) -> Result<Vec<AppPasswordView>, Refused> {
        admin.account(&self.address).await?;
        admin.auth().remove_app_password(&self.address, &self.label).await?;
        tracing::info!(author = caller.author, act = Self::NAME, address = %self.address, "app password removed");
        list(admin, &self.address).await
    }
}
