//! Instances that are made before a call needs them, and dropped after it was answered.
//!
//! Making an instance and dropping it is more than half of what a small call takes. A thread beside the calls does
//! both, so that a call neither waits for the one nor for the other. An instance still serves one call and no more.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

use wasmtime::Store;
use wasmtime::component::Instance;

use super::call::{CallContext, CallState, enter};
use super::engine::{Runtime, RuntimeError};
use super::limits::CallLimits;
use super::plugin::LoadedPlugin;
use super::surroundings::Surroundings;
use super::{SharedDatabase, SharedSurroundings, lock};
use crate::manifest::TenantId;
use crate::store::Database;

/// An instance that no call has had yet.
pub(super) type Prepared = (Store<CallState>, Instance);

/// Instances of one plugin, and the thread that makes and drops them.
#[derive(Clone)]
pub(super) struct Ahead {
    ready: Arc<Mutex<VecDeque<Prepared>>>,
    /// Where calls leave the stores that they have used: each is dropped, and an instance is made in its place.
    work: Sender<Box<Store<CallState>>>,
    limits: CallLimits,
}

impl Runtime {
    /// The plugin with `count` instances that are kept ready. Calls with other limits than the manifest's, and calls
    /// that come faster than instances can be made, make their own.
    ///
    /// # Errors
    /// [`RuntimeError`] where no instance can be made.
    pub fn keep_ready(&self, plugin: LoadedPlugin, count: usize) -> Result<LoadedPlugin, RuntimeError> {
        let failed = |error: String| RuntimeError::Load(error);
        // What an instance holds until a call gives it its own.
        let database: SharedDatabase =
            Arc::new(Mutex::new(Database::in_memory().map_err(|error| failed(error.to_string()))?));
        let surroundings: SharedSurroundings = Arc::new(Mutex::new(Surroundings::of_this_machine()));
        let tenant = TenantId::new("nobody").ok_or_else(|| failed("no tenant".to_owned()))?;
        let limits = CallLimits::of(&plugin.manifest);
        let ready: Arc<Mutex<VecDeque<Prepared>>> = Arc::default();
        let (work, jobs) = mpsc::channel();
        let maker = {
            let (engine, plugin, limits, ready) =
                (plugin.component.engine().clone(), plugin.clone(), limits.clone(), Arc::clone(&ready));
            move || -> wasmtime::Result<()> {
                let context = CallContext::of_tenant(tenant.clone());
                let prepared = enter(&engine, &plugin, context, &limits, &database, &surroundings)?;
                lock(&ready).push_back(prepared);
                Ok(())
            }
        };
        for _ in 0..count {
            maker().map_err(|error| failed(format!("{error:#}")))?;
        }
        std::thread::Builder::new()
            .name("instances".to_owned())
            .spawn(move || {
                // It ends when the last clone of the plugin is gone.
                for used in jobs {
                    // An instance that cannot be made is made, or refused, by the call that needs it.
                    drop(maker());
                    drop(used);
                }
            })
            .map_err(|error| failed(format!("no thread for instances: {error}")))?;
        Ok(LoadedPlugin { ahead: Some(Ahead { ready, work, limits }), ..plugin })
    }
}

impl Ahead {
    /// An instance that is ready, for a call within these limits.
    pub(super) fn take(&self, limits: &CallLimits) -> Option<Prepared> {
        if *limits != self.limits {
            return None;
        }
        lock(&self.ready).pop_front()
    }

    /// Lets somebody else drop what a call has used.
    pub(super) fn leave(&self, store: Store<CallState>) {
        // The thread is there as long as this is. It is woken once a call, after the guest was done.
        let _ = self.work.send(Box::new(store));
    }
}
