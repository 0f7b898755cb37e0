//! What a store of the engine holds while it serves a call.

use super::limits::MemoryLimiter;
use super::services::Services;

/// What a store holds.
pub(super) struct CallState {
    pub(super) services: Services,
    pub(super) memory: MemoryLimiter,
}
