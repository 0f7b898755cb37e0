//! Replaces the WASI imports of a component.
//!
//! A guest that is compiled with std imports a dozen WASI interfaces, most of which it never calls. The platform
//! provides none. So the core module is rewritten: every `wasi:` import becomes a function inside the module. Standard
//! output and error go to the host's log; the clock and randomness come from the host. Functions that would leave the
//! sandbox return an error. Functions without a possible result (sleeping, exiting, a clock that the host API lacks)
//! write to the log and trap. Bodies of the guest's own functions keep their place where they can, so that debug
//! information stays right. `docs/decisions/0001-linking-wasi-away.md` gives the reasons.

mod compose;
mod core_module;
mod idle;
mod inert;
mod rewrite;
mod shim;

use std::collections::BTreeSet;

use thiserror::Error;
use wit_parser::{Resolve, WorldId};

pub use compose::{ComposeError, ComposedComponent, PLUGIN, Part, PartConnection, compose};
pub use idle::idle_guest;

use erp_component::ComponentInfo;
use erp_manifest::contract::HostApi;

use core_module::CoreModule;

/// A component without WASI imports.
#[derive(Debug)]
pub struct LinkedComponent {
    /// The component.
    pub component: Vec<u8>,
    /// The WASI interfaces that were linked away, without their versions.
    pub removed: Vec<String>,
}

/// The reason why a component could not be linked.
#[derive(Debug, Error)]
pub enum LinkError {
    /// It does not have exactly one core module with a memory.
    #[error("the component holds {0} core modules")]
    SeveralModules(usize),
    /// The core module does not have the form that compilers for wasm32-wasip2 produce.
    #[error("the core module cannot be rewritten: {0}")]
    Unsupported(String),
    /// The rewritten module could not be encoded as a component.
    #[error("the rewritten module could not be encoded: {0}")]
    Encode(String),
}

impl From<wasmparser::Error> for LinkError {
    fn from(error: wasmparser::Error) -> LinkError {
        LinkError::Unsupported(error.to_string())
    }
}

impl From<wasm_encoder::reencode::Error> for LinkError {
    fn from(error: wasm_encoder::reencode::Error) -> LinkError {
        LinkError::Unsupported(error.to_string())
    }
}

/// Removes WASI from a component that was built for a host API, or for none. `info` is the result of
/// [`erp_component::read`] for it. A component without WASI imports is returned unchanged.
///
/// # Errors
/// [`LinkError`].
pub fn link(component: &[u8], info: &ComponentInfo, host_api: &'static HostApi) -> Result<LinkedComponent, LinkError> {
    if !info.border.imports.iter().any(|import| import.name.starts_with("wasi:")) {
        return Ok(LinkedComponent { component: component.to_vec(), removed: Vec::new() });
    }
    let core = CoreModule::first_of(component)?;
    let host = if host_api.is_legacy() { shim::HOST_LEGACY } else { shim::HOST_1_0_0 };
    let shim = shim::Shim::new(host);
    let inert = inert::InertBodies::new(&info.resolve, info.world);
    let mut module = rewrite::rewrite(&core, &shim, &inert)?;
    wasmparser::Validator::new_with_features(erp_component::features())
        .validate_all(&module)
        .map_err(|error| LinkError::Encode(error.to_string()))?;

    let (resolve, world) = own_world(info, host_api).map_err(LinkError::Encode)?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8)
        .map_err(|error| LinkError::Encode(format!("{error:#}")))?;
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| LinkError::Encode(format!("{error:#}")))?;
    let removed: BTreeSet<String> = info
        .border
        .imports
        .iter()
        .filter(|import| import.name.starts_with("wasi:"))
        .map(|import| unversioned(&import.name).to_owned())
        .collect();
    Ok(LinkedComponent { component, removed: removed.into_iter().collect() })
}

/// The world of a component without WASI, with every function of the host that the rewritten module may import. It is
/// written as text and parsed with the complete host API: the component itself contains only the parts that it uses.
fn own_world(info: &ComponentInfo, host_api: &'static HostApi) -> Result<(Resolve, WorldId), String> {
    let packages = own_packages(info)?;
    let border = &info.border;
    // `world_of_text` imports the complete host API.
    let is_other = |name: &&str| !name.starts_with("wasi:") && !name.starts_with("erp:plugin/");
    let imports = border.imports.iter().map(|import| import.name.as_str()).filter(is_other);
    let imports = imports.map(|name| format!("import {name};"));
    let exports = border.exports.iter().map(|export| format!("export {};", export.name));
    host_api.world_of_text(&packages, &imports.chain(exports).collect::<Vec<_>>().join(" "))
}

/// The packages of a component's types as text, except WASI's, the host API and the component's own.
///
/// # Errors
/// The reason why a package cannot be written as text.
pub fn own_packages(info: &ComponentInfo) -> Result<Vec<String>, String> {
    let mut packages = Vec::new();
    for (id, package) in &info.resolve.packages {
        let is_own = info.resolve.worlds[info.world].package == Some(id);
        let is_host = package.name.namespace == "erp" && package.name.name == "plugin";
        if !is_own && !is_host && package.name.namespace != "wasi" {
            let mut printer = wit_component::WitPrinter::default();
            printer.print(&info.resolve, id, &[]).map_err(|error| format!("{error:#}"))?;
            packages.push(printer.output.to_string());
        }
    }
    Ok(packages)
}

/// `wasi:io/streams@0.2.6` → `wasi:io/streams`. One module may import several versions of an interface, and all are
/// treated alike here.
fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}
