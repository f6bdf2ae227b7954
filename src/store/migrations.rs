//! Numbered SQL files, each applied in one transaction; a database from the future is refused untouched.

use super::engine::Engine;
use super::error::StoreError;
use super::tx::{Begin, Session};

/// The n-th file brings a database from version n−1 to n. Files that have been released never change.
const FILES: [&str; 6] = [
    include_str!("../../data/sql/0001.sql"),
    include_str!("../../data/sql/0002.sql"),
    include_str!("../../data/sql/0003.sql"),
    include_str!("../../data/sql/0004.sql"),
    include_str!("../../data/sql/0005.sql"),
    include_str!("../../data/sql/0006.sql"),
];

pub(super) fn known_version() -> i64 {
    FILES.len() as i64
}

/// Brings the database to the newest version. Killed half way, it is at a whole version and goes on next time.
pub(super) fn migrate(engine: &dyn Engine, session: &mut dyn Session) -> Result<(), StoreError> {
    let found = engine.version(session)?;
    let known = known_version();
    if found > known {
        return Err(StoreError::NewerVersion { found, known });
    }
    for (version, sql) in (1..).zip(FILES).filter(|(version, _)| *version > found) {
        session.begin(Begin::Write)?;
        let applied = engine.migrate(session, version, sql).and_then(|()| session.commit());
        if applied.is_err() {
            session.rollback();
        }
        applied?;
    }
    Ok(())
}

/// The statements of a migration file. Each ends with a semicolon at the end of a line, comments aside; the engine skips
/// the comments within one.
pub(super) fn statements(sql: &'static str) -> Vec<&'static str> {
    let mut statements = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in sql.split_inclusive('\n') {
        end += line.len();
        let code = line.split_once("--").map_or(line, |(code, _)| code);
        if code.trim_end().ends_with(';') {
            statements.push(&sql[start..end]);
            start = end;
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::FILES;
    use sha2::{Digest, Sha256};

    /// A released file that changes would leave the databases out there without the change, and nothing would say so.
    #[test]
    fn released_files_are_as_they_were() {
        let first_octets: Vec<String> = FILES
            .iter()
            .map(|sql| Sha256::digest(sql).iter().take(4).map(|octet| format!("{octet:02x}")).collect())
            .collect();
        assert_eq!(first_octets, RELEASED, "write a new file instead, and add it here");
    }

    const RELEASED: [&str; 6] = ["3179a0be", "2e0425c9", "865b85c0", "39b1ee51", "439899d4", "4661895f"];
}
