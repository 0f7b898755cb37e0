//! Bodies without effect for WASI functions that the shim lacks, generated from their types.
//!
//! A result is an error (unsupported, closed, or the first case), an option is none, a list is empty, a number is 0, a
//! handle is 1 (bindings check that it is not 0). Dropping a resource does nothing.

use std::collections::BTreeMap;

use wasm_encoder::{Function as Body, MemArg, ValType};
use wasmparser::FuncType;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, Int, Resolve, SizeAlign, Type, TypeDefKind, WorldId, WorldItem};

use super::core_module::FunctionImport;
use super::{LinkError, unversioned};

/// Cases of errors that mean "not available here", the best first.
const REFUSALS: [&str; 5] = ["not-supported", "unsupported", "closed", "access", "access-denied"];

/// Preview 1's number for "not supported".
const PREVIEW1_NOT_SUPPORTED: i32 = 58;

/// Makes bodies for the functions that a component imports.
pub(super) struct InertBodies<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    functions: BTreeMap<(&'a str, String), &'a Function>,
}

impl<'a> InertBodies<'a> {
    pub(super) fn new(resolve: &'a Resolve, world: WorldId) -> InertBodies<'a> {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        let mut functions = BTreeMap::new();
        for (key, item) in &resolve.worlds[world].imports {
            let WorldItem::Interface { id, .. } = item else { continue };
            let interface = unversioned(&resolve.name_world_key(key)).to_owned();
            for (name, function) in &resolve.interfaces[*id].functions {
                functions.insert((name.as_str(), interface.clone()), function);
            }
        }
        InertBodies { resolve, sizes, functions }
    }

    /// Returns the body for an import whose core type is `ty`.
    pub(super) fn body(&self, import: &FunctionImport<'_>, ty: &FuncType) -> Result<Body, LinkError> {
        let mut body = Body::new([]);
        if import.name.starts_with("[resource-drop]") {
            body.instructions().end();
            return Ok(body);
        }
        if import.is_preview1() {
            if !ty.results().is_empty() {
                body.instructions().i32_const(PREVIEW1_NOT_SUPPORTED);
            }
            body.instructions().end();
            return Ok(body);
        }
        let place = || format!("{}#{}", import.module, import.name);
        let key = (import.name, unversioned(import.module).to_owned());
        let function =
            self.functions.get(&key).ok_or_else(|| LinkError::Unsupported(format!("`{}` is not known", place())))?;
        let signature = self.resolve.wasm_signature(AbiVariant::GuestImport, function);
        if signature.params.len() != ty.params().len() || signature.results.len() != ty.results().len() {
            return Err(LinkError::Unsupported(format!("`{}` has another type than its interface says", place())));
        }
        let mut writes = Vec::new();
        if let Some(result) = &function.result {
            self.writes(result, 0, &mut writes);
        }
        if signature.retptr {
            let size = function.result.as_ref().map_or(0, |result| self.sizes.size(result).size_wasm32());
            write_result(&mut body, ty.params().len() - 1, size, &writes);
        } else if let Some(result) = signature.results.first() {
            let value = writes.first().map_or(0, |write| write.value);
            match core_type(*result) {
                ValType::I64 => body.instructions().i64_const(value.into()),
                ValType::F32 => body.instructions().f32_const(0.0.into()),
                ValType::F64 => body.instructions().f64_const(0.0.into()),
                _ => body.instructions().i32_const(value),
            };
        }
        body.instructions().end();
        Ok(body)
    }

    /// Collects the parts of a type's inert value at offset `at` that are not zero.
    fn writes(&self, ty: &Type, at: usize, writes: &mut Vec<Write>) {
        let Type::Id(id) = ty else {
            if matches!(ty, Type::String) {
                writes.push(Write { at, width: 4, value: 1 });
            }
            return;
        };
        let payload_at = |tag: Int, cases: Vec<Option<&Type>>| at + self.sizes.payload_offset(tag, cases).size_wasm32();
        match &self.resolve.types[*id].kind {
            TypeDefKind::Type(inner) => self.writes(inner, at, writes),
            TypeDefKind::Record(record) => {
                for (offset, field) in self.sizes.field_offsets(record.fields.iter().map(|field| &field.ty)) {
                    self.writes(field, at + offset.size_wasm32(), writes);
                }
            }
            TypeDefKind::Tuple(tuple) => {
                for (offset, field) in self.sizes.field_offsets(&tuple.types) {
                    self.writes(field, at + offset.size_wasm32(), writes);
                }
            }
            // A null pointer would be undefined behaviour in the guest, even with no elements.
            TypeDefKind::List(inner) => {
                let align = self.sizes.align(inner).align_wasm32();
                writes.push(Write { at, width: 4, value: i32::try_from(align).unwrap_or(8) });
            }
            TypeDefKind::Result(result) => {
                writes.push(Write { at, width: 1, value: 1 });
                if let Some(error) = &result.err {
                    self.writes(error, payload_at(Int::U8, vec![result.ok.as_ref(), result.err.as_ref()]), writes);
                }
            }
            TypeDefKind::Enum(cases) => {
                let names: Vec<&str> = cases.cases.iter().map(|case| case.name.as_str()).collect();
                writes.push(Write { at, width: width(cases.tag()), value: refusal(&names) });
            }
            TypeDefKind::Variant(variant) => {
                let names: Vec<&str> = variant.cases.iter().map(|case| case.name.as_str()).collect();
                let index = refusal(&names);
                writes.push(Write { at, width: width(variant.tag()), value: index });
                if let Some(inner) = usize::try_from(index).ok().and_then(|index| variant.cases[index].ty.as_ref()) {
                    let cases = variant.cases.iter().map(|case| case.ty.as_ref()).collect();
                    self.writes(inner, payload_at(variant.tag(), cases), writes);
                }
            }
            TypeDefKind::Handle(_) | TypeDefKind::Future(_) | TypeDefKind::Stream(_) => {
                writes.push(Write { at, width: 4, value: 1 });
            }
            _ => {}
        }
    }
}

/// A part of a value that is not zero.
struct Write {
    at: usize,
    width: u8,
    value: i32,
}

/// The index of the best case for a refusal; 0 where no case fits.
fn refusal(cases: &[&str]) -> i32 {
    REFUSALS
        .iter()
        .find_map(|name| cases.iter().position(|case| case == name))
        .and_then(|index| i32::try_from(index).ok())
        .unwrap_or(0)
}

fn width(tag: Int) -> u8 {
    match tag {
        Int::U8 => 1,
        Int::U16 => 2,
        _ => 4,
    }
}

/// Zeroes the return area that the last parameter points to, then writes the parts that are not zero.
fn write_result(body: &mut Body, parameter: usize, size: usize, writes: &[Write]) {
    let pointer = u32::try_from(parameter).unwrap_or(0);
    let place = |offset: usize| MemArg { offset: offset as u64, align: 0, memory_index: 0 };
    let mut at = 0;
    while at < size {
        let mut to = body.instructions();
        to.local_get(pointer);
        match size - at {
            8.. => {
                to.i64_const(0).i64_store(place(at));
                at += 8;
            }
            4.. => {
                to.i32_const(0).i32_store(place(at));
                at += 4;
            }
            _ => {
                to.i32_const(0).i32_store8(place(at));
                at += 1;
            }
        }
    }
    for write in writes {
        let mut to = body.instructions();
        to.local_get(pointer).i32_const(write.value);
        match write.width {
            1 => to.i32_store8(place(write.at)),
            2 => to.i32_store16(place(write.at)),
            _ => to.i32_store(place(write.at)),
        };
    }
}

fn core_type(ty: WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}
