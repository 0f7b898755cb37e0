//! Comparison of a component with a world, by structure.

use super::border::{Interface, InterfaceSet, serves, split_version};
use super::shape::ShapeDifference;

/// A difference that prevents a component from loading into a world, or an export that the world does not use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The component is built for another world: it exports interfaces of the host API, but none of this world.
    OtherWorld {
        /// The interfaces of the host API that it exports.
        exports: Vec<String>,
    },
    /// It imports an interface that the host does not have.
    UnknownImport {
        /// The interface.
        import: String,
    },
    /// It imports an interface in a version that the host does not serve.
    OtherVersion {
        /// The interface, with its version.
        import: String,
        /// The interface, with the version of the host.
        offered: String,
    },
    /// It imports a function that the interface does not have.
    UnknownFunction {
        /// The interface.
        import: String,
        /// The function.
        function: String,
    },
    /// It lacks an interface that the world exports.
    MissingExport {
        /// The interface.
        export: String,
    },
    /// An interface that it exports lacks a function.
    MissingFunction {
        /// The interface.
        export: String,
        /// The function.
        function: String,
    },
    /// A function has another type.
    OtherType {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
        /// The part that differs, with both types.
        difference: ShapeDifference,
    },
    /// It exports an interface that the world does not have.
    UnusedExport {
        /// The interface.
        export: String,
    },
}

impl Mismatch {
    /// Returns whether the mismatch prevents loading; an unused export does not.
    pub fn prevents_loading(&self) -> bool {
        !matches!(self, Mismatch::UnusedExport { .. })
    }

    /// A short description, for a table.
    pub fn reason(&self) -> String {
        match self {
            Mismatch::OtherWorld { .. } => "it exports nothing of this world".to_owned(),
            Mismatch::UnknownImport { import } => format!("it imports {}", short(import)),
            Mismatch::OtherVersion { import, .. } => format!("it imports {import}, of another version"),
            Mismatch::UnknownFunction { import, function } => format!("it calls {function} of {}", short(import)),
            Mismatch::MissingExport { export } => format!("it lacks {}", short(export)),
            Mismatch::MissingFunction { export, function } => format!("it lacks {function} of {}", short(export)),
            Mismatch::OtherType { interface, function, .. } => {
                format!("{function} of {} has another type", short(interface))
            }
            Mismatch::UnusedExport { export } => format!("nobody calls {}", short(export)),
        }
    }
}

/// Returns all differences between a component and the imports and exports of a world. A component for another world
/// has only that one.
pub fn compare(component: &InterfaceSet, world: &InterfaceSet) -> Vec<Mismatch> {
    let own: Vec<String> = component.export_names().into_iter().filter(|name| is_host_api(name)).collect();
    if !own.is_empty()
        && !component.exports.iter().any(|export| world.exports.iter().any(|known| known.name == export.name))
    {
        return vec![Mismatch::OtherWorld { exports: own }];
    }
    let mut found = Vec::new();
    for import in &component.imports {
        one_import(import, world, &mut found);
    }
    for promised in &world.exports {
        let Some(export) = component.exports.iter().find(|export| export.name == promised.name) else {
            found.push(Mismatch::MissingExport { export: promised.name.clone() });
            continue;
        };
        for (name, wanted) in &promised.functions {
            match export.functions.get(name) {
                None => found.push(Mismatch::MissingFunction { export: export.name.clone(), function: name.clone() }),
                Some(signature) => found.extend(signature.difference(wanted).map(|difference| Mismatch::OtherType {
                    interface: export.name.clone(),
                    function: name.clone(),
                    difference,
                })),
            }
        }
    }
    for export in component.exports.iter().filter(|export| !world.exports.iter().any(|known| known.name == export.name))
    {
        found.push(Mismatch::UnusedExport { export: export.name.clone() });
    }
    found
}

fn one_import(import: &Interface, world: &InterfaceSet, found: &mut Vec<Mismatch>) {
    let Some(offered) = world.imports.iter().find(|offered| serves(&offered.name, &import.name)) else {
        let (base, _) = split_version(&import.name);
        found.push(match world.imports.iter().find(|offered| split_version(&offered.name).0 == base) {
            Some(offered) => Mismatch::OtherVersion { import: import.name.clone(), offered: offered.name.clone() },
            None => Mismatch::UnknownImport { import: import.name.clone() },
        });
        return;
    };
    for (name, signature) in &import.functions {
        match offered.functions.get(name) {
            None => found.push(Mismatch::UnknownFunction { import: import.name.clone(), function: name.clone() }),
            Some(wanted) => found.extend(signature.difference(wanted).map(|difference| Mismatch::OtherType {
                interface: import.name.clone(),
                function: name.clone(),
                difference,
            })),
        }
    }
}

/// Returns the short name of an interface of the host API; any other name in full.
fn short(name: &str) -> &str {
    let own = name.strip_prefix("erp:plugin/").map(|name| name.split('@').next().unwrap_or(name));
    own.unwrap_or(name)
}

fn is_host_api(name: &str) -> bool {
    name.starts_with("erp:plugin/")
}
