//! A plugin whose component is compiled and linked.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use erp_component::excess;
use erp_manifest::contract::{self, HostApi};
use erp_manifest::{Manifest, TenantId};
use erp_storage::{NoStorage, NoUnit};
use serde::Serialize;
use serde_json::Value;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Type};

use super::call;
use super::call_state::CallState;
use super::engine::{Runtime, RuntimeError};
use super::interrupt::Interrupt;
use super::limits::CallLimits;
use super::node::NodeExports;
use super::request::{CallContext, CallRequest, Invocation};
use super::slots::Slots;
use super::surroundings::Surroundings;
use super::trace::Detail;

/// A plugin that can be called. Cloning is cheap.
#[derive(Clone)]
pub struct LoadedPlugin {
    pub(super) manifest: Arc<Manifest>,
    pub(super) host_api: &'static HostApi,
    pub(super) component: Component,
    pub(super) instances: InstancePre<CallState>,
    pub(super) exports: Exports,
    /// True if the compiled code came from the cache folder or was compiled ahead.
    pub from_cache: bool,
    pub(super) slots: Slots,
}

/// A function that can be called by name.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedFunction {
    /// `interface.function`.
    pub function: String,
    /// Names and WAVE types of the parameters, in order.
    pub parameters: Vec<(String, String)>,
}

/// The indexes of the known exports; none for an export that the component lacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Exports {
    pub(super) init: Option<ComponentExportIndex>,
    pub(super) on_tenant_created: Option<ComponentExportIndex>,
    pub(super) handle_event: Option<ComponentExportIndex>,
    pub(super) invoke: Option<ComponentExportIndex>,
    pub(super) validate: Option<ComponentExportIndex>,
    pub(super) process: Option<ComponentExportIndex>,
    pub(super) nodes: Option<NodeExports>,
}

impl std::fmt::Debug for LoadedPlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedPlugin").field("id", &self.manifest.metadata.id).finish_non_exhaustive()
    }
}

impl LoadedPlugin {
    /// The plugin's manifest.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }
}

impl LoadedPlugin {
    /// Returns the functions that can be called by name, with the names and WAVE types of their parameters.
    pub fn exported_functions(&self) -> Vec<ExportedFunction> {
        let engine = self.component.engine();
        let mut found = Vec::new();
        for (name, item) in self.component.component_type().exports(engine) {
            let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
            let short = name.split(['/', '@']).nth(1).unwrap_or(name);
            for (function, item) in interface.exports(engine) {
                let ComponentItem::ComponentFunc(ty) = item.ty else { continue };
                // Methods need a resource, which cannot be named from outside.
                if function.starts_with('[') {
                    continue;
                }
                let parameter = |(name, ty): (&str, Type)| (name.to_owned(), DisplayType(&ty).to_string());
                let parameters = ty.params().map(parameter).collect();
                found.push(ExportedFunction { function: format!("{short}.{function}"), parameters });
            }
        }
        found
    }

    /// True if the component exports a processor.
    pub fn is_processor(&self) -> bool {
        self.exports.process.is_some()
    }
}

impl Runtime {
    /// Returns the component's own definitions of its nodes: a JSON array.
    ///
    /// # Errors
    /// [`RuntimeError::Load`] if the component has no nodes, or the call fails.
    pub fn node_definitions(&self, plugin: &LoadedPlugin) -> Result<Value, RuntimeError> {
        let failed = |why: String| RuntimeError::Load(format!("get-node-definitions: {why}"));
        let surroundings = Arc::new(Mutex::new(Surroundings::of_this_machine()));
        let tenant = TenantId::new("nobody").ok_or_else(|| failed("no tenant".to_owned()))?;
        let request = CallRequest {
            context: CallContext::of_tenant(tenant),
            limits: CallLimits::of(&plugin.manifest),
            detail: Detail::Outline,
            probe: None,
            interrupt: Interrupt::default(),
            attempt: 1,
            invocation: &Invocation::NodeDefinitions,
        };
        let outcome = self.call(plugin, request, &NoStorage, &surroundings, |_| Ok(()), |_| Ok(()));
        outcome.result.map_err(|error| failed(error.to_string()))
    }

    /// Creates and drops instances of a plugin one after the other, as calls do; returns how long each took.
    ///
    /// # Errors
    /// [`RuntimeError::Load`].
    pub fn instantiation_times(&self, plugin: &LoadedPlugin, count: usize) -> Result<Vec<Duration>, RuntimeError> {
        let failed = |error: &dyn std::fmt::Display| RuntimeError::Load(error.to_string());
        let surroundings = Arc::new(Mutex::new(Surroundings::of_this_machine()));
        let tenant = TenantId::new("bench").ok_or_else(|| failed(&"no tenant"))?;
        (0..count)
            .map(|_| {
                let started = Instant::now();
                let context = CallContext::of_tenant(tenant.clone());
                let limits = CallLimits::of(&plugin.manifest);
                call::enter(
                    plugin.component.engine(),
                    plugin,
                    context,
                    &limits,
                    Box::new(NoUnit::default()),
                    &surroundings,
                )
                .map_err(|error| failed(&format!("{error:#}")))?;
                Ok(started.elapsed())
            })
            .collect()
    }

    /// Compiles a component that will be loaded soon, so that loading it does not wait. The interrupt ends it.
    ///
    /// # Errors
    /// [`RuntimeError`]. After [`RuntimeError::CompileLimit`] loading the component fails immediately for five minutes.
    pub fn prepare(&self, component: &[u8], interrupt: &Interrupt) -> Result<(), RuntimeError> {
        match excess(component) {
            Some(excess) => Err(RuntimeError::Refused(excess)),
            None => self.compiler.prepare(&self.engine, component, interrupt),
        }
    }

    /// Compiles and links a plugin's component. It must have passed `check`.
    ///
    /// # Errors
    /// [`RuntimeError`].
    pub fn load(&self, component: &[u8], manifest: Arc<Manifest>) -> Result<LoadedPlugin, RuntimeError> {
        let failed = |error: wasmtime::Error| RuntimeError::Load(format!("{error:#}"));
        let host_api = contract::find(&manifest.runtime.abi)
            .ok_or_else(|| RuntimeError::Load(format!("unknown host API `{}`", manifest.runtime.abi)))?;
        // The component determines the cost of compiling; one that could cost too much is refused before.
        if let Some(excess) = excess(component) {
            return Err(RuntimeError::Refused(excess));
        }
        let (component, from_cache) = self.compiler.component(&self.engine, component)?;
        let instances = self.linker.instantiate_pre(&component).map_err(failed)?;
        let find = |interface: &str, function: &str| {
            let interface = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&interface), function)
        };
        let exports = if host_api.is_legacy() {
            let api = "erp:plugin/plugin-api";
            Exports {
                init: find(api, "init"),
                on_tenant_created: find(api, "on-tenant-created"),
                handle_event: find(api, "handle-event"),
                ..Exports::default()
            }
        } else {
            Exports {
                init: find("erp:plugin/base@1.0.0", "init"),
                on_tenant_created: find("erp:plugin/tenant-hooks@1.0.0", "on-tenant-created"),
                handle_event: find("erp:plugin/event-handler@1.0.0", "handle-event"),
                invoke: find("erp:plugin/actions@1.0.0", "invoke"),
                validate: find("erp:plugin/processor@1.0.0", "validate"),
                process: find("erp:plugin/processor@1.0.0", "process"),
                nodes: NodeExports::find(find),
            }
        };
        let slots = self.slots.clone();
        Ok(LoadedPlugin { manifest, host_api, component, instances, exports, from_cache, slots })
    }
}
