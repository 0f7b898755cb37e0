//! The platform's tables on SQLite: plugins, their entities' rows, numbers, keys, settings.
//!
//! The store knows manifests and SQL; it knows neither WebAssembly nor HTTP. It takes the moment
//! and the ids of new rows as arguments, so that a run can be repeated to the byte. Every statement
//! names tables and columns that come from a manifest that was read and checked; values are always
//! bound.

mod aggregate;
mod batch;
mod blobs;
mod database;
mod decimal;
mod definition;
mod deletion;
mod error;
mod events;
mod filter;
mod fixtures;
mod history;
mod image;
mod key_values;
mod lent;
mod load;
mod memory;
mod numbering;
mod plugins;
mod query;
mod reach;
mod receipts;
mod records;
mod roll_ups;
mod rules;
mod schema;
mod seal;
mod secrets;
mod settings;
mod sql;
mod unit;
mod unit_of_work;
mod upgrade;

pub use database::{Database, ScratchPlace};
pub use image::DatabaseImage;
pub use lent::{Connections, LentPool};
pub use load::{LoadedRow, settled};
pub use numbering::{format_number, period_of};
pub use plugins::{PackageRecord, PluginRecord, PluginStatus};

pub use history::HistoryEntry;
pub use receipts::{ReceiptRecord, StatementKind};
pub use schema::TableInfo;
pub use seal::Sealer;
pub use sql::{Dialect, LentClient, PostgresUrl, SqlError};
pub use unit_of_work::{Pool, SharedDatabase, UnitOfWork};
pub use upgrade::{Lock, PlannedStep, Reversal, StepReport, UpgradeRecord, UpgradeReport, plan_upgrade};
