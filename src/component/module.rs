//! The functions of a core module: their calls and their sizes.

use std::ops::Range;

use wasmparser::{
    BinaryReaderError, ElementItems, ExternalKind, KnownCustom, Name, Operator, Parser, Payload, TypeRef,
};

/// A core module inside a component.
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// The size of the module in bytes.
    pub size: usize,
    /// The sections with their sizes in bytes, in order; sections of one name are added up.
    pub sections: Vec<(String, usize)>,
    /// The functions by index, imported ones first.
    pub functions: Vec<ModuleFunction>,
    /// Functions that can be called from outside: exports and the start function.
    pub entries: Vec<u32>,
    /// Functions that are in a table, so that an indirect call may reach them.
    pub in_tables: Vec<u32>,
}

/// A function of a core module.
#[derive(Debug, Clone, Default)]
pub struct ModuleFunction {
    /// The name that the compiler gave it, demangled; none if names were stripped.
    pub name: Option<String>,
    /// The module and the name that it is imported by; none for a function with a body.
    pub import: Option<(String, String)>,
    /// The size of the body in bytes.
    pub size: usize,
    /// The indexes of the functions that it calls directly or takes references of, sorted.
    pub calls: Vec<u32>,
    /// True if it contains an indirect call.
    pub calls_by_reference: bool,
}

impl Module {
    /// Returns the core modules of a component, in order; for a core module, only itself.
    ///
    /// # Errors
    /// The error of the parser, for bytes that are not WebAssembly.
    pub fn all_of(bytes: &[u8]) -> Result<Vec<Module>, BinaryReaderError> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { unchecked_range, .. } => ranges.push(unchecked_range),
                Payload::Version { encoding: wasmparser::Encoding::Module, range, .. } if range.start == 0 => {
                    ranges.push(0..bytes.len());
                }
                _ => {}
            }
        }
        ranges.into_iter().filter_map(|range| bytes.get(range)).map(Module::read).collect()
    }

    fn read(bytes: &[u8]) -> Result<Module, BinaryReaderError> {
        let mut module = Module { size: bytes.len(), ..Module::default() };
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                let name = match &payload {
                    Payload::CustomSection(section) => format!("custom \"{}\"", section.name()),
                    _ => section_name(id).to_owned(),
                };
                match module.sections.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, size)) => *size += range.len(),
                    None => module.sections.push((name, range.len())),
                }
            }
            match payload {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        if let TypeRef::Func(_) = import.ty {
                            let import = Some((import.module.to_owned(), import.name.to_owned()));
                            module.functions.push(ModuleFunction { import, ..ModuleFunction::default() });
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            module.entries.push(export.index);
                        }
                    }
                }
                Payload::StartSection { func, .. } => module.entries.push(func),
                Payload::ElementSection(section) => {
                    for element in section {
                        module.in_tables.extend(table_functions(element?.items)?);
                    }
                }
                Payload::CodeSectionEntry(body) => module.functions.push(function(&body)?),
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        for name in names.into_iter().flatten() {
                            let Name::Function(map) = name else { continue };
                            for naming in map.into_iter().flatten() {
                                let at = usize::try_from(naming.index).unwrap_or(usize::MAX);
                                if let Some(function) = module.functions.get_mut(at) {
                                    function.name = Some(format!("{:#}", rustc_demangle::demangle(naming.name)));
                                }
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// True if the compiler's names were not stripped.
    pub fn has_names(&self) -> bool {
        self.functions.iter().any(|function| function.name.is_some())
    }
}

impl ModuleFunction {
    /// Returns the crate that the function comes from, according to its name.
    pub fn crate_name(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        // `<core::str::Chars as Iterator>::next` belongs to the crate of the type in front.
        let path =
            name.trim_start_matches(['<', '&', '*', '(', '[']).trim_start_matches("mut ").trim_start_matches("dyn ");
        let end = path.find("::")?;
        let word = &path[..end];
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_').then_some(word)
    }
}

fn function(body: &wasmparser::FunctionBody<'_>) -> Result<ModuleFunction, BinaryReaderError> {
    let mut found = ModuleFunction { size: body.range().len(), ..ModuleFunction::default() };
    for operator in body.get_operators_reader()? {
        match operator? {
            Operator::Call { function_index }
            | Operator::ReturnCall { function_index }
            | Operator::RefFunc { function_index } => found.calls.push(function_index),
            Operator::CallIndirect { .. } | Operator::ReturnCallIndirect { .. } => found.calls_by_reference = true,
            _ => {}
        }
    }
    found.calls.sort_unstable();
    found.calls.dedup();
    Ok(found)
}

fn table_functions(items: ElementItems<'_>) -> Result<Vec<u32>, BinaryReaderError> {
    let mut functions = Vec::new();
    match items {
        ElementItems::Functions(indices) => {
            for index in indices {
                functions.push(index?);
            }
        }
        ElementItems::Expressions(_, expressions) => {
            for expression in expressions {
                for operator in expression?.get_operators_reader() {
                    if let Operator::RefFunc { function_index } = operator? {
                        functions.push(function_index);
                    }
                }
            }
        }
    }
    Ok(functions)
}

fn section_name(id: u8) -> &'static str {
    match id {
        1 => "types",
        2 => "imports",
        3 => "functions",
        4 => "tables",
        5 => "memories",
        6 => "globals",
        7 => "exports",
        8 => "start",
        9 => "elements",
        10 => "code",
        11 => "data",
        12 => "data count",
        13 => "tags",
        _ => "other",
    }
}
