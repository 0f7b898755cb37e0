//! Compares the capabilities that the manifest grants with those that the component uses.

use std::collections::BTreeSet;
use std::sync::Arc;

use erp_manifest::codes::codes;
use erp_manifest::contract::{Capability, HostFunction, InterfaceSet};
use erp_manifest::diagnostics::{Diagnostic, Fix, Report, SourceFile};
use erp_manifest::{CapabilityGrant, Manifest, capability_grants};

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

/// Finds capabilities that are used and not granted, and those that are granted and not used.
pub(super) fn check(border: &InterfaceSet, manifest: &Manifest, source: Option<&Arc<SourceFile>>) -> Report {
    let mut report = Report::new();
    for CapabilityGrant { capability, is_granted, place } in capability_grants(manifest) {
        let asked = capability
            .functions()
            .flat_map(HostFunction::places)
            .find(|(interface, function)| border.calls(interface, function));
        match asked {
            Some((interface, function)) if capability.is_needed_by_every_call() && !is_granted => {
                let message =
                    format!("the component calls `{interface}.{function}`, and `{capability}` is not granted");
                let finding = Diagnostic::new(UNDECLARED_CAPABILITY, message).help(format!(
                    "write `{}` into [capabilities]; without it every such call is refused",
                    capability.example()
                ));
                report.push(finding.maybe_fixed(source, |source| grant_switch(capability, manifest, source)));
            }
            // A legacy manifest without `[capabilities]` has its grants by default.
            None if is_granted && !(manifest.is_legacy() && manifest.capabilities.span.is_empty()) => {
                let message = format!("`{capability}` is granted, and the component never asks for it");
                let mut finding = Diagnostic::new(UNUSED_CAPABILITY, message)
                    .help("take it away: a reviewer grants what stands here, used or not");
                if let (Some(source), Some(place)) = (source, place.filter(|place| !place.is_empty())) {
                    finding = finding.in_source(source).at(place, "never asked for");
                }
                report.push(finding);
            }
            _ => {}
        }
    }
    report
}

/// Finds granted capabilities that no scenario uses. `used` holds the host functions that the scenarios made the plugin
/// call.
pub fn check_tested(manifest: &Manifest, source: &Arc<SourceFile>, used: &BTreeSet<HostFunction>) -> Report {
    let mut report = Report::new();
    for CapabilityGrant { capability, is_granted, place } in capability_grants(manifest) {
        let is_used = capability.functions().any(|function| used.contains(&function));
        if is_granted && capability.is_needed_by_every_call() && !is_used {
            let message = format!("`{capability}` is granted, and no scenario makes the plugin use it");
            let place = place.unwrap_or_else(|| manifest.capabilities.span.clone());
            let finding = Diagnostic::new(UNTESTED_CAPABILITY, message)
                .in_source(source)
                .at(place, "never used in a test")
                .help("write a scenario that needs it, or take it away: a reviewer grants what stands here");
            report.push(finding);
        }
    }
    report
}

/// Returns a fix that turns on a capability; none if its key is not a switch and needs values.
fn grant_switch(capability: Capability, manifest: &Manifest, source: &Arc<SourceFile>) -> Option<Fix> {
    if !capability.is_switch() {
        return None;
    }
    let span = &manifest.capabilities.span;
    let (title, line) = (format!("grant `{capability}`"), format!("{capability} = true"));
    if span.is_empty() {
        Some(Fix::append(title, source, &format!("[capabilities]\n{line}")))
    } else {
        Fix::insert_line_after(title, source, span, &line)
    }
}
