//! Which versions and worlds of the host API a component loads into.

use super::border::InterfaceSet;
use super::compare::{Mismatch, compare};
use super::version::{HostApi, versions};

/// A world, and whether a component fits it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The version of the host API.
    pub host_api: &'static HostApi,
    /// The name of the world.
    pub world: &'static str,
    /// The mismatches that prevent loading; empty if the component loads.
    pub mismatches: Vec<Mismatch>,
    /// The number of interfaces that the world exports.
    exports: usize,
    /// The number of interfaces that the world imports.
    imports: usize,
}

impl Target {
    /// Returns whether the component loads.
    pub fn loads(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// Compares a component with every world of every version, the oldest version first.
pub fn targets(component: &InterfaceSet) -> Vec<Target> {
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

/// Returns the world to name in the manifest. It belongs to the oldest version that the component loads into. Of the
/// worlds there that the component loads into, it has the most exports, so that no export is unused. Among several such
/// worlds, it has the fewest imports.
pub fn best_target(targets: &[Target]) -> Option<&Target> {
    let oldest = targets.iter().find(|target| target.loads())?;
    let same = targets.iter().filter(|target| target.loads() && target.host_api.abi == oldest.host_api.abi);
    same.max_by_key(|target| (target.exports, std::cmp::Reverse(target.imports)))
}
