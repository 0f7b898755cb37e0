//! The platform's tables on SQLite: plugins, their entities' rows, numbers, keys, settings.
//!
//! The store knows manifests and SQL; it knows neither WebAssembly nor HTTP. It takes the moment
//! and the ids of new rows as arguments, so that a run can be repeated to the byte. Every statement
//! names tables and columns that come from a manifest that was read and checked; values are always
//! bound.

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
mod history;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
mod image;
mod key_values;
#[cfg(feature = "postgres")]
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
pub use seal::Sealer;
pub use sql::{Dialect, SqlError};
#[cfg(feature = "postgres")]
pub use sql::{LentClient, PostgresUrl};
pub use unit_of_work::{Pool, SharedDatabase, UnitOfWork};
pub use upgrade::{Lock, PlannedStep, Reversal, StepReport, UpgradeRecord, UpgradeReport, plan_upgrade};
