//! Compares the nodes of a manifest with the component's own definitions.

use std::sync::Arc;

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Diagnostic, Report, SourceFile, Span};
use erp_manifest::{Manifest, definition_differences};
use serde_json::Value;

codes! {
    NODE_DIFFERS = "node/other-definition", finding(Error), "The component and the manifest define a node differently.",
        why: "Users place what the manifest shows, and the component runs what it knows: a property that only one of them has is lost without a word.",
        fix: "Let `erp-plugin generate` write the definitions from the manifest, and build again.";
}

/// Checks the manifest's `[[nodes]]` against the array that `get-node-definitions` returned. Users place the nodes of
/// the manifest, and the component runs those that it defines.
pub fn check_nodes(manifest: &Manifest, definitions: &Value, source: Option<&Arc<SourceFile>>) -> Report {
    let mut report = Report::new();
    let mut find = |span: Option<Span>, message: String, help: &str| {
        let mut finding = Diagnostic::new(NODE_DIFFERS, message).help(help);
        if let (Some(source), Some(span)) = (source, span.filter(|span| !span.is_empty())) {
            finding = finding.in_source(source).at(span, "in the manifest");
        }
        report.push(finding);
    };
    let Some(definitions) = definitions.as_array() else {
        find(
            None,
            "`get-node-definitions` gives no array".to_owned(),
            "give a JSON array with an object for each kind",
        );
        return report;
    };
    let kind_of = |definition: &Value| definition["kind"].as_str().unwrap_or_default().to_owned();
    for node in &manifest.nodes {
        let Some(theirs) = definitions.iter().find(|definition| kind_of(definition) == node.kind.as_str()) else {
            let message = format!("the component does not define the node `{}`", *node.kind);
            find(Some(node.kind.span()), message, "`erp-plugin generate` writes the definitions from the manifest");
            continue;
        };
        for (place, ours, theirs) in definition_differences(&node.definition(), theirs) {
            let span = place.strip_prefix("properties.").and_then(|name| node.property(name));
            let span = span.map_or_else(|| node.kind.span(), |property| property.name.span());
            let message = format!("the component defines `{place}` of `{}` otherwise", *node.kind);
            let shown = |value: &Value| if value.is_null() { "nothing".to_owned() } else { value.to_string() };
            let help = format!("the manifest has   {}\nthe component has  {}", shown(&ours), shown(&theirs));
            find(Some(span), message, &help);
        }
    }
    for definition in definitions {
        let kind = kind_of(definition);
        if manifest.node(&kind).is_none() {
            let message = format!("the component defines a node `{kind}`, which the manifest does not have");
            find(None, message, "add a `[[nodes]]` block, or take the definition away");
        }
    }
    report
}
