//! The guest of a plugin without code: it exports all that a world asks for, and does nothing in each.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, FunctionKind, ManglingAndAbi, Resolve, WasmExport, WorldId, WorldItem, WorldKey};

/// Where every result lies: memory is zero there, and zero is `ok`, nothing, or an empty list.
const ZEROS: u32 = 16;
/// From here on memory is given away, and never taken back: an instance serves one call.
const FREE: u32 = 4096;

/// A component for a world. The same world gives the same bytes.
///
/// # Errors
/// Which export needs code of its own.
pub fn idle_guest(resolve: &Resolve, world: WorldId) -> Result<Vec<u8>, String> {
    let mut text = format!(
        "(module (memory (export \"memory\") 1) (global $free (mut i32) (i32.const {FREE}))\n\
         (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local $at i32)\n\
           (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))\n\
           (global.set $free (i32.add (local.get $at) (local.get 3)))\n\
           (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))\n\
             (then (if (i32.eq (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1))) (i32.const -1))\n\
               (then unreachable))))\n\
           (local.get $at))\n"
    );
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Interface { id, .. } => {
                for function in resolve.interfaces[*id].functions.values() {
                    text.push_str(&body(resolve, Some(key), function)?);
                }
            }
            WorldItem::Function(function) => text.push_str(&body(resolve, None, function)?),
            WorldItem::Type { .. } => {}
        }
    }
    text.push(')');
    let failed = |error: &dyn std::fmt::Display| format!("the idle guest could not be made: {error}");
    let mut module = wat::parse_str(&text).map_err(|error| failed(&error))?;
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).map_err(|error| failed(&error))?;
    let encoder = ComponentEncoder::default().module(&module).map_err(|error| failed(&error))?;
    encoder.validate(true).encode().map_err(|error| failed(&error))
}

/// A function that gives zeros, whatever it is asked.
fn body(resolve: &Resolve, interface: Option<&WorldKey>, function: &Function) -> Result<String, String> {
    if !matches!(function.kind, FunctionKind::Freestanding) {
        return Err(format!("`{}` works on a resource, which needs code", function.name));
    }
    let export = WasmExport::Func { interface, func: function, kind: wit_parser::WasmExportKind::Normal };
    let name = resolve.wasm_export_name(ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync), export);
    let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
    let types = |types: &[WasmType]| types.iter().map(|one| word(*one)).collect::<Vec<_>>().join(" ");
    let results = signature.results.iter().map(|one| {
        let zero = if signature.retptr { ZEROS } else { 0 };
        format!("({}.const {zero})", word(*one))
    });
    Ok(format!(
        "(func (export \"{name}\") (param {}) (result {}) {})\n",
        types(&signature.params),
        types(&signature.results),
        results.collect::<Vec<_>>().join(" ")
    ))
}

/// A type as the text of core modules calls it.
fn word(of: WasmType) -> &'static str {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_manifest::contract::{V1_0_0, compare};

    #[test]
    fn it_keeps_the_promise_of_its_world() {
        for name in ["minimal-plugin", "event-plugin", "entity-plugin"] {
            let world = V1_0_0.world(name).unwrap();
            let bytes = idle_guest(&world.resolve, world.id).unwrap();
            let info = erp_component::read(&bytes).unwrap();
            assert!(compare(&info.border, &world.border()).is_empty(), "{name}");
        }
        let nodes = V1_0_0.world("node-plugin").unwrap();
        assert!(idle_guest(&nodes.resolve, nodes.id).unwrap_err().contains("needs code"));
    }
}
