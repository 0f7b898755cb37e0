//! Composes several components into one: connects imports with exports of other parts, and leaves all other imports
//! open.

use thiserror::Error;
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};

/// A component that the plugin's component is composed with.
#[derive(Debug, Clone)]
pub struct Part {
    /// The name of the part in messages.
    pub name: String,
    /// The bytes of the component.
    pub component: Vec<u8>,
}

/// An interface that one part provides for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartConnection {
    /// The part that imports it; `plugin` for the plugin's own component.
    pub to: String,
    /// The name of the interface.
    pub interface: String,
    /// The part that exports it.
    pub from: String,
}

/// A component that was composed of several.
#[derive(Debug)]
pub struct ComposedComponent {
    /// The bytes of the component.
    pub component: Vec<u8>,
    /// The interfaces that were connected.
    pub connections: Vec<PartConnection>,
}

/// The reason why components cannot be composed.
#[derive(Debug, Error)]
pub enum ComposeError {
    /// A part is not a component that can be composed.
    #[error("`{0}` cannot be composed: {1}")]
    Part(String, String),
    /// A part exports an interface with other types than another part imports.
    #[error("`{from}` exports `{interface}` with other types than `{to}` imports: {why}")]
    OtherTypes {
        /// The part that exports it.
        from: String,
        /// The part that imports it.
        to: String,
        /// The interface.
        interface: String,
        /// The difference.
        why: String,
    },
    /// No other part imports an export of this one.
    #[error("nobody imports what `{0}` exports: {1}")]
    Unused(String, String),
    /// Two parts export the same interface.
    #[error("`{0}` and `{1}` both export `{2}`")]
    Twice(String, String, String),
    /// Parts import from each other in a circle.
    #[error("{0} wait for each other")]
    Circle(String),
    /// The composition cannot be encoded.
    #[error("the components cannot be written as one: {0}")]
    Encode(String),
}

/// The name of the plugin's own component.
pub const PLUGIN: &str = "plugin";

/// Composes the plugin's component with its parts; parts may also import from each other. Of the plugin's exports only
/// `exports` stay: runtimes of some languages export functions of their own, which are unused.
///
/// # Errors
/// [`ComposeError`].
pub fn compose(plugin: &[u8], parts: &[Part], exports: &[String]) -> Result<ComposedComponent, ComposeError> {
    let mut graph = CompositionGraph::new();
    let mut all: Vec<(&str, &[u8])> =
        parts.iter().map(|part| (part.name.as_str(), part.component.as_slice())).collect();
    all.push((PLUGIN, plugin));
    let mut packages = Vec::new();
    for (name, bytes) in &all {
        let bad = |why: String| ComposeError::Part((*name).to_owned(), why);
        let package =
            Package::from_bytes(&format!("part:{}", name.replace('_', "-")), None, bytes.to_vec(), graph.types_mut())
                .map_err(|error| bad(format!("{error:#}")))?;
        packages.push(graph.register_package(package).map_err(|error| bad(error.to_string()))?);
    }
    let names = |items: &mut dyn Iterator<Item = &String>| items.cloned().collect::<Vec<String>>();
    let imports: Vec<Vec<String>> =
        packages.iter().map(|id| names(&mut graph.types()[graph[*id].ty()].imports.keys())).collect();
    let offers: Vec<Vec<String>> =
        packages.iter().map(|id| names(&mut graph.types()[graph[*id].ty()].exports.keys())).collect();
    let provider = |interface: &str, wanted_by: usize| {
        (0..parts.len()).find(|index| *index != wanted_by && offers[*index].iter().any(|offer| offer == interface))
    };
    for (index, part) in parts.iter().enumerate() {
        let is_used = |offer: &String| (0..all.len()).any(|other| other != index && imports[other].contains(offer));
        if !offers[index].iter().any(is_used) {
            return Err(ComposeError::Unused(part.name.clone(), offers[index].join(", ")));
        }
        for offer in &offers[index] {
            if let Some(other) = (0..index).find(|other| offers[*other].contains(offer)) {
                return Err(ComposeError::Twice(parts[other].name.clone(), part.name.clone(), offer.clone()));
            }
        }
    }
    let mut instances: Vec<Option<_>> = vec![None; all.len()];
    let mut connections = Vec::new();
    // Each round instantiates a component whose providers exist already; the plugin comes after all of its parts.
    while instances.iter().any(Option::is_none) {
        let is_ready = |index: &usize| {
            instances[*index].is_none()
                && imports[*index]
                    .iter()
                    .all(|import| provider(import, *index).is_none_or(|from| instances[from].is_some()))
        };
        let Some(next) = (0..all.len()).find(is_ready) else {
            let waiting = (0..all.len()).filter(|index| instances[*index].is_none()).map(|index| all[index].0);
            return Err(ComposeError::Circle(waiting.collect::<Vec<_>>().join(", ")));
        };
        let instance = graph.instantiate(packages[next]);
        for import in &imports[next] {
            let Some(from) = provider(import, next) else { continue };
            let Some(source) = instances[from] else { continue };
            let other_types = |why: String| ComposeError::OtherTypes {
                from: all[from].0.to_owned(),
                to: all[next].0.to_owned(),
                interface: import.clone(),
                why,
            };
            let export = graph.alias_instance_export(source, import).map_err(|error| other_types(error.to_string()))?;
            graph.set_instantiation_argument(instance, import, export).map_err(|error| other_types(whole(&error)))?;
            connections.push(PartConnection {
                to: all[next].0.to_owned(),
                interface: import.clone(),
                from: all[from].0.to_owned(),
            });
        }
        instances[next] = Some(instance);
    }
    let encode = |why: String| ComposeError::Encode(why);
    if let Some(own) = instances.last().copied().flatten() {
        let theirs = offers.last().cloned().unwrap_or_default();
        for export in theirs.iter().filter(|export| exports.contains(export)) {
            let node = graph.alias_instance_export(own, export).map_err(|error| encode(error.to_string()))?;
            graph.export(node, export).map_err(|error| encode(error.to_string()))?;
        }
    }
    let options = EncodeOptions { define_components: true, validate: false, ..EncodeOptions::default() };
    let component = graph.encode(options).map_err(|error| encode(whole(&error)))?;
    Ok(ComposedComponent { component, connections })
}

/// The message of an error with those of its causes.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
