//! Rows, their changes, and the scope of a piece of work.

use erp_manifest::{Moment, TenantId};
use serde::Serialize;
use serde_json::{Map, Value};

use super::RowReach;

/// The tenant, user, moment and reach of one piece of work.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The tenant; rows of other tenants are never visible.
    pub tenant: TenantId,
    /// The calling user, if there is one.
    pub user: Option<String>,
    /// The current moment.
    pub now: Moment,
    /// The visible rows of the requested entity.
    pub reach: RowReach,
}

impl Scope {
    /// A scope over all rows of a tenant, at a moment, without a user.
    pub fn of_tenant(tenant: &TenantId, now: Moment) -> Scope {
        Scope { tenant: tenant.clone(), user: None, now, reach: RowReach::All }
    }

    /// The same scope, for a user.
    #[must_use]
    pub fn by(self, user: &str) -> Scope {
        Scope { user: Some(user.to_owned()), ..self }
    }

    /// The same scope, limited to a reach.
    #[must_use]
    pub fn within(self, reach: RowReach) -> Scope {
        Scope { reach, ..self }
    }

    /// The same scope over all rows of the tenant: dependent rows are found whatever the caller may see.
    #[must_use]
    pub fn of_all_rows(&self) -> Scope {
        self.clone().within(RowReach::All)
    }
}

/// A row of an entity; serializes to the form of the HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// UUID of version 7.
    pub id: String,
    /// The entity's fields.
    pub data: Map<String, Value>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// The user who created the row; absent if no user called.
    #[serde(skip)]
    pub created_by: Option<String>,
    /// RFC 3339, UTC.
    pub updated_at: String,
    /// The user who last changed the row; absent if no user called.
    #[serde(skip)]
    pub updated_by: Option<String>,
    /// Starts at 1; each change adds 1.
    pub version: u32,
    /// RFC 3339, UTC; present if the row was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
}

impl Row {
    /// The form that guests and scenarios see: the fields next to the standard columns.
    pub fn to_flat(&self) -> Value {
        self.clone().into_flat()
    }

    /// Like [`Row::to_flat`], but consumes the row.
    pub fn into_flat(self) -> Value {
        let mut fields = Map::with_capacity(self.data.len() + 5);
        fields.insert("id".to_owned(), Value::String(self.id));
        fields.extend(self.data);
        fields.insert("version".to_owned(), Value::from(self.version));
        fields.insert("created_at".to_owned(), Value::String(self.created_at));
        fields.insert("updated_at".to_owned(), Value::String(self.updated_at));
        if let Some(deleted_at) = self.deleted_at {
            fields.insert("deleted_at".to_owned(), Value::String(deleted_at));
        }
        Value::Object(fields)
    }
}

/// The kind of change to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowChangeKind {
    /// The row is new.
    Insert,
    /// Fields of the row changed.
    Update,
    /// The row was deleted.
    Delete,
    /// The row was restored.
    Restore,
}

/// One row that a unit of work changed.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// The kind of change.
    pub kind: RowChangeKind,
    /// `plugin.entity`.
    pub entity: String,
    /// The tenant of the row.
    pub tenant: TenantId,
    /// The fields before the change; absent for a new row.
    pub before: Option<Map<String, Value>>,
    /// The row after the change.
    pub row: Row,
}
