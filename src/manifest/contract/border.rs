//! The border between a component and a host: interfaces with the signatures of their functions.

use std::collections::BTreeMap;

use semver::Version;
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use super::shape::Signature;

/// The interfaces that a component imports and exports, or that a world has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceSet {
    /// The imported interfaces.
    pub imports: Vec<Interface>,
    /// The exported interfaces.
    pub exports: Vec<Interface>,
}

/// An imported or exported interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The name, such as `erp:plugin/host-log@1.0.0`.
    pub name: String,
    /// The signatures of its functions, by name.
    pub functions: BTreeMap<String, Signature>,
}

impl InterfaceSet {
    /// The border of a world, or of a decoded component.
    pub fn of(resolve: &Resolve, world: WorldId) -> InterfaceSet {
        let world = &resolve.worlds[world];
        InterfaceSet { imports: interfaces(resolve, &world.imports), exports: interfaces(resolve, &world.exports) }
    }

    /// The names of the imports.
    pub fn import_names(&self) -> Vec<String> {
        self.imports.iter().map(|interface| interface.name.clone()).collect()
    }

    /// The names of the exports.
    pub fn export_names(&self) -> Vec<String> {
        self.exports.iter().map(|interface| interface.name.clone()).collect()
    }

    /// Returns whether the component imports a function of an interface of the host API, in any version.
    pub fn calls(&self, interface: &str, function: &str) -> bool {
        let prefix = format!("erp:plugin/{interface}");
        let is_meant =
            |name: &str| name == prefix || name.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('@'));
        self.imports.iter().any(|import| is_meant(&import.name) && import.functions.contains_key(function))
    }
}

/// Collects interfaces. Types are not listed, because they come with the interfaces that use them.
fn interfaces<'w>(resolve: &Resolve, items: impl IntoIterator<Item = (&'w WorldKey, &'w WorldItem)>) -> Vec<Interface> {
    items
        .into_iter()
        .filter_map(|(key, item)| {
            let name = resolve.name_world_key(key);
            match item {
                WorldItem::Interface { id, .. } => {
                    let functions = resolve.interfaces[*id].functions.iter();
                    let functions =
                        functions.map(|(name, function)| (name.clone(), Signature::of(resolve, function))).collect();
                    Some(Interface { name, functions })
                }
                WorldItem::Function(function) => {
                    let functions = BTreeMap::from([(function.name.clone(), Signature::of(resolve, function))]);
                    Some(Interface { name, functions })
                }
                WorldItem::Type { .. } => None,
            }
        })
        .collect()
}

/// Splits the name of an interface into the name without the version, and the version.
pub(super) fn split_version(name: &str) -> (&str, Option<Version>) {
    match name.split_once('@') {
        Some((base, version)) => (base, Version::parse(version).ok()),
        None => (name, None),
    }
}

/// Returns whether a host that offers one version also serves a component built for the other one. The name and the
/// major version must be the same (before 1.0 the minor version too), and the offered version must not be older.
pub(super) fn serves(offered: &str, wanted: &str) -> bool {
    let ((one, offered), (other, wanted)) = (split_version(offered), split_version(wanted));
    one == other
        && match (offered, wanted) {
            (Some(offered), Some(wanted)) => {
                let track = |version: &Version| if version.major > 0 { (version.major, 0) } else { (0, version.minor) };
                track(&offered) == track(&wanted) && offered >= wanted
            }
            (None, None) => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::serves;

    #[test]
    fn versions_serve_those_that_are_not_newer_on_the_same_track() {
        for (offered, wanted, expected) in [
            ("erp:plugin/host-db@1.2.0", "erp:plugin/host-db@1.0.0", true),
            ("erp:plugin/host-db@1.0.0", "erp:plugin/host-db@1.0.1", false),
            ("erp:plugin/host-db@2.0.0", "erp:plugin/host-db@1.0.0", false),
            ("a:b/c@0.2.3", "a:b/c@0.2.0", true),
            ("a:b/c@0.3.0", "a:b/c@0.2.0", false),
            ("erp:plugin/host-api", "erp:plugin/host-api", true),
            ("erp:plugin/host-api", "erp:plugin/host-api@1.0.0", false),
        ] {
            assert_eq!(serves(offered, wanted), expected, "{offered} for {wanted}");
        }
    }
}
