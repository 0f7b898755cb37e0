//! Storage on SQLite and PostgreSQL (features `sqlite` and `postgres`): plugins, rows of their entities, numbers, keys,
//! settings.
//!
//! ```text
//!            ┌── SharedDatabase   one connection in turn
//! Storage ◄──┼── Pool             connections of our own
//!            └── LentPool         connections of a platform's pool
//!                    │
//!                UnitOfWork ──derefs to──► Database ──has──► rows, keys, files, events, upgrades
//! ```
//!
//! ```
//! use erp_manifest::{Moment, TenantId, diagnostics::SourceFile, parse};
//! use erp_storage::{Scope, Storage};
//! use erp_store::{Database, Pool};
//!
//! let text = r#"
//! metadata = { id = "erp-demo", name = "Demo", version = "1.0.0" }
//! [[schema.entities]]
//! name = "item"
//! display_name = "Item"
//! fields = [{ name = "sku", field_type = "string", display_name = "SKU", required = true }]
//! "#;
//! let manifest = std::sync::Arc::new(parse(&SourceFile::new("plugin.toml", text)).0.unwrap());
//! let mut database = Database::in_memory()?;
//! database.schema().install_schema(&manifest)?;
//! database.serve_schema(&manifest);
//!
//! let pool = Pool::new(database, 1)?;
//! let tenant = TenantId::new("acme").unwrap();
//! let scope = Scope::of_tenant(&tenant, Moment::parse("2026-04-15T08:00:00Z").unwrap());
//! let mut unit = pool.begin(erp_storage::Attempt::first(&tenant))?;
//! let item = unit.catalog().by_qualified_name("erp-demo.item").unwrap();
//! let row = serde_json::json!({ "sku": "A-1" });
//! let mut new_id = || "01a22e93-c61f-7000-8614-000000000001".to_owned();
//! let row = unit.writer().insert(&item, &scope, row.as_object().unwrap(), &mut new_id)?;
//! assert_eq!(unit.commit()?.len(), 1);
//! assert_eq!(pool.take()?.reader().get(&item, &scope, &row.id)?.data["sku"], "A-1");
//! # Ok::<(), erp_storage::StoreError>(())
//! ```
//!
//! Methods of a [`Database`] return its parts, each for one use: [`RowWriter`], [`RowReader`], [`KeyValues`],
//! [`Blobs`], [`EventLog`], [`EntityTables`] and others. [`Pool`], [`LentPool`], [`SharedDatabase`], [`UnitOfWork`] and
//! the tables are stable. The other methods of [`Database`] and its parts serve the platform in this workspace.
//!
//! The store depends on manifests and SQL, and on neither WebAssembly nor HTTP. It takes the moment and the ids of new
//! rows as arguments, so that a run can be repeated to the byte. Names of tables and columns in a statement come from
//! a manifest that was read and checked; values are always bound.

#![cfg_attr(
    not(all(feature = "postgres", feature = "sqlite")),
    allow(dead_code, unused_imports, unused_variables, reason = "what only the other database needs")
)]

mod aggregate;
mod batch;
mod blobs;
mod database;
#[cfg(feature = "sqlite")]
mod decimal;
mod definition;
mod deletion;
mod error;
mod events;
mod filter;
mod fixtures;
mod grams;
mod history;
mod hits;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod image;
mod install;
mod key_values;
#[cfg(feature = "postgres")]
mod lent;
mod load;
mod lookup;
mod memory;
mod numbering;
mod ordering;
mod parts;
mod plugins;
mod query;
mod reach;
mod read_set;
mod receipts;
mod records;
mod roll_ups;
mod rules;
mod schema;
mod scratch;
mod seal;
mod secrets;
mod settings;
mod sql;
mod texts;
mod unit;
mod unit_of_work;
mod upgrade;

pub use blobs::Blobs;
pub use database::Database;
pub use events::EventLog;
pub use fixtures::Fixtures;
pub use key_values::KeyValues;
pub use load::Loader;
pub use lookup::RowReader;
pub use memory::SessionMemory;
pub use numbering::Numbers;
pub use plugins::PluginRecords;
pub use receipts::Receipts;
pub use records::RowWriter;
pub use schema::EntityTables;
pub use secrets::Secrets;
pub use settings::Configuration;
pub use upgrade::Upgrades;

#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub use image::DatabaseImage;
#[cfg(feature = "postgres")]
pub use lent::{Connections, LentPool};
pub use load::{LoadedRow, settled};
pub use numbering::{format_number, period_of};
pub use plugins::{PackageRecord, PluginRecord, PluginStatus};

pub use history::HistoryEntry;
pub use receipts::{ReceiptRecord, StatementKind};
pub use schema::TableInfo;
pub use scratch::ScratchPlace;
pub use seal::Sealer;
pub use sql::{Dialect, SqlError};
#[cfg(feature = "postgres")]
pub use sql::{LentClient, PostgresUrl};
pub use unit_of_work::{Pool, PooledDatabase, SharedDatabase, UnitOfWork};
pub use upgrade::{Lock, PlannedStep, Reversal, StepReport, UpgradeRecord, UpgradeReport, plan_upgrade};
