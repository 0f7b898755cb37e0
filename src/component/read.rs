//! Classifies WebAssembly files, and reads the imports and exports of components.

use erp_manifest::containment::contain;
use erp_manifest::contract::InterfaceSet;
use erp_manifest::diagnostics::Diagnostic;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId};

use super::bounds::{self, Excess};
use crate::codes::{CORE_MODULE, FOREIGN_NAME, INVALID_COMPONENT, NOT_WASM};

/// The kind of a file, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// A component.
    Component,
    /// A core module.
    CoreModule,
    /// Not WebAssembly.
    Other,
}

/// A component that was validated.
#[derive(Debug)]
pub struct ComponentInfo {
    /// The imports and exports.
    pub border: InterfaceSet,
    /// The number of core modules, including those of adapters.
    pub core_modules: usize,
    /// The types at its border.
    pub resolve: Resolve,
    /// The world of the component in `resolve`.
    pub world: WorldId,
}

/// Returns the kind of a file.
pub fn classify(bytes: &[u8]) -> Binary {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Binary::Component,
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => Binary::CoreModule,
        _ => Binary::Other,
    }
}

/// Validates a component and reads its border.
///
/// # Errors
/// A finding with the code `component/not-wasm`, `component/core-module` or `component/invalid`, or of an [`Excess`].
pub fn read(bytes: &[u8]) -> Result<ComponentInfo, Box<Diagnostic>> {
    match classify(bytes) {
        Binary::Component => {}
        Binary::CoreModule => {
            return Err(Box::new(
                Diagnostic::new(CORE_MODULE, "this is a core module, not a component")
                    .help("build for wasm32-wasip2: `erp-plugin build` does"),
            ));
        }
        Binary::Other => {
            return Err(Box::new(
                Diagnostic::new(NOT_WASM, format!("this is no WebAssembly: {}", first_bytes(bytes)))
                    .help("build the plugin with `erp-plugin build`"),
            ));
        }
    }
    if let Some(excess) = bounds::excess(bytes) {
        return Err(Box::new(refused(&excess)));
    }
    contain(|| decode(bytes)).unwrap_or_else(|panic| Err(invalid(&panic)))
}

fn invalid(why: &dyn std::fmt::Display) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(INVALID_COMPONENT, format!("the component is not valid: {why}")))
}

fn decode(bytes: &[u8]) -> Result<ComponentInfo, Box<Diagnostic>> {
    Validator::new_with_features(features()).validate_all(bytes).map_err(|error| invalid(&error.message()))?;
    let (resolve, world) = match wit_component::decode(bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => return Err(invalid(&"it is a WIT package")),
        Err(error) => return Err(invalid(&format!("{error:#}"))),
    };
    let core_modules =
        Parser::new(0).parse_all(bytes).filter(|payload| matches!(payload, Ok(Payload::ModuleSection { .. }))).count();
    Ok(ComponentInfo { border: InterfaceSet::of(&resolve, world), core_modules, resolve, world })
}

/// Creates the finding for a component that is refused before it is validated.
fn refused(excess: &Excess) -> Diagnostic {
    let help = if excess.code == FOREIGN_NAME {
        "the platform links the host API by its names and resolves nothing else: build with `erp-plugin build`"
    } else {
        "no plugin needs this; where yours does, split it or build with --release"
    };
    Diagnostic::new(excess.code, format!("the component is refused unread: {excess}")).help(help)
}

/// Returns a component's border as WIT.
pub fn wit_text(info: &ComponentInfo) -> String {
    let mut printer = wit_component::WitPrinter::default();
    let packages: Vec<_> = info.resolve.packages.iter().map(|(id, _)| id).collect();
    let Some(own) = info.resolve.worlds[info.world].package else { return String::new() };
    let nested: Vec<_> = packages.into_iter().filter(|id| *id != own).collect();
    match printer.print(&info.resolve, own, &nested) {
        Ok(()) => printer.output.to_string(),
        Err(error) => format!("// {error:#}\n"),
    }
}

/// Returns the WebAssembly features that a component may use. The host enables the same ones, so that it agrees with
/// `check`.
pub fn features() -> WasmFeatures {
    WasmFeatures::default()
        - WasmFeatures::THREADS
        - WasmFeatures::MEMORY64
        - WasmFeatures::EXCEPTIONS
        - WasmFeatures::GC
        - WasmFeatures::FUNCTION_REFERENCES
        - WasmFeatures::RELAXED_SIMD
}

fn first_bytes(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the file is empty".to_owned();
    }
    let shown: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("it begins with {} and not with 00 61 73 6d", shown.join(" "))
}
