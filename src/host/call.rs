//! One call: a fresh instance, one transaction, everything or nothing.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, ComponentType, Func, Instance, Lift, Lower, Type, Val,
};
use wasmtime::{CallHook, Engine, Store, StoreContextMut, Trap, WasmBacktrace};

use super::arguments;
use super::bindings::v1::erp::plugin::types;
use super::caller::Caller;
use super::engine::{Runtime, TICK};
use super::error::{CallError, Frames, ServiceError, TrapKind};
use super::faults::{FaultAction, FaultPlace};
use super::limits::{CallLimits, MemoryLimiter};
use super::plugin::LoadedPlugin;
use super::probe::{self, Probe};
use super::recording::Replay;
use super::services::Services;
use super::trace::{Detail, Trace};
use super::{SharedDatabase, SharedSurroundings, lock};
use crate::document::words;
use crate::manifest::TenantId;
use crate::store::{Database, StoreError, StoredEvent};

words! {
    /// What made the host call a plugin.
    pub enum Trigger {
        /// A request of a user.
        Http = "http",
        /// An event.
        Event = "event",
        /// A button.
        Action = "action",
        /// A developer or a test.
        Call = "call",
        /// The plugin's own life.
        Lifecycle = "lifecycle",
    }
}

/// On whose behalf a call runs.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The same for a call and all that it causes.
    pub request_id: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The user; none for events and the plugin's own life.
    pub caller: Option<Caller>,
    /// What made the host call.
    pub trigger: Trigger,
    /// BCP 47.
    pub locale: String,
    /// How many events led to this call.
    pub event_depth: u32,
}

impl CallContext {
    /// The context of a call that nobody asked for.
    pub(super) fn of_tenant(tenant: TenantId) -> CallContext {
        let (request_id, locale) = (String::new(), String::new());
        CallContext { request_id, tenant, caller: None, trigger: Trigger::Call, locale, event_depth: 0 }
    }
}

/// What to call.
#[derive(Debug, Clone)]
pub enum Invocation<'a> {
    /// The plugin is enabled.
    Init,
    /// A tenant came to the plugin.
    TenantCreated,
    /// An event is delivered.
    Event {
        /// The event.
        event: &'a StoredEvent,
        /// From 1.
        attempt: u32,
    },
    /// A button was pressed.
    Action {
        /// Its name.
        name: &'a str,
        /// JSON.
        input: &'a Value,
    },
    /// Any export, as WAVE: `interface.function(arguments)`.
    Wave(&'a str),
    /// Any export, with an object of arguments by their names; a `ctx` that is left out is the call's own.
    Named {
        /// `interface.function`.
        function: &'a str,
        /// The arguments.
        arguments: &'a serde_json::Map<String, Value>,
    },
}

/// A call: on whose behalf, within which bounds, of what.
#[derive(Debug, Clone)]
pub struct CallRequest<'a> {
    /// On whose behalf.
    pub context: CallContext,
    /// Within which bounds.
    pub limits: CallLimits,
    /// How much of it is kept.
    pub detail: Detail,
    /// What watches it; the plugin's runtime must be one for probes.
    pub probe: Option<Probe>,
    /// Of what.
    pub invocation: Invocation<'a>,
}

/// How a call went.
#[derive(Debug)]
pub struct CallOutcome {
    /// What the guest gave, as JSON for actions and as WAVE text for named calls; null for the rest.
    pub result: Result<Value, CallError>,
    /// What happened.
    pub trace: Trace,
}

/// What a store holds.
pub(super) struct CallState {
    pub(super) services: Services,
    memory: MemoryLimiter,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct EventRecord {
    id: String,
    #[component(name = "event-type")]
    event_type: String,
    source: String,
    #[component(name = "occurred-at-ms")]
    occurred_at_ms: u64,
    attempt: u32,
    payload: String,
}

impl Runtime {
    /// Calls a plugin. `prepare` runs in the call's transaction before the guest does, `finish` before the
    /// commit. Where one of the three fails, or the guest is ended, nothing stays of any of them.
    pub fn call(
        &self,
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        database: &SharedDatabase,
        surroundings: &SharedSurroundings,
        prepare: impl FnOnce(&mut Database) -> Result<(), StoreError>,
        finish: impl FnOnce(&mut Database) -> Result<(), StoreError>,
    ) -> CallOutcome {
        self.call_or_replay(plugin, request, database, surroundings, (prepare, finish), None).0
    }

    /// A call that a recording answers; gives what is left of it.
    pub(super) fn call_replayed(
        &self,
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        database: &SharedDatabase,
        surroundings: &SharedSurroundings,
        replay: Replay,
    ) -> (CallOutcome, Option<Replay>) {
        let nothing = |_: &mut Database| Ok(());
        self.call_or_replay(plugin, request, database, surroundings, (nothing, nothing), Some(replay))
    }

    fn call_or_replay(
        &self,
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        database: &SharedDatabase,
        surroundings: &SharedSurroundings,
        (prepare, finish): (
            impl FnOnce(&mut Database) -> Result<(), StoreError>,
            impl FnOnce(&mut Database) -> Result<(), StoreError>,
        ),
        replay: Option<Replay>,
    ) -> (CallOutcome, Option<Replay>) {
        let started = Instant::now();
        let CallRequest { context, limits, detail, probe, invocation } = request;
        let begun = {
            let mut database = lock(database);
            let begun = database.begin().and_then(|()| prepare(&mut database));
            database.note_statements(detail >= Detail::Full);
            begun.inspect_err(|_| database.rollback())
        };
        if let Err(error) = begun {
            let outcome = CallOutcome { result: Err(CallError::Host(error.into())), trace: Trace::default() };
            return (outcome, replay);
        }
        let mut services = Services::new(
            Arc::clone(&plugin.manifest),
            context,
            limits.clone(),
            Arc::clone(database),
            Arc::clone(surroundings),
            detail,
        );
        services.replay = replay;
        let ahead = plugin.ahead.as_ref().filter(|_| probe.is_none());
        let ready = ahead.and_then(|ahead| ahead.take(&limits));
        let was_ready = ready.is_some();
        let (mut store, prepared) = match ready {
            Some((mut store, instance)) => {
                store.data_mut().services = services;
                (store, Some(instance))
            }
            None => {
                let memory = MemoryLimiter::new(&limits);
                (Store::new(&self.engine, CallState { services, memory }), None)
            }
        };
        let result = run(plugin, &mut store, prepared, &limits, probe.as_ref(), &invocation);
        let fuel = limits.fuel().saturating_sub(store.get_fuel().unwrap_or(0));
        // What was done before a bound was passed is not kept, whatever the guest made of the error.
        let result = match store.data_mut().services.spoiled.take() {
            Some(error) => Err(CallError::Guest(error)),
            None => result,
        };
        let result = result.map_err(|error| error.without_secrets(&store.data().services));
        let mut trace = std::mem::take(&mut store.data_mut().services.trace);
        let replay = store.data_mut().services.replay.take();
        trace.fuel = fuel;
        trace.memory = store.data().memory.peak;

        let mut database = lock(database);
        database.note_statements(false);
        let result = result.and_then(|value| {
            let fault = lock(surroundings).take_fault(|place| *place == FaultPlace::Commit);
            if let Some(FaultAction::Fail(message)) = fault {
                let error = ServiceError::new("host.database", message);
                return Err(CallError::Host(ServiceError { retryable: true, ..error }));
            }
            let committed = finish(&mut database).and_then(|()| database.commit());
            trace.changes = committed.map_err(|error| CallError::Host(error.into()))?;
            Ok(value)
        });
        if result.is_err() {
            database.rollback();
            trace.events.clear();
        }
        if let Some(ahead) = ahead.filter(|_| was_ready) {
            ahead.leave(store);
        }
        trace.nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        (CallOutcome { result, trace }, replay)
    }
}

fn run(
    plugin: &LoadedPlugin,
    store: &mut Store<CallState>,
    prepared: Option<Instance>,
    limits: &CallLimits,
    probe: Option<&Probe>,
    invocation: &Invocation<'_>,
) -> Result<Value, CallError> {
    store.set_epoch_deadline(ticks(limits));
    let started = match prepared {
        Some(instance) => Ok(instance),
        None => bound(store, limits)
            .and_then(|()| probe.map_or(Ok(()), |probe| probe.attach(store, &plugin.component)))
            .and_then(|()| match probe {
                None => plugin.instances.instantiate(&mut *store),
                Some(_) => probe::finish(plugin.instances.instantiate_async(&mut *store)),
            }),
    };
    let instance = started.map_err(|error| classify(&error, store))?;
    let guest = Guest { plugin, instance, is_watched: probe.is_some() };
    match invocation {
        Invocation::Wave(text) => guest.call_wave(store, text),
        Invocation::Named { function, arguments } => guest.call_named(store, function, arguments),
        _ if plugin.host_api.is_legacy() => guest.call_legacy(store, invocation),
        _ => guest.call_v1(store, invocation),
    }
}

/// A store with an instance that is ready for one call.
pub(super) fn enter(
    engine: &Engine,
    plugin: &LoadedPlugin,
    context: CallContext,
    limits: &CallLimits,
    database: &SharedDatabase,
    surroundings: &SharedSurroundings,
) -> wasmtime::Result<(Store<CallState>, Instance)> {
    let (manifest, memory) = (Arc::clone(&plugin.manifest), MemoryLimiter::new(limits));
    let (database, surroundings) = (Arc::clone(database), Arc::clone(surroundings));
    let services = Services::new(manifest, context, limits.clone(), database, surroundings, Detail::Outline);
    let mut store = Store::new(engine, CallState { services, memory });
    bound(&mut store, limits)?;
    // What the instance does while it starts is bounded like a call.
    store.set_epoch_deadline(ticks(limits));
    let instance = plugin.instances.instantiate(&mut store)?;
    Ok((store, instance))
}

/// Holds a store to the limits, all but the time.
fn bound(store: &mut Store<CallState>, limits: &CallLimits) -> wasmtime::Result<()> {
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(usize::try_from(limits.border_bytes()).unwrap_or(usize::MAX));
    store.set_max_component_handles(usize::try_from(limits.handles()).unwrap_or(usize::MAX));
    store.call_hook(at_border);
    store.set_fuel(limits.fuel())
}

/// Ticks of the epoch until the time is over.
fn ticks(limits: &CallLimits) -> u64 {
    u64::try_from(limits.time().as_millis().div_ceil(TICK.as_millis()).max(1)).unwrap_or(u64::MAX)
}

/// Runs whenever the guest calls the host, and when the host returns: notes what was burned until then, and ends
/// the guest where the host call says so.
fn at_border(mut store: StoreContextMut<'_, CallState>, hook: CallHook) -> wasmtime::Result<()> {
    match hook {
        CallHook::CallingHost => {
            let left = store.get_fuel().unwrap_or(0);
            let wants_source = store.data().services.detail == Detail::Source;
            let frames = if wants_source { Frames(&WasmBacktrace::force_capture(&store)).lines() } else { Vec::new() };
            let services = &mut store.data_mut().services;
            services.fuel_burned = services.limits.fuel().saturating_sub(left);
            services.frames = frames;
            Ok(())
        }
        CallHook::ReturningFromHost => match store.data().services.ending {
            Some(trap) => Err(trap.into()),
            None => Ok(()),
        },
        CallHook::CallingWasm | CallHook::ReturningFromWasm => Ok(()),
    }
}

struct Guest<'p> {
    plugin: &'p LoadedPlugin,
    instance: Instance,
    is_watched: bool,
}

type V1Result<T> = (Result<T, types::Error>,);
type LegacyResult = (Result<(), String>,);

impl Guest<'_> {
    fn call_v1(&self, store: &mut Store<CallState>, invocation: &Invocation<'_>) -> Result<Value, CallError> {
        let context = store.data().services.context.to_v1(&self.plugin.manifest);
        let exports = &self.plugin.exports;
        let (result,): V1Result<()> = match invocation {
            Invocation::Init => self.call(store, "base.init", exports.init, (context,))?,
            Invocation::TenantCreated => {
                let tenant = context.tenant_id.clone();
                match exports.on_tenant_created {
                    // A world without tenant hooks has nothing to do.
                    None => return Ok(Value::Null),
                    export => self.call(store, "tenant-hooks.on-tenant-created", export, (context, tenant))?,
                }
            }
            Invocation::Event { event, attempt } => {
                let record = EventRecord {
                    id: event.id.clone(),
                    event_type: event.event_type.clone(),
                    source: event.source.clone(),
                    occurred_at_ms: event.occurred_at_ms.max(0).cast_unsigned(),
                    attempt: *attempt,
                    payload: event.payload.to_string(),
                };
                self.call(store, "event-handler.handle-event", exports.handle_event, (context, record))?
            }
            Invocation::Action { name, input } => {
                let parameters = (context, (*name).to_owned(), input.to_string());
                let (result,): V1Result<String> = self.call(store, "actions.invoke", exports.invoke, parameters)?;
                let text = result.map_err(|error| CallError::Guest(error.into()))?;
                return serde_json::from_str(&text)
                    .map_err(|error| CallError::BadCall(format!("the action gave text that is no JSON: {error}")));
            }
            Invocation::Wave(_) | Invocation::Named { .. } => return Ok(Value::Null),
        };
        result.map(|()| Value::Null).map_err(|error| CallError::Guest(error.into()))
    }

    fn call_legacy(&self, store: &mut Store<CallState>, invocation: &Invocation<'_>) -> Result<Value, CallError> {
        let exports = &self.plugin.exports;
        let (result,): LegacyResult = match invocation {
            Invocation::Init => self.call(store, "plugin-api.init", exports.init, ())?,
            Invocation::TenantCreated => {
                let tenant = store.data().services.context.tenant.to_string();
                self.call(store, "plugin-api.on-tenant-created", exports.on_tenant_created, (tenant,))?
            }
            Invocation::Event { event, .. } => {
                let parameters = (event.event_type.clone(), event.payload.to_string().into_bytes());
                self.call(store, "plugin-api.handle-event", exports.handle_event, parameters)?
            }
            Invocation::Action { .. } => {
                return Err(CallError::BadCall("the legacy host API has no actions".to_owned()));
            }
            Invocation::Wave(_) | Invocation::Named { .. } => return Ok(Value::Null),
        };
        result.map(|()| Value::Null).map_err(|message| CallError::Guest(ServiceError::new("guest.error", message)))
    }

    fn call<P, R>(
        &self,
        store: &mut Store<CallState>,
        name: &str,
        export: Option<ComponentExportIndex>,
        parameters: P,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let export = export.ok_or_else(|| CallError::BadCall(format!("the component does not export `{name}`")))?;
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut *store, &export)
            .map_err(|error| CallError::BadCall(format!("`{name}` has another type: {error:#}")))?;
        let called = if self.is_watched {
            probe::finish(function.call_async(&mut *store, parameters))
        } else {
            function.call(&mut *store, parameters)
        };
        called.map_err(|error| classify(&error, store))
    }

    /// `plugin-api.price({sku: "A-001"})`, or with the full name of the interface.
    fn call_wave(&self, store: &mut Store<CallState>, text: &str) -> Result<Value, CallError> {
        let open =
            text.find('(').ok_or_else(|| bad_call(format!("`{text}` is not `interface.function(arguments)`")))?;
        let called = self.export(store, text[..open].trim())?;
        let types: Vec<_> = called.ty(&*store).params().map(|(_, ty)| ty).collect();
        // WAVE names a function by one word.
        let call = format!("call{}", &text[open..]);
        let arguments: Vec<Val> = UntypedFuncCall::parse(&call)
            .and_then(|call| call.to_wasm_params(types.iter()))
            .map_err(|error| bad_call(format!("the arguments do not fit: {error}")))?;
        self.call_untyped(called, store, &arguments)
    }

    fn call_named(
        &self,
        store: &mut Store<CallState>,
        function: &str,
        given: &serde_json::Map<String, Value>,
    ) -> Result<Value, CallError> {
        let called = self.export(store, function)?;
        let ty = called.ty(&*store);
        let parameters: Vec<(String, Type)> = ty.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        arguments::only(given, parameters.iter().map(|(name, _)| name.as_str()), "the function").map_err(bad_call)?;
        let context = store.data().services.context.to_json(&self.plugin.manifest);
        let values = parameters.iter().map(|(name, ty)| {
            let value = given.get(name).or_else(|| (name == "ctx").then_some(&context)).unwrap_or(&Value::Null);
            arguments::value_of(ty, value, name)
        });
        let values: Vec<Val> = values.collect::<Result<_, _>>().map_err(bad_call)?;
        self.call_untyped(called, store, &values)
    }

    /// Calls a function; its result as WAVE.
    fn call_untyped(&self, called: Func, store: &mut Store<CallState>, arguments: &[Val]) -> Result<Value, CallError> {
        let mut results = vec![Val::Bool(false); called.ty(&*store).results().len()];
        let done = if self.is_watched {
            probe::finish(called.call_async(&mut *store, arguments, &mut results))
        } else {
            called.call(&mut *store, arguments, &mut results)
        };
        done.map_err(|error| classify(&error, store))?;
        let shown: Result<Vec<String>, _> = results.iter().map(Val::to_wave).collect();
        let shown = shown.map_err(|error| bad_call(format!("the result cannot be shown: {error:#}")))?.join(", ");
        match results.first() {
            Some(Val::Result(Err(_))) => Err(CallError::Guest(ServiceError::new("guest.error", shown))),
            _ => Ok(Value::String(shown)),
        }
    }

    /// An export by `interface.function`, the interface with or without its package and version.
    fn export(&self, store: &mut Store<CallState>, name: &str) -> Result<Func, CallError> {
        let (interface, function) =
            name.rsplit_once('.').ok_or_else(|| bad_call(format!("`{name}` does not name an interface")))?;
        let ty = self.plugin.component.component_type();
        let engine = self.plugin.component.engine();
        let known: Vec<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
        let full = known
            .iter()
            .find(|name| *name == interface || name.split(['/', '@']).nth(1) == Some(interface))
            .ok_or_else(|| bad_call(format!("there is no export `{interface}`; there are {}", known.join(", "))))?;
        let index = self.plugin.component.get_export_index(None, full);
        let found = index.and_then(|index| self.plugin.component.get_export_index(Some(&index), function));
        let found = found.and_then(|export| self.instance.get_func(&mut *store, export));
        found.ok_or_else(|| bad_call(format!("`{full}` has no function `{function}`")))
    }
}

fn bad_call(message: String) -> CallError {
    CallError::BadCall(message)
}

/// What ended a call. Every error of wasmtime is the plugin's: the store is dropped in any case.
fn classify(error: &wasmtime::Error, store: &Store<CallState>) -> CallError {
    let frames = error.downcast_ref::<WasmBacktrace>().map(|backtrace| Frames(backtrace).lines()).unwrap_or_default();
    let state = store.data();
    let limits = &state.services.limits;
    let (kind, message) = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (TrapKind::OutOfFuel, format!("the call burned its {} fuel", limits.fuel())),
        Some(Trap::Interrupt) => (TrapKind::Timeout, format!("the call took longer than {:?}", limits.time())),
        Some(Trap::StackOverflow) => (TrapKind::StackOverflow, "the stack is exhausted".to_owned()),
        // A guest that runs out of memory says so before it gives up; what it says else had another cause. What does
        // not fit at the start has no trap.
        Some(Trap::UnreachableCodeReached) | None
            if state.memory.refused && !panicked_for_another_reason(&state.services) =>
        {
            (TrapKind::MemoryLimit, format!("the call needs more than its {} bytes of memory", limits.memory()))
        }
        None if state.memory.refused_elements => (TrapKind::TableLimit, error.root_cause().to_string()),
        None if is_border_bound(error) => {
            (TrapKind::BorderLimit, format!("more than {} bytes were handed over at once", limits.border_bytes()))
        }
        Some(Trap::UnreachableCodeReached) => (TrapKind::Unreachable, panic_text(&state.services)),
        Some(trap) => (TrapKind::Fault, trap.to_string()),
        None => (TrapKind::Border, error.root_cause().to_string()),
    };
    CallError::Trap { kind, message, frames }
}

/// wasmtime has no type for this error.
fn is_border_bound(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

fn panicked_for_another_reason(services: &Services) -> bool {
    let panics = || services.trace.logs.iter().filter(|record| record.message.contains("panicked at"));
    panics().next().is_some()
        && !services.trace.logs.iter().any(|record| record.message.contains("memory allocation of"))
}

/// A panicking guest has written why to its standard error before it traps.
fn panic_text(services: &Services) -> String {
    let logs = &services.trace.logs;
    let panicked = logs.iter().rposition(|record| record.message.contains("panicked at"));
    match panicked {
        Some(at) => logs[at..]
            .iter()
            .map(|record| record.message.trim())
            .filter(|line| !line.is_empty() && !line.starts_with("note: run with"))
            .collect::<Vec<_>>()
            .join(" "),
        // A full log kept the reason out; the last line of it is kept beside.
        None if services.trace.suppressed_logs > 0 => services.last_error_line.clone(),
        None => logs.last().map_or_else(|| "the guest gave up".to_owned(), |record| record.message.clone()),
    }
}
