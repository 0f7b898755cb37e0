//! Nodes of workflows.

use std::collections::BTreeSet;

use erp_manifest::codes::codes;
use erp_manifest::document::codes::DUPLICATE;
use erp_manifest::expression::Type;
use erp_manifest::{NodeKind, NodeProperty, NodeType, PropertyKind, is_event_name};
use semver::Version;

use super::super::{CheckSubject, Findings};
use crate::rules::expressions::EXPRESSION_TYPE;

codes! {
    NODE_DEFINITION = "node/bad-definition", finding(Error), "A node of a workflow that cannot be placed.",
        why: "Users choose nodes from a palette and fill in their properties; what is wrong there fails when the workflow runs, at night.",
        fix: "Write it as the finding says; `docs/nodes.md` shows a whole node.";
    NODE_FOREIGN_NAME = "node/foreign-name", finding(Warning), "A node's kind has nothing of its plugin's name.",
        why: "Kinds are unique on a platform: of two plugins that bring the same one, the second does not start.",
        fix: "Put the plugin's id, or a word of it, into the kind: `acme.invoice.split` for the plugin `acme`.";
}

/// The prefix of the kinds that belong to the platform.
const PLATFORM_PREFIX: &str = "core.";

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let nodes = &subject.manifest.nodes;
    findings.unique("node", nodes.iter().map(|node| (node.kind.as_str(), node.kind.span())));
    for node in nodes {
        kind(node, findings);
        foreign_name(subject, node, findings);
        versions(node, findings);
        ports(node, findings);
        findings
            .unique("property", node.properties.iter().map(|property| (property.name.as_str(), property.name.span())));
        for property in &node.properties {
            self::property(node, property, findings);
        }
    }
}

fn kind(node: &NodeKind, findings: &mut Findings<'_>) {
    let name = &node.kind;
    if !is_event_name(name) || !name.contains('.') {
        let help = "write words joined by dots, your own name first: `acme.invoice.split`".to_owned();
        let message = format!("`{name}` is no name of a node");
        findings.add(NODE_DEFINITION, name.span(), message, "no name", Some(help));
    } else if name.starts_with(PLATFORM_PREFIX) {
        let help = Some("begin it with your own name, such as `acme.`".to_owned());
        let message = format!("nodes that begin with `{PLATFORM_PREFIX}` are the platform's own");
        findings.add(NODE_DEFINITION, name.span(), message, "never found", help);
    }
    match (*node.r#type, &node.provides) {
        (NodeType::Supplier, None) => {
            let help = Some("write `provides = \"llm\"`, `\"memory\"`, `\"tool\"` or `\"agent\"`".to_owned());
            let message = format!("`{name}` supplies, and does not say what");
            findings.add(NODE_DEFINITION, node.r#type.span(), message, "a supplier of what?", help);
        }
        (NodeType::Executor, Some(provider)) => {
            let help = Some("take `provides` away, or write `type = \"supplier\"`".to_owned());
            let message = format!("`{name}` is an executor, which supplies nothing");
            findings.add(NODE_DEFINITION, provider.span(), message, "never used", help);
        }
        _ => {}
    }
}

/// Finds kinds without a word of the plugin's id: another plugin might bring the same kind.
fn foreign_name(subject: &CheckSubject<'_>, node: &NodeKind, findings: &mut Findings<'_>) {
    let words = |text: &str| text.split(['.', '-', '_']).map(str::to_owned).collect::<BTreeSet<_>>();
    let own = words(subject.manifest.metadata.id.as_str());
    if is_event_name(&node.kind) && node.kind.contains('.') && words(&node.kind).is_disjoint(&own) {
        let id = subject.manifest.metadata.id.as_str();
        let message = format!("`{}` has no word of the plugin's id `{id}` in it", *node.kind);
        let help = format!("another plugin may bring the same kind; begin it with `{id}.`");
        findings.add(NODE_FOREIGN_NAME, node.kind.span(), message, "anybody's name", Some(help));
    }
}

fn versions(node: &NodeKind, findings: &mut Findings<'_>) {
    let mut last: Option<Version> = None;
    if node.versions.is_empty() {
        let message = format!("`{}` has no version that it runs", *node.kind);
        findings.add(NODE_DEFINITION, node.kind.span(), message, "no version", None);
    }
    for version in &node.versions {
        let Ok(parsed) = Version::parse(version) else {
            let help = Some("write it like `1.0.0`".to_owned());
            findings.add(NODE_DEFINITION, version.span(), format!("`{version}` is no version"), "not semver", help);
            continue;
        };
        if last.as_ref().is_some_and(|last| *last >= parsed) {
            let message = format!("`{version}` stands behind a version that is not older");
            let help = Some("write the newest last: new nodes are made with it".to_owned());
            findings.add(NODE_DEFINITION, version.span(), message, "out of order", help);
        }
        last = Some(parsed);
    }
}

fn ports(node: &NodeKind, findings: &mut Findings<'_>) {
    for ports in [&node.inputs, &node.outputs] {
        let mut seen = BTreeSet::new();
        for port in ports {
            let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if port.is_empty() || !port.bytes().all(is_word) {
                let help = Some("write lower-case letters, digits and `_`, such as `main` or `ai_llm`".to_owned());
                let message = format!("`{port}` is no name of a port");
                findings.add(NODE_DEFINITION, port.span(), message, "no name", help);
            } else if !seen.insert(port.as_str()) {
                let message = format!("the port `{port}` is there twice");
                findings.add(DUPLICATE, port.span(), message, "again", None);
            }
        }
    }
    if node.outputs.is_empty() {
        let message = format!("nothing leaves `{}`", *node.kind);
        findings.add(NODE_DEFINITION, node.kind.span(), message, "no output", None);
    }
}

fn property(node: &NodeKind, property: &NodeProperty, findings: &mut Findings<'_>) {
    let name = &property.name;
    let mut bad = |span: erp_manifest::diagnostics::Span, message: String, label: &str, help: &str| {
        findings.add(NODE_DEFINITION, span, message, label, Some(help.to_owned()));
    };
    let is_select = *property.kind == PropertyKind::Select;
    let has_options = !property.options.is_empty() || property.dynamic_options;
    if is_select && !has_options {
        let help = "write `options = [{ value, label }]`, or `dynamic_options = true`";
        bad(property.kind.span(), format!("`{}` offers nothing to select", **name), "no options", help);
    } else if !property.options.is_empty() && property.dynamic_options {
        let message = format!("the options of `{}` stand here, and come from the component", **name);
        bad(property.kind.span(), message, "two sources", "take `options` or `dynamic_options` away");
    } else if !is_select && has_options {
        let message = format!("`{}` has options and is no select", **name);
        bad(property.kind.span(), message, "not a select", "write `kind = \"select\"`, or take the options away");
    }
    if let Some(default) = &property.default
        && let Some(wanted) = property.expected_instead_of(default)
    {
        bad(default.span(), format!("the default of `{}` must be {wanted}", **name), "another value", "write one");
    }
    if let Some(condition) = &property.show_when {
        let mut kinds = node.property_kinds();
        kinds.retain(|kind| kind.name != name.as_str());
        for problem in condition.problems(&kinds, Type::Boolean) {
            let place = condition.place(&problem.span);
            findings.add(EXPRESSION_TYPE, place, problem.message, "here", problem.help);
        }
    }
}
