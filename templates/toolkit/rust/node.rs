//! What nodes of workflows are given and give.

use serde_json::{Map, Value, json};

use super::bindings::exports::erp::plugin::nodes::{NodeContext, PortOutput};
use super::error::{Result, refuse};

/// The port that items come in by and leave by where nothing else is said.
pub const MAIN: &str = "main";

/// One run of a node.
pub struct Run {
    /// The version that the node was placed with.
    pub version: String,
    /// Where in which workflow it runs, and on whose behalf.
    pub context: NodeContext,
    input: Map<String, Value>,
}

impl Run {
    pub(super) fn new(version: &str, context: NodeContext, input: &str) -> Result<Run> {
        match serde_json::from_str(input) {
            Ok(Value::Object(input)) => Ok(Run { version: version.to_owned(), context, input }),
            _ => Err(refuse("node.bad_input", "the input is no JSON object")),
        }
    }

    /// The items that came in by the main port.
    pub fn items(&self) -> &[Value] {
        self.port(MAIN)
    }

    /// The items that came in by a port.
    pub fn port(&self, port: &str) -> &[Value] {
        self.input.get(port).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// Items for the outputs of a node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outputs(Vec<(String, Vec<Value>)>);

impl Outputs {
    /// Items for the main port.
    pub fn main(items: Vec<Value>) -> Outputs {
        Outputs::default().with(MAIN, items)
    }

    /// The same, with items for another port.
    #[must_use]
    pub fn with(mut self, port: &str, items: Vec<Value>) -> Outputs {
        self.0.push((port.to_owned(), items));
        self
    }

    /// The items for a port.
    pub fn port(&self, port: &str) -> &[Value] {
        self.0.iter().find(|(name, _)| name == port).map_or(&[], |(_, items)| items)
    }

    pub(super) fn into_ports(self) -> Vec<PortOutput> {
        let ports = self.0.into_iter();
        ports.map(|(port, items)| PortOutput { port, items: Value::Array(items).to_string() }).collect()
    }
}

/// A value that a property with `dynamic_options` offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What is stored.
    pub value: String,
    /// What people read.
    pub label: String,
}

pub(super) fn choices_text(choices: &[Choice]) -> String {
    choices.iter().map(|choice| json!({ "value": choice.value, "label": choice.label })).collect::<Value>().to_string()
}
