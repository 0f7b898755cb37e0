//! The interface between the runtime and storage, with its types: rows, owners, queries, changes.
//!
//! ```text
//! erp-runtime ──asks──► Storage ──begin──► Unit ──commit──► what changed
//!                          ▲
//!            ┌─────────────┴─────────────┐
//!        erp-store                  a platform's own
//!   SQLite and PostgreSQL      over its own pool and tables
//! ```
//!
//! ```
//! use erp_storage::{Attempt, NoStorage, RowStorage, Storage};
//!
//! let tenant = erp_manifest::TenantId::new("acme").unwrap();
//! let unit = NoStorage.begin(Attempt::first(&tenant)).unwrap();
//! assert_eq!(unit.catalog().manifests().count(), 0);
//! ```
//!
//! A platform that stores rows elsewhere implements [`Storage`] and [`Unit`]. This crate checks rows against the
//! manifest ([`normalize`], [`compute_and_check`]), so that all implementations apply the same rules.
//!
//! The two traits and the types in their signatures are stable.

mod aggregate;
mod batch;
mod blob;
mod catalog;
mod error;
mod event;
mod limit;
mod nothing;
mod query;
mod reach;
mod row;
mod rules;
mod stake;
mod unit;
mod values;

pub use aggregate::{AggregateQuery, Grouping, Metric, Period};
pub use batch::{BatchKind, BatchStep};
pub use blob::BlobInfo;
pub use catalog::{Catalog, Dependent, EntityRef};
pub use error::{FieldProblem, StoreError};
pub use event::StoredEvent;
pub use limit::{StatementLimit, StopRule};
pub use nothing::{NoStorage, NoUnit};
pub use query::{ListQuery, ListedRows};
pub use reach::{Owners, RowReach};
pub use row::{Row, RowChange, RowChangeKind, Scope};
pub use rules::{RollUps, compute, compute_and_check, condition_holds, defaults_of, judged, lookup, word};
pub use stake::StakeRow;
pub use unit::{
    Attempt, BlobStorage, ConfigStorage, EventStorage, IdSource, KeyValueStorage, MemoryStorage, RowStorage, Storage,
    Unit,
};
pub use values::{default_value, normalize};
