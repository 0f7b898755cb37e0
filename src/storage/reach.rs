//! The rows of an entity that a caller may see and change.

use erp_manifest::{FieldType, ScopeRole};
use serde_json::{Map, Value};

use super::EntityRef;

/// The rows of an entity that a caller may see and change. Without an owner field, a row belongs to its creator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RowReach {
    /// All rows of the tenant.
    #[default]
    All,
    /// Rows of these owners or departments.
    Of {
        /// Ids of the owners.
        users: Vec<String>,
        /// Ids of the departments; empty if only the owner counts.
        departments: Vec<String>,
    },
}

/// Where a row names its owner and its department.
#[derive(Debug)]
pub struct Owners<'e> {
    /// The owner field, or the column `created_by` if the entity has none.
    pub owner: &'e str,
    /// The department field, if the entity has one.
    pub department: Option<&'e str>,
}

impl<'e> Owners<'e> {
    /// The owner and department fields of an entity.
    pub fn of(entity: &'e EntityRef) -> Owners<'e> {
        let with_role = |wanted: ScopeRole| {
            entity.fields.iter().find(|field| field.scope_role.as_ref().is_some_and(|role| **role == wanted))
        };
        let of_type = || entity.fields.iter().find(|field| *field.field_type == FieldType::Department);
        Owners {
            owner: with_role(ScopeRole::Owner).map_or("created_by", |field| field.name.as_str()),
            department: with_role(ScopeRole::Department).or_else(of_type).map(|field| field.name.as_str()),
        }
    }
}

impl RowReach {
    /// Whether a row is within reach.
    pub fn admits(&self, entity: &EntityRef, created_by: Option<&str>, data: &Map<String, Value>) -> bool {
        let RowReach::Of { users, departments } = self else { return true };
        let owners = Owners::of(entity);
        let owner = match owners.owner {
            "created_by" => created_by,
            name => data.get(name).and_then(Value::as_str),
        };
        let department = owners.department.and_then(|name| data.get(name)?.as_str());
        owner.is_some_and(|owner| users.iter().any(|user| user == owner))
            || department.is_some_and(|own| departments.iter().any(|known| known == own))
    }
}
