//! The rows of an entity that a caller may see and change, as a condition of statements.

use erp_storage::{EntityRef, Owners, RowReach, StoreError};
use sea_query::{Cond, Condition, Expr, ExprTrait};

use super::filter::{FilterReader, Reach, Usage};
use super::sql::Dialect;

/// The condition that limits a statement to a reach; `None` if all rows are within it.
pub(super) fn condition(
    reach: &RowReach,
    dialect: Dialect,
    entity: &EntityRef,
) -> Result<Option<Condition>, StoreError> {
    let RowReach::Of { users, departments } = reach else { return Ok(None) };
    let owners = Owners::of(entity);
    let reader = FilterReader { dialect, entity, reach: Reach::All };
    let among = |name: &str, ids: &[String]| -> Result<Expr, StoreError> {
        Ok(reader.operand(name, Usage::Filter)?.expr().is_in(ids.iter().map(String::as_str)))
    };
    let mut any = Cond::any().add(among(owners.owner, users)?);
    if let Some(department) = owners.department.filter(|_| !departments.is_empty()) {
        any = any.add(among(department, departments)?);
    }
    Ok(Some(any))
}
