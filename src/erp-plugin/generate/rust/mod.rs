//! `src/erp/`: the manifest and the host API in Rust.
//!
//! Everything is plain text without procedural macros, so that a cold build of a guest takes seconds. The parts that
//! are the same for every plugin are in `templates/toolkit/`; the world determines which of them are included.

mod bindings;
mod code;
mod entities;
mod entity_names;
mod events;
mod exports;
mod names;
mod nodes;
mod settings;
mod types;

use erp_manifest::contract::World;
use erp_manifest::{BaseType, FieldType, Manifest, PropertyKind, SettingType};

use super::{GenerateError, GeneratedFile, MARK};
use code::SourceWriter;

/// The path of the bindings for a plugin without the rest of the toolkit.
const BARE: &str = "src/bindings.rs";

/// The parts of the toolkit that a world needs.
pub(super) struct ToolkitParts {
    data: bool,
    full: bool,
    config: bool,
    tenants: bool,
    events: bool,
    actions: bool,
    processor: bool,
    nodes: bool,
    /// Conversions between JSON and Rust.
    json: bool,
    decimals: bool,
}

impl ToolkitParts {
    fn of(manifest: &Manifest, world: &World) -> ToolkitParts {
        let border = world.border();
        let imports = |name: &str| border.imports.iter().any(|known| known.name.contains(&format!("/{name}@")));
        let exports = |name: &str| border.exports.iter().any(|known| known.name.contains(&format!("/{name}@")));
        let (data, config) = (imports("host-db"), imports("host-config"));
        let (nodes, actions, events) = (exports("nodes"), exports("actions"), exports("event-handler"));
        ToolkitParts {
            data,
            full: imports("host-http"),
            config,
            tenants: exports("tenant-hooks"),
            events,
            actions,
            processor: exports("processor"),
            nodes,
            json: data || config || nodes || actions || events,
            decimals: data && has_decimals(manifest)
                || config && number_settings(manifest)
                || nodes && node_decimals(manifest),
        }
    }
}

fn has_decimals(manifest: &Manifest) -> bool {
    let fields = manifest.schema.entities.iter().flat_map(|entity| &entity.fields).map(|field| *field.field_type);
    let payload_types = manifest.events.publishes.iter().flat_map(|event| event.payload.values());
    let payload_types = payload_types.filter_map(|kind| FieldType::from_word(kind));
    fields.chain(payload_types).any(|field_type| field_type.base() == BaseType::Decimal)
}

fn number_settings(manifest: &Manifest) -> bool {
    manifest.settings.fields.iter().any(|field| field.setting_type == SettingType::Number)
}

fn node_decimals(manifest: &Manifest) -> bool {
    let properties = manifest.nodes.iter().flat_map(|node| &node.properties);
    properties.into_iter().any(|property| *property.kind == PropertyKind::Decimal)
}

/// The crates that the files need in addition to `wit-bindgen`, as `Cargo.toml` names them.
pub fn needed_crates(manifest: &Manifest, world: &World) -> Vec<&'static str> {
    if is_bare(manifest, world) {
        return Vec::new();
    }
    let parts = ToolkitParts::of(manifest, world);
    let mut needed = Vec::new();
    needed.extend(parts.decimals.then_some("rust_decimal"));
    needed.extend(parts.json.then_some("serde_json"));
    needed
}

fn is_bare(manifest: &Manifest, world: &World) -> bool {
    world.host_api.is_legacy() || !manifest.build.toolkit
}

/// Returns the files for a manifest and its world, with their paths in the project.
///
/// # Errors
/// [`GenerateError`], which is a bug where the world is one of the embedded ones.
pub(super) fn rust_files(manifest: &Manifest, world: &World) -> Result<Vec<GeneratedFile>, GenerateError> {
    if is_bare(manifest, world) {
        return Ok(vec![GeneratedFile::new(BARE, bindings::rust_bindings(world, "crate::bindings")?)]);
    }
    let parts = ToolkitParts::of(manifest, world);
    let mut files = vec![
        GeneratedFile::new("src/erp/mod.rs", root(manifest, &parts)),
        GeneratedFile::new("src/erp/bindings.rs", bindings::rust_bindings(world, "crate::erp::bindings")?),
        GeneratedFile::new("src/erp/exports.rs", exports::file(manifest, &parts)),
        GeneratedFile::new("src/erp/host.rs", host(world)),
        GeneratedFile::new("src/erp/mock/mod.rs", mock(&parts)),
    ];
    let mut add = |is_there: bool, name: &str, text: String| {
        if is_there {
            files.push(GeneratedFile::new(&format!("src/erp/{name}.rs"), text));
        }
    };
    add(true, "error", vendored(include_str!("../../../../templates/toolkit/rust/error.rs")));
    add(true, "log", vendored(include_str!("../../../../templates/toolkit/rust/log.rs")));
    add(true, "permission", vendored(include_str!("../../../../templates/toolkit/rust/permission.rs")));
    add(true, "permissions", settings::permissions(manifest));
    add(parts.json, "value", vendored(include_str!("../../../../templates/toolkit/rust/value.rs")));
    add(parts.data, "calendar", vendored(include_str!("../../../../templates/toolkit/rust/calendar.rs")));
    add(parts.decimals, "decimal", vendored(include_str!("../../../../templates/toolkit/rust/decimal.rs")));
    add(parts.config, "setting", vendored(include_str!("../../../../templates/toolkit/rust/setting.rs")));
    add(parts.config, "settings", settings::settings(manifest));
    add(parts.data, "entity", vendored(include_str!("../../../../templates/toolkit/rust/entity.rs")));
    add(parts.data, "entities", entities::file(manifest, has_decimals(manifest)));
    add(parts.data, "events", events::file(manifest, has_decimals(manifest)));
    add(parts.data, "numbering", settings::numbering(manifest));
    add(parts.nodes, "node", vendored(include_str!("../../../../templates/toolkit/rust/node.rs")));
    add(parts.nodes, "nodes", nodes::file(manifest));
    add(true, "mock/basics", vendored(include_str!("../../../../templates/toolkit/rust/mock/basics.rs")));
    add(
        true,
        "mock/state",
        vendored(&marked(include_str!("../../../../templates/toolkit/rust/mock/state.rs"), parts.json)),
    );
    add(parts.config, "mock/config", vendored(include_str!("../../../../templates/toolkit/rust/mock/config.rs")));
    add(parts.data, "mock/data", vendored(include_str!("../../../../templates/toolkit/rust/mock/data.rs")));
    add(parts.full, "mock/full", vendored(include_str!("../../../../templates/toolkit/rust/mock/full.rs")));
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// A part with its sections `// With JSON:` … `// End.`, or without them; the marker lines are removed.
fn marked(text: &str, with_json: bool) -> String {
    let mut is_inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        match line.trim() {
            "// With JSON:" => is_inside = true,
            "// End." => is_inside = false,
            _ if is_inside && !with_json => {}
            _ => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    kept
}

/// A part that is the same for every plugin, with the notice of generated files.
fn vendored(text: &str) -> String {
    let (about, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    format!("{about}\n//! {MARK}\n\n{rest}")
}

fn root(manifest: &Manifest, parts: &ToolkitParts) -> String {
    let mut code =
        SourceWriter::file(&format!("`{}`: what plugin.toml declares, and the host, in Rust.", *manifest.metadata.id));
    code.line("#![allow(dead_code, unused_imports, reason = \"no plugin uses all of it\")]");
    code.line("#![allow(unsafe_code, reason = \"calls of the host cross the border of the sandbox\")]");
    code.line("#![allow(missing_docs, clippy::pedantic, clippy::nursery, reason = \"it is made, and not written\")]");
    code.blank();
    code.line("pub mod bindings;");
    for (is_there, name, is_public) in [
        (parts.data, "calendar", false),
        (parts.decimals, "decimal", false),
        (parts.data, "entities", true),
        (parts.data, "entity", false),
        (true, "error", false),
        (parts.data, "events", true),
        (true, "exports", false),
        (true, "host", true),
        (true, "log", true),
        (parts.nodes, "node", false),
        (parts.nodes, "nodes", true),
        (parts.data, "numbering", true),
        (true, "permission", false),
        (true, "permissions", true),
        (parts.config, "setting", false),
        (parts.config, "settings", true),
        (parts.json, "value", false),
    ] {
        if is_there {
            code.line(format!("{}mod {name};", if is_public { "pub " } else { "" }));
        }
    }
    code.blank();
    code.line("#[cfg(not(target_arch = \"wasm32\"))]");
    code.line("pub mod mock;");
    code.blank();
    if parts.data {
        code.line("pub use calendar::{Date, DateTime, Time};");
    }
    if parts.decimals {
        code.line("pub use decimal::Decimal;");
    }
    if parts.data {
        code.line("pub use entity::{Batch, Entity, Field, Filter, NewRow, Patch, Query, Sort, Step, Written};");
    }
    code.line("pub use error::{Error, Result, refuse, try_later};");
    code.line("pub use exports::*;");
    if parts.nodes {
        code.line("pub use node::{Choice, MAIN, Outputs, Run};");
    }
    code.line("pub use permission::Permission;");
    if parts.json {
        code.line("pub use value::{Fields, Id, JsonValue, Uuid};");
    }
    code.finish()
}

/// The names of the interfaces that the world imports, without their package.
fn interfaces(world: &World) -> Vec<String> {
    let border = world.border();
    let names = border.imports.iter().filter(|interface| !interface.functions.is_empty());
    let names = names.filter(|interface| interface.name.starts_with("erp:plugin/"));
    let short = |name: &str| name.split(['/', '@']).nth(1).unwrap_or(name).replace('-', "_");
    let mut names: Vec<String> = names.map(|interface| short(&interface.name)).collect();
    names.sort();
    names
}

fn host(world: &World) -> String {
    let mut code = SourceWriter::file("The host: the real one in a component, another one in unit tests.");
    let names = interfaces(world).join(", ");
    code.line("#[cfg(target_arch = \"wasm32\")]");
    code.line(format!("pub use super::bindings::erp::plugin::{{{names}}};"));
    code.line("#[cfg(not(target_arch = \"wasm32\"))]");
    code.line(format!("pub use super::mock::{{{names}}};"));
    code.finish()
}

fn mock(parts: &ToolkitParts) -> String {
    let mut code = SourceWriter::file("A host for unit tests.");
    let mut modules = vec![("basics", "host_clock, host_context, host_log, start, with")];
    modules.extend(parts.config.then_some(("config", "host_config")));
    modules.extend(parts.data.then_some(("data", "host_db, host_events, host_expr, host_kv, host_numbering")));
    modules.extend(parts.full.then_some(("full", "host_blob, host_http, host_memory")));
    code.lines(modules.iter().map(|(name, _)| format!("mod {name};")));
    code.line("mod state;");
    code.blank();
    code.line("use super::error::refuse;");
    code.lines(modules.iter().map(|(name, used)| format!("pub use {name}::{{{used}}};")));
    code.line("pub use state::Mock;");
    code.finish()
}
