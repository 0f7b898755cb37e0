//! The platform of a dev host, what its lanes know of it, and the gates that whoever changes plugins closes.
//!
//! The order of locks, the first one first: `calls_gate`, `rows_gate`, the platform, the snapshot. Nothing else is locked
//! while one of them is waited for.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::time::{Duration, Instant};

use erp_platform::{PackageCompiler, Platform, Snapshot};
use erp_runtime::lock;
use erp_storage::StoreError;

/// How long somebody waits for whoever writes; then other requests wait too.
pub(super) const WRITERS_WAIT: Duration = Duration::from_secs(2);

/// The platform and its gates.
#[derive(Debug)]
pub(super) struct HostedPlatform {
    platform: Mutex<Platform>,
    /// What the platform knows, as the lanes work with it.
    snapshot: RwLock<Arc<Snapshot>>,
    /// What further lanes are made from, without the platform's lock; none where the database takes one connection alone.
    pub(super) first_lane: Option<Mutex<Platform>>,
    /// Taken by calls of plugins while they run.
    pub(super) calls_gate: RwLock<()>,
    /// Taken by requests that write rows.
    pub(super) rows_gate: RwLock<()>,
    pub(super) compiler: PackageCompiler,
}

impl HostedPlatform {
    pub(super) fn new(platform: Platform) -> Result<HostedPlatform, StoreError> {
        Ok(HostedPlatform {
            snapshot: RwLock::new(Arc::new(platform.snapshot())),
            first_lane: platform.lane()?.map(Mutex::new),
            calls_gate: RwLock::default(),
            rows_gate: RwLock::default(),
            compiler: platform.compiler(),
            platform: Mutex::new(platform),
        })
    }

    /// The platform itself. What changes of it is known to the lanes as soon as it is given back.
    pub(super) fn platform(&self) -> FirstPlatform<'_> {
        FirstPlatform { platform: lock(&self.platform), hosted: self }
    }

    /// Whether there are lanes beside the platform.
    pub(super) fn has_lanes(&self) -> bool {
        self.first_lane.is_some()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works with the platform while no plugin is called and no row written: to change plugins. Nothing where others are
    /// at work until then.
    pub(super) fn exclusively<T>(&self, until: Instant, work: impl FnOnce(&mut Platform) -> T) -> Option<T> {
        let _calls = closed(&self.calls_gate, until)?;
        let _rows = closed(&self.rows_gate, until)?;
        Some(work(&mut self.platform()))
    }

    /// Closes both gates, however long that takes. Other requests pass for a time; after it they wait too, or an edit
    /// would never be served.
    pub(super) fn close_gates(&self) -> (RwLockWriteGuard<'_, ()>, RwLockWriteGuard<'_, ()>) {
        let until = Instant::now() + WRITERS_WAIT;
        let calls = closed(&self.calls_gate, until);
        let calls = calls.unwrap_or_else(|| self.calls_gate.write().unwrap_or_else(PoisonError::into_inner));
        let rows = closed(&self.rows_gate, until);
        let rows = rows.unwrap_or_else(|| self.rows_gate.write().unwrap_or_else(PoisonError::into_inner));
        (calls, rows)
    }
}

/// The platform itself, until it is given back.
pub(super) struct FirstPlatform<'s> {
    platform: MutexGuard<'s, Platform>,
    hosted: &'s HostedPlatform,
}

impl Deref for FirstPlatform<'_> {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.platform
    }
}

impl DerefMut for FirstPlatform<'_> {
    fn deref_mut(&mut self) -> &mut Platform {
        &mut self.platform
    }
}

impl Drop for FirstPlatform<'_> {
    fn drop(&mut self) {
        let snapshot = Arc::new(self.platform.snapshot());
        *self.hosted.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
    }
}

/// Closes a gate, as soon as no one is inside. Until then others may still enter. None if that does not happen in time.
fn closed(gate: &RwLock<()>, until: Instant) -> Option<RwLockWriteGuard<'_, ()>> {
    loop {
        match gate.try_write() {
            Ok(closed) => return Some(closed),
            Err(TryLockError::Poisoned(closed)) => return Some(closed.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
