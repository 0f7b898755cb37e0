//! Reads, changes, checks and writes back rows, many at a time.

use std::sync::Arc;

use erp_manifest::{Manifest, Moment, TenantId};
use erp_storage::{EntityRef, Scope, StakeRow, StoreError};
use serde_json::{Map, Value};

use super::transform::RowPass;
use crate::error::failure_of;
use crate::roll_ups::MAX_LEVELS;
use crate::sql::{Failure, SqlValue};
use crate::upgrade::Upgrades;
use crate::{definition, records};

/// The number of rows that are read at once, and written back by one statement.
const BATCH: usize = 500;
/// The maximum number of rows that an error names.
const SHOWN: usize = 10;

/// The rows that do not fit, for one entity or one of its fields.
#[derive(Debug, Default)]
struct Stakes {
    place: String,
    count: u64,
    rows: Vec<StakeRow>,
}

impl Upgrades<'_> {
    /// Processes all rows of an entity, deleted ones too; returns the number of changed rows. If rows take sums from
    /// rows of the same table, it repeats until the sums have reached the roots.
    pub(super) fn pass_rows(&mut self, pass: &RowPass, now: Moment) -> Result<u64, StoreError> {
        let mut changed = self.pass_once(pass, now)?;
        if pass.goes_up() {
            for _ in 0..MAX_LEVELS {
                match self.pass_once(pass, now)? {
                    0 => break,
                    rows => changed += rows,
                }
            }
        }
        Ok(changed)
    }

    fn pass_once(&mut self, pass: &RowPass, now: Moment) -> Result<u64, StoreError> {
        let entity = &pass.after;
        let select =
            format!("select id, tenant_id, data from \"{}\" where id > ? order by id limit {BATCH}", entity.table());
        let mut last = String::new();
        let mut changed = 0;
        let mut stakes: Vec<Stakes> = Vec::new();
        loop {
            let rows = self.database.rows("read rows", &select, [SqlValue::text(&last)], |row| {
                Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?))
            })?;
            let Some((id, _, _)) = rows.last() else { break };
            last.clone_from(id);
            let mut parameters = Vec::new();
            for (id, tenant, text) in &rows {
                let data: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
                let Some(tenant) = TenantId::new(tenant.clone()) else { continue };
                let scope = Scope::of_tenant(&tenant, now);
                let mut new = data.clone();
                let roll_ups =
                    if pass.rolls_up() { Some(self.database.writer().roll_ups(entity, &scope, id)?) } else { None };
                match pass.change(&scope, id, &mut new, roll_ups.as_ref()) {
                    Ok(()) => {
                        new.retain(|_, value| !value.is_null());
                        if new != data {
                            let ordered = records::in_order(entity, new);
                            parameters.push(SqlValue::text(id));
                            parameters.push(SqlValue::Text(Value::Object(ordered).to_string()));
                        }
                    }
                    Err(expected_instead_of) => {
                        let (tenant, id, value) =
                            (tenant.to_string(), id.clone(), expected_instead_of.value.to_string());
                        let row = StakeRow { tenant, id, value, problem: expected_instead_of.why };
                        note(&mut stakes, entity, &expected_instead_of.field, row);
                    }
                }
            }
            if !parameters.is_empty() && stakes.is_empty() {
                let rows = parameters.len() / 2;
                changed += rows as u64;
                let statement = pass.write_statement(self.database.dialect(), rows);
                self.database.execute("write rows back", &statement, parameters)?;
            }
        }
        match stakes.into_iter().next() {
            None => Ok(changed),
            Some(Stakes { place, count, rows }) => Err(StoreError::RowsAtStake { place, count, rows }),
        }
    }

    /// Returns an error with the rows that have equal keys, if `error` came from a unique index; otherwise `error`.
    pub(super) fn same_rows(&self, new: &Arc<Manifest>, statement: &str, error: StoreError) -> StoreError {
        if failure_of(&error) != Failure::Unique {
            return error;
        }
        for entity in EntityRef::all(new).filter(|entity| statement.contains(&format!("\"{}\"", entity.table()))) {
            for key in definition::unique_keys(&entity) {
                let columns: Vec<String> =
                    key.iter().map(|field| definition::field_value(self.database.dialect(), &entity, field)).collect();
                let present: Vec<String> = columns.iter().map(|column| format!("{column} is not null")).collect();
                let sql = format!(
                    "select min(id), tenant_id, count(*) from \"{}\" where deleted_at is null and {} group by tenant_id, {} \
                     having count(*) > 1 order by 1",
                    entity.table(),
                    present.join(" and "),
                    columns.join(", ")
                );
                let found = self.database.rows("look for equal rows", &sql, [], |row| {
                    Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?))
                });
                let Ok(found) = found else { return error };
                if found.is_empty() {
                    continue;
                }
                let count = found.len() as u64;
                let rows = found.into_iter().take(SHOWN).map(|(id, tenant, count)| StakeRow {
                    tenant,
                    id,
                    value: String::new(),
                    problem: format!("{count} rows have the same {}", key.join(" + ")),
                });
                let place = format!("{}.{}", *entity.name, key.join(" + "));
                return StoreError::RowsAtStake { place, count, rows: rows.collect() };
            }
        }
        error
    }
}

fn note(stakes: &mut Vec<Stakes>, entity: &EntityRef, field: &str, row: StakeRow) {
    let place = if field.is_empty() { entity.name.to_string() } else { format!("{}.{field}", *entity.name) };
    let index = stakes.iter().position(|known| known.place == place).unwrap_or_else(|| {
        stakes.push(Stakes { place, ..Stakes::default() });
        stakes.len() - 1
    });
    let known = &mut stakes[index];
    known.count += 1;
    if known.rows.len() < SHOWN {
        known.rows.push(row);
    }
}
