//! The host API and world that the component is built for, and its budgets.

use std::net::IpAddr;

use erp_manifest::codes::codes;
use erp_manifest::document::codes::INVALID_VALUE;
use erp_manifest::document::did_you_mean;
use erp_manifest::outgoing::{UrlPattern, UrlPatternError};
use erp_manifest::{ByteSize, MAX_MEMORY, contract};

use super::super::{CheckSubject, Findings};

codes! {
    MISSING_EXPORT_FOR_EVENTS = "manifest/events-without-handler", finding(Error), "The manifest subscribes to events, or has actions or nodes, but the world has no export for them.",
        why: "The platform would have nothing to call.",
        fix: "Name a world with the export: `event-plugin` for events, `action-plugin` for actions, `entity-plugin` for both, `node-plugin` for nodes.";
    UNKNOWN_ABI = "manifest/unknown-abi", finding(Error), "A host API version or a world that this tool does not know.",
        why: "Nothing can be said about whether the component would load.",
        fix: "Use one of those that the finding names, or update erp-plugin.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    for pattern in manifest.capabilities.http.iter().chain(&manifest.capabilities.deny.http) {
        let Err(error) = UrlPattern::parse(pattern) else { continue };
        let (label, help) = match &error {
            UrlPatternError::NoAddress => {
                ("no address", "write it like `https://api.example.com/v1/*`; the host may begin with `*.`".to_owned())
            }
            UrlPatternError::Disguised(address) => {
                let plain = match address {
                    IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(*address), IpAddr::V4),
                    IpAddr::V4(_) => *address,
                };
                ("disguised", format!("write {plain}, if that is what you mean: a reviewer must see where it leads"))
            }
        };
        findings.add(INVALID_VALUE, pattern.span(), format!("`{pattern}`: {error}"), label, Some(help));
    }
    let runtime = &manifest.runtime;
    if runtime.memory.0 > MAX_MEMORY {
        let message = format!("{} of memory are more than a call may be given", *runtime.memory);
        findings.add(INVALID_VALUE, runtime.memory.span(), message, &format!("at most {}", ByteSize(MAX_MEMORY)), None);
    }
    if *runtime.fuel == 0 || runtime.timeout.0.is_zero() {
        let span = if *runtime.fuel == 0 { runtime.fuel.span() } else { runtime.timeout.span() };
        findings.add(INVALID_VALUE, span, "a budget of 0 lets no call run", "no budget", None);
    }
    let Some(host_api) = contract::find(&runtime.abi) else {
        let known: Vec<&str> = contract::versions().iter().map(|version| version.abi).collect();
        let message = format!("the host API `{}` is not known to this tool", *runtime.abi);
        findings.add(UNKNOWN_ABI, runtime.abi.span(), message, "unknown", did_you_mean(&runtime.abi, known));
        return;
    };
    let name = runtime.world.as_ref().map_or(host_api.default_world, |world| world.as_str());
    let span = runtime.world.as_ref().map_or_else(|| runtime.span.clone(), erp_manifest::diagnostics::Spanned::span);
    let Some(world) = host_api.world(name).filter(|_| host_api.worlds.contains(&name)) else {
        let message = format!("{} has no world `{name}`", host_api.abi);
        findings.add(UNKNOWN_ABI, span, message, "unknown", did_you_mean(name, host_api.worlds.iter().copied()));
        return;
    };
    let exports = world.border().export_names();
    let has = |interface: &str| host_api.is_legacy() || exports.iter().any(|name| name.contains(interface));
    if let Some(pattern) = manifest.events.subscribe.first().filter(|_| !has("/event-handler@")) {
        let message = format!("the world `{name}` cannot hear events");
        let help = "write `world = \"event-plugin\"` or `\"entity-plugin\"` into [runtime]".to_owned();
        findings.add(MISSING_EXPORT_FOR_EVENTS, pattern.span(), message, "nobody would hear it", Some(help));
    }
    let no_actions = !has("/actions@") || host_api.is_legacy();
    let handler = manifest.migrations.iter().find_map(|migration| migration.handler.as_ref());
    let called = manifest.ui.actions.first().map(|action| action.name.span());
    if let Some(called) =
        called.or_else(|| handler.map(erp_manifest::diagnostics::Spanned::span)).filter(|_| no_actions)
    {
        let message = format!("the world `{name}` has no actions");
        let help = "write `world = \"action-plugin\"` or `\"entity-plugin\"` into [runtime]".to_owned();
        findings.add(MISSING_EXPORT_FOR_EVENTS, called, message, "nothing to call", Some(help));
    }
    if let Some(node) = manifest.nodes.first().filter(|_| !has("/nodes@") || host_api.is_legacy()) {
        let message = format!("the world `{name}` has no nodes");
        let help = "write `world = \"node-plugin\"` into [runtime]".to_owned();
        findings.add(MISSING_EXPORT_FOR_EVENTS, node.kind.span(), message, "nobody would run it", Some(help));
    }
}
