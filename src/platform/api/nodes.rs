//! `/api/v1/nodes` and `/api/v1/processors`: nodes of workflows, and processors of plugins.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::{NodeKind, PluginId};
use erp_runtime::{Invocation, NodePlace, NodeTask, ProcessCall, ProcessedBytes, Trigger};
use serde_json::{Map, Value, json};

use super::{Answer, Request, Response};
use crate::call::Occasion;
use crate::nodes::NodeRequest;
use crate::{Origin, Platform, PlatformError};

/// The task in the path of a node's route.
#[derive(Debug, Clone, Copy)]
pub(super) enum NodeVerb {
    Execute,
    Supply,
    Options,
}

/// The routes of nodes and processors.
#[derive(Debug)]
pub(crate) struct NodeRoutes<'p> {
    pub(crate) platform: &'p mut Platform,
}

impl NodeRoutes<'_> {
    pub(super) fn list_nodes(&mut self, request: &Request) -> Response {
        let palette = self.platform.nodes().palette();
        let shown = palette.into_iter().map(|(plugin, node)| self.shown_node(request, plugin.as_ref(), &node));
        Response::json(200, shown.collect())
    }

    pub(super) fn show_node(&mut self, request: &Request, kind: &str) -> Answer {
        let found = self.platform.nodes().palette().into_iter().find(|(_, node)| node.kind.as_str() == kind);
        let (plugin, node) =
            found.ok_or_else(|| PlatformError::new(errors::NODE_NOT_FOUND, format!("there is no node `{kind}`")))?;
        Ok(Response::json(200, self.shown_node(request, plugin.as_ref(), &node)))
    }

    pub(super) fn run_node(&mut self, request: &Request, kind: &str, verb: NodeVerb) -> Answer {
        let identity = request.user()?.clone();
        let asked = node_request(request, kind, verb)?;
        let answer = self.platform.nodes().on_behalf_of(Origin::of(request)).run_node(&identity, asked)?;
        let key = match verb {
            NodeVerb::Execute => "outputs",
            NodeVerb::Supply => "supplied",
            NodeVerb::Options => "options",
        };
        let mut body = json!({ "kind": kind, "version": answer.version, "plugin": answer.plugin });
        body[key] = answer.output;
        if let Some(error) = answer.error {
            body["error"] = json!({ "code": error.code, "message": error.message, "retryable": error.retryable });
        }
        Ok(Response::json(200, body))
    }

    /// Returns a node's definition with labels in the language of the request.
    fn shown_node(&self, request: &Request, plugin: Option<&PluginId>, node: &NodeKind) -> Value {
        let mut shown = node.definition();
        let installed = plugin.and_then(|id| self.platform.plugins.get(id));
        if let Some(installed) = installed {
            let key = format!("node.{}", *node.kind);
            shown["display_name"] = installed.label(request, &key, &node.display_name).into();
            for (property, own) in shown["properties"].as_array_mut().into_iter().flatten().zip(&node.properties) {
                let key = format!("{key}.{}", *own.name);
                let label = own.display_name.as_deref().unwrap_or(own.name.as_str());
                property["display_name"] = installed.label(request, &key, label).into();
                for (option, own) in property["options"].as_array_mut().into_iter().flatten().zip(&own.options) {
                    let key = format!("{key}.{}", own.value);
                    option["label"] = installed.label(request, &key, &own.label).into();
                }
            }
        }
        shown["plugin"] = json!(plugin);
        shown
    }

    /// Processes the bytes of the body. The response has the output, with the media type that the plugin sets.
    pub(super) fn run_processor(&mut self, request: &Request, plugin: &str, only_validate: bool) -> Answer {
        request.user()?;
        let options: Value = match request.query("options") {
            None => json!({}),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                PlatformError::new(errors::HTTP_BAD_QUERY, format!("`options` is not JSON: {error}"))
            })?,
        };
        let content_type = request.content_type.clone().ok_or_else(|| {
            PlatformError::new(errors::HTTP_MISSING_CONTENT_TYPE, "say what the bytes are: `content-type: image/png`")
        })?;
        let call = ProcessCall { input: request.body.clone(), content_type, options, only_validate };
        match self.process(request, plugin, call)? {
            None => Ok(Response::empty(204)),
            Some(ProcessedBytes { output, content_type, items_processed, warnings }) => {
                let response = Response::bytes(200, content_type, output);
                // Browsers must download the output and not show it as a page, whatever its media type.
                let response = response.header("content-disposition", "attachment");
                let response = response.header("x-items-processed", &items_processed.to_string());
                Ok(response.header("x-warnings", &ascii(&json!(warnings).to_string())))
            }
        }
    }

    /// Runs a plugin's processor on bytes; returns `None` if the call only validates.
    ///
    /// # Errors
    /// [`PlatformError`].
    fn process(
        &mut self,
        request: &Request,
        plugin: &str,
        call: ProcessCall,
    ) -> Result<Option<ProcessedBytes>, PlatformError> {
        let installed = self.platform.installed(plugin)?;
        if installed.loaded.is_none() {
            let message = format!("the plugin `{plugin}` is {}: enable it first", installed.status.word());
            return Err(PlatformError::new(errors::PLUGIN_INVALID_STATE, message));
        }
        if installed.loaded.as_ref().is_some_and(|loaded| !loaded.is_processor()) {
            let message = format!("the plugin `{plugin}` processes nothing");
            return Err(PlatformError::new(errors::PLUGIN_NO_PROCESSOR, message));
        }
        let identity = request.user()?;
        let origin = Origin::of(request);
        let occasion = Occasion::of(&identity.tenant, Trigger::Http).by(&identity.caller).caused_by(&origin);
        let only_validate = call.only_validate;
        let made = self.platform.call(plugin, &occasion, &Invocation::Process(Arc::new(call)), |_| Ok(()))?;
        if only_validate {
            return Ok(None);
        }
        let made: ProcessedBytes = serde_json::from_value(made)
            .map_err(|error| PlatformError::new(errors::HOST_BUG, format!("what was processed is lost: {error}")))?;
        Ok(Some(made))
    }
}

/// Escapes all non-ASCII characters of JSON, so that a header can carry it.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    let escaped = |character: char| -> String {
        if character.is_ascii() {
            return character.to_string();
        }
        character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    json.chars().map(escaped).collect()
}

fn node_request(request: &Request, kind: &str, verb: NodeVerb) -> Result<NodeRequest, PlatformError> {
    let bad = |message: String| PlatformError::new(errors::NODE_BAD_REQUEST, message);
    let mut body = request.object_or_empty()?;
    let own_key = match verb {
        NodeVerb::Execute => "input",
        NodeVerb::Options => "property",
        NodeVerb::Supply => "",
    };
    if let Some(key) =
        body.keys().find(|key| !["version", "parameters", "place", own_key].contains(&key.as_str()) || key.is_empty())
    {
        let known = ["version", "parameters", "place", own_key].join(", ");
        return Err(bad(format!("unknown key `{key}`; known here: {}", known.trim_end_matches(", "))));
    }
    let version = match body.remove("version") {
        None => None,
        Some(Value::String(version)) => Some(version),
        Some(other) => return Err(bad(format!("`version` is text, not {other}"))),
    };
    let parameters = match body.remove("parameters") {
        None => Map::new(),
        Some(Value::Object(parameters)) => parameters,
        Some(other) => return Err(bad(format!("`parameters` is an object, not {other}"))),
    };
    let place: NodePlace = match body.remove("place") {
        None => NodePlace::default(),
        Some(place) => serde_json::from_value(place).map_err(|error| bad(format!("`place`: {error}")))?,
    };
    let task = match verb {
        NodeVerb::Execute => NodeTask::Execute(body.remove("input").unwrap_or(Value::Null)),
        NodeVerb::Supply => NodeTask::Supply,
        NodeVerb::Options => match body.remove("property") {
            Some(Value::String(property)) => NodeTask::Options(property),
            _ => return Err(bad("`property` names the property whose options are wanted".to_owned())),
        },
    };
    Ok(NodeRequest { kind: kind.to_owned(), version, parameters, place, task })
}
