//! One call: a fresh instance and one transaction, which is committed completely or not at all.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_manifest::codes::errors;
use erp_storage::{Attempt, NoStorage, NoUnit, StatementLimit, Storage, StoreError, Unit};
use serde_json::Value;
use wasmtime::component::Instance;
use wasmtime::{CallHook, Engine, Store, StoreContextMut, Trap, UpdateDeadline, WasmBacktrace};

use super::call_state::CallState;
use super::classify::classify;
use super::engine::{Runtime, TICK};
use super::error::{CallError, ServiceError, TrapFrames};
use super::faults::{FaultAction, FaultPlace};
use super::guest::Guest;
use super::interrupt::Interrupt;
use super::limits::{CallLimits, MemoryLimiter};
use super::plugin::LoadedPlugin;
use super::probe::{self, Probe};
use super::quirks::Quirk;
use super::recording::Replay;
use super::request::{CallContext, CallOutcome, CallRequest, Invocation};
use super::services::{GuestPosition, Services};
use super::trace::{Detail, Trace};
use super::{SharedSurroundings, lock};

impl Runtime {
    /// Calls a plugin in its own unit of work, in which no other call can take part. `prepare` runs before the guest,
    /// and `finish` runs before the commit. If one of the three fails or the guest is ended, the unit of work is rolled
    /// back.
    ///
    /// Blocks until the guest is done; any number of threads may call at the same time.
    pub fn call<S: Storage>(
        &self,
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        storage: &S,
        surroundings: &SharedSurroundings,
        prepare: impl FnOnce(&mut S::Unit) -> Result<(), StoreError>,
        finish: impl FnOnce(&mut S::Unit) -> Result<(), StoreError>,
    ) -> CallOutcome {
        Runtime::call_or_replay(plugin, request, storage, surroundings, (prepare, finish), None).0
    }

    /// Runs a call that a recording answers; also returns what remains of the recording.
    pub(super) fn call_replayed(
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        surroundings: &SharedSurroundings,
        replay: Replay,
    ) -> (CallOutcome, Option<Replay>) {
        let nothing = |_: &mut NoUnit| Ok(());
        Runtime::call_or_replay(plugin, request, &NoStorage, surroundings, (nothing, nothing), Some(replay))
    }

    fn call_or_replay<S: Storage>(
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        storage: &S,
        surroundings: &SharedSurroundings,
        (prepare, finish): (
            impl FnOnce(&mut S::Unit) -> Result<(), StoreError>,
            impl FnOnce(&mut S::Unit) -> Result<(), StoreError>,
        ),
        replay: Option<Replay>,
    ) -> (CallOutcome, Option<Replay>) {
        // The place is taken before the unit of work begins: a call that waits for a place holds no connection.
        let _slot = plugin.slots.take();
        let begun = storage.begin(Attempt { tenant: &request.context.tenant, number: request.attempt });
        let begun = begun.and_then(|mut unit| {
            prepare(&mut unit)?;
            Ok(Box::new(unit))
        });
        let unit = match begun {
            Ok(unit) => unit,
            Err(error) => {
                let outcome = CallOutcome { result: Err(CallError::Host(error.into())), trace: Trace::default() };
                return (outcome, replay);
            }
        };
        let finish = |unit: &mut dyn Unit| match (unit as &mut dyn Any).downcast_mut::<S::Unit>() {
            Some(unit) => finish(unit),
            None => Err(StoreError::Unsupported("units of another storage")),
        };
        Runtime::call_within(plugin, request, unit, surroundings, finish, replay)
    }

    /// Runs a call in a unit of work that has begun. The code is the same for every storage.
    fn call_within(
        plugin: &LoadedPlugin,
        request: CallRequest<'_>,
        mut unit: Box<dyn Unit>,
        surroundings: &SharedSurroundings,
        finish: impl FnOnce(&mut dyn Unit) -> Result<(), StoreError>,
        replay: Option<Replay>,
    ) -> (CallOutcome, Option<Replay>) {
        let started = Instant::now();
        let CallRequest { context, limits, detail, probe, interrupt, attempt: _, invocation } = request;
        unit.bound_changes(limits.written_bytes());
        if detail >= Detail::Full {
            unit.note_statements();
        }
        let (ends, time) = (interrupt.clone(), limits.time());
        unit.limit_statements(StatementLimit::new(Arc::new(move |_| ends.is_set() || started.elapsed() >= time)));
        let mut services = Services::new(
            Arc::clone(&plugin.manifest),
            context,
            limits.clone(),
            unit,
            Arc::clone(surroundings),
            detail,
            interrupt,
        );
        services.replay = replay;
        let memory = MemoryLimiter::new(&limits);
        let mut store = Store::new(plugin.component.engine(), CallState { services, memory });
        let result = run(plugin, &mut store, &limits, probe.as_ref(), invocation);
        let burned = limits.fuel().saturating_sub(store.get_fuel().unwrap_or(0));
        // If the host ended the call, its fuel is that of the last host call: later fuel would depend on the clock.
        let fuel =
            if store.data().services.end.trap.is_some() { store.data().services.guest.fuel_burned } else { burned };
        // After an exceeded limit the writes are not kept, even if the guest ignored the error.
        let result = match store.data_mut().services.end.spoiled.take() {
            Some(error) => Err(CallError::Guest(error)),
            None => result,
        };
        let result = result.map_err(|error| error.without_secrets(&store.data().services));
        let mut trace = std::mem::take(&mut store.data_mut().services.trace);
        let replay = store.data_mut().services.replay.take();
        trace.fuel = fuel;
        trace.memory = store.data().memory.peak;

        let is_left = store.data().services.clock.interrupt.is_set();
        let mut unit = store.into_data().services.unit;
        let result = result.and_then(|value| {
            // The interrupt may have been set during the last host call.
            if is_left {
                return Err(CallError::interrupted());
            }
            let fault = lock(surroundings).take_fault(|place| *place == FaultPlace::Commit);
            if let Some(FaultAction::Fail(message)) = fault {
                let error = ServiceError::new(errors::HOST_DATABASE, message);
                return Err(CallError::Host(error));
            }
            finish(&mut *unit).map_err(|error| CallError::Host(error.into()))?;
            Ok(value)
        });
        // The current platform keeps the writes of a guest that fails by itself.
        let is_guests = matches!(result, Err(CallError::Guest(_) | CallError::Trap { .. }));
        let would_stay = is_guests && !unit.changes().is_empty() && replay.is_none();
        if would_stay {
            trace.quirks.push(Quirk::FailedWritesStay);
        }
        let result = match result {
            Ok(value) => unit.commit().map_err(|error| CallError::Host(error.into())).map(|changes| {
                trace.changes = changes;
                value
            }),
            // A conflict is reported whatever the guest made of it: the call may succeed when it is retried.
            Err(_) if unit.is_doomed() => Err(CallError::Host(StoreError::Conflict.into())),
            Err(error) => {
                if would_stay && lock(surroundings).imitates_quirks() {
                    trace.changes = unit.commit().unwrap_or_default();
                }
                Err(error)
            }
        };
        if result.is_err() {
            trace.events.clear();
        }
        trace.nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        (CallOutcome { result, trace }, replay)
    }
}

fn run(
    plugin: &LoadedPlugin,
    store: &mut Store<CallState>,
    limits: &CallLimits,
    probe: Option<&Probe>,
    invocation: &Invocation,
) -> Result<Value, CallError> {
    store.set_epoch_deadline(ticks(limits.time().min(LOOK)));
    let started = bound(store, limits)
        .and_then(|()| probe.map_or(Ok(()), |probe| probe.attach(store, &plugin.component)))
        .and_then(|()| match probe {
            None => plugin.instances.instantiate(&mut *store),
            Some(_) => probe::finish(plugin.instances.instantiate_async(&mut *store)),
        });
    let instance = started.map_err(|error| classify(&error, store))?;
    Guest { plugin, instance, is_watched: probe.is_some() }.invoke(store, invocation)
}

/// Creates a store with an instance that is ready for one call.
pub(super) fn enter(
    engine: &Engine,
    plugin: &LoadedPlugin,
    context: CallContext,
    limits: &CallLimits,
    unit: Box<dyn Unit>,
    surroundings: &SharedSurroundings,
) -> wasmtime::Result<(Store<CallState>, Instance)> {
    let (manifest, memory) = (Arc::clone(&plugin.manifest), MemoryLimiter::new(limits));
    let surroundings = Arc::clone(surroundings);
    let services =
        Services::new(manifest, context, limits.clone(), unit, surroundings, Detail::Outline, Interrupt::default());
    let mut store = Store::new(engine, CallState { services, memory });
    bound(&mut store, limits)?;
    // The start of the instance has the time limit of a call.
    store.set_epoch_deadline(ticks(limits.time()));
    let instance = plugin.instances.instantiate(&mut store)?;
    Ok((store, instance))
}

/// Applies all limits to a store except the time.
fn bound(store: &mut Store<CallState>, limits: &CallLimits) -> wasmtime::Result<()> {
    store.limiter(|state| &mut state.memory);
    store.set_hostcall_fuel(usize::try_from(limits.border_bytes()).unwrap_or(usize::MAX));
    store.set_max_component_handles(usize::try_from(limits.handles()).unwrap_or(usize::MAX));
    store.call_hook(at_border);
    store.epoch_deadline_callback(at_deadline);
    store.set_fuel(limits.fuel())
}

/// The interval at which the interrupt is checked while a guest makes no host calls.
const LOOK: Duration = Duration::from_millis(10);

/// Returns the number of epoch ticks until a time is over, at least 1.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis()).max(1)).unwrap_or(u64::MAX)
}

/// Runs when the ticks of a call are over; the clock decides whether its time is over too.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands it over")]
fn at_deadline(store: StoreContextMut<'_, CallState>) -> wasmtime::Result<UpdateDeadline> {
    let services = &store.data().services;
    match services.time_left() {
        _ if services.clock.interrupt.is_set() => Err(Trap::Interrupt.into()),
        Duration::ZERO => Err(Trap::Interrupt.into()),
        left => Ok(UpdateDeadline::Continue(ticks(left.min(LOOK)))),
    }
}

/// Runs when the guest calls the host and when the host returns. Records the burned fuel at a host call, and ends the
/// guest if the interrupt is set or the host call has set a trap.
fn at_border(mut store: StoreContextMut<'_, CallState>, hook: CallHook) -> wasmtime::Result<()> {
    match hook {
        CallHook::CallingHost if store.data().services.clock.interrupt.is_set() => Err(Trap::Interrupt.into()),
        CallHook::CallingHost => {
            let left = store.get_fuel().unwrap_or(0);
            let wants_source = store.data().services.detail == Detail::Source;
            let frames =
                if wants_source { TrapFrames(&WasmBacktrace::force_capture(&store)).lines() } else { Vec::new() };
            let services = &mut store.data_mut().services;
            let fuel_burned = services.usage.limits.fuel().saturating_sub(left);
            services.guest = GuestPosition { fuel_burned, frames };
            Ok(())
        }
        CallHook::ReturningFromHost => match store.data().services.end.trap {
            Some(trap) => Err(trap.into()),
            None => Ok(()),
        },
        CallHook::CallingWasm | CallHook::ReturningFromWasm => Ok(()),
    }
}
