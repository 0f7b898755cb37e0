//! The host API of one plugin: its world, with the functions that its manifest grants.
//!
//! Guests in TypeScript and Python import every function of the WIT that they are built for, used or not. With the
//! complete API they would import functions that the manifest does not grant.

use erp_manifest::contract::{HostFunction, World};
use erp_manifest::{Manifest, forbidden_functions};
use wit_component::WitPrinter;
use wit_parser::WorldItem;

use super::{GenerateError, MARK};

/// The path of the WIT file in a project.
pub const WIT_FILE: &str = "src/erp/wit/plugin.wit";

/// Returns the text of the package, reduced to one world.
pub(super) fn granted_wit(manifest: &Manifest, world: &World) -> Result<String, GenerateError> {
    let mut resolve = world.resolve.clone();
    let Some(package) = resolve.worlds[world.id].package else {
        return Err(GenerateError { world: world.name.clone(), reason: "it is in no package".to_owned() });
    };
    resolve.packages[package].worlds.retain(|_, id| *id == world.id);
    for (interface, function) in forbidden_functions(manifest).flat_map(HostFunction::places) {
        if let Some(id) = resolve.packages[package].interfaces.get(interface).copied() {
            resolve.interfaces[id].functions.shift_remove(function);
        }
    }
    let used = |items: &mut dyn Iterator<Item = &WorldItem>| -> Vec<_> {
        items
            .filter_map(|item| match item {
                WorldItem::Interface { id, .. } => Some(*id),
                _ => None,
            })
            .collect()
    };
    let empty: Vec<_> = used(&mut resolve.worlds[world.id].imports.values())
        .into_iter()
        .filter(|id| resolve.interfaces[*id].functions.is_empty() && resolve.interfaces[*id].types.is_empty())
        .collect();
    let is_empty = |item: &WorldItem| matches!(item, WorldItem::Interface { id, .. } if empty.contains(id));
    resolve.worlds[world.id].imports.retain(|_, item| !is_empty(item));
    let mut wanted = used(&mut resolve.worlds[world.id].imports.values());
    wanted.extend(used(&mut resolve.worlds[world.id].exports.values()));
    resolve.packages[package].interfaces.retain(|_, id| wanted.contains(id));
    let mut printer = WitPrinter::default();
    printer
        .print(&resolve, package, &[])
        .map_err(|error| GenerateError { world: world.name.clone(), reason: format!("{error:#}") })?;
    Ok(format!("// The host API as plugin.toml grants it.\n// {MARK}\n{}", printer.output))
}
