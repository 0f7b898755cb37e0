//! Which versions and worlds of the host API a component loads into.

use super::border::Border;
use super::compare::{Mismatch, compare};
use super::version::{HostApi, versions};

/// A world, and whether a component fits it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The version.
    pub host_api: &'static HostApi,
    /// The world.
    pub world: &'static str,
    /// What keeps the component from loading; empty where it loads.
    pub mismatches: Vec<Mismatch>,
    /// Interfaces that the world promises to the host.
    exports: usize,
    /// Interfaces that the world may ask the host for.
    imports: usize,
}

impl Target {
    /// True where the component loads.
    pub fn loads(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// A component against every world of every version, the oldest version first.
pub fn targets(component: &Border) -> Vec<Target> {
    versions()
        .into_iter()
        .flat_map(|host_api| host_api.worlds.iter().map(move |name| (host_api, *name)))
        .filter_map(|(host_api, name)| {
            let border = host_api.world(name)?.border();
            let mut mismatches = compare(component, &border);
            mismatches.retain(Mismatch::prevents_loading);
            Some(Target {
                host_api,
                world: name,
                mismatches,
                exports: border.exports.len(),
                imports: border.imports.len(),
            })
        })
        .collect()
}

/// The world to name in the manifest: of the oldest version that the component loads into, the one whose exports
/// the component has all of, so that nothing that it offers is lost; of several such, the narrowest.
pub fn best_target(targets: &[Target]) -> Option<&Target> {
    let oldest = targets.iter().find(|target| target.loads())?;
    let same = targets.iter().filter(|target| target.loads() && target.host_api.abi == oldest.host_api.abi);
    same.max_by_key(|target| (target.exports, std::cmp::Reverse(target.imports)))
}
