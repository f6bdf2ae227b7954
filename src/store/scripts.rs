//! Sieve scripts with their versions: those people and administrators wrote, and those switches were compiled to.

use super::directory_reads::{address_record, json, to_json};
use super::tx::{Row, Tx};
use super::{Store, StoreError, Thing};
use crate::types::limits::{SCRIPT_VERSIONS_MAX, SCRIPTS_PER_OWNER_MAX};
use crate::types::{AccountId, Address, AddressId, DomainId, ScriptId, Switches, Timestamp};

/// Whose script it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScriptOwner {
    Account(AccountId),
    Domain(DomainId),
    Server,
}

impl ScriptOwner {
    /// As it was written by [`Self::key`].
    pub(super) fn of_key(key: &str) -> Result<Self, StoreError> {
        let (kind, id) = key.split_once(':').unwrap_or((key, "0"));
        match (kind, id.parse()) {
            ("account", Ok(id)) => Ok(Self::Account(AccountId(id))),
            ("domain", Ok(id)) => Ok(Self::Domain(DomainId(id))),
            ("server", Ok(0)) => Ok(Self::Server),
            _ => Err(StoreError::Damaged(format!("the owner {key} of a script"))),
        }
    }

    pub(super) fn key(self) -> String {
        match self {
            Self::Account(id) => format!("account:{id}"),
            Self::Domain(id) => format!("domain:{id}"),
            Self::Server => "server".to_owned(),
        }
    }

    pub(super) fn parse(key: &str) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged(format!("a script of {key}"));
        let number = |text: &str| text.parse().map_err(|_| damaged());
        match key.split_once(':') {
            None if key == "server" => Ok(Self::Server),
            Some(("account", id)) => Ok(Self::Account(AccountId(number(id)?))),
            Some(("domain", id)) => Ok(Self::Domain(DomainId(number(id)?))),
            _ => Err(damaged()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptRecord {
    pub id: ScriptId,
    pub name: String,
    /// `Some`: active, in this order.
    pub position: Option<u32>,
    pub version: u32,
    pub octets: u64,
    pub changed: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptNamed {
    pub owner: ScriptOwner,
    pub name: String,
    /// `Some`: active, in this order.
    pub position: Option<u32>,
}

/// A script's text with what the ledger calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptText {
    pub id: ScriptId,
    pub name: String,
    pub version: u32,
    pub is_active: bool,
    pub text: String,
}

/// Who brought a version, why, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VersionSource {
    pub author: String,
    pub cause: String,
    /// A network address, or `local`.
    pub origin: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRecord {
    pub version: u32,
    pub source: VersionSource,
    pub octets: u64,
    pub created: Timestamp,
}

/// One version of what an address's switches were compiled to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledRecord {
    pub version: u32,
    pub text: String,
    pub switches: Switches,
    pub author: String,
    pub cause: String,
    pub created: Timestamp,
}

impl Store {
    /// The owner's scripts, active ones first in their order.
    pub async fn scripts(&self, owner: ScriptOwner) -> Result<Vec<ScriptRecord>, StoreError> {
        self.read(move |tx| {
            tx.rows(
                "SELECT s.script_id, s.name, s.position, s.version, length(CAST(v.text AS BLOB)), v.created FROM script s
                 JOIN script_version v ON v.script_id = s.script_id AND v.version = s.version
                 WHERE s.owner = ?1 ORDER BY s.position IS NULL, s.position, s.name",
                &[(&owner.key()).into()],
                |row| {
                    Ok(ScriptRecord {
                        id: ScriptId(row.int(0)?),
                        name: row.text(1)?.to_owned(),
                        position: if row.is_null(2)? { None } else { Some(row.small(2)?) },
                        version: row.small(3)?,
                        octets: row.size(4)?,
                        changed: row.time(5)?,
                    })
                },
            )
        })
        .await
    }

    /// What the owners' scripts are called and which run, without reading any: in the order of the owners, of each the active
    /// ones first in their order.
    pub async fn script_names(&self, owners: Vec<ScriptOwner>) -> Result<Vec<ScriptNamed>, StoreError> {
        self.read(move |tx| {
            let mut all = Vec::new();
            for owner in owners {
                all.extend(tx.rows(
                    "SELECT name, position FROM script WHERE owner = ?1 ORDER BY position IS NULL, position, name",
                    &[(&owner.key()).into()],
                    |row| {
                        let position = if row.is_null(1)? { None } else { Some(row.small(1)?) };
                        Ok(ScriptNamed { owner, name: row.text(0)?.to_owned(), position })
                    },
                )?);
            }
            Ok(all)
        })
        .await
    }

    /// A version of a script, or the current one.
    pub async fn script(
        &self,
        owner: ScriptOwner,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<ScriptText>, StoreError> {
        let name = name.to_owned();
        self.read(move |tx| {
            tx.row(
                "SELECT s.script_id, s.name, v.version, s.position IS NOT NULL, v.text FROM script s
                 JOIN script_version v ON v.script_id = s.script_id AND v.version = coalesce(?3, s.version)
                 WHERE s.owner = ?1 AND s.name = ?2",
                &[(&owner.key()).into(), (&name).into(), version.into()],
                text_of,
            )
        })
        .await
    }

    /// The current version; for scripts' hosts, on their own threads.
    pub fn script_blocking(&self, owner: ScriptOwner, name: &str) -> Result<Option<ScriptText>, StoreError> {
        let name = name.to_owned();
        self.read_blocking(move |tx| {
            tx.row(
                "SELECT s.script_id, s.name, v.version, s.position IS NOT NULL, v.text FROM script s
                 JOIN script_version v ON v.script_id = s.script_id AND v.version = s.version
                 WHERE s.owner = ?1 AND s.name = ?2",
                &[(&owner.key()).into(), (&name).into()],
                text_of,
            )
        })
    }

    /// One version of an address's compiled script; for scripts' hosts, on their own threads.
    pub fn compiled_text_blocking(&self, address: AddressId, version: u32) -> Result<Option<String>, StoreError> {
        self.read_blocking(move |tx| {
            let sql = "SELECT text FROM compiled WHERE address_id = ?1 AND version = ?2";
            tx.row(sql, &[address.into(), version.into()], |row| Ok(row.text(0)?.to_owned()))
        })
    }

    /// What runs for the owner, in order.
    pub async fn active_scripts(&self, owner: ScriptOwner) -> Result<Vec<ScriptText>, StoreError> {
        self.read(move |tx| {
            tx.rows(
                "SELECT s.script_id, s.name, v.version, s.position IS NOT NULL, v.text FROM script s
                 JOIN script_version v ON v.script_id = s.script_id AND v.version = s.version
                 WHERE s.owner = ?1 AND s.position IS NOT NULL ORDER BY s.position",
                &[(&owner.key()).into()],
                text_of,
            )
        })
        .await
    }

    /// Makes a script or its next version. An unchanged text makes none. Returns the current version.
    pub async fn put_script(
        &self,
        owner: ScriptOwner,
        name: &str,
        text: String,
        source: VersionSource,
    ) -> Result<u32, StoreError> {
        let name = name.to_owned();
        let now = self.0.clock.now();
        self.write(text.len() + 256, move |tx| put(tx, owner, &name, &text, &source, now)).await
    }

    /// Makes exactly these scripts active, in this order; the others stay, inactive.
    pub async fn activate_scripts(&self, owner: ScriptOwner, names: Vec<String>) -> Result<(), StoreError> {
        self.write(512, move |tx| activate(tx, owner, &names)).await
    }

    pub async fn rename_script(&self, owner: ScriptOwner, from: &str, to: &str) -> Result<(), StoreError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.write(256, move |tx| rename(tx, owner, &from, &to)).await
    }

    /// An active script can't be removed (RFC 5804 section 2.10).
    pub async fn remove_script(&self, owner: ScriptOwner, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(256, move |tx| {
            let key = owner.key();
            let sql = "SELECT position IS NOT NULL FROM script WHERE owner = ?1 AND name = ?2";
            match tx.int(sql, &[(&key).into(), (&name).into()])? {
                None => Err(StoreError::Missing(Thing::Script)),
                Some(0) => {
                    tx.stale.scripts = true;
                    let sql = "DELETE FROM script WHERE owner = ?1 AND name = ?2";
                    tx.execute(sql, &[(&key).into(), (&name).into()]).map(|_| ())
                }
                Some(_) => Err(StoreError::InUse(Thing::Script)),
            }
        })
        .await
    }

    /// All versions of a script, the newest first.
    pub async fn script_history(&self, owner: ScriptOwner, name: &str) -> Result<Vec<VersionRecord>, StoreError> {
        let name = name.to_owned();
        self.read(move |tx| {
            tx.rows(
                "SELECT v.version, v.author, v.cause, v.origin, length(CAST(v.text AS BLOB)), v.created FROM script s
                 JOIN script_version v ON v.script_id = s.script_id
                 WHERE s.owner = ?1 AND s.name = ?2 ORDER BY v.version DESC",
                &[(&owner.key()).into(), (&name).into()],
                |row| {
                    Ok(VersionRecord {
                        version: row.small(0)?,
                        source: VersionSource {
                            author: row.text(1)?.to_owned(),
                            cause: row.text(2)?.to_owned(),
                            origin: row.text(3)?.to_owned(),
                        },
                        octets: row.size(4)?,
                        created: row.time(5)?,
                    })
                },
            )
        })
        .await
    }

    /// What the address's switches were compiled to: the newest `most` versions, the newest first.
    pub async fn compiled_history(&self, address: &Address, most: u32) -> Result<Vec<CompiledRecord>, StoreError> {
        let address = address.canonical();
        self.read(move |tx| {
            let Some(record) = address_record(tx, &address)? else { return Ok(Vec::new()) };
            tx.rows(
                "SELECT version, text, switches, author, cause, created FROM compiled WHERE address_id = ?1
                 ORDER BY version DESC LIMIT ?2",
                &[record.id.into(), most.into()],
                |row| {
                    Ok(CompiledRecord {
                        version: row.small(0)?,
                        text: row.text(1)?.to_owned(),
                        switches: json(row.text(2)?)?,
                        author: row.text(3)?.to_owned(),
                        cause: row.text(4)?.to_owned(),
                        created: row.time(5)?,
                    })
                },
            )
        })
        .await
    }
}

pub(super) fn activate(tx: &mut Tx<'_>, owner: ScriptOwner, names: &[String]) -> Result<(), StoreError> {
    let key = owner.key();
    tx.stale.scripts = true;
    tx.execute("UPDATE script SET position = NULL WHERE owner = ?1", &[(&key).into()])?;
    for (position, name) in (1_i64..).zip(names) {
        let changed = tx.execute(
            "UPDATE script SET position = ?3 WHERE owner = ?1 AND name = ?2",
            &[(&key).into(), name.into(), position.into()],
        )?;
        if changed == 0 {
            return Err(StoreError::Missing(Thing::Script));
        }
    }
    Ok(())
}

pub(super) fn rename(tx: &mut Tx<'_>, owner: ScriptOwner, from: &str, to: &str) -> Result<(), StoreError> {
    let key = owner.key();
    let taken = tx.int("SELECT count(*) FROM script WHERE owner = ?1 AND name = ?2", &[(&key).into(), to.into()])?;
    if taken != Some(0) {
        return Err(StoreError::Exists(Thing::Script));
    }
    let changed = tx.execute(
        "UPDATE script SET name = ?3 WHERE owner = ?1 AND name = ?2",
        &[(&key).into(), from.into(), to.into()],
    )?;
    tx.stale.scripts = true;
    if changed == 0 { Err(StoreError::Missing(Thing::Script)) } else { Ok(()) }
}

fn text_of(row: &dyn Row) -> Result<ScriptText, StoreError> {
    Ok(ScriptText {
        id: ScriptId(row.int(0)?),
        name: row.text(1)?.to_owned(),
        version: row.small(2)?,
        is_active: row.flag(3)?,
        text: row.text(4)?.to_owned(),
    })
}

fn put(
    tx: &mut Tx<'_>,
    owner: ScriptOwner,
    name: &str,
    text: &str,
    source: &VersionSource,
    now: Timestamp,
) -> Result<u32, StoreError> {
    let key = owner.key();
    let known = tx.row(
        "SELECT s.script_id, s.version, v.text FROM script s
         JOIN script_version v ON v.script_id = s.script_id AND v.version = s.version
         WHERE s.owner = ?1 AND s.name = ?2",
        &[(&key).into(), name.into()],
        |row| Ok((ScriptId(row.int(0)?), row.small(1)?, row.text(2)? == text)),
    )?;
    let (id, version) = match known {
        Some((_, version, true)) => return Ok(version),
        Some((id, version, false)) => (id, version + 1),
        None => (insert_script(tx, &key, name)?, 1),
    };
    tx.stale.scripts = true;
    tx.execute(
        "INSERT INTO script_version (script_id, version, text, author, cause, origin, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            id.into(),
            version.into(),
            text.into(),
            (&source.author).into(),
            (&source.cause).into(),
            (&source.origin).into(),
            now.into(),
        ],
    )?;
    tx.execute("UPDATE script SET version = ?2 WHERE script_id = ?1", &[id.into(), version.into()])?;
    tx.execute(
        "DELETE FROM script_version WHERE script_id = ?1 AND version <= ?2",
        &[id.into(), (i64::from(version) - SCRIPT_VERSIONS_MAX as i64).into()],
    )?;
    Ok(version)
}

fn insert_script(tx: &mut Tx<'_>, key: &str, name: &str) -> Result<ScriptId, StoreError> {
    let count = tx.int("SELECT count(*) FROM script WHERE owner = ?1", &[key.into()])?.unwrap_or(0);
    if count >= SCRIPTS_PER_OWNER_MAX as i64 {
        return Err(StoreError::Limit("scripts of one owner"));
    }
    tx.row(
        "INSERT INTO script (owner, name, version) VALUES (?1, ?2, 0) RETURNING script_id",
        &[key.into(), name.into()],
        |row| Ok(ScriptId(row.int(0)?)),
    )?
    .ok_or(StoreError::Missing(Thing::Script))
}

/// The next version of an address's compiled script, unless neither text nor switches changed.
pub(super) fn add_compiled(
    tx: &mut Tx<'_>,
    address: AddressId,
    switches: &Switches,
    text: &str,
    author: &str,
    cause: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let switches = to_json(switches)?;
    let newest = tx.row(
        "SELECT version, text, switches FROM compiled WHERE address_id = ?1 ORDER BY version DESC LIMIT 1",
        &[address.into()],
        |row| Ok((row.small(0)?, row.text(1)? == text && row.text(2)? == switches)),
    )?;
    let version = match newest {
        Some((_, true)) => return Ok(()),
        Some((version, false)) => version + 1,
        None => 1,
    };
    tx.execute(
        "INSERT INTO compiled (address_id, version, text, switches, author, cause, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[address.into(), version.into(), text.into(), (&switches).into(), author.into(), cause.into(), now.into()],
    )?;
    tx.execute("UPDATE address SET compiled_version = ?2 WHERE address_id = ?1", &[address.into(), version.into()])?;
    tx.execute(
        "DELETE FROM compiled WHERE address_id = ?1 AND version <= ?2",
        &[address.into(), (i64::from(version) - SCRIPT_VERSIONS_MAX as i64).into()],
    )?;
    Ok(())
}
