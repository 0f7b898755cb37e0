//! What the store refuses, each with a stable code that guests and HTTP clients see.

use erp_manifest::codes::{Code, errors};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::StakeRow;

/// A field whose value was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// The field.
    pub field: String,
    /// Why, as a phrase.
    pub message: String,
}

/// Why the store refused or failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such row for this tenant, or it was deleted.
    #[error("{entity} `{id}` not found")]
    NotFound {
        /// The entity.
        entity: String,
        /// The id that was asked for.
        id: String,
    },
    /// The row has another version than the caller expected.
    #[error("{entity} `{id}` has version {actual}, not {expected}: someone else changed it")]
    VersionConflict {
        /// The entity.
        entity: String,
        /// The row.
        id: String,
        /// The version that the caller named.
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
    /// A reference names a row that is not there.
    #[error("`{field}` names a {target} that does not exist: `{id}`")]
    RefMissing {
        /// The field.
        field: String,
        /// The referenced entity.
        target: String,
        /// The id that the field names.
        id: String,
    },
    /// Other rows name this one.
    #[error("cannot delete {entity} `{id}`: {count} {dependent} row(s) name it")]
    RefRestrict {
        /// The entity.
        entity: String,
        /// The row.
        id: String,
        /// The entity of the rows that name it.
        dependent: String,
        /// How many there are.
        count: u64,
    },
    /// A row that the user could not see afterwards.
    #[error("{entity}: the row would be out of your data scope")]
    OutOfReach {
        /// The entity.
        entity: String,
    },
    /// Too many rows would go with one that is deleted.
    #[error("more than {most} rows would be deleted with this one, down to {entity}: delete in smaller steps")]
    CascadeTooLarge {
        /// The entity at which the bound was passed.
        entity: String,
        /// How many may go at once.
        most: usize,
    },
    /// Values that the entity does not take.
    #[error("{entity}: {}", problems.iter().map(|problem| format!("{} {}", problem.field, problem.message)).collect::<Vec<_>>().join("; "))]
    Validation {
        /// The entity.
        entity: String,
        /// All of them.
        problems: Vec<FieldProblem>,
    },
    /// No installed plugin has this entity.
    #[error("unknown entity `{0}`")]
    UnknownEntity(String),
    /// The entity has no such field, or it cannot be used like this.
    #[error("{entity}: {message}")]
    UnknownField {
        /// The entity.
        entity: String,
        /// Which field and why.
        message: String,
    },
    /// A filter, a cursor or a query that cannot be read.
    #[error("{0}")]
    BadQuery(String),
    /// A step of a batch that cannot be done.
    #[error("step {step} of the batch: {message}")]
    Batch {
        /// From 1.
        step: usize,
        /// The error's own text.
        message: String,
        /// Its code.
        code: Code,
    },
    /// The manifest has no such numbering rule.
    #[error("unknown numbering rule `{0}`")]
    UnknownNumbering(String),
    /// A sequence has no number left in its digits.
    #[error("numbering rule `{0}` is exhausted: no number left in its digits")]
    NumberingExhausted(String),
    /// A secret without a value.
    #[error(
        "the secret `{0}` has no value: set it with `PUT /api/v1/admin/plugins/<id>/secrets`, or in `[world.secrets]` of a scenario"
    )]
    NoSecret(String),
    /// A secret that was sealed with another key, or cannot be sealed.
    #[error("the secret `{0}` cannot be opened with the key of this host: set it again")]
    SealedSecret(String),
    /// There is no such file.
    #[error("there is no file `{0}`")]
    NoBlob(String),
    /// The manifest has no such setting; what it has.
    #[error("unknown setting `{0}`{1}")]
    UnknownSetting(String, String),
    /// Rows whose values would be lost by an upgrade, or do not fit.
    #[error("{count} row(s) of {place} are at stake: {}", rows.first().map_or("", |row| row.problem.as_str()))]
    RowsAtStake {
        /// The entity, and the field where one is the reason.
        place: String,
        /// How many there are.
        count: u64,
        /// Some of them.
        rows: Vec<StakeRow>,
    },
    /// Another process uses the database that is to be upgraded.
    #[error(
        "another host uses this database: stop it, and try again; it would go on with the tables of the old version"
    )]
    InUse,
    /// The schema version was not raised, and rows must follow.
    #[error("stored rows must follow, and `schema_version` is not higher than {0}")]
    SchemaVersion(u64),
    /// An upgrade that cannot be taken back.
    #[error("{0}")]
    NoRollback(String),
    /// An event that would be one too many in its chain.
    #[error("{0} events have led to one another already: do they go in a circle?")]
    EventDepth(u64),
    /// Rows that would take more memory than an answer may.
    #[error("the rows would take more than {0} bytes of memory: ask for fewer at once")]
    ResultTooLarge(u64),
    /// Somebody else writes, and was waited for as long as was allowed.
    #[error("somebody else's work is writing at this moment: try again")]
    Busy,
    /// A statement read for longer than it may.
    #[error("reading takes too long: narrow the filter, or add an index for what it compares")]
    TooSlow,
    /// Changes that would take more memory than a unit of work may.
    #[error("the changes would take more than {0} bytes of memory: change fewer rows at once")]
    ChangesTooLarge(u64),
    /// The storage of this host does not have it.
    #[error("this host keeps no {0} of plugins")]
    Unsupported(&'static str),
    /// The database itself failed.
    #[error("database: {attempt}: {source}")]
    Database {
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process changed the same data at the same moment; nothing of the unit of work stays.
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

    /// What the code says more about.
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
        // The whole call reads again before it writes; the same write never succeeds.
        self.code().is_retryable() || matches!(self, StoreError::VersionConflict { .. })
    }
}
