//! What the manifest grants against what the component asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::codes::codes;
use crate::contract::Border;
use crate::diagnostics::{Diagnostic, Fix, Report, SourceFile};
use crate::manifest::{Capability, Manifest, capabilities};

codes! {
    UNDECLARED_CAPABILITY = "component/undeclared-capability", finding(Error), "The component asks for what the manifest does not grant.",
        why: "The host would refuse every such call; and a reviewer reads in the manifest what a plugin may do.",
        fix: "Add the key to `[capabilities]`, or take the call away.";
    UNUSED_CAPABILITY = "component/unused-capability", finding(Warning), "The manifest grants what the component never asks for.",
        why: "A reviewer must judge everything that is granted, and a later version could use it unseen.",
        fix: "Take the key out of `[capabilities]`.";
    UNTESTED_CAPABILITY = "scenario/untested-capability", finding(Hint), "A capability that no scenario makes the plugin use.",
        why: "Nobody has seen what the plugin does with it; and what is granted must be reviewed.",
        fix: "Write a scenario that needs it, or take it out of `[capabilities]`.";
}

/// Finds what is asked for and not granted, and what is granted and not asked for.
pub(super) fn check(border: &Border, manifest: &Manifest, source: Option<&Arc<SourceFile>>) -> Report {
    let mut report = Report::new();
    for capability in capabilities(manifest) {
        let asked = capability.functions.iter().find(|(interface, function)| border.calls(interface, function));
        // Whether a query is about another plugin's table cannot be seen from outside.
        let needs_grant = capability.key != "read_entities";
        match asked {
            Some((interface, function)) if needs_grant && !capability.is_granted && !manifest.is_legacy() => {
                let message =
                    format!("the component calls `{interface}.{function}`, and `{}` is not granted", capability.key);
                let finding = Diagnostic::new(UNDECLARED_CAPABILITY, message).help(format!(
                    "write `{}` into [capabilities]; without it every such call is refused",
                    capability.example
                ));
                report.push(finding.maybe_fixed(source, |source| grant_switch(&capability, manifest, source)));
            }
            None if capability.is_granted => {
                let message = format!("`{}` is granted, and the component never asks for it", capability.key);
                let mut finding = Diagnostic::new(UNUSED_CAPABILITY, message)
                    .help("take it away: a reviewer grants what stands here, used or not");
                if let (Some(source), Some(place)) =
                    (source, capability.place.clone().filter(|place| !place.is_empty()))
                {
                    finding = finding.in_source(source).at(place, "never asked for");
                }
                report.push(finding);
            }
            _ => {}
        }
    }
    report
}

/// Finds what is granted and used by the component, and by no scenario. `used` holds the host functions that the
/// scenarios made the plugin call, such as `events.publish`.
pub fn check_tested(manifest: &Manifest, source: &Arc<SourceFile>, used: &BTreeSet<&'static str>) -> Report {
    let mut report = Report::new();
    for capability in capabilities(manifest) {
        let called = |(interface, function): &(&str, &str)| {
            let area = interface.trim_start_matches("host-");
            used.iter().any(|used| used.split_once('.') == Some((area, *function)))
        };
        // That a query is about another plugin's table cannot be told from its name.
        if capability.is_granted && capability.key != "read_entities" && !capability.functions.iter().any(called) {
            let message = format!("`{}` is granted, and no scenario makes the plugin use it", capability.key);
            let place = capability.place.unwrap_or_else(|| manifest.capabilities.span.clone());
            let finding = Diagnostic::new(UNTESTED_CAPABILITY, message)
                .in_source(source)
                .at(place, "never used in a test")
                .help("write a scenario that needs it, or take it away: a reviewer grants what stands here");
            report.push(finding);
        }
    }
    report
}

/// A key that is a switch can be turned on without asking what for.
fn grant_switch(capability: &Capability, manifest: &Manifest, source: &Arc<SourceFile>) -> Option<Fix> {
    let key = capability.key;
    if !matches!(key, "kv" | "blob" | "memory") {
        return None;
    }
    let span = &manifest.capabilities.span;
    if span.is_empty() {
        Some(Fix::append(format!("grant `{key}`"), source, &format!("[capabilities]\n{key} = true")))
    } else {
        Fix::insert_line_after(format!("grant `{key}`"), source, span, &format!("{key} = true"))
    }
}
