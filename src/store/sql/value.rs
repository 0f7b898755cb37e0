//! Parameters of statements, and cells of their results.

use erp_manifest::document::weight_of_text;
use sea_query::Value as BoundValue;
use serde_json::Value;

use super::SqlError;

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SqlValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl SqlValue {
    /// A text parameter.
    pub(crate) fn text(text: &str) -> SqlValue {
        SqlValue::Text(text.to_owned())
    }

    /// A value of a row as a parameter; lists and objects become JSON text.
    pub(crate) fn of_json(value: &Value) -> SqlValue {
        match value {
            Value::Null => SqlValue::Null,
            Value::Bool(flag) => SqlValue::Integer((*flag).into()),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => SqlValue::Integer(integer),
                None => number.as_f64().map_or(SqlValue::Null, SqlValue::Real),
            },
            Value::String(text) => SqlValue::text(text),
            value => SqlValue::Text(value.to_string()),
        }
    }

    /// A text parameter, or null.
    pub(crate) fn text_or_null(text: Option<&str>) -> SqlValue {
        text.map_or(SqlValue::Null, SqlValue::text)
    }
}

/// Converts sea-query's value to ours. The store binds text, integers, floats and booleans only.
pub(crate) fn bound(value: BoundValue) -> SqlValue {
    match value {
        BoundValue::Bool(Some(flag)) => SqlValue::Integer(flag.into()),
        BoundValue::BigInt(Some(number)) => SqlValue::Integer(number),
        BoundValue::BigUnsigned(Some(number)) => SqlValue::Integer(number.cast_signed()),
        BoundValue::Int(Some(number)) => SqlValue::Integer(number.into()),
        BoundValue::Unsigned(Some(number)) => SqlValue::Integer(number.into()),
        BoundValue::Double(Some(number)) => SqlValue::Real(number),
        BoundValue::String(Some(text)) => SqlValue::Text(text),
        _ => SqlValue::Null,
    }
}

/// The value of a column in a row. Booleans are 0 and 1, JSON is text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'r> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'r str),
    Blob(&'r [u8]),
}

impl Cell<'_> {
    /// Converts the cell to JSON; bytes become a text with their number.
    pub(crate) fn to_json(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Integer(number) => Value::from(number),
            Cell::Real(number) => Value::from(number),
            Cell::Text(text) => Value::from(text),
            Cell::Blob(bytes) => Value::from(format!("{} bytes", bytes.len())),
        }
    }

    /// Converts the cell to a parameter of another statement.
    pub(crate) fn to_value(self) -> SqlValue {
        match self {
            Cell::Null => SqlValue::Null,
            Cell::Integer(number) => SqlValue::Integer(number),
            Cell::Real(number) => SqlValue::Real(number),
            Cell::Text(text) => SqlValue::text(text),
            Cell::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Cell::Null => "null",
            Cell::Integer(_) => "an integer",
            Cell::Real(_) => "a number with a fraction",
            Cell::Text(_) => "text",
            Cell::Blob(_) => "bytes",
        }
    }
}

/// A row of a result.
pub(crate) enum SqlRow<'r> {
    #[cfg(feature = "sqlite")]
    Sqlite(&'r rusqlite::Row<'r>),
    #[cfg(feature = "postgres")]
    Postgres(&'r tokio_postgres::Row),
}

impl SqlRow<'_> {
    /// The approximate memory of all columns, in bytes.
    pub(crate) fn weight(&self) -> u64 {
        let columns = match self {
            #[cfg(feature = "sqlite")]
            SqlRow::Sqlite(row) => row.as_ref().column_count(),
            #[cfg(feature = "postgres")]
            SqlRow::Postgres(row) => row.len(),
        };
        (0..columns).map(|index| self.weight_of(index)).sum()
    }

    /// The approximate memory of one column, in bytes.
    pub(crate) fn weight_of(&self, index: usize) -> u64 {
        match self.cell(index) {
            Ok(Cell::Text(text)) => weight_of_text(text),
            Ok(Cell::Blob(bytes)) => bytes.len() as u64,
            _ => 16,
        }
    }

    /// The cell of a column; columns count from 0.
    pub(crate) fn cell(&self, index: usize) -> Result<Cell<'_>, SqlError> {
        match self {
            #[cfg(feature = "sqlite")]
            SqlRow::Sqlite(row) => super::sqlite::cell(row, index),
            #[cfg(feature = "postgres")]
            SqlRow::Postgres(row) => super::postgres_wire::cell(row, index),
        }
    }

    /// The cell of a column, converted to a Rust type.
    pub(crate) fn get<T: FromSql>(&self, index: usize) -> Result<T, SqlError> {
        let cell = self.cell(index)?;
        T::from_cell(cell).ok_or_else(|| SqlError::Column { index, found: cell.kind(), wanted: T::WANTED })
    }
}

/// A Rust type that a cell can be converted to.
pub(crate) trait FromSql: Sized {
    const WANTED: &'static str;

    fn from_cell(cell: Cell<'_>) -> Option<Self>;
}

impl FromSql for String {
    const WANTED: &'static str = "text";

    fn from_cell(cell: Cell<'_>) -> Option<String> {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl FromSql for i64 {
    const WANTED: &'static str = "an integer";

    fn from_cell(cell: Cell<'_>) -> Option<i64> {
        match cell {
            Cell::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromSql for u32 {
    const WANTED: &'static str = "a small integer";

    fn from_cell(cell: Cell<'_>) -> Option<u32> {
        i64::from_cell(cell).and_then(|number| u32::try_from(number).ok())
    }
}

impl FromSql for Vec<u8> {
    const WANTED: &'static str = "bytes";

    fn from_cell(cell: Cell<'_>) -> Option<Vec<u8>> {
        match cell {
            Cell::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<T: FromSql> FromSql for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_cell(cell: Cell<'_>) -> Option<Option<T>> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}
