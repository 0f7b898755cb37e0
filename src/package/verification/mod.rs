//! Whether a package is to be trusted: one order of checks, for `verify`, for `publish` and for the platform, so that
//! none of them says yes where another says no.

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
