//! Exact decimals in SQLite: a collation that orders decimal text by value, and sums that do not
//! go through binary fractions.

use std::cmp::Ordering;
use std::str::FromStr;

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};
use rust_decimal::Decimal;

/// Registers the collation and the functions with a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    connection.create_collation(crate::sql::COLLATION, compare)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("decimal_sum", 1, flags, Sum)
}

/// Compares by value; text that is no decimal comes after all decimals, in the order of its bytes.
fn compare(left: &str, right: &str) -> Ordering {
    match (Decimal::from_str(left), Decimal::from_str(right)) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

struct Sum;

impl Aggregate<Option<Decimal>, Option<String>> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<Decimal>> {
        Ok(None)
    }

    fn step(&self, ctx: &mut Context<'_>, state: &mut Option<Decimal>) -> Result<()> {
        let value = match ctx.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(|text| Decimal::from_str(text).ok()),
            ValueRef::Integer(number) => Some(Decimal::from(number)),
            _ => None,
        };
        let value = value.ok_or_else(|| rusqlite::Error::UserFunctionError("not a decimal".into()))?;
        let before = state.unwrap_or_default();
        let scale = before.scale().max(value.scale());
        let sum = before.checked_add(value).map(|mut sum| {
            sum.rescale(scale);
            sum
        });
        // A sum with a smaller scale was rounded, and is rejected.
        let sum = sum.filter(|sum| sum.scale() == scale);
        *state = Some(sum.ok_or_else(|| rusqlite::Error::UserFunctionError(crate::sql::SUM_TOO_LARGE.into()))?);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<Decimal>>) -> Result<Option<String>> {
        Ok(state.flatten().map(|sum| sum.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_ordered_and_summed_exactly() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let sorted: Vec<String> = connection
            .prepare("select column1 from (values ('10'), ('9.5'), ('-1'), ('9.50')) order by column1 collate decimal")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_>>()
            .unwrap();
        assert_eq!(sorted, ["-1", "9.5", "9.50", "10"]);
        let sum: String = connection
            .query_row("select decimal_sum(column1) from (values ('0.1'), ('0.2'))", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sum, "0.3");
    }
}
