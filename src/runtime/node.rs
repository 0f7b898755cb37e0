//! Calls of a plugin's nodes: their inputs and results.

use erp_wit::host::v1::erp::plugin::types;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, ComponentType, Lift, Lower, ResourceAny};

use super::call_state::CallState;
use super::error::{CallError, ServiceError, shorten};
use super::guest::{Guest, V1Result, bad_call, json_of};

/// The most outputs that a node may return, and the longest name of an output in bytes.
const MAX_OUTPUTS: usize = 64;
const MAX_PORT_BYTES: usize = 200;

/// The place of a node in the execution of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodePlace {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The id of one execution of it.
    pub execution_id: String,
    /// The id of the node in the workflow.
    pub node_id: String,
    /// 0 for the first run of the node in the execution.
    pub run_index: u32,
}

/// The task of a node call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeTask {
    /// Executes the node. Input and output are `{"<port>": [items]}`.
    Execute(Value),
    /// Asks a supplier how another node reaches what it supplies.
    Supply,
    /// Loads the options of a property, by its name.
    Options(String),
}

/// A call of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeCall {
    /// The kind of the node.
    pub kind: String,
    /// The version with which the node was placed in the workflow.
    pub version: String,
    /// The parameters that the user has set.
    pub parameters: Value,
    /// The place of the node.
    pub place: NodePlace,
    /// The task.
    pub task: NodeTask,
}

/// The export indexes of the functions of the interface.
#[derive(Debug, Clone)]
pub(super) struct NodeExports {
    definitions: ComponentExportIndex,
    create_executor: ComponentExportIndex,
    execute: ComponentExportIndex,
    create_supplier: ComponentExportIndex,
    supply: ComponentExportIndex,
    load_options: ComponentExportIndex,
}

impl NodeExports {
    /// Finds the functions; none if the component lacks one of them.
    pub(super) fn find(find: impl Fn(&str, &str) -> Option<ComponentExportIndex>) -> Option<NodeExports> {
        let find = |function| find("erp:plugin/nodes@1.0.0", function);
        Some(NodeExports {
            definitions: find("get-node-definitions")?,
            create_executor: find("[static]executor.create")?,
            execute: find("[method]executor.execute")?,
            create_supplier: find("[static]supplier.create")?,
            supply: find("[method]supplier.supply")?,
            load_options: find("load-options")?,
        })
    }
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct NodeContext {
    call: types::CallContext,
    #[component(name = "workflow-id")]
    workflow_id: String,
    #[component(name = "execution-id")]
    execution_id: String,
    #[component(name = "node-id")]
    node_id: String,
    #[component(name = "run-index")]
    run_index: u32,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct PortOutput {
    port: String,
    items: String,
}

impl Guest<'_> {
    fn node_exports(&self) -> Result<&NodeExports, CallError> {
        let exports = self.plugin.exports.nodes.as_ref();
        exports.ok_or_else(|| bad_call("the component has no nodes".to_owned()))
    }

    /// Returns the result of `get-node-definitions`.
    pub(super) fn node_definitions(&self, store: &mut Store<CallState>) -> Result<Value, CallError> {
        let export = self.node_exports()?.definitions;
        let (result,): V1Result<String> = self.call(store, "nodes.get-node-definitions", Some(export), ())?;
        json_given(store, result, "get-node-definitions")
    }

    /// Runs the task of a call. The executor or supplier that it creates ends with the call.
    pub(super) fn call_node(&self, store: &mut Store<CallState>, call: &NodeCall) -> Result<Value, CallError> {
        let exports = self.node_exports()?;
        let NodePlace { workflow_id, execution_id, node_id, run_index } = call.place.clone();
        let context = store.data().services.context.to_v1(&self.plugin.manifest);
        let context = NodeContext { call: context, workflow_id, execution_id, node_id, run_index };
        let set_up = (call.kind.clone(), call.version.clone(), call.parameters.to_string());
        match &call.task {
            NodeTask::Options(property) => {
                let parameters = (set_up.0, set_up.1, property.clone(), set_up.2);
                let export = Some(exports.load_options);
                let (result,): V1Result<String> = self.call(store, "nodes.load-options", export, parameters)?;
                json_given(store, result, "load-options")
            }
            NodeTask::Supply => {
                let supplier = self.create(store, ("supplier.create", exports.create_supplier), set_up)?;
                let export = Some(exports.supply);
                let (result,): V1Result<String> =
                    self.call(store, "nodes.supplier.supply", export, (supplier, context))?;
                json_given(store, result, "supply")
            }
            NodeTask::Execute(input) => {
                let executor = self.create(store, ("executor.create", exports.create_executor), set_up)?;
                let parameters = (executor, context, input.to_string());
                let (result,): V1Result<Vec<PortOutput>> =
                    self.call(store, "nodes.executor.execute", Some(exports.execute), parameters)?;
                let mut ports = Map::new();
                let outputs = result.map_err(|error| CallError::Guest(error.into()))?;
                if outputs.len() > MAX_OUTPUTS {
                    return Err(bad_call(format!("it gave more than {MAX_OUTPUTS} outputs")));
                }
                for PortOutput { mut port, items } in outputs {
                    shorten(&mut port, MAX_PORT_BYTES);
                    let items = json_of(store, &items, &format!("the output `{port}`"))?;
                    if !items.is_array() {
                        return Err(bad_call(format!("the output `{port}` is no array of items")));
                    }
                    if ports.insert(port.clone(), items).is_some() {
                        return Err(bad_call(format!("the output `{port}` came twice")));
                    }
                }
                Ok(Value::Object(ports))
            }
        }
    }

    fn create(
        &self,
        store: &mut Store<CallState>,
        (name, export): (&str, ComponentExportIndex),
        parameters: (String, String, String),
    ) -> Result<ResourceAny, CallError> {
        let (created,): V1Result<ResourceAny> = self.call(store, name, Some(export), parameters)?;
        created.map_err(|error| CallError::Guest(error.into()))
    }
}

fn json_given(store: &Store<CallState>, result: Result<String, types::Error>, what: &str) -> Result<Value, CallError> {
    json_of(store, &result.map_err(|error| CallError::Guest(ServiceError::from(error)))?, what)
}
