//! Calls of a guest's exports: which export an invocation selects, its parameters, and its result.

use erp_manifest::codes::errors;
use erp_manifest::document::weight_of_text;
use erp_wit::host::v1::erp::plugin::types;
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, ComponentType, Func, Instance, Lift, Lower, Type, Val,
};

use super::call_state::CallState;
use super::classify::classify;
use super::error::{CallError, ServiceError};
use super::plugin::LoadedPlugin;
use super::request::{Invocation, UpgradeHandler};
use super::{arguments, probe};

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

/// An instance of a plugin, for one call.
pub(super) struct Guest<'p> {
    pub(super) plugin: &'p LoadedPlugin,
    pub(super) instance: Instance,
    pub(super) is_watched: bool,
}

pub(super) type V1Result<T> = (Result<T, types::Error>,);
type LegacyResult = (Result<(), String>,);

impl Guest<'_> {
    /// Calls the export that an invocation selects.
    pub(super) fn invoke(&self, store: &mut Store<CallState>, invocation: &Invocation) -> Result<Value, CallError> {
        match invocation {
            Invocation::Wave(text) => self.call_wave(store, text),
            Invocation::Named { function, arguments } => self.call_named(store, function, arguments),
            Invocation::Upgrade(handlers) => self.upgrade(store, handlers),
            Invocation::NodeDefinitions => self.node_definitions(store),
            Invocation::Node(call) => self.call_node(store, call),
            Invocation::Process(call) => self.process(store, call),
            _ if self.plugin.host_api.is_legacy() => self.call_legacy(store, invocation),
            _ => self.call_v1(store, invocation),
        }
    }

    /// Calls `init` and then the actions of migrations, each with the fuel of one call.
    fn upgrade(&self, store: &mut Store<CallState>, handlers: &[UpgradeHandler]) -> Result<Value, CallError> {
        self.invoke(store, &Invocation::Init)?;
        for UpgradeHandler { name, input, tenant } in handlers {
            let services = &mut store.data_mut().services;
            services.context.tenant = tenant.clone();
            let fuel = services.usage.limits.fuel();
            store.set_fuel(fuel).map_err(|error| CallError::BadCall(error.to_string()))?;
            self.invoke(store, &Invocation::Action { name: name.clone(), input: input.clone() })?;
        }
        Ok(Value::Null)
    }

    fn call_v1(&self, store: &mut Store<CallState>, invocation: &Invocation) -> Result<Value, CallError> {
        let context = store.data().services.context.to_v1(&self.plugin.manifest);
        let exports = &self.plugin.exports;
        let (result,): V1Result<()> = match invocation {
            Invocation::Init => self.call(store, "base.init", exports.init, (context,))?,
            Invocation::TenantCreated => {
                let tenant = context.tenant_id.clone();
                match exports.on_tenant_created {
                    // A world without tenant hooks has no function to call.
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
                let parameters = (context, name.clone(), input.to_string());
                let (result,): V1Result<String> = self.call(store, "actions.invoke", exports.invoke, parameters)?;
                let text = result.map_err(|error| CallError::Guest(error.into()))?;
                return json_of(store, &text, "the action");
            }
            _ => return Ok(Value::Null),
        };
        result.map(|()| Value::Null).map_err(|error| CallError::Guest(error.into()))
    }

    fn call_legacy(&self, store: &mut Store<CallState>, invocation: &Invocation) -> Result<Value, CallError> {
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
            _ => return Ok(Value::Null),
        };
        result
            .map(|()| Value::Null)
            .map_err(|message| CallError::Guest(ServiceError::new(errors::GUEST_ERROR, message)))
    }

    pub(super) fn call<P, R>(
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

    /// Calls a function by WAVE text: `plugin-api.price({sku: "A-001"})`, or with the full name of the interface. The
    /// context that most functions take first may be omitted, or be `{}`.
    fn call_wave(&self, store: &mut Store<CallState>, text: &str) -> Result<Value, CallError> {
        let open =
            text.find('(').ok_or_else(|| bad_call(format!("`{text}` is not `interface.function(arguments)`")))?;
        let called = self.export(store, text[..open].trim())?;
        let ty = called.ty(&*store);
        let (names, types): (Vec<String>, Vec<Type>) = ty.params().map(|(name, ty)| (name.to_owned(), ty)).unzip();
        let unfit = |error: &dyn std::fmt::Display| bad_call(format!("the arguments do not fit: {error}"));
        // WAVE accepts only a single word as the name of a function.
        let parsed = |arguments: &str, types: &[Type]| {
            let call = format!("call({arguments}");
            UntypedFuncCall::parse(&call).and_then(|call| call.to_wasm_params::<Val>(types.iter()))
        };
        let given = &text[open + 1..];
        let arguments = match parsed(given, &types) {
            Ok(arguments) => arguments,
            Err(error) if names.first().is_none_or(|name| name != "ctx") => return Err(unfit(&error)),
            Err(error) => {
                let after_empty = given.trim_start().strip_prefix("{}").map(|rest| {
                    let rest = rest.trim_start();
                    rest.strip_prefix(',').unwrap_or(rest)
                });
                let others = parsed(after_empty.unwrap_or(given), &types[1..]).map_err(|_| unfit(&error))?;
                let context = store.data().services.context.to_json(&self.plugin.manifest);
                let context = arguments::value_of(&types[0], &context, "ctx").map_err(bad_call)?;
                std::iter::once(context).chain(others).collect()
            }
        };
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

    /// Calls a function, and returns its result as WAVE text.
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
            Some(Val::Result(Err(_))) => Err(CallError::Guest(ServiceError::new(errors::GUEST_ERROR, shown))),
            _ => Ok(Value::String(shown)),
        }
    }

    /// Finds an export by `interface.function`; package and version of the interface are optional.
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

/// Parses JSON that a guest returned. Text that would take too much memory is rejected before parsing.
pub(super) fn json_of(store: &Store<CallState>, text: &str, what: &str) -> Result<Value, CallError> {
    let most = store.data().services.usage.limits.argument_bytes();
    if text.len() as u64 > most || weight_of_text(text) > most {
        let message = format!("what {what} gave would take more than {most} bytes of memory");
        return Err(CallError::Guest(ServiceError::new(errors::LIMIT_ARGUMENT_BYTES, message)));
    }
    serde_json::from_str(text).map_err(|error| bad_call(format!("{what} gave text that is no JSON: {error}")))
}

pub(super) fn bad_call(message: String) -> CallError {
    CallError::BadCall(message)
}
