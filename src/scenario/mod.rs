//! Scenarios: tests in TOML, run on the real component against the platform's contract.
//!
//! `docs/scenarios.md` describes the format. A file is read and looked through before anything
//! runs; each case then runs in a database of its own, so that no order of cases matters.

mod compare;
mod effects;
mod explore;
mod matcher;
mod model;
mod pipe_table;
mod plan;
pub mod reports;
mod runner;
mod steps;
mod substitute;

pub use explore::{Explored, explore_case};
pub use model::ScenarioFile;
pub use plan::{Case, Suite, read_suite};
pub use reports::Ran;
pub use runner::{CaseResult, run_case};
