//! Decides whether a package may be used. `verify`, `publish` and the platform run the same checks in the same order,
//! so that they reach the same result.

mod check;
pub mod codes;
mod policy;
mod stage;
mod supply_chain;
mod verify;

pub use check::check_package;
pub use policy::{Demand, Policy};
pub use stage::{Check, Stage, StageOutcome};
pub use supply_chain::{BuildFacts, Library, build_facts, libraries};
pub use verify::{Verdict, is_older, receipt_problem, verify};
