//! What the host and a component promise each other: the versions of the host API that are
//! embedded in the binary, their worlds, and the comparison of a component with one of them.

mod border;
mod compare;
mod evolution;
mod shape;
mod targets;
mod version;

pub use border::{Border, Interface};
pub use compare::{Mismatch, compare};
pub use evolution::{Change, ChangeClass, WitText, changes, least_version, without_versions};
pub use shape::{Difference, Shape, Signature};
pub use targets::{Target, best_target, targets};
/// Rows of a page where nobody says how many.
pub const PAGE_ROWS: u64 = 20;
/// Rows of a page at the most.
pub const MAX_PAGE_ROWS: u64 = 200;

pub use version::{HostApi, LEGACY, V1_0_0, World, find, versions};
