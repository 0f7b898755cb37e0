//! Lanes: platforms that work beside the first one, each over a connection of its own, with the same plugins and users.
//!
//! The first platform alone installs, upgrades and stops plugins. What it knows is handed to the lanes as a snapshot;
//! clock, randomness, faults and counters are one for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex};

use erp_manifest::{PluginId, TenantId};
use erp_runtime::lock;
use erp_storage::Catalog;
use erp_store::PluginRecord;

use super::state::{Installed, in_error};
use super::{CallSettings, Directory, Gate};

/// What a platform knows at a moment, to be followed by lanes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) directory: Directory,
    pub(super) plugins: BTreeMap<PluginId, Arc<Installed>>,
    pub(super) unreadable: Vec<PluginRecord>,
    pub(super) catalog: Catalog,
    pub(super) call_settings: CallSettings,
    pub(super) gate: Arc<Gate>,
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
