//! The contract between the host and a component: the versions of the host API that are embedded in the binary, their
//! worlds, and the comparison of a component with a world.

mod border;
mod capability;
mod compare;
mod evolution;
mod host_function;
mod page;
mod platform;
mod shape;
mod targets;
mod version;

pub use border::{Interface, InterfaceSet};
pub use capability::Capability;
pub use compare::{Mismatch, compare};
pub use evolution::{Change, ChangeClass, WitText, changes, least_version, without_versions};
pub use host_function::{HostEffect, HostFunction};
pub use page::{MAX_PAGE_ROWS, PAGE_ROWS};
pub use platform::{BASE_EVENTS, PLATFORM_VERSION};
pub use shape::{ShapeDifference, Signature, TypeShape};
pub use targets::{Target, best_target, targets};
pub use version::{HostApi, LEGACY, V1_0_0, World, find, versions};
