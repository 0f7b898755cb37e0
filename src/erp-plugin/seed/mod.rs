//! Realistic business rows, made from a manifest. The same seed, clock and manifest give the same rows.
//!
//! Nothing here uses a database. The rows come in an order in which every reference names an earlier row.

mod plan;
mod rows;
mod values;
mod words;

pub use plan::{SeedPlan, Share};
pub use rows::{SeedError, SeededRow, Seeder};
