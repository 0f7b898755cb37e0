//! Lanes: platforms that run in parallel to the main one, each with its own connection, but the same plugins and users.
//!
//! Only the main platform installs, upgrades and stops plugins. The lanes get its state as a snapshot. All share one
//! clock, randomness, faults and counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex};

use erp_manifest::{PluginId, TenantId};
use erp_runtime::lock;
use erp_storage::Catalog;
use erp_store::PluginRecord;

use super::state::{Installed, in_error};
use super::{CallSettings, Directory, Gate};

/// The state of a platform that its lanes follow: plugins, users, settings.
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
    /// Returns the ids of the plugins in the state `error`.
    pub fn plugins_in_error(&self) -> Vec<&str> {
        in_error(&self.plugins)
    }
}

/// Tenants whose events are being delivered. One lane at a time delivers for a tenant, so that events keep their order.
#[derive(Debug, Default)]
pub(super) struct DeliveryLocks {
    taken: Mutex<BTreeSet<TenantId>>,
    free: Condvar,
}

/// The exclusive right to deliver a tenant's events, until it is dropped.
pub(super) struct DeliveryGuard<'t> {
    turns: &'t DeliveryLocks,
    tenant: TenantId,
}

impl DeliveryLocks {
    pub(super) fn take(&self, tenant: &TenantId) -> DeliveryGuard<'_> {
        let mut taken = lock(&self.taken);
        while taken.contains(tenant) {
            taken = self.free.wait(taken).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        taken.insert(tenant.clone());
        DeliveryGuard { turns: self, tenant: tenant.clone() }
    }
}

impl Drop for DeliveryGuard<'_> {
    fn drop(&mut self) {
        lock(&self.turns.taken).remove(&self.tenant);
        self.turns.free.notify_all();
    }
}
