//! The guest of a plugin without code: it exports all functions of a world, and none of them does anything.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{FunctionKind, ManglingAndAbi, Resolve, WasmExport, WorldId, WorldItem, WorldKey};

/// The address of every result. Memory is zero there, which means `ok`, no value, or an empty list.
const ZEROS: i32 = 16;
/// The first address that the allocator returns. It never frees memory: an instance serves one call.
const FREE: i32 = 4096;

/// Returns a component for a world. The same world gives the same bytes.
///
/// # Errors
/// The export that needs code of its own, or the reason why the component cannot be encoded.
pub fn idle_guest(resolve: &Resolve, world: WorldId) -> Result<Vec<u8>, String> {
    let mut module = IdleModule::new();
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Interface { id, .. } => {
                for function in resolve.interfaces[*id].functions.values() {
                    module.add(resolve, Some(key), function)?;
                }
            }
            WorldItem::Function(function) => module.add(resolve, None, function)?,
            WorldItem::Type { .. } => {}
        }
    }
    let failed = |error: &dyn std::fmt::Display| format!("the idle guest could not be made: {error}");
    let mut module = module.finish();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).map_err(|error| failed(&error))?;
    let encoder = ComponentEncoder::default().module(&module).map_err(|error| failed(&error))?;
    encoder.validate(true).encode().map_err(|error| failed(&error))
}

/// The core module while its functions are added.
struct IdleModule {
    types: TypeSection,
    functions: FunctionSection,
    exports: ExportSection,
    code: CodeSection,
}

impl IdleModule {
    /// Starts with an allocator that never frees memory.
    fn new() -> IdleModule {
        let (types, functions, exports, code) =
            (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
        let mut module = IdleModule { types, functions, exports, code };
        module.exports.export("memory", ExportKind::Memory, 0);
        let mut body = Function::new([(1, ValType::I32)]);
        let (at, size) = (4, 3);
        body.instructions()
            .global_get(0)
            .i32_const(15)
            .i32_add()
            .i32_const(-16)
            .i32_and()
            .local_set(at)
            .local_get(at)
            .local_get(size)
            .i32_add()
            .global_set(0)
            // Grows the memory where the request does not fit, and traps where it cannot grow.
            .global_get(0)
            .memory_size(0)
            .i32_const(65536)
            .i32_mul()
            .i32_gt_u()
            .if_(BlockType::Empty)
            .local_get(size)
            .i32_const(16)
            .i32_shr_u()
            .i32_const(1)
            .i32_add()
            .memory_grow(0)
            .i32_const(-1)
            .i32_eq()
            .if_(BlockType::Empty)
            .unreachable()
            .end()
            .end()
            .local_get(at)
            .end();
        module.function("cabi_realloc", &[ValType::I32; 4], &[ValType::I32], &body);
        module
    }

    fn function(&mut self, name: &str, parameters: &[ValType], results: &[ValType], body: &Function) {
        let index = self.functions.len();
        self.types.ty().function(parameters.iter().copied(), results.iter().copied());
        self.functions.function(index);
        self.exports.export(name, ExportKind::Func, index);
        self.code.function(body);
    }

    /// Adds a function that returns zeros, whatever its arguments.
    fn add(
        &mut self,
        resolve: &Resolve,
        interface: Option<&WorldKey>,
        function: &wit_parser::Function,
    ) -> Result<(), String> {
        if !matches!(function.kind, FunctionKind::Freestanding) {
            return Err(format!("`{}` works on a resource, which needs code", function.name));
        }
        let export = WasmExport::Func { interface, func: function, kind: wit_parser::WasmExportKind::Normal };
        let name = resolve.wasm_export_name(ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync), export);
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let types = |types: &[WasmType]| types.iter().map(|one| value_type(*one)).collect::<Vec<_>>();
        let results = types(&signature.results);
        let mut body = Function::new([]);
        let mut code = body.instructions();
        for result in &results {
            match result {
                ValType::I64 => code.i64_const(0),
                ValType::F32 => code.f32_const(0.0.into()),
                ValType::F64 => code.f64_const(0.0.into()),
                _ => code.i32_const(if signature.retptr { ZEROS } else { 0 }),
            };
        }
        code.end();
        self.function(&name, &types(&signature.params), &results, &body);
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        let mut memories = MemorySection::new();
        memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut globals = GlobalSection::new();
        let free = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(free, &ConstExpr::i32_const(FREE));
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.functions)
            .section(&memories)
            .section(&globals)
            .section(&self.exports)
            .section(&self.code);
        module.finish()
    }
}

/// The type of core modules for a type of the canonical ABI.
fn value_type(of: WasmType) -> ValType {
    match of {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
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
