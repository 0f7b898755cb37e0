//! Calls of plugins: which build answers, for which user and tenant, and what is recorded of the call.

use std::sync::Arc;

use erp_manifest::TenantId;
use erp_manifest::codes::errors;
use erp_manifest::digest::sha256_hex;
use erp_manifest::evolution::SchemaDiff;
use erp_runtime::{
    CallContext, CallError, CallLimits, CallRequest, Caller, Detail, Invocation, LoadedPlugin, RecordedCall,
    RecordedRequest, Trigger, lock,
};
use erp_storage::{Scope, StoreError};
use erp_store::{Database, UnitOfWork};
use serde_json::Value;

use super::activity::CallRecord;
use super::attempts::Attempts;
use super::triggers::publish_changes;
use super::{Origin, Platform, PlatformError};

/// Why a plugin is called, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Occasion {
    tenant: TenantId,
    caller: Option<Caller>,
    trigger: Trigger,
    event_depth: u32,
    /// The number of the attempt, from 1.
    attempt: u32,
    origin: Origin,
}

impl Occasion {
    /// Creates an occasion without a user, for calls by the platform itself.
    pub(super) fn of(tenant: &TenantId, trigger: Trigger) -> Occasion {
        Occasion {
            tenant: tenant.clone(),
            caller: None,
            trigger,
            event_depth: 0,
            attempt: 1,
            origin: Origin::default(),
        }
    }

    /// Sets the calling user.
    pub(super) fn by(self, caller: &Caller) -> Occasion {
        Occasion { caller: Some(caller.clone()), ..self }
    }

    /// Sets the request that the call belongs to.
    pub(super) fn caused_by(self, origin: &Origin) -> Occasion {
        Occasion { origin: origin.clone(), ..self }
    }

    /// Sets the number of the attempt.
    fn at_attempt(self, attempt: u32) -> Occasion {
        Occasion { attempt, ..self }
    }

    /// Sets the number of events in the chain that led to the call.
    pub(super) fn after_events(self, event_depth: u32) -> Occasion {
        Occasion { event_depth, ..self }
    }
}

/// Another build of a plugin that gets a share of the calls.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) loaded: LoadedPlugin,
    /// The share in percent.
    pub(super) percent: u8,
}

impl Canary {
    /// Returns whether a request is in the share. The answer depends only on the request id.
    fn takes(&self, request_id: &str) -> bool {
        let digest = sha256_hex(request_id.as_bytes());
        u32::from_str_radix(&digest[..6], 16).is_ok_and(|number| number % 100 < u32::from(self.percent))
    }
}

impl Platform {
    /// Calls a running plugin and records the call in the activity. `finish` runs in the call's transaction.
    pub(super) fn call(
        &mut self,
        plugin: &str,
        occasion: &Occasion,
        invocation: &Invocation,
        finish: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<Value, CallError> {
        let Some(loaded) = self.routed(plugin, &occasion.origin) else {
            return Err(CallError::BadCall(format!("the plugin `{plugin}` is not running")));
        };
        self.call_loaded(&loaded, occasion, invocation, |_| Ok(()), finish)
    }

    /// Returns the loaded build of a running plugin.
    pub(super) fn loaded(&self, plugin: &str) -> Option<LoadedPlugin> {
        self.plugins.get(plugin).and_then(|installed| installed.loaded.clone())
    }

    /// Returns the build that answers the current request: the plugin's own, or the canary.
    pub(super) fn routed(&self, plugin: &str, origin: &Origin) -> Option<LoadedPlugin> {
        let installed = self.plugins.get(plugin)?;
        let own = installed.loaded.clone()?;
        let tried = installed.canary.as_ref().zip(origin.request_id.as_deref());
        Some(tried.filter(|(canary, id)| canary.takes(id)).map_or(own, |(canary, _)| canary.loaded.clone()))
    }

    /// Sends a share of the requests' calls to another build, chosen by request id. A share of 0 removes the canary.
    ///
    /// # Errors
    /// 409 if the tables of the two builds differ, 404 if the plugin is unknown.
    pub fn set_canary(&mut self, loaded: &LoadedPlugin, percent: u8) -> Result<(), PlatformError> {
        let id = loaded.manifest().metadata.id.to_string();
        let installed = self.installed(&id)?;
        let diff = SchemaDiff::of(&installed.manifest, loaded.manifest());
        if percent > 0 && !diff.changes.is_empty() {
            let message = "the two builds have other tables: a share of the calls cannot go to either";
            return Err(PlatformError::new(errors::PLUGIN_CANARY, message));
        }
        if let Some(installed) = self.installed_mut(&id) {
            installed.canary = (percent > 0).then(|| Canary { loaded: loaded.clone(), percent });
        }
        Ok(())
    }

    /// Calls a build that may not be installed yet. `prepare` runs in the call's transaction before the guest. After a
    /// conflict with another process the call is repeated, unless it has sent a request to another server.
    pub(super) fn call_loaded(
        &mut self,
        loaded: &LoadedPlugin,
        occasion: &Occasion,
        invocation: &Invocation,
        mut prepare: impl FnMut(&mut Database) -> Result<(), StoreError>,
        mut finish: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<Value, CallError> {
        let mut attempts = Attempts::default();
        loop {
            let occasion = occasion.clone().at_attempt(attempts.number());
            let called = self.call_once(loaded, occasion, invocation, &mut prepare, &mut finish);
            let has_left = self.activity.calls.last().is_some_and(|call| call.trace.has_left_the_host());
            match called {
                Err(CallError::Host(error)) if error.code == errors::DB_CONFLICT && !has_left && attempts.next() => {}
                called => return called,
            }
        }
    }

    fn call_once(
        &mut self,
        loaded: &LoadedPlugin,
        occasion: Occasion,
        invocation: &Invocation,
        prepare: impl FnOnce(&mut Database) -> Result<(), StoreError>,
        finish: impl FnOnce(&mut Database) -> Result<(), StoreError>,
    ) -> Result<Value, CallError> {
        let Occasion { tenant, caller, trigger, event_depth, attempt, origin } = occasion;
        let label = label(invocation);
        let request_id = origin.request_id.unwrap_or_else(|| lock(&self.surroundings).uuid());
        let began_ms = self.now().unix_ms;
        let user = caller.as_ref().map(|caller| caller.id.clone());
        let request = CallRequest {
            context: CallContext {
                request_id: request_id.clone(),
                tenant: tenant.clone(),
                caller,
                trigger,
                // The language of the request; events and the platform itself use the plugin's default.
                locale: origin.language.unwrap_or_else(|| loaded.manifest().i18n.default_locale.clone()),
                event_depth,
            },
            limits: CallLimits::of(loaded.manifest()).with(&self.call_settings.limits),
            detail: self.call_settings.detail,
            probe: self.call_settings.probe.clone(),
            interrupt: origin.interrupt.unwrap_or_else(|| self.ending.clone()),
            attempt,
            invocation,
        };
        let said = (self.call_settings.detail >= Detail::Full).then(|| RecordedRequest::of(&request));
        let most_deep = request.limits.event_depth();
        let surroundings = Arc::clone(&self.surroundings);
        let mut published = Vec::new();
        let prepare = |unit: &mut UnitOfWork| prepare(unit);
        let finish = |database: &mut UnitOfWork| {
            published = publish_changes(database, &surroundings, event_depth + 1, most_deep)?;
            finish(database)
        };
        let outcome = self.runtime.call(loaded, request, &self.database, &self.surroundings, prepare, finish);
        let mut trace = outcome.trace;
        let recorded = said.map(|said| {
            let metadata = &loaded.manifest().metadata;
            let (error, result) = (outcome.result.as_ref().err(), outcome.result.as_ref().ok());
            RecordedCall::new(metadata.id.as_str(), &metadata.version, began_ms, said, error, result, &trace)
        });
        self.activity.changes.extend(trace.changes.iter().cloned());
        self.activity.events.extend(trace.events.drain(..).map(|event| (tenant.clone(), event)));
        if outcome.result.is_ok() {
            self.activity.events.extend(published);
        }
        // Denials are stored even if the call failed.
        if !trace.denials.is_empty() {
            let plugin = &loaded.manifest().metadata.id;
            let scope = Scope { user: user.clone(), ..Scope::of_tenant(&tenant, self.now()) };
            let kept = self.quiet_unit(|database, _| {
                trace.denials.iter().try_for_each(|denial| {
                    database.secrets().record_denial(
                        plugin,
                        &scope,
                        denial.function.name(),
                        &denial.subject,
                        &denial.message,
                    )
                })
            });
            kept.map_err(|error| CallError::Host(error.into()))?;
        }
        let error = outcome.result.as_ref().err().cloned();
        let plugin = loaded.manifest().metadata.id.to_string();
        let version = loaded.manifest().metadata.version.to_string();
        let call = CallRecord {
            plugin: plugin.clone(),
            version,
            tenant,
            user,
            request_id,
            began_ms,
            label,
            error,
            trace,
            recorded,
        };
        lock(&self.counters).entry(plugin).or_default().add(&call);
        self.activity.calls.push(call);
        outcome.result
    }
}

fn label(invocation: &Invocation) -> String {
    match invocation {
        Invocation::Init => "init".to_owned(),
        Invocation::Upgrade(handlers) => {
            let names = handlers.iter().map(|handler| format!(", {} for {}", handler.name, handler.tenant));
            format!("init{}", names.collect::<String>())
        }
        Invocation::TenantCreated => "tenant created".to_owned(),
        Invocation::Event { event, .. } => format!("event {}", event.event_type),
        Invocation::Action { name, .. } => format!("action {name}"),
        Invocation::NodeDefinitions => "node definitions".to_owned(),
        Invocation::Node(call) => format!("node {}", call.kind),
        Invocation::Process(call) => format!("process {}", call.content_type),
        Invocation::Wave(call) => format!("call {call}"),
        Invocation::Named { function, .. } => format!("call {function}"),
    }
}
