//! The rewriting: a small static linker.
//!
//! The new order of function indices: the kept imports, the host functions that only the shim needs, the guest's own
//! functions, the shim's, the inert bodies, and a wrapper around each export that flushes the output lines. Of the
//! shim, only functions that are called are included.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::Range;

use wasm_encoder::reencode::{Error as ReencodeError, Reencode, utils};
use wasm_encoder::{
    CodeSection, ConstExpr, CustomSection, Encode, EntityType, ExportSection, Function as Body, FunctionSection,
    GlobalSection, GlobalType, ImportSection, Module, NameMap, NameSection, RawSection, SectionId, TypeSection,
    ValType,
};
use wasmparser::{BinaryReader, CodeSectionReader, KnownCustom, Name, Operator, Parser, Payload};

use super::core_module::CoreModule;
use super::inert::InertBodies;
use super::shim::{self, Shim};
use super::{LinkError, unversioned};

/// Rewrites a core module so that it imports no WASI.
pub(super) fn rewrite(core: &CoreModule<'_>, shim: &Shim, inert: &InertBodies<'_>) -> Result<Vec<u8>, LinkError> {
    let plan = Plan::make(core, shim, inert)?;
    plan.emit(core)
}

/// All decisions, which are made before the first byte is written.
struct Plan {
    /// The new index of each function of the guest.
    functions: Vec<u32>,
    /// Whether each imported function stays.
    keeps_import: Vec<bool>,
    /// Host functions that are added: module, name, type.
    added_imports: Vec<(String, String, u32)>,
    /// Types after the guest's own: parameters, results.
    added_types: Vec<(Vec<ValType>, Vec<ValType>)>,
    /// Functions after the guest's own: type, body, name.
    added_functions: Vec<(u32, Body, String)>,
    added_globals: u32,
    /// Export name → the wrapper that replaces it.
    wrapped_exports: BTreeMap<String, u32>,
}

impl Plan {
    #[expect(clippy::too_many_lines, reason = "one numbering: its parts depend on each other in this order")]
    fn make(core: &CoreModule<'_>, shim: &Shim, inert: &InertBodies<'_>) -> Result<Plan, LinkError> {
        let shim_module = shim.module()?;
        let shim_bodies = shim.bodies()?;
        let stand_in = |module: &str, name: &str| {
            shim_module.exports.get(format!("{}#{name}", unversioned(module)).as_str()).copied()
        };

        // The functions of the shim that are called, directly or not.
        let mut wanted: Vec<u32> = core
            .imports
            .iter()
            .filter(|import| import.is_wasi())
            .filter_map(|import| stand_in(import.module, import.name))
            .collect();
        let writes_lines = core.imports.iter().any(|import| import.is_wasi() && import.name.contains("write"));
        let flush = shim_module.exports.get("flush").copied();
        wanted.extend(flush.filter(|_| writes_lines));
        let mut used = BTreeSet::new();
        let shim_imports = u32::try_from(shim_module.imports.len()).unwrap_or(u32::MAX);
        while let Some(function) = wanted.pop() {
            if used.insert(function) && function >= shim_imports {
                wanted.extend(shim::calls(&shim_bodies[(function - shim_imports) as usize])?);
            }
        }

        let mut added_types = Vec::new();
        let mut shim_type = |ty: u32| {
            let ty = &shim_module.types[ty as usize];
            added_types.push((value_types(ty.params())?, value_types(ty.results())?));
            u32::try_from(core.types.len() + added_types.len() - 1)
                .map_err(|_| LinkError::Unsupported("too many types".to_owned()))
        };

        // Imports: the guest's without WASI, then those that the shim needs.
        let keeps_import: Vec<bool> = core.imports.iter().map(|import| !import.is_wasi()).collect();
        let mut functions = vec![u32::MAX; core.imports.len() + core.functions.len()];
        let mut next = 0;
        for (index, keeps) in keeps_import.iter().enumerate() {
            if *keeps {
                functions[index] = next;
                next += 1;
            }
        }
        let mut shim_functions: BTreeMap<u32, u32> = BTreeMap::new();
        let mut added_imports = Vec::new();
        let mut allocate = None;
        for (index, import) in (0..).zip(&shim_module.imports).filter(|(index, _)| used.contains(index)) {
            if import.module == "guest" {
                allocate = Some(index);
                continue;
            }
            let known = core.imports.iter().position(|own| own.module == import.module && own.name == import.name);
            shim_functions.insert(
                index,
                match known {
                    Some(own) => functions[own],
                    None => {
                        added_imports.push((import.module.to_owned(), import.name.to_owned(), shim_type(import.ty)?));
                        next += 1;
                        next - 1
                    }
                },
            );
        }
        for slot in functions.iter_mut().skip(core.imports.len()) {
            *slot = next;
            next += 1;
        }
        if let Some(allocate) = allocate {
            let own = core
                .exports
                .get("cabi_realloc")
                .ok_or_else(|| LinkError::Unsupported("it exports no `cabi_realloc`".to_owned()))?;
            shim_functions.insert(allocate, functions[*own as usize]);
        }

        // Functions: the shim's, then the inert ones.
        let own_shim: Vec<u32> = used.iter().copied().filter(|function| *function >= shim_imports).collect();
        for function in &own_shim {
            shim_functions.insert(*function, next);
            next += 1;
        }
        let mut added_functions = Vec::new();
        let mut renumber = ShimRenumber { functions: &shim_functions, first_global: core.globals };
        for function in &own_shim {
            let body = &shim_bodies[(function - shim_imports) as usize];
            let mut copy = renumber.new_function_with_parsed_locals(body)?;
            let mut reader = body.get_operators_reader()?;
            while !reader.eof() {
                copy.instruction(&renumber.parse_instruction(&mut reader)?);
            }
            let ty = shim_type(shim_module.type_of(*function))?;
            let name =
                shim_module.exports.iter().find(|(_, index)| *index == function).map_or("wasi shim", |(name, _)| name);
            added_functions.push((ty, copy, name.to_owned()));
        }
        for (index, import) in core.imports.iter().enumerate().filter(|(_, import)| import.is_wasi()) {
            let same_type = |function: u32| {
                let (own, shim) =
                    (&core.types[import.ty as usize], &shim_module.types[shim_module.type_of(function) as usize]);
                own.params() == shim.params() && own.results() == shim.results()
            };
            functions[index] = match stand_in(import.module, import.name) {
                Some(function) if same_type(function) => shim_functions[&function],
                Some(_) => {
                    let place = format!("{}#{}", import.module, import.name);
                    return Err(LinkError::Unsupported(format!("`{place}` has another type than in WASI 0.2")));
                }
                None => {
                    let body = inert.body(import, &core.types[import.ty as usize])?;
                    added_functions.push((
                        import.ty,
                        body,
                        format!("{}#{} (inert)", unversioned(import.module), import.name),
                    ));
                    next += 1;
                    next - 1
                }
            };
        }

        // Wrappers.
        let mut wrapped_exports = BTreeMap::new();
        if let Some(flush) = flush.filter(|_| writes_lines) {
            for (name, function) in core.exports.iter().filter(|(name, _)| is_call(name)) {
                let ty = core.type_of(*function);
                let mut body = Body::new([]);
                for parameter in (0..).take(core.types[ty as usize].params().len()) {
                    body.instructions().local_get(parameter);
                }
                body.instructions().call(functions[*function as usize]).call(shim_functions[&flush]).end();
                added_functions.push((ty, body, format!("{name} (flushing)")));
                wrapped_exports.insert((*name).to_owned(), next);
                next += 1;
            }
        }
        Ok(Plan {
            functions,
            keeps_import,
            added_imports,
            added_types,
            added_functions,
            added_globals: shim_module.globals,
            wrapped_exports,
        })
    }

    fn emit(&self, core: &CoreModule<'_>) -> Result<Vec<u8>, LinkError> {
        let mut module = Module::new();
        let mut renumber = Renumber { plan: self };
        let mut globals_are_out = false;
        for payload in Parser::new(0).parse_all(core.bytes) {
            let payload = payload?;
            // A module without globals of its own gets those of the shim, in the order that the format requires.
            if !globals_are_out && matches!(payload, Payload::ExportSection(_) | Payload::CodeSectionStart { .. }) {
                module.section(&self.own_globals(GlobalSection::new()));
                globals_are_out = true;
            }
            match &payload {
                Payload::TypeSection(section) => {
                    let mut out = TypeSection::new();
                    renumber.parse_type_section(&mut out, section.clone())?;
                    for (parameters, results) in &self.added_types {
                        out.ty().function(parameters.iter().copied(), results.iter().copied());
                    }
                    module.section(&out);
                }
                Payload::ImportSection(section) => {
                    let mut out = ImportSection::new();
                    renumber.parse_import_section(&mut out, section.clone())?;
                    module.section(&out);
                }
                Payload::FunctionSection(section) => {
                    let mut out = FunctionSection::new();
                    renumber.parse_function_section(&mut out, section.clone())?;
                    for (ty, _, _) in &self.added_functions {
                        out.function(*ty);
                    }
                    module.section(&out);
                }
                Payload::GlobalSection(section) => {
                    let mut out = GlobalSection::new();
                    renumber.parse_global_section(&mut out, section.clone())?;
                    module.section(&self.own_globals(out));
                    globals_are_out = true;
                }
                Payload::ExportSection(section) => {
                    let mut out = ExportSection::new();
                    renumber.parse_export_section(&mut out, section.clone())?;
                    module.section(&out);
                }
                Payload::ElementSection(section) => {
                    let mut out = wasm_encoder::ElementSection::new();
                    renumber.parse_element_section(&mut out, section.clone())?;
                    module.section(&out);
                }
                Payload::TableSection(section) => {
                    let mut out = wasm_encoder::TableSection::new();
                    renumber.parse_table_section(&mut out, section.clone())?;
                    module.section(&out);
                }
                Payload::StartSection { func, .. } => {
                    module.section(&wasm_encoder::StartSection { function_index: renumber.function_index(*func)? });
                }
                Payload::CodeSectionStart { range, .. } => {
                    let data = self.code(core.bytes, range.clone())?;
                    module.section(&RawSection { id: SectionId::Code.into(), data: &data });
                }
                Payload::CustomSection(custom) => match custom.as_known() {
                    KnownCustom::Name(names) => {
                        module.section(&renumber.custom_name_section(names)?);
                    }
                    // Branch hints name functions by index; the component's metadata is written again later.
                    KnownCustom::BranchHints(_) => {}
                    _ if custom.name().starts_with("component-type") => {}
                    _ => {
                        module.section(&CustomSection { name: custom.name().into(), data: custom.data().into() });
                    }
                },
                other => {
                    if let Some((id, range)) = other.as_section() {
                        module.section(&RawSection { id, data: &core.bytes[range] });
                    }
                }
            }
        }
        Ok(module.finish())
    }

    fn own_globals(&self, mut globals: GlobalSection) -> GlobalSection {
        for _ in 0..self.added_globals {
            globals
                .global(GlobalType { val_type: ValType::I32, mutable: true, shared: false }, &ConstExpr::i32_const(0));
        }
        globals
    }

    /// The code section: the guest's bodies at their old place, with the called indices overwritten, and the added
    /// bodies after them.
    fn code(&self, module: &[u8], range: Range<usize>) -> Result<Vec<u8>, LinkError> {
        let section = &module[range.clone()];
        let mut head = BinaryReader::new(section, range.start);
        let count = head.read_var_u32()?;
        let count_width = head.current_position();
        let Some(bodies) = self.patched_bodies(section, range.start, count_width)? else {
            return self.encoded_anew(section, range.start);
        };
        let count = count + u32::try_from(self.added_functions.len()).unwrap_or(u32::MAX);
        let mut out = vec![0; count_width];
        if !overwrite_leb(&mut out, count) {
            out.clear();
            count.encode(&mut out);
        }
        out.extend(bodies);
        for (_, body, _) in &self.added_functions {
            body.encode(&mut out);
        }
        Ok(out)
    }

    /// Returns `None` where an index does not fit into its old width.
    fn patched_bodies(&self, section: &[u8], offset: usize, count_width: usize) -> Result<Option<Vec<u8>>, LinkError> {
        let mut bytes = section[count_width..].to_vec();
        let base = offset + count_width;
        for body in CodeSectionReader::new(BinaryReader::new(section, offset))? {
            let mut operators = body?.get_operators_reader()?;
            while !operators.eof() {
                let at = operators.original_position();
                let (Operator::Call { function_index }
                | Operator::ReturnCall { function_index }
                | Operator::RefFunc { function_index }) = operators.read()?
                else {
                    continue;
                };
                // All three have an opcode of one byte.
                let operand = at + 1 - base..operators.original_position() - base;
                if !overwrite_leb(&mut bytes[operand], self.functions[function_index as usize]) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(bytes))
    }

    /// Encodes a module whose indices are not padded, as optimizers leave them. The result is right, but every body
    /// moves, so line numbers of traps may be off.
    fn encoded_anew(&self, section: &[u8], offset: usize) -> Result<Vec<u8>, LinkError> {
        let mut renumber = Renumber { plan: self };
        let mut code = CodeSection::new();
        for body in CodeSectionReader::new(BinaryReader::new(section, offset))? {
            utils::parse_function_body(&mut renumber, &mut code, body?)?;
        }
        for (_, body, _) in &self.added_functions {
            code.function(body);
        }
        let mut with_size = Vec::new();
        code.encode(&mut with_size);
        // A section encodes its size first; RawSection writes it again.
        let mut reader = BinaryReader::new(&with_size, 0);
        reader.read_var_u32()?;
        Ok(with_size[reader.current_position()..].to_vec())
    }
}

/// Maps the guest's indices.
struct Renumber<'p> {
    plan: &'p Plan,
}

impl Reencode for Renumber<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, ReencodeError> {
        Ok(self.plan.functions[function as usize])
    }

    fn parse_import_section(
        &mut self,
        out: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), ReencodeError> {
        let mut function = 0;
        for import in section.into_imports() {
            let import = import?;
            let keeps = match import.ty {
                wasmparser::TypeRef::Func(_) => {
                    function += 1;
                    self.plan.keeps_import[function - 1]
                }
                _ => true,
            };
            if keeps {
                self.parse_import(out, import)?;
            }
        }
        for (module, name, ty) in &self.plan.added_imports {
            out.import(module, name, EntityType::Function(*ty));
        }
        Ok(())
    }

    fn parse_export(&mut self, out: &mut ExportSection, export: wasmparser::Export<'_>) -> Result<(), ReencodeError> {
        match self.plan.wrapped_exports.get(export.name) {
            Some(wrapper) => {
                out.export(export.name, wasm_encoder::ExportKind::Func, *wrapper);
                Ok(())
            }
            None => utils::parse_export(self, out, export),
        }
    }

    fn parse_custom_name_subsection(
        &mut self,
        names: &mut NameSection,
        subsection: Name<'_>,
    ) -> Result<(), ReencodeError> {
        let Name::Function(map) = subsection else {
            return utils::parse_custom_name_subsection(self, names, subsection);
        };
        let mut sorted: BTreeMap<u32, String> = BTreeMap::new();
        for naming in map {
            let naming = naming?;
            sorted.insert(self.plan.functions[naming.index as usize], naming.name.to_owned());
        }
        // The added functions come last.
        let kept = self.plan.keeps_import.iter().filter(|keeps| **keeps).count();
        let own = self.plan.functions.len() - self.plan.keeps_import.len();
        let first = u32::try_from(kept + self.plan.added_imports.len() + own).unwrap_or(u32::MAX);
        for (index, (_, _, name)) in (first..).zip(&self.plan.added_functions) {
            sorted.insert(index, name.clone());
        }
        let mut out = NameMap::new();
        for (index, name) in &sorted {
            out.append(*index, name);
        }
        names.functions(&out);
        Ok(())
    }
}

/// Maps the shim's indices.
struct ShimRenumber<'p> {
    functions: &'p BTreeMap<u32, u32>,
    first_global: u32,
}

impl Reencode for ShimRenumber<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, ReencodeError> {
        Ok(self.functions[&function])
    }

    fn global_index(&mut self, global: u32) -> Result<u32, ReencodeError> {
        Ok(self.first_global + global)
    }
}

/// True for exports that the host calls, except helpers of the calling convention.
fn is_call(name: &str) -> bool {
    name.contains('#') && !name.starts_with("cabi_post_") && !name.starts_with('[')
}

fn value_types(types: &[wasmparser::ValType]) -> Result<Vec<ValType>, LinkError> {
    types
        .iter()
        .map(|ty| ValType::try_from(*ty).map_err(|_| LinkError::Unsupported("an unknown value type".to_owned())))
        .collect()
}

/// Writes a number in LEB128 at the existing width; false where it does not fit.
fn overwrite_leb(at: &mut [u8], mut number: u32) -> bool {
    let width = at.len();
    for (index, byte) in at.iter_mut().enumerate() {
        let more = if index + 1 < width { 0x80 } else { 0 };
        *byte = (number & 0x7f) as u8 | more;
        number >>= 7;
    }
    number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_at_their_width() {
        let mut five = [0; 5];
        assert!(overwrite_leb(&mut five, 300));
        assert_eq!(five, [0xac, 0x82, 0x80, 0x80, 0x00]);
        assert!(!overwrite_leb(&mut [0; 1], 300));
    }
}
