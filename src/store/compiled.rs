//! What switches were compiled to, of many addresses at a time: which texts are old, and their new versions in pieces.

use super::directory_changes::bump_generation;
use super::directory_reads::generation;
use super::{ScriptOwner, Store, StoreError, Thing};
use crate::types::AddressId;
use crate::types::limits::SCRIPT_VERSIONS_MAX;
use std::collections::HashMap;

/// Scripts of one transaction: some ten milliseconds of the writer's time.
const PIECE: usize = 500;

impl Store {
    /// The names of all active scripts, by their owners, in their order.
    pub async fn active_script_names(&self) -> Result<HashMap<ScriptOwner, Vec<String>>, StoreError> {
        self.read(|tx| {
            let mut active: HashMap<ScriptOwner, Vec<String>> = HashMap::new();
            let sql = "SELECT owner, name FROM script WHERE position IS NOT NULL ORDER BY owner, position";
            for (owner, name) in
                tx.rows(sql, &[], |row| Ok((ScriptOwner::parse(row.text(0)?)?, row.text(1)?.to_owned())))?
            {
                active.entry(owner).or_default().push(name);
            }
            Ok(active)
        })
        .await
    }

    /// Those of the texts that are not what is stored of their addresses.
    pub async fn stale_compiled(
        &self,
        texts: Vec<(AddressId, String)>,
    ) -> Result<Vec<(AddressId, String)>, StoreError> {
        self.read(move |tx| {
            let mut stale = Vec::new();
            for (address, text) in texts {
                let same = tx.row(
                    "SELECT c.text FROM address a
                     JOIN compiled c ON c.address_id = a.address_id AND c.version = a.compiled_version
                     WHERE a.address_id = ?1",
                    &[address.into()],
                    |row| Ok(row.text(0)? == text),
                )?;
                if same != Some(true) {
                    stale.push((address, text));
                }
            }
            Ok(stale)
        })
        .await
    }

    /// New versions of scripts whose switches stay as they are, a piece at a time. With the last piece the directory's
    /// generation moves, and deliveries see all of them. If somebody changes the directory meanwhile, the answer is
    /// `Changed`, and what was written by then is as good as any: it was right for its address until that change.
    pub async fn recompile(
        &self,
        decided_on: u64,
        texts: Vec<(AddressId, String)>,
        author: &str,
        cause: &str,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let mut texts = texts.into_iter().peekable();
        while texts.peek().is_some() {
            let piece: Vec<(AddressId, String)> = texts.by_ref().take(PIECE).collect();
            let is_last = texts.peek().is_none();
            let octets = piece.iter().map(|(_, text)| text.len() + 256).sum();
            let (author, cause) = (author.to_owned(), cause.to_owned());
            self.write(octets, move |tx| {
                if generation(tx)? != decided_on {
                    return Err(StoreError::Changed);
                }
                for (address, text) in &piece {
                    let version = tx.int(
                        "INSERT INTO compiled (address_id, version, text, switches, author, cause, created)
                         SELECT o.address_id, o.version + 1, ?2, o.switches, ?3, ?4, ?5 FROM compiled o
                         WHERE o.address_id = ?1 ORDER BY o.version DESC LIMIT 1 RETURNING version",
                        &[(*address).into(), text.into(), (&author).into(), (&cause).into(), now.into()],
                    )?;
                    let version = version.ok_or(StoreError::Missing(Thing::ScriptVersion))?;
                    tx.execute(
                        "UPDATE address SET compiled_version = ?2 WHERE address_id = ?1",
                        &[(*address).into(), version.into()],
                    )?;
                    tx.execute(
                        "DELETE FROM compiled WHERE address_id = ?1 AND version <= ?2",
                        &[(*address).into(), (version - SCRIPT_VERSIONS_MAX as i64).into()],
                    )?;
                }
                if is_last { bump_generation(tx, decided_on).map(|_| ()) } else { Ok(()) }
            })
            .await?;
        }
        Ok(())
    }
}
