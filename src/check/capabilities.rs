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

/// Every capability that the manifest can grant.
fn capabilities(manifest: &Manifest) -> [Capability<'_>; 8] {
    let granted = &manifest.capabilities;
    let list = |items: &[Spanned<String>]| items.first().map(Spanned::span);
    [
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
            key: "secrets",
            functions: &[("host-config", "secret")],
            is_granted: !granted.secrets.is_empty(),
            place: list(&granted.secrets),
            example: "secrets = [\"<key>\"]",
        },
        Capability {
            key: "http",
            functions: &[("host-http", "send")],
            is_granted: !granted.http.is_empty(),
            place: list(&granted.http),
            example: "http = [\"https://<host>/<path>/*\"]",
        },
        Capability {
            key: "blob",
            functions: &[("host-blob", "put"), ("host-blob", "get"), ("host-blob", "stat"), ("host-blob", "delete")],
            is_granted: *granted.blob,
            place: Some(granted.blob.span()),
            example: "blob = true",
        },
        Capability {
            key: "memory",
            functions: &[
                ("host-memory", "append"),
                ("host-memory", "recent"),
                ("host-memory", "search"),
                ("host-memory", "clear"),
            ],
            is_granted: *granted.memory,
            place: Some(granted.memory.span()),
            example: "memory = true",
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
    ]
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
                let finding = Diagnostic::new(codes::UNDECLARED_CAPABILITY, message).help(format!(
                    "write `{}` into [capabilities]; without it every such call is refused",
                    capability.example
                ));
                report.push(finding.maybe_fixed(source, |source| grant_switch(&capability, manifest, source)));
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
fn grant_switch(capability: &Capability<'_>, manifest: &Manifest, source: &Arc<SourceFile>) -> Option<Fix> {
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
