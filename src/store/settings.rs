//! Small facts the server keeps about itself, by name.

use super::{Store, StoreError};

impl Store {
    pub async fn setting(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.read(move |tx| {
            tx.row("SELECT value FROM setting WHERE name = ?1", &[name.into()], |row| Ok(row.text(0)?.to_owned()))
        })
        .await
    }

    pub async fn set_setting(&self, name: &'static str, value: String) -> Result<(), StoreError> {
        self.write(128, move |tx| {
            tx.execute(
                "INSERT INTO setting (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                &[name.into(), (&value).into()],
            )
            .map(|_| ())
        })
        .await
    }

    /// The value that is there, or else `value`, which is then there: two who ask at once get the same.
    pub async fn setting_or_insert(&self, name: &'static str, value: String) -> Result<String, StoreError> {
        self.write(128, move |tx| {
            tx.execute(
                "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                &[name.into(), (&value).into()],
            )?;
            let stored =
                tx.row("SELECT value FROM setting WHERE name = ?1", &[name.into()], |row| Ok(row.text(0)?.to_owned()))?;
            Ok(stored.unwrap_or_else(|| value.clone()))
        })
        .await
    }
}
