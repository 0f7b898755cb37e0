//! Lanes: platforms that work beside the first one, each over a connection of its own, with the same plugins and users.
//!
//! The first platform alone installs, upgrades and stops plugins. What it knows is handed to the lanes as a snapshot;
//! clock, randomness, faults and counters are one for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex};

use erp_manifest::{PluginId, TenantId};
use erp_runtime::lock;
use erp_storage::{Catalog, StoreError};
use erp_store::{PluginRecord, SharedDatabase};

use super::state::{Installed, in_error};
use super::{CallSettings, Directory, Gate, Platform};

/// What a platform knows at a moment, to be followed by lanes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    directory: Directory,
    plugins: BTreeMap<PluginId, Arc<Installed>>,
    unreadable: Vec<PluginRecord>,
    catalog: Catalog,
    call_settings: CallSettings,
    gate: Arc<Gate>,
}

impl Snapshot {
    /// The plugins that should run and cannot.
    pub fn plugins_in_error(&self) -> Vec<&str> {
        in_error(&self.plugins)
    }
}

/// Tenants whose events are being delivered: one at a time each, so that a plugin hears them in their order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<BTreeSet<TenantId>>,
    free: Condvar,
}

/// A tenant's turn, until this is dropped.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    tenant: TenantId,
}

impl Turns {
    pub(super) fn take(&self, tenant: &TenantId) -> Turn<'_> {
        let mut taken = lock(&self.taken);
        while taken.contains(tenant) {
            taken = self.free.wait(taken).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        taken.insert(tenant.clone());
        Turn { turns: self, tenant: tenant.clone() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.turns.taken).remove(&self.tenant);
        self.turns.free.notify_all();
    }
}

impl Platform {
    /// What the platform knows now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            directory: self.directory.clone(),
            plugins: self.plugins.clone(),
            unreadable: self.unreadable.clone(),
            catalog: self.database.lock().catalog().clone(),
            call_settings: CallSettings { probe: None, ..self.call_settings.clone() },
            gate: Arc::clone(&self.gate),
        }
    }

    /// A lane beside this platform; none where the database takes one connection alone.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn lane(&self) -> Result<Option<Platform>, StoreError> {
        let Some(database) = self.database.lock().beside()? else { return Ok(None) };
        let database = SharedDatabase::new(database);
        let mut lane = Platform {
            counters: Arc::clone(&self.counters),
            turns: Arc::clone(&self.turns),
            ..Platform::bare(Arc::clone(&self.runtime), database, Arc::clone(&self.surroundings))
        };
        lane.follow(&self.snapshot());
        Ok(Some(lane))
    }

    /// Works with what another platform knows from now on.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let Snapshot { directory, plugins, unreadable, catalog, call_settings, gate } = snapshot.clone();
        self.database.lock().set_catalog(catalog);
        (self.directory, self.plugins, self.unreadable) = (directory, plugins, unreadable);
        (self.call_settings, self.gate) = (call_settings, gate);
    }
}
