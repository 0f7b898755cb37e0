//! Nodes of workflows: the platform's own, and those of running plugins.

mod builtin;
mod parameters;

use erp_check::check_nodes;
use erp_manifest::codes::errors;
use erp_manifest::document::did_you_mean;
use erp_manifest::{ERROR_PORT, NodeKind, NodeType, PluginId};
use erp_runtime::{CallError, Invocation, LoadedPlugin, NodeCall, NodePlace, NodeTask, ServiceError, Trigger};
use erp_storage::word;
use serde_json::{Map, Value, json};

use super::call::Occasion;
use super::origin::Origin;
use super::{Identity, Platform, PlatformError};
use builtin::Builtin;

/// A client's request to run a node.
#[derive(Debug, Clone)]
pub struct NodeRequest {
    /// The kind of the node, such as `core.filter`.
    pub kind: String,
    /// The version of the node; the newest if `None`.
    pub version: Option<String>,
    /// The parameters that the user has set; defaults fill the rest.
    pub parameters: Map<String, Value>,
    /// The workflow and the execution that the node runs in.
    pub place: NodePlace,
    /// The task: execute, supply, or list options.
    pub task: NodeTask,
}

/// The result of running a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeResult {
    /// The plugin that provides the node; `None` for the platform's own nodes.
    pub plugin: Option<String>,
    /// The version that ran.
    pub version: String,
    /// For an executor, `{"<port>": [items]}` with every output port; otherwise the supplied value or the options.
    pub output: Value,
    /// The error that went to the port `error`.
    pub error: Option<ServiceError>,
}

/// A node and its runner. A call keeps the build that it started with; a build that is loaded meanwhile serves the
/// next call.
struct NodeProvider {
    definition: NodeKind,
    runner: Runner,
}

enum Runner {
    Platform(&'static Builtin),
    Plugin(Box<LoadedPlugin>),
}

/// The nodes of the platform and of running plugins.
#[derive(Debug)]
pub struct Nodes<'p> {
    pub(crate) platform: &'p mut Platform,
    pub(crate) origin: Origin,
}

impl Nodes<'_> {
    /// Works for a request.
    #[must_use]
    pub fn on_behalf_of(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Returns the definitions of all available nodes, the platform's own first, each with the plugin that provides it.
    pub fn palette(&self) -> Vec<(Option<PluginId>, NodeKind)> {
        let own = builtin::all().iter().map(|builtin| (None, builtin.definition.clone()));
        let plugins = self.platform.plugins.iter().filter(|(_, installed)| installed.loaded.is_some());
        let theirs = plugins.flat_map(|(id, installed)| {
            installed.manifest.nodes.iter().map(move |node| (Some(id.clone()), node.clone()))
        });
        // The first provider of a kind owns it.
        let mut palette: Vec<(Option<PluginId>, NodeKind)> = Vec::new();
        for (plugin, node) in own.chain(theirs) {
            if palette.iter().all(|(_, known)| *known.kind != *node.kind) {
                palette.push((plugin, node));
            }
        }
        palette
    }

    /// Runs a task of a node.
    ///
    /// # Errors
    /// [`PlatformError`]: `node.not_found`, `node.bad_request`, `node.bad_output`, or the node's own error if the task
    /// is not an execution or the node has no port `error`.
    pub fn run_node(&mut self, identity: &Identity, request: NodeRequest) -> Result<NodeResult, PlatformError> {
        let NodeProvider { definition, runner } = self.find_node(&request.kind)?;
        let version = request.version.unwrap_or_else(|| definition.newest().to_owned());
        if !definition.runs(&version) {
            let known: Vec<&str> = definition.versions.iter().map(|version| version.as_str()).collect();
            let message = format!("`{}` has no version {version}; it has {}", request.kind, known.join(", "));
            return Err(PlatformError::new(errors::NODE_NOT_FOUND, message));
        }
        let task = parameters::fitting_task(&definition, request.task)?;
        let lenient = matches!(task, NodeTask::Options(_));
        let parameters = parameters::complete(&definition, &request.parameters, lenient)?;
        let call = NodeCall { kind: request.kind, version, parameters, place: request.place, task };
        let asked = match &runner {
            Runner::Platform(builtin) => {
                let (now, user) = (self.platform.now(), identity.caller.id.as_str());
                builtin.run(&call, &|name| word(now, Some(user), name)).map_err(CallError::Guest)
            }
            Runner::Plugin(loaded) => {
                let occasion = Occasion::of(&identity.tenant, Trigger::Node).by(&identity.caller);
                let occasion = occasion.caused_by(&self.origin);
                self.platform.call_loaded(loaded, &occasion, &Invocation::Node(call.clone()), |_| Ok(()), |_| Ok(()))
            }
        };
        let plugin = match &runner {
            Runner::Platform(_) => None,
            Runner::Plugin(loaded) => Some(loaded.manifest().metadata.id.to_string()),
        };
        let (output, error) = match asked {
            Ok(output) => (output, None),
            Err(CallError::Guest(error))
                if matches!(call.task, NodeTask::Execute(_)) && definition.has_error_port() =>
            {
                let failed = json!({ "code": error.code, "message": error.message, "retryable": error.retryable,
                    "details": error.details });
                (json!({ ERROR_PORT: [failed] }), Some(error))
            }
            Err(error) => {
                let retryable = error.is_retryable();
                let error = PlatformError::from(error);
                let details = json!({ "node": call.kind, "retryable": retryable, "details": error.details });
                return Err(error.with_details(details));
            }
        };
        let output = match call.task {
            NodeTask::Execute(_) => every_port(&definition, &output)?,
            _ => output,
        };
        Ok(NodeResult { plugin, version: call.version, output, error })
    }

    fn find_node(&self, kind: &str) -> Result<NodeProvider, PlatformError> {
        if let Some(builtin) = builtin::all().iter().find(|builtin| builtin.definition.kind.as_str() == kind) {
            return Ok(NodeProvider { definition: builtin.definition.clone(), runner: Runner::Platform(builtin) });
        }
        let running = self.platform.plugins.values().find_map(|installed| {
            let definition = installed.manifest.node(kind)?.clone();
            let runner = Runner::Plugin(Box::new(installed.loaded.clone()?));
            Some(NodeProvider { definition, runner })
        });
        running.ok_or_else(|| {
            let palette = self.palette();
            let known = palette.iter().map(|(_, node)| node.kind.as_str());
            let stopped = self.platform.plugins.iter().find(|(_, installed)| installed.manifest.node(kind).is_some());
            let help = match stopped {
                Some((id, installed)) => {
                    format!(": the plugin `{id}` brings it, and is {}", installed.status.word())
                }
                None => did_you_mean(kind, known).map_or_else(String::new, |help| format!(": {help}")),
            };
            PlatformError::new(errors::NODE_NOT_FOUND, format!("there is no node `{kind}`{help}"))
        })
    }

    /// Refuses a plugin if another running plugin provides one of its nodes, or its component defines them differently.
    pub(super) fn check_nodes_of(&self, id: &str, loaded: &LoadedPlugin) -> Result<(), PlatformError> {
        let manifest = loaded.manifest();
        if manifest.nodes.is_empty() {
            return Ok(());
        }
        let refused = |message: String| PlatformError::new(errors::NODE_REFUSED, message);
        for node in &manifest.nodes {
            let others = self
                .platform
                .plugins
                .iter()
                .filter(|(other, installed)| other.as_str() != id && installed.loaded.is_some());
            if let Some((other, _)) =
                others.into_iter().find(|(_, installed)| installed.manifest.node(&node.kind).is_some())
            {
                return Err(refused(format!("the plugin `{other}` brings the node `{}` already", *node.kind)));
            }
        }
        let definitions = self.platform.runtime.node_definitions(loaded).map_err(|error| refused(error.to_string()))?;
        match check_nodes(manifest, &definitions, None).diagnostics().first() {
            None => Ok(()),
            Some(finding) => Err(refused(finding.message.clone())),
        }
    }
}

/// Adds an empty list for each output port without items. Refuses items for a port that the node does not declare.
fn every_port(definition: &NodeKind, output: &Value) -> Result<Value, PlatformError> {
    let given = output.as_object().cloned().unwrap_or_default();
    let known: Vec<&str> = definition.outputs.iter().map(|port| port.as_str()).collect();
    if let Some(port) = given.keys().find(|port| !known.contains(&port.as_str())) {
        let message =
            format!("`{}` gave items to the port `{port}`, which is none of {}", *definition.kind, known.join(", "));
        return Err(PlatformError::new(errors::NODE_BAD_OUTPUT, message));
    }
    let all = known.iter().map(|port| ((*port).to_owned(), given.get(*port).cloned().unwrap_or_else(|| json!([]))));
    Ok(Value::Object(all.collect()))
}

/// Returns the type of a node with its article, for messages.
fn role(definition: &NodeKind) -> &'static str {
    match *definition.r#type {
        NodeType::Executor => "an executor",
        NodeType::Supplier => "a supplier",
    }
}
