//! Rows that look like those of a business, made from a manifest: the same for the same seed, clock and manifest.
//!
//! Nothing here talks to a database: rows come out in an order in which every reference leads to one that came before.

mod plan;
mod rows;
mod values;
mod words;

pub use plan::{SeedPlan, Share};
pub use rows::{SeedError, SeededRow, Seeder};
