//! The plugin engine of a platform, built on the runtime: the methods of such an engine, without direct use of
//! wasmtime.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erp_manifest::{Manifest, Moment, TenantId};
use erp_package::archive::Package;
use erp_runtime::{
    CallContext, CallError, Caller, Compilation, Host, HostCallRequest, Invocation, LoadedPlugin, Runtime,
    RuntimeError, Trigger,
};
use erp_storage::{Storage, StoredEvent};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::bus::{BusEvent, EventBus};
use crate::users::User;

/// Why the engine refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    #[error("the plugin `{0}` is not loaded")]
    NotFound(String),
    #[error("the plugin `{0}` is loaded already")]
    AlreadyExists(String),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The guest's own error, or why its call was ended. Nothing that the call did was stored.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// The state of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginStatus {
    Loaded,
    Initialized,
    Running,
    Disabled,
    Error(String),
}

struct Plugin {
    loaded: LoadedPlugin,
    status: PluginStatus,
    listener: Option<JoinHandle<()>>,
}

/// The loaded plugins, with the host and the bus that call them. Clones share the same engine.
pub struct PluginEngine<S> {
    host: Host<S>,
    bus: EventBus,
    plugins: Arc<Mutex<HashMap<String, Plugin>>>,
}

impl<S> Clone for PluginEngine<S> {
    fn clone(&self) -> PluginEngine<S> {
        PluginEngine { host: self.host.clone(), bus: self.bus.clone(), plugins: Arc::clone(&self.plugins) }
    }
}

impl<S: Storage + 'static> PluginEngine<S> {
    /// An engine that calls plugins on `threads` threads.
    pub fn new(storage: S, bus: &EventBus, threads: usize) -> Result<PluginEngine<S>, PluginError> {
        let runtime = Arc::new(Runtime::new(Compilation::default())?);
        let host = Host::builder(runtime, storage).with_threads(threads).with_events(Arc::new(bus.clone())).build()?;
        Ok(PluginEngine { host, bus: bus.clone(), plugins: Arc::default() })
    }

    /// The storage of the plugins' rows.
    pub fn storage(&self) -> &S {
        self.host.storage()
    }

    /// Compiles the plugin of a verified package; returns its id.
    pub fn load(&self, package: &Package) -> Result<String, PluginError> {
        let id = package.manifest.metadata.id.to_string();
        if self.plugins().contains_key(&id) {
            return Err(PluginError::AlreadyExists(id));
        }
        let loaded = self.host.runtime().load(package.component(), Arc::new(package.manifest.clone()))?;
        self.plugins().insert(id.clone(), Plugin { loaded, status: PluginStatus::Loaded, listener: None });
        Ok(id)
    }

    /// Calls `init`, for no tenant and no user.
    pub async fn initialize(&self, id: &str) -> Result<(), PluginError> {
        let done = self.call(id, &TenantId::nil(), None, Trigger::Lifecycle, Invocation::Init).await;
        let status = match &done {
            Ok(_) => PluginStatus::Initialized,
            Err(error) => PluginStatus::Error(error.to_string()),
        };
        self.set_status(id, status);
        done.map(drop)
    }

    /// Delivers the events that the plugin subscribes to, one after the other, until the plugin is disabled.
    pub fn start_event_listener(&self, id: &str) {
        let Ok(manifest) = self.manifest(id) else { return };
        // A second listener would deliver everything twice.
        if self.is_running(id) {
            return;
        }
        let patterns = manifest.events.subscribe.iter().map(|pattern| pattern.to_string()).collect();
        let (mut events, engine, own) = (self.bus.subscribe(patterns), self.clone(), id.to_owned());
        let listener = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                // A plugin does not receive its own events.
                if event.source.as_deref() == Some(&*own) {
                    continue;
                }
                if let Err(error) = engine.handle_event(&own, &event).await {
                    eprintln!("{own}: {}: {error}", event.event_type);
                }
            }
        });
        if let Some(plugin) = self.plugins().get_mut(id) {
            (plugin.listener, plugin.status) = (Some(listener), PluginStatus::Running);
        }
    }

    /// Delivers one event, and waits until the changes of the call are committed.
    pub async fn handle_event(&self, id: &str, event: &BusEvent) -> Result<(), PluginError> {
        let stored = StoredEvent {
            seq: 0,
            id: event.id.clone(),
            tenant: event.tenant.clone(),
            event_type: event.event_type.clone(),
            source: event.source.clone().unwrap_or_else(|| "platform".to_owned()),
            payload: event.payload.clone(),
            occurred_at_ms: Moment::of_system_clock().unix_ms,
            depth: event.depth,
        };
        self.call(id, &event.tenant, None, Trigger::Event, Invocation::Event { event: Arc::new(stored), attempt: 1 })
            .await
            .map(drop)
    }

    /// Runs an action of a plugin on behalf of a user.
    pub async fn invoke(&self, id: &str, user: &User, action: String, input: Value) -> Result<Value, PluginError> {
        let action = Invocation::Action { name: action, input };
        self.call(id, &user.tenant, Some(user.caller.clone()), Trigger::Action, action).await
    }

    /// Notifies the plugin that a tenant was created. Does nothing if `tenant` is not a valid id.
    pub async fn on_tenant_created(&self, id: &str, tenant: &str) -> Result<(), PluginError> {
        let Some(tenant) = TenantId::new(tenant) else { return Ok(()) };
        self.call(id, &tenant, None, Trigger::Lifecycle, Invocation::TenantCreated).await.map(drop)
    }

    /// Stops delivering events to the plugin. A delivery that is running is ended, and nothing of it is stored.
    pub fn disable(&self, id: &str) {
        if let Some(plugin) = self.plugins().get_mut(id) {
            if let Some(listener) = plugin.listener.take() {
                listener.abort();
            }
            plugin.status = PluginStatus::Disabled;
        }
    }

    /// Disables and removes the plugin. Calls that are running keep its code until they end.
    pub fn unload(&self, id: &str) {
        self.disable(id);
        self.plugins().remove(id);
    }

    /// Returns `{status, plugin_id}`, with `error` after an error, or with `state` if the plugin is not running.
    pub fn health_check(&self, id: &str) -> Result<Value, PluginError> {
        let plugins = self.plugins();
        let plugin = plugins.get(id).ok_or_else(|| PluginError::NotFound(id.to_owned()))?;
        Ok(match &plugin.status {
            PluginStatus::Running => json!({ "status": "healthy", "plugin_id": id }),
            PluginStatus::Error(error) => json!({ "status": "error", "plugin_id": id, "error": error }),
            other => json!({ "status": "unhealthy", "plugin_id": id, "state": format!("{other:?}") }),
        })
    }

    /// Whether events are delivered to the plugin.
    pub fn is_running(&self, id: &str) -> bool {
        self.plugins().get(id).is_some_and(|plugin| plugin.status == PluginStatus::Running)
    }

    /// The manifest of a loaded plugin.
    pub fn manifest(&self, id: &str) -> Result<Arc<Manifest>, PluginError> {
        let plugins = self.plugins();
        let plugin = plugins.get(id).ok_or_else(|| PluginError::NotFound(id.to_owned()))?;
        Ok(Arc::clone(plugin.loaded.manifest()))
    }

    /// The ids of the loaded plugins.
    pub fn ids(&self) -> Vec<String> {
        self.plugins().keys().cloned().collect()
    }

    async fn call(
        &self,
        id: &str,
        tenant: &TenantId,
        caller: Option<Caller>,
        trigger: Trigger,
        invocation: Invocation,
    ) -> Result<Value, PluginError> {
        let (loaded, locale) = {
            let plugins = self.plugins();
            let plugin = plugins.get(id).ok_or_else(|| PluginError::NotFound(id.to_owned()))?;
            (plugin.loaded.clone(), plugin.loaded.manifest().i18n.default_locale.clone())
        };
        let event_depth = if let Invocation::Event { event, .. } = &invocation { event.depth } else { 0 };
        let request_id = uuid::Uuid::new_v4().to_string();
        let context = CallContext { request_id, tenant: tenant.clone(), caller, trigger, locale, event_depth };
        // The executor's threads stay free meanwhile. Dropping this future ends the guest.
        Ok(self.host.call_async(&loaded, HostCallRequest::new(context, invocation)).await.result?)
    }

    fn set_status(&self, id: &str, status: PluginStatus) {
        if let Some(plugin) = self.plugins().get_mut(id) {
            plugin.status = status;
        }
    }

    fn plugins(&self) -> MutexGuard<'_, HashMap<String, Plugin>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
