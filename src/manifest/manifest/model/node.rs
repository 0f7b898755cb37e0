//! Workflow nodes that a plugin provides.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::FieldName;
use super::FieldOption;
use crate::diagnostics::Spanned;
use crate::document::{table, words};
use crate::expression::{Expression, FieldKind, Type, read_decimal};

/// The default input and output port of a node.
pub const MAIN_PORT: &str = "main";
/// The output port for errors, in a node that declares it.
pub const ERROR_PORT: &str = "error";

words! {
    /// What a node does.
    pub enum NodeType {
        /// It turns items into items.
        Executor = "executor",
        /// It gives other nodes something to work with.
        Supplier = "supplier",
    }
}

words! {
    /// What a supplier supplies.
    pub enum Provider {
        /// A language model.
        Llm = "llm",
        /// A memory of conversations.
        Memory = "memory",
        /// A tool that an agent may use.
        Tool = "tool",
        /// An agent.
        Agent = "agent",
    }
}

words! {
    /// What a property of a node holds.
    pub enum PropertyKind {
        /// One line of text.
        String = "string",
        /// Several lines of text.
        Text = "text",
        /// A whole number.
        Integer = "integer",
        /// An exact decimal number, as text.
        Decimal = "decimal",
        /// true or false.
        Boolean = "boolean",
        /// One of the options.
        Select = "select",
        /// An expression, which the node evaluates over each item.
        Expression = "expression",
        /// Any JSON.
        Json = "json",
    }
}

table! {
    /// A node that the plugin brings to workflows. The component's own `get-node-definitions` must say the same.
    pub struct NodeKind {
        /// Its name on the platform: words joined by dots, such as `acme.invoice.split`.
        kind: Spanned<String>,
        /// The versions that the component still runs (semver), the newest last.
        versions: Vec<Spanned<String>> = vec![Spanned::new("1.0.0".to_owned(), 0..0)],
        /// What it does.
        r#type: Spanned<NodeType>,
        /// What a supplier supplies.
        provides: Option<Spanned<Provider>>,
        /// The name that people read.
        display_name: String,
        /// What it does, in a sentence.
        description: Option<String>,
        /// The name of an icon.
        icon: Option<String>,
        /// Ports that items come in by.
        inputs: Vec<Spanned<String>> = vec![Spanned::new(MAIN_PORT.to_owned(), 0..0)],
        /// Ports that items leave by. What fails leaves by `error`, where it is among them.
        outputs: Vec<Spanned<String>> = vec![Spanned::new(MAIN_PORT.to_owned(), 0..0)],
        /// What a user sets when they place the node.
        properties: Vec<NodeProperty>,
    }
}

table! {
    /// What a user sets when they place a node.
    pub struct NodeProperty {
        /// The key in the node's parameters.
        name: Spanned<FieldName>,
        /// What it holds.
        kind: Spanned<PropertyKind>,
        /// The name that people read.
        display_name: Option<String>,
        /// What it means.
        description: Option<String>,
        /// True where a node without it does not run, unless `show_when` hides it.
        required: bool = false,
        /// Its value if it is not set.
        default: Option<Spanned<Value>>,
        /// The values of a `select`.
        options: Vec<FieldOption>,
        /// True where the component's `load-options` gives the values of a `select`.
        dynamic_options: bool = false,
        /// A condition over the other properties; where it does not hold, the property is not there.
        show_when: Option<Expression>,
    }
}

impl NodeKind {
    /// The version for new nodes: the last one of `versions`.
    pub fn newest(&self) -> &str {
        self.versions.last().map_or("", |version| version.as_str())
    }

    /// Returns whether the component runs this version.
    pub fn runs(&self, version: &str) -> bool {
        self.versions.iter().any(|known| known.as_str() == version)
    }

    /// Returns whether errors leave the node through the port `error`.
    pub fn has_error_port(&self) -> bool {
        self.outputs.iter().any(|port| port.as_str() == ERROR_PORT)
    }

    /// The property of this name.
    pub fn property(&self, name: &str) -> Option<&NodeProperty> {
        self.properties.iter().find(|property| property.name.as_str() == name)
    }

    /// The properties as the checks of conditions see them.
    pub fn property_kinds(&self) -> Vec<FieldKind<'_>> {
        self.properties.iter().map(NodeProperty::field_kind).collect()
    }

    /// The definition that the component must return and that palettes show.
    pub fn definition(&self) -> Value {
        let texts = |items: &[Spanned<String>]| items.iter().map(|item| item.as_str().into()).collect::<Vec<Value>>();
        let mut definition = json!({
            "kind": *self.kind, "versions": texts(&self.versions), "type": self.r#type.word(),
            "display_name": self.display_name, "inputs": texts(&self.inputs), "outputs": texts(&self.outputs),
            "properties": self.properties.iter().map(NodeProperty::definition).collect::<Vec<_>>(),
        });
        if let Some(provider) = &self.provides {
            definition["provides"] = provider.word().into();
        }
        for (key, text) in [("description", &self.description), ("icon", &self.icon)] {
            if let Some(text) = text {
                definition[key] = text.as_str().into();
            }
        }
        definition
    }
}

impl NodeProperty {
    /// Checks a default or a parameter of a workflow. Returns the expected kind of value if it does not fit.
    pub fn expected_instead_of(&self, value: &Value) -> Option<String> {
        let text = value.as_str();
        let (fits, wanted) = match *self.kind {
            PropertyKind::String => (text.is_some_and(|text| !text.contains('\n')), "one line of text"),
            PropertyKind::Text => (text.is_some(), "text"),
            PropertyKind::Integer => (value.is_i64(), "a whole number"),
            PropertyKind::Boolean => (value.is_boolean(), "true or false"),
            PropertyKind::Decimal => {
                (text.is_some_and(|text| read_decimal(text).is_some()), "a decimal number as text, such as \"0.5\"")
            }
            PropertyKind::Expression => {
                let problem = text.map(|text| Expression::parse(text).err());
                if let Some(Some(problem)) = problem {
                    return Some(format!("an expression ({})", problem.message));
                }
                (text.is_some(), "an expression, as text")
            }
            PropertyKind::Json => (true, "JSON"),
            PropertyKind::Select => {
                let known: Vec<&str> = self.options.iter().map(|option| option.value.as_str()).collect();
                let fits = text.is_some_and(|text| self.dynamic_options || known.contains(&text));
                return (!fits).then(|| format!("one of {}", known.join(", ")));
            }
        };
        (!fits).then(|| wanted.to_owned())
    }

    fn field_kind(&self) -> FieldKind<'_> {
        let holds = match *self.kind {
            PropertyKind::String | PropertyKind::Text | PropertyKind::Select | PropertyKind::Expression => Type::Text,
            PropertyKind::Integer | PropertyKind::Decimal => Type::Number,
            PropertyKind::Boolean => Type::Boolean,
            PropertyKind::Json => Type::Any,
        };
        FieldKind {
            name: self.name.as_str(),
            holds,
            options: self.options.iter().map(|option| option.value.as_str()).collect(),
            is_whole: *self.kind == PropertyKind::Integer,
        }
    }

    /// The property as part of a definition; entries that are absent, empty or false are left out.
    fn definition(&self) -> Value {
        let mut shown = Map::new();
        shown.insert("name".to_owned(), self.name.as_str().into());
        shown.insert("kind".to_owned(), self.kind.word().into());
        for (key, text) in [("display_name", &self.display_name), ("description", &self.description)] {
            shown.extend(text.as_ref().map(|text| (key.to_owned(), text.as_str().into())));
        }
        for (key, flag) in [("required", self.required), ("dynamic_options", self.dynamic_options)] {
            shown.extend(flag.then(|| (key.to_owned(), true.into())));
        }
        shown.extend(self.default.as_ref().map(|value| ("default".to_owned(), (**value).clone())));
        if !self.options.is_empty() {
            let options = self.options.iter().map(|option| json!({ "value": option.value, "label": option.label }));
            shown.insert("options".to_owned(), options.collect());
        }
        let condition = self.show_when.as_ref().map(|condition| condition.as_str().into());
        shown.extend(condition.map(|condition| ("show_when".to_owned(), condition)));
        Value::Object(shown)
    }
}

/// The keys of a definition that are part of the contract, unlike texts for people.
const PROMISES: [&str; 6] = ["versions", "type", "provides", "inputs", "outputs", "properties"];

/// Returns where the contracts of two definitions differ: the key, the value in the manifest and the value in the
/// component.
pub fn definition_differences(manifest: &Value, component: &Value) -> Vec<(String, Value, Value)> {
    let mut differences = Vec::new();
    for key in PROMISES.into_iter().filter(|key| *key != "properties") {
        if manifest[key] != component[key] {
            differences.push((key.to_owned(), manifest[key].clone(), component[key].clone()));
        }
    }
    let named = |definition: &Value| -> Map<String, Value> {
        let properties = definition["properties"].as_array().into_iter().flatten();
        properties
            .map(|property| (property["name"].as_str().unwrap_or_default().to_owned(), promise(property)))
            .collect()
    };
    let (ours, theirs) = (named(manifest), named(component));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        let (one, other) = (ours.get(name).unwrap_or(&Value::Null), theirs.get(name).unwrap_or(&Value::Null));
        if one != other {
            differences.push((format!("properties.{name}"), one.clone(), other.clone()));
        }
    }
    differences
}

/// The contract of a property: without texts for people, false flags and nulls.
fn promise(property: &Value) -> Value {
    let mut property = property.clone();
    if let Some(fields) = property.as_object_mut() {
        fields.remove("display_name");
        fields.remove("description");
        fields.retain(|_, value| *value != Value::Bool(false) && !value.is_null());
        if let Some(Value::Array(options)) = fields.get_mut("options") {
            for option in options {
                *option = option["value"].clone();
            }
        }
    }
    property
}
