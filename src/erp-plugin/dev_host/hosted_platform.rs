//! The platform of a dev host, the snapshot that its lanes work with, and the gates that a change of plugins closes.
//!
//! Locks are taken in this order: `calls_gate`, `rows_gate`, the platform, the snapshot. The only other lock that a
//! thread holds while it waits for one of them is `Projects::swapping`, which is taken first.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::time::{Duration, Instant};

use erp_platform::{PackageCompiler, Platform, Snapshot};
use erp_runtime::lock;
use erp_storage::StoreError;

/// How long a request waits for a writer. A closing gate lets other requests pass for as long; after that they wait
/// too.
pub(super) const WRITERS_WAIT: Duration = Duration::from_secs(2);

/// The platform and its gates.
#[derive(Debug)]
pub(super) struct HostedPlatform {
    platform: Mutex<Platform>,
    /// The state of the platform that the lanes work with.
    snapshot: RwLock<Arc<Snapshot>>,
    /// The lane that further lanes are made from, without the platform's lock. None if the database takes only one
    /// connection.
    pub(super) first_lane: Option<Mutex<Platform>>,
    /// Held for reading by plugin calls while they run.
    pub(super) calls_gate: RwLock<()>,
    /// Held for reading by requests that write rows.
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

    /// Locks the platform. Dropping the guard publishes a new snapshot to the lanes.
    pub(super) fn platform(&self) -> FirstPlatform<'_> {
        FirstPlatform { platform: lock(&self.platform), hosted: self }
    }

    /// Whether lanes exist beside the platform.
    pub(super) fn has_lanes(&self) -> bool {
        self.first_lane.is_some()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `work` while no plugin is called and no row is written, to change plugins. None if the gates could not be
    /// closed in time.
    pub(super) fn exclusively<T>(&self, until: Instant, work: impl FnOnce(&mut Platform) -> T) -> Option<T> {
        let _calls = closed(&self.calls_gate, until)?;
        let _rows = closed(&self.rows_gate, until)?;
        Some(work(&mut self.platform()))
    }

    /// Closes both gates, however long that takes. Other requests pass for `WRITERS_WAIT`; then they wait too, since an
    /// edit would otherwise never be served.
    pub(super) fn close_gates(&self) -> (RwLockWriteGuard<'_, ()>, RwLockWriteGuard<'_, ()>) {
        let until = Instant::now() + WRITERS_WAIT;
        let calls = closed(&self.calls_gate, until);
        let calls = calls.unwrap_or_else(|| self.calls_gate.write().unwrap_or_else(PoisonError::into_inner));
        let rows = closed(&self.rows_gate, until);
        let rows = rows.unwrap_or_else(|| self.rows_gate.write().unwrap_or_else(PoisonError::into_inner));
        (calls, rows)
    }
}

/// A guard of the platform. Dropping it publishes a new snapshot.
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

/// Closes a gate as soon as no thread is inside; until then others may still enter. None if that does not happen in
/// time.
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
