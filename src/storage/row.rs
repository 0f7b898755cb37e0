//! Rows, who touches them, and what changed.

use erp_manifest::{Moment, TenantId};
use serde::Serialize;
use serde_json::{Map, Value};

use super::RowReach;

/// On whose behalf the store works.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The tenant; no row of another one is ever seen.
    pub tenant: TenantId,
    /// The user, where one is calling.
    pub user: Option<String>,
    /// Now.
    pub now: Moment,
    /// Whose rows of the entity that is asked for.
    pub reach: RowReach,
}

impl Scope {
    /// All rows of a tenant, at a moment, on nobody's behalf.
    pub fn of_tenant(tenant: &TenantId, now: Moment) -> Scope {
        Scope { tenant: tenant.clone(), user: None, now, reach: RowReach::All }
    }

    /// The same, for a user.
    #[must_use]
    pub fn by(self, user: &str) -> Scope {
        Scope { user: Some(user.to_owned()), ..self }
    }

    /// The same, for rows within a reach.
    #[must_use]
    pub fn within(self, reach: RowReach) -> Scope {
        Scope { reach, ..self }
    }

    /// The same, for all rows of the tenant: what hangs on a row is found whoever asks.
    #[must_use]
    pub fn of_all_rows(&self) -> Scope {
        self.clone().within(RowReach::All)
    }
}

/// A row of an entity; written as the HTTP API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// UUID of version 7.
    pub id: String,
    /// The entity's fields.
    pub data: Map<String, Value>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// The user, where one called.
    #[serde(skip)]
    pub created_by: Option<String>,
    /// RFC 3339, UTC.
    pub updated_at: String,
    /// The user, where one called.
    #[serde(skip)]
    pub updated_by: Option<String>,
    /// From 1; raised by each change.
    pub version: u32,
    /// RFC 3339, UTC, where the row was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
}

impl Row {
    /// The shape that guests and scenarios see: the fields beside the standard columns.
    pub fn to_flat(&self) -> Value {
        self.clone().into_flat()
    }

    /// The same of a row that nobody needs any more.
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

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RowChangeKind {
    /// It is new.
    Insert,
    /// Its fields changed.
    Update,
    /// It was deleted.
    Delete,
    /// It came back.
    Restore,
}

/// One row that a unit of work changed.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// What happened.
    pub kind: RowChangeKind,
    /// `plugin.entity`.
    pub entity: String,
    /// Whose row it is.
    pub tenant: TenantId,
    /// Its fields before; none of a row that is new.
    pub before: Option<Map<String, Value>>,
    /// The row afterwards.
    pub row: Row,
}
