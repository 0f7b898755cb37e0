//! Errors of storage, each with a stable code that guests and HTTP clients see.

use erp_manifest::codes::{Code, errors};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::StakeRow;

/// A field whose value was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field.
    pub field: String,
    /// The reason, as a phrase that follows the name of the field: `is required`.
    pub message: String,
}

/// The reason for which storage refused a call or failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The tenant has no such row, the row was deleted, or it is outside of the caller's reach.
    #[error("{entity} `{id}` not found")]
    NotFound {
        /// The entity.
        entity: String,
        /// The requested id.
        id: String,
    },
    /// The row's version differs from the one that the caller expected.
    #[error("{entity} `{id}` has version {actual}, not {expected}: someone else changed it")]
    VersionConflict {
        /// The entity.
        entity: String,
        /// The row.
        id: String,
        /// The version that the caller expected.
        expected: u32,
        /// The version that the row has.
        actual: u32,
    },
    /// Another live row of the tenant has the same value.
    #[error("another {entity} has the same {}", fields.join(", "))]
    Unique {
        /// The entity.
        entity: String,
        /// The fields that must differ.
        fields: Vec<String>,
    },
    /// A reference names a row that does not exist.
    #[error("`{field}` names a {target} that does not exist: `{id}`")]
    RefMissing {
        /// The field.
        field: String,
        /// The referenced entity.
        target: String,
        /// The id that the field names.
        id: String,
    },
    /// Other rows refer to this one, and their relation restricts its deletion.
    #[error("cannot delete {entity} `{id}`: {count} {dependent} row(s) name it")]
    RefRestrict {
        /// The entity.
        entity: String,
        /// The row.
        id: String,
        /// The entity of the rows that refer to it.
        dependent: String,
        /// The number of those rows.
        count: u64,
    },
    /// After the write, the row would be outside of the user's data scope.
    #[error("{entity}: the row would be out of your data scope")]
    OutOfReach {
        /// The entity.
        entity: String,
    },
    /// A deletion would delete or change too many dependent rows.
    #[error("more than {most} rows would be deleted with this one, down to {entity}: delete in smaller steps")]
    CascadeTooLarge {
        /// The entity at which the limit was exceeded.
        entity: String,
        /// The number of rows that one deletion may delete or change.
        most: usize,
    },
    /// The entity does not accept some of the values.
    #[error("{entity}: {}", problems.iter().map(|problem| format!("{} {}", problem.field, problem.message)).collect::<Vec<_>>().join("; "))]
    Validation {
        /// The entity.
        entity: String,
        /// The problems of the row.
        problems: Vec<FieldProblem>,
    },
    /// No installed plugin has this entity.
    #[error("unknown entity `{0}`")]
    UnknownEntity(String),
    /// The entity has no such field, or the field cannot be used this way.
    #[error("{entity}: {message}")]
    UnknownField {
        /// The entity.
        entity: String,
        /// The field and the reason.
        message: String,
    },
    /// A filter, a cursor or a query is invalid.
    #[error("{0}")]
    BadQuery(String),
    /// A step of a batch failed.
    #[error("step {step} of the batch: {message}")]
    Batch {
        /// The number of the step, from 1.
        step: usize,
        /// The text of the step's own error.
        message: String,
        /// The code of the step's own error.
        code: Code,
    },
    /// The manifest has no such numbering rule.
    #[error("unknown numbering rule `{0}`")]
    UnknownNumbering(String),
    /// The sequence has used all numbers that fit its digits.
    #[error("numbering rule `{0}` is exhausted: no number left in its digits")]
    NumberingExhausted(String),
    /// The secret has no value.
    #[error(
        "the secret `{0}` has no value: set it with `PUT /api/v1/admin/plugins/<id>/secrets`, or in `[world.secrets]` of a scenario"
    )]
    NoSecret(String),
    /// The secret was sealed with another key, or cannot be sealed.
    #[error("the secret `{0}` cannot be opened with the key of this host: set it again")]
    SealedSecret(String),
    /// The file does not exist.
    #[error("there is no file `{0}`")]
    NoBlob(String),
    /// The manifest has no such setting: its key, and a suggestion (`; …`) or an empty text.
    #[error("unknown setting `{0}`{1}")]
    UnknownSetting(String, String),
    /// An upgrade would lose values of rows, or values do not fit.
    #[error("{count} row(s) of {place} are at stake: {}", rows.first().map_or("", |row| row.problem.as_str()))]
    RowsAtStake {
        /// The entity; with the field, if a field is the reason.
        place: String,
        /// The number of such rows.
        count: u64,
        /// Some of those rows.
        rows: Vec<StakeRow>,
    },
    /// Another process uses the database that is to be upgraded.
    #[error(
        "another host uses this database: stop it, and try again; it would go on with the tables of the old version"
    )]
    InUse,
    /// Stored rows must be migrated, but `schema_version` is not higher than the installed one (given here).
    #[error("stored rows must follow, and `schema_version` is not higher than {0}")]
    SchemaVersion(u64),
    /// The upgrade cannot be rolled back.
    #[error("{0}")]
    NoRollback(String),
    /// The chain of events that led to one another is too long: the number of events in it.
    #[error("{0} events have led to one another already: do they go in a circle?")]
    EventDepth(u64),
    /// The rows would take more memory than one result may: the limit in bytes.
    #[error("the rows would take more than {0} bytes of memory: ask for fewer at once")]
    ResultTooLarge(u64),
    /// Another unit of work blocked this one for longer than it may wait.
    #[error("somebody else's work is writing at this moment: try again")]
    Busy,
    /// A statement read for longer than allowed.
    #[error("reading takes too long: narrow the filter, or add an index for what it compares")]
    TooSlow,
    /// The changes would take more memory than a unit of work may: the limit in bytes.
    #[error("the changes would take more than {0} bytes of memory: change fewer rows at once")]
    ChangesTooLarge(u64),
    /// This host's storage does not offer what the text names.
    #[error("this host keeps no {0} of plugins")]
    Unsupported(&'static str),
    /// The database itself failed.
    #[error("database: {attempt}: {source}")]
    Database {
        /// The operation that failed.
        attempt: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another unit of work changed the same data at the same time; this unit of work is undone.
    #[error("another process changed the same data at the same moment: try again")]
    Conflict,
}

impl StoreError {
    /// The stable dotted code.
    pub fn code(&self) -> Code {
        match self {
            StoreError::NotFound { .. } => errors::DB_NOT_FOUND,
            StoreError::VersionConflict { .. } => errors::DB_VERSION_CONFLICT,
            StoreError::Unique { .. } => errors::DB_UNIQUE,
            StoreError::RefMissing { .. } => errors::DB_REF_MISSING,
            StoreError::RefRestrict { .. } => errors::DB_REF_RESTRICT,
            StoreError::OutOfReach { .. } => errors::AUTH_OUT_OF_SCOPE,
            StoreError::CascadeTooLarge { .. } => errors::DB_CASCADE_TOO_LARGE,
            StoreError::Validation { .. } => errors::DB_VALIDATION,
            StoreError::UnknownEntity(_) => errors::DB_UNKNOWN_ENTITY,
            StoreError::UnknownField { .. } => errors::DB_UNKNOWN_FIELD,
            StoreError::BadQuery(_) => errors::DB_BAD_QUERY,
            StoreError::Batch { code, .. } => *code,
            StoreError::UnknownNumbering(_) => errors::NUMBERING_UNKNOWN,
            StoreError::NumberingExhausted(_) => errors::NUMBERING_EXHAUSTED,
            StoreError::UnknownSetting(..) => errors::CONFIG_UNKNOWN_SETTING,
            StoreError::NoSecret(_) | StoreError::SealedSecret(_) => errors::CONFIG_NO_SECRET,
            StoreError::NoBlob(_) => errors::BLOB_NOT_FOUND,
            StoreError::RowsAtStake { .. } => errors::MIGRATION_ROWS_AT_STAKE,
            StoreError::NoRollback(_) => errors::MIGRATION_NO_ROLLBACK,
            StoreError::InUse => errors::MIGRATION_IN_USE,
            StoreError::SchemaVersion(_) => errors::MIGRATION_SCHEMA_VERSION,
            StoreError::EventDepth(_) => errors::LIMIT_EVENT_DEPTH,
            StoreError::ResultTooLarge(_) => errors::LIMIT_RESULT_BYTES,
            StoreError::ChangesTooLarge(_) => errors::LIMIT_WRITTEN_BYTES,
            StoreError::Busy => errors::DB_BUSY,
            StoreError::TooSlow => errors::DB_TOO_SLOW,
            StoreError::Unsupported(_) => errors::HOST_UNSUPPORTED,
            StoreError::Database { .. } => errors::HOST_DATABASE,
            StoreError::Conflict => errors::DB_CONFLICT,
        }
    }

    /// Values that explain the code, as JSON; null if there are none.
    pub fn details(&self) -> Value {
        match self {
            StoreError::NotFound { entity, id } => json!({ "entity": entity, "id": id }),
            StoreError::VersionConflict { entity, id, expected, actual } => {
                json!({ "entity": entity, "id": id, "expected": expected, "actual": actual })
            }
            StoreError::Unique { entity, fields } => json!({ "entity": entity, "fields": fields }),
            StoreError::RefMissing { field, target, id } => json!({ "field": field, "target": target, "id": id }),
            StoreError::RefRestrict { entity, id, dependent, count } => {
                json!({ "entity": entity, "id": id, "dependent": dependent, "count": count })
            }
            StoreError::Validation { entity, problems } => json!({ "entity": entity, "problems": problems }),
            StoreError::OutOfReach { entity } | StoreError::UnknownField { entity, .. } => json!({ "entity": entity }),
            StoreError::CascadeTooLarge { entity, most } => json!({ "entity": entity, "most": most }),
            StoreError::RowsAtStake { place, count, rows } => json!({ "place": place, "count": count, "rows": rows }),
            StoreError::Batch { step, .. } => json!({ "step": step }),
            _ => Value::Null,
        }
    }

    /// Whether the same call of a plugin may succeed later.
    pub fn is_retryable(&self) -> bool {
        // A retried call reads the row again before it writes; repeating the write alone never succeeds.
        self.code().is_retryable() || matches!(self, StoreError::VersionConflict { .. })
    }
}
