//! A component against a world, by structure.

use wit_parser::{Resolve, WorldId, WorldItem};

use super::World;
use crate::diagnostics::{Diagnostic, Report, codes};

/// The interfaces that a component imports and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceUse {
    /// Names such as `erp:plugin/host-log@1.0.0`.
    pub imports: Vec<String>,
    /// Names such as `erp:plugin/base@1.0.0`.
    pub exports: Vec<String>,
}

impl InterfaceUse {
    /// The interfaces, functions and types at the border of a decoded component.
    pub fn of(resolve: &Resolve, world: WorldId) -> InterfaceUse {
        let world = &resolve.worlds[world];
        // Types come along with the interfaces that use them and are no imports of their own.
        let is_interface = |(_, item): &(_, &WorldItem)| !matches!(item, WorldItem::Type { .. });
        InterfaceUse {
            imports: world.imports.iter().filter(is_interface).map(|(key, _)| resolve.name_world_key(key)).collect(),
            exports: world.exports.iter().filter(is_interface).map(|(key, _)| resolve.name_world_key(key)).collect(),
        }
    }
}

/// What keeps a component from loading into a world. `component` is its bytes, `used` what it
/// imports and exports.
pub fn compare(component: &[u8], used: &InterfaceUse, world: &World) -> Report {
    let mut report = Report::new();
    let imports = world.imports();
    let exports = world.exports();
    let place = format!("world `{}` of {}", world.name, world.host_api.abi);

    let foreign =
        used.exports.iter().any(|name| is_host_api(name)) && !used.exports.iter().any(|name| exports.contains(name));
    if foreign {
        let found: Vec<&str> = used.exports.iter().map(String::as_str).filter(|name| is_host_api(name)).collect();
        let found = found.join(", ");
        report.push(
            Diagnostic::new(codes::WRONG_WORLD, format!("the component is not built for {place}"))
                .help(format!("it exports {found}; the manifest's [runtime] abi and world must say so")),
        );
        return report;
    }
    for name in used.imports.iter().filter(|name| !imports.contains(name)) {
        let help = match name.split_once(':') {
            Some(("wasi", _)) => {
                "`erp-plugin build` links WASI away; a component from elsewhere must be built without it"
            }
            Some(("erp", _)) => "name a world or version that offers it in [runtime], or do not call it",
            _ => "take away the crate that calls this host",
        };
        report.push(Diagnostic::new(codes::UNKNOWN_IMPORT, format!("`{name}` is not offered by {place}")).help(help));
    }
    for name in exports.iter().filter(|name| !used.exports.contains(name)) {
        report.push(
            Diagnostic::new(codes::MISSING_EXPORT, format!("`{name}` is missing, which {place} promises"))
                .help("implement its `Guest` trait, or name a smaller world in [runtime]"),
        );
    }
    for name in used.exports.iter().filter(|name| !exports.contains(name)) {
        report
            .push(Diagnostic::new(codes::UNUSED_EXPORT, format!("`{name}` is not known to {place}: nobody calls it")));
    }
    if !report.has_errors()
        && let Err(error) = wit_component::targets(&world.resolve, world.id, component)
    {
        let why = format!("{error:#}");
        report.push(
            Diagnostic::new(codes::INTERFACE_MISMATCH, format!("a type at the border differs from {place}"))
                .help(format!("{}; run `erp-plugin generate` and build again", one_line(&why))),
        );
    }
    report
}

/// An error with its causes on one line of a bounded length.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cause = words.rsplit("type mismatch for ").next().unwrap_or(&words);
    cause.chars().take(300).collect()
}

fn is_host_api(name: &str) -> bool {
    name.starts_with("erp:plugin/")
}
