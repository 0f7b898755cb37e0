//! Scenarios: tests in TOML, run on the real component against the platform's contract.
//!
//! `docs/scenarios.md` describes the format. A file is read and checked before anything runs. Each case then runs in
//! its own database, so that the order of cases does not matter.

mod accept;
mod act;
mod budget_lock;
mod compare;
mod explore;
mod fault;
mod from_recording;
mod growth;
mod isolation;
mod judge;
mod matcher;
mod measure;
mod model;
mod observation;
mod pipe_table;
mod plan;
pub mod reports;
mod runner;
mod steps;
mod substitute;
mod world;

pub use budget_lock::{BudgetLock, DEFAULT_RATCHET, LockConditions};
pub use explore::{Exploration, explore_case};
pub use from_recording::from_recording;

/// Scenarios that use every key of the model, for the examples of its JSON Schema.
pub const EXAMPLES: &str = include_str!("examples.toml");

pub use growth::{CostSample, exponent, growth};
pub use isolation::check_isolation;
pub use matcher::MATCHERS;
pub use measure::{CallCost, measure};
pub use model::ScenarioFile;
pub use plan::{Case, Suite, read_suite};
pub use reports::CaseRun;
pub use runner::{CaseResult, KeptDatabase, run_case};
