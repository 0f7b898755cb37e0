//! A component against a world, by structure.

use super::border::{Border, Interface, serves, split_version};
use super::shape::ShapeDifference;

/// One thing that keeps a component from loading into a world, or is unused there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It is built for another world: it exports interfaces of the host API, and none of the world's.
    OtherWorld {
        /// What it exports.
        exports: Vec<String>,
    },
    /// It asks for an interface that the host does not have.
    UnknownImport {
        /// The interface.
        import: String,
    },
    /// It asks for an interface of a version that the host does not serve.
    OtherVersion {
        /// The interface, with its version.
        import: String,
        /// The interface as the host has it.
        offered: String,
    },
    /// It calls a function that the interface does not have.
    UnknownFunction {
        /// The interface.
        import: String,
        /// The function.
        function: String,
    },
    /// It lacks an interface that the world promises.
    MissingExport {
        /// The interface.
        export: String,
    },
    /// An interface that it offers lacks a function.
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
        /// Where and how.
        difference: ShapeDifference,
    },
    /// It offers an unused function.
    UnusedExport {
        /// The interface.
        export: String,
    },
}

impl Mismatch {
    /// False for what does not keep the component from loading.
    pub fn prevents_loading(&self) -> bool {
        !matches!(self, Mismatch::UnusedExport { .. })
    }

    /// In a few words, for a table.
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

/// Everything in which a component differs from what a world offers and promises.
pub fn compare(component: &Border, world: &Border) -> Vec<Mismatch> {
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

fn one_import(import: &Interface, world: &Border, found: &mut Vec<Mismatch>) {
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

/// An interface of the host API by its own name, and any other one in full.
fn short(name: &str) -> &str {
    let own = name.strip_prefix("erp:plugin/").map(|name| name.split('@').next().unwrap_or(name));
    own.unwrap_or(name)
}

fn is_host_api(name: &str) -> bool {
    name.starts_with("erp:plugin/")
}
