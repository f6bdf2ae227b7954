//! One connection: statements prepared once, values bound, rows read in place.

use super::cause;
use super::log::Log;
use crate::store::error::StoreError;
use crate::store::tx::{Begin, Row, Session, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};
use std::ops::ControlFlow;
use std::sync::Arc;

pub(super) struct SqliteSession {
    connection: Connection,
    /// Of the writer.
    log: Option<Arc<Log>>,
}

impl SqliteSession {
    pub(super) fn new(connection: Connection, log: Option<Arc<Log>>) -> Self {
        Self { connection, log }
    }
}

struct Parameter<'v, 'a>(&'v Value<'a>);

impl ToSql for Parameter<'_, '_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(octets) => ValueRef::Blob(octets),
        }))
    }
}

struct SqliteRow<'r, 's>(&'r rusqlite::Row<'s>);

impl SqliteRow<'_, '_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>, StoreError> {
        self.0.get_ref(column).map_err(|error| cause(&error))
    }
}

fn wrong(column: usize, expected: &str) -> StoreError {
    StoreError::Damaged(format!("column {column} is no {expected}"))
}

impl Row for SqliteRow<'_, '_> {
    fn is_null(&self, column: usize) -> Result<bool, StoreError> {
        Ok(matches!(self.value(column)?, ValueRef::Null))
    }

    fn int(&self, column: usize) -> Result<i64, StoreError> {
        match self.value(column)? {
            ValueRef::Integer(value) => Ok(value),
            _ => Err(wrong(column, "integer")),
        }
    }

    fn text(&self, column: usize) -> Result<&str, StoreError> {
        match self.value(column)? {
            ValueRef::Text(octets) => std::str::from_utf8(octets).map_err(|_| wrong(column, "UTF-8")),
            _ => Err(wrong(column, "text")),
        }
    }

    fn blob(&self, column: usize) -> Result<&[u8], StoreError> {
        match self.value(column)? {
            ValueRef::Blob(octets) => Ok(octets),
            _ => Err(wrong(column, "blob")),
        }
    }
}

impl Session for SqliteSession {
    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| cause(&error))?;
        let bound = rusqlite::params_from_iter(parameters.iter().map(Parameter));
        statement.execute(bound).map(|rows| rows as u64).map_err(|error| cause(&error))
    }

    fn query(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| cause(&error))?;
        let bound = rusqlite::params_from_iter(parameters.iter().map(Parameter));
        let mut rows = statement.query(bound).map_err(|error| cause(&error))?;
        while let Some(row) = rows.next().map_err(|error| cause(&error))? {
            if each(&SqliteRow(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, kind: Begin) -> Result<(), StoreError> {
        if self.log.as_ref().is_some_and(|log| log.rest_is_due())
            && let Err(error) = super::checkpoint(&self.connection)
        {
            tracing::warn!(%error, "the log could not be begun anew");
        }
        self.execute(if kind == Begin::Write { "BEGIN IMMEDIATE" } else { "BEGIN" }, &[]).map(|_| ())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.execute("COMMIT", &[])?;
        if let Some(log) = &self.log {
            log.committed();
        }
        Ok(())
    }

    fn rollback(&mut self) {
        if self.in_transaction() {
            // The only failure is that the transaction has ended by itself, which is what is wanted.
            let _ = self.execute("ROLLBACK", &[]);
        }
    }

    fn savepoint(&mut self) -> Result<(), StoreError> {
        self.execute("SAVEPOINT job", &[]).map(|_| ())
    }

    fn release(&mut self) -> Result<(), StoreError> {
        self.execute("RELEASE job", &[]).map(|_| ())
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), StoreError> {
        self.execute("ROLLBACK TO job", &[])?;
        self.execute("RELEASE job", &[]).map(|_| ())
    }

    fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }
}
