//! Ending a call before its time: it is not needed any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the calls that were given it, once it is set. Cloning gives the same one.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    own: Arc<AtomicBool>,
    /// That of all calls.
    general: Option<Arc<AtomicBool>>,
}

impl Interrupt {
    /// One that is set with another one, or by itself.
    #[must_use]
    pub fn within(&self) -> Interrupt {
        Interrupt { own: Arc::default(), general: Some(Arc::clone(&self.own)) }
    }

    /// Ends the calls, at their next call of the host, or soon.
    pub fn set(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        is_set(&self.own) || self.general.as_ref().is_some_and(is_set)
    }
}
