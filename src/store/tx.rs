//! The internal interface that store methods are written over: statements with `?1` parameters in the SQL that SQLite
//! and PostgreSQL share, values in, typed rows out. Handles of it never leave `store`.

use super::error::StoreError;
use crate::types::{
    AccountId, AddressId, BodyId, DomainId, MailboxId, ModSeq, ScriptId, SendId, Timestamp, Uid, UidValidity,
};
use std::ops::ControlFlow;

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// One row of an answer. Columns count from 0, as in the statement.
pub(crate) trait Row {
    fn is_null(&self, column: usize) -> Result<bool, StoreError>;
    fn int(&self, column: usize) -> Result<i64, StoreError>;
    fn text(&self, column: usize) -> Result<&str, StoreError>;
    fn blob(&self, column: usize) -> Result<&[u8], StoreError>;
}

type Each<'f> = &'f mut dyn FnMut(&dyn Row) -> Result<ControlFlow<()>, StoreError>;

/// What an engine gives: one connection and the verbs of a transaction on it.
pub(crate) trait Session: Send {
    /// Returns the number of rows changed.
    fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<u64, StoreError>;
    fn query(&mut self, sql: &'static str, parameters: &[Value<'_>], each: Each<'_>) -> Result<(), StoreError>;
    fn begin(&mut self, kind: Begin) -> Result<(), StoreError>;
    fn commit(&mut self) -> Result<(), StoreError>;
    /// Never fails: a connection that can't roll back has already done so.
    fn rollback(&mut self);
    fn savepoint(&mut self) -> Result<(), StoreError>;
    fn release(&mut self) -> Result<(), StoreError>;
    fn rollback_to_savepoint(&mut self) -> Result<(), StoreError>;
    /// Whether a transaction is open: some engines end it by themselves on a full disk.
    fn in_transaction(&self) -> bool;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// A snapshot to read from.
    Read,
    /// The one writer.
    Write,
}

/// An open transaction, as the store's methods see it.
pub(crate) struct Tx<'s> {
    session: &'s mut dyn Session,
    /// What the change feed is to say once this is committed.
    pub(super) touched: Vec<super::Touched>,
    /// What the queue is to hear once this is committed.
    pub(super) waiting: Vec<super::Waiting>,
    /// What caches are to let go once this is committed.
    pub(super) stale: super::generations::Stale,
}

impl<'s> Tx<'s> {
    pub(super) fn new(session: &'s mut dyn Session) -> Self {
        Self { session, touched: Vec::new(), waiting: Vec::new(), stale: super::generations::Stale::default() }
    }

    pub(crate) fn execute(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<u64, StoreError> {
        self.session.execute(sql, parameters)
    }

    /// All rows, each made into a `T`.
    pub(crate) fn rows<T>(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        mut make: impl FnMut(&dyn Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.session.query(sql, parameters, &mut |row| {
            all.push(make(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// The first row, if there is one.
    pub(crate) fn row<T>(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        make: impl FnOnce(&dyn Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut make = Some(make);
        let mut made = None;
        self.session.query(sql, parameters, &mut |row| {
            if let Some(make) = make.take() {
                made = Some(make(row)?);
            }
            Ok(ControlFlow::Break(()))
        })?;
        Ok(made)
    }

    /// Every row, without collecting; the callback may end it early.
    pub(crate) fn each(
        &mut self,
        sql: &'static str,
        parameters: &[Value<'_>],
        mut each: impl FnMut(&dyn Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.session.query(sql, parameters, &mut each)
    }

    /// The one integer a statement answers with; `None` if it has no row or NULL.
    pub(crate) fn int(&mut self, sql: &'static str, parameters: &[Value<'_>]) -> Result<Option<i64>, StoreError> {
        Ok(self.row(sql, parameters, |row| row.opt_int(0))?.flatten())
    }
}

/// Readings that every row can give, over the four an engine provides.
impl dyn Row + '_ {
    pub(crate) fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        if self.is_null(column)? { Ok(None) } else { self.int(column).map(Some) }
    }

    pub(crate) fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        if self.is_null(column)? { Ok(None) } else { self.text(column).map(Some) }
    }

    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp)
    }

    /// A count or size: negative is damage.
    pub(crate) fn size(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.int(column)?).map_err(|_| StoreError::Damaged(format!("column {column} is negative")))
    }

    pub(crate) fn small(&self, column: usize) -> Result<u32, StoreError> {
        u32::try_from(self.int(column)?).map_err(|_| StoreError::Damaged(format!("column {column} is out of range")))
    }

    /// A text that parses into `T`; that it does not is damage.
    pub(crate) fn parsed<T>(&self, column: usize) -> Result<T, StoreError>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text(column)?;
        text.parse().map_err(|error| StoreError::Damaged(format!("“{text}”: {error}")))
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}
/// Sizes and counts; nothing of ours reaches 2^63.
impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}
impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}
impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Self::Blob(value)
    }
}
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! value_of_number {
    ($($name:ident),*) => { $(impl From<$name> for Value<'_> { fn from(value: $name) -> Self { value.0.into() } })* };
}
value_of_number!(
    AccountId,
    AddressId,
    BodyId,
    DomainId,
    MailboxId,
    ModSeq,
    ScriptId,
    SendId,
    Timestamp,
    Uid,
    UidValidity
);
