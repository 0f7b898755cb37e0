//! The data of an engine's store during a call.

use super::limits::MemoryLimiter;
use super::services::Services;

/// The data of a store: the host's services and the memory limits.
pub(super) struct CallState {
    pub(super) services: Services,
    pub(super) memory: MemoryLimiter,
}
