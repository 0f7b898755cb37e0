//! The form of statements and values on the way to PostgreSQL and back.

use bytes::BytesMut;
use tokio_postgres::types::{Format, FromSql as FromPostgres, IsNull, ToSql, Type, to_sql_checked};

use super::{Cell, SqlError, SqlValue};

/// Replaces each `?` outside of quotes with `$1`, `$2`, ….
pub(super) fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut quote = None;
    let mut count = 0;
    for character in sql.chars() {
        match (quote, character) {
            (None, '?') => {
                count += 1;
                numbered.push_str(&format!("${count}"));
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), closing) if open == closing => quote = None,
            _ => {}
        }
        numbered.push(character);
    }
    numbered
}

impl ToSql for SqlValue {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            SqlValue::Null => return Ok(IsNull::Yes),
            SqlValue::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            SqlValue::Real(number) => out.extend_from_slice(number.to_string().as_bytes()),
            SqlValue::Text(text) => out.extend_from_slice(text.as_bytes()),
            SqlValue::Blob(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    /// Text, except for bytes: the server reads it as the type that the statement needs (jsonb, numeric, a moment).
    fn encode_format(&self, _: &Type) -> Format {
        if matches!(self, SqlValue::Blob(_)) { Format::Binary } else { Format::Text }
    }

    to_sql_checked!();
}

impl<'a> FromPostgres<'a> for Cell<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Cell<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::BOOL => Cell::Integer(bool::from_sql(kind, raw)?.into()),
            Type::INT2 => Cell::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Cell::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT4 => Cell::Real(f32::from_sql(kind, raw)?.into()),
            Type::FLOAT8 => Cell::Real(f64::from_sql(kind, raw)?),
            Type::BYTEA => Cell::Blob(raw),
            // The first byte is the version of the format.
            Type::JSONB => Cell::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?),
            _ => Cell::Text(std::str::from_utf8(raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Cell<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Cell::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(super) fn cell(row: &tokio_postgres::Row, index: usize) -> Result<Cell<'_>, SqlError> {
    Ok(row.try_get(index)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_become_numbers_outside_of_quotes() {
        assert_eq!(numbered("a = ? and b = '?' and \"c?\" = ?"), "a = $1 and b = '?' and \"c?\" = $2");
    }
}
