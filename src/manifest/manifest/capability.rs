//! Which capabilities a manifest grants.

use super::Manifest;
use crate::contract::{Capability, HostFunction};
use crate::diagnostics::{Span, Spanned};

/// Whether a manifest grants a capability, and where.
#[derive(Debug)]
pub struct CapabilityGrant {
    /// The capability.
    pub capability: Capability,
    /// Whether the manifest grants it, at least in part.
    pub is_granted: bool,
    /// The switch or the first item of the list; `None` for an empty list.
    pub place: Option<Span>,
}

/// Returns the state of every capability in a manifest.
pub fn capability_grants(manifest: &Manifest) -> [CapabilityGrant; 8] {
    let granted = &manifest.capabilities;
    let list = |items: &[Spanned<String>]| (!items.is_empty(), items.first().map(Spanned::span));
    let switch = |switch: &Spanned<bool>| (**switch, Some(switch.span()));
    Capability::ALL.map(|capability| {
        let (is_granted, place) = match capability {
            Capability::Publish => list(&granted.publish),
            Capability::Config => list(&granted.config),
            Capability::Kv => switch(&granted.kv),
            Capability::Secrets => list(&granted.secrets),
            Capability::Http => list(&granted.http),
            Capability::Blob => switch(&granted.blob),
            Capability::Memory => switch(&granted.memory),
            Capability::ReadEntities => list(&granted.read_entities),
        };
        CapabilityGrant { capability, is_granted, place }
    })
}

/// The host functions that a plugin with this manifest can never call, whatever the arguments.
pub fn forbidden_functions(manifest: &Manifest) -> impl Iterator<Item = HostFunction> {
    let closed = capability_grants(manifest).into_iter().filter(|grant| !grant.is_granted);
    closed.map(|grant| grant.capability).filter(|one| one.is_needed_by_every_call()).flat_map(Capability::functions)
}
