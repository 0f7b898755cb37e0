//! Ends calls early that are no longer needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that ends the calls that hold it, once it is set. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    own: Arc<AtomicBool>,
    /// The flag of the interrupt that this one was created from with [`Interrupt::within`].
    general: Option<Arc<AtomicBool>>,
}

impl Interrupt {
    /// Creates an interrupt that is set together with this one, or alone.
    #[must_use]
    pub fn within(&self) -> Interrupt {
        Interrupt { own: Arc::default(), general: Some(Arc::clone(&self.own)) }
    }

    /// Ends the calls at their next host call, or within about 10 ms.
    pub fn set(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Whether it was set, or the interrupt that it was created from.
    pub fn is_set(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::Relaxed);
        is_set(&self.own) || self.general.as_ref().is_some_and(is_set)
    }
}
