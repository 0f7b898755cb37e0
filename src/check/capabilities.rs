//! What the manifest grants against what the component asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::contract::Border;
use crate::diagnostics::{Diagnostic, Fix, Report, SourceFile, Span, Spanned, codes};
use crate::manifest::Manifest;

/// A capability: the functions that need it, and what the manifest says of it.
struct Capability<'m> {
    /// The key in `[capabilities]`.
    key: &'static str,
    /// The interface and the functions; those of the first contract stand in `host-api`.
    functions: &'static [(&'static str, &'static str)],
    /// True where the manifest grants any of it.
    is_granted: bool,
    /// Where the manifest does.
    place: Option<Span>,
    /// How to grant it.
    example: &'m str,
}

/// Finds what is asked for and not granted, and what is granted and not asked for.
pub(super) fn check(border: &Border, manifest: &Manifest, source: Option<&Arc<SourceFile>>) -> Report {
    let granted = &manifest.capabilities;
    let list = |items: &[Spanned<String>]| items.first().map(Spanned::span);
    let capabilities = [
        Capability {
            key: "publish",
            functions: &[("host-events", "publish"), ("host-api", "event-publish")],
            is_granted: !granted.publish.is_empty(),
            place: list(&granted.publish),
            example: "publish = [\"<event>\"]",
        },
        Capability {
            key: "config",
            functions: &[("host-config", "get"), ("host-api", "config-get")],
            is_granted: !granted.config.is_empty(),
            place: list(&granted.config),
            example: "config = [\"<key>\"]",
        },
        Capability {
            key: "kv",
            functions: &[
                ("host-kv", "get"),
                ("host-kv", "set"),
                ("host-kv", "delete"),
                ("host-kv", "increment"),
                ("host-kv", "compare-and-set"),
            ],
            is_granted: *granted.kv,
            place: Some(granted.kv.span()),
            example: "kv = true",
        },
        Capability {
            key: "read_entities",
            functions: &[
                ("host-db", "get"),
                ("host-db", "query"),
                ("host-db", "count"),
                ("host-db", "aggregate"),
                ("host-db", "resolve-labels"),
                ("host-api", "db-query"),
            ],
            is_granted: !granted.read_entities.is_empty(),
            place: list(&granted.read_entities),
            example: "read_entities = [\"<plugin>.<entity>\"]",
        },
    ];
    let mut report = Report::new();
    for capability in capabilities {
        let asked = capability.functions.iter().find(|(interface, function)| border.calls(interface, function));
        // Whether a query is about another plugin's table cannot be seen from outside.
        let needs_grant = capability.key != "read_entities";
        match asked {
            Some((interface, function)) if needs_grant && !capability.is_granted && !manifest.is_legacy() => {
                let message =
                    format!("the component calls `{interface}.{function}`, and `{}` is not granted", capability.key);
                let finding = Diagnostic::new(codes::UNDECLARED_CAPABILITY, message).help(format!(
                    "write `{}` into [capabilities]; without it every such call is refused",
                    capability.example
                ));
                report.push(finding.maybe_fixed(source, |source| grant_kv(&capability, manifest, source)));
            }
            None if capability.is_granted => {
                let message = format!("`{}` is granted, and the component never asks for it", capability.key);
                let mut finding = Diagnostic::new(codes::UNUSED_CAPABILITY, message)
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
    let granted = &manifest.capabilities;
    let first = |items: &[Spanned<String>]| items.first().map_or_else(|| granted.span.clone(), Spanned::span);
    let mut report = Report::new();
    for (key, is_granted, area, place) in [
        ("publish", !granted.publish.is_empty(), "events.publish", first(&granted.publish)),
        ("config", !granted.config.is_empty(), "config.get", first(&granted.config)),
        ("kv", *granted.kv, "kv.", granted.kv.span()),
    ] {
        if is_granted && !used.iter().any(|function| function.starts_with(area)) {
            let message = format!("`{key}` is granted, and no scenario makes the plugin use it");
            let finding = Diagnostic::new(codes::UNTESTED_CAPABILITY, message)
                .in_source(source)
                .at(place, "never used in a test")
                .help("write a scenario that needs it, or take it away: a reviewer grants what stands here");
            report.push(finding);
        }
    }
    report
}

/// A key that is a switch can be turned on without asking what for.
fn grant_kv(capability: &Capability<'_>, manifest: &Manifest, source: &Arc<SourceFile>) -> Option<Fix> {
    if capability.key != "kv" {
        return None;
    }
    let span = &manifest.capabilities.span;
    if span.is_empty() {
        Some(Fix::append("grant `kv`", source, "[capabilities]\nkv = true"))
    } else {
        Fix::insert_line_after("grant `kv`", source, span, "kv = true")
    }
}
