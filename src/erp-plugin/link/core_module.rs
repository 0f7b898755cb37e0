//! Reads the parts of a core module that the rewriting needs.

use std::collections::BTreeMap;

use wasmparser::{Export, ExternalKind, FuncType, Parser, Payload, TypeRef};

use super::LinkError;

/// A core module inside a component.
#[derive(Debug)]
pub(super) struct CoreModule<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<FunctionImport<'a>>,
    /// Type indices of the defined functions.
    pub(super) functions: Vec<u32>,
    pub(super) exports: BTreeMap<&'a str, u32>,
    pub(super) globals: u32,
}

/// An imported function.
#[derive(Debug, Clone, Copy)]
pub(super) struct FunctionImport<'a> {
    pub(super) module: &'a str,
    /// The name without the ` [v2]` that distinguishes imports of the same name.
    pub(super) name: &'a str,
    pub(super) ty: u32,
}

impl FunctionImport<'_> {
    pub(super) fn is_wasi(&self) -> bool {
        self.module.starts_with("wasi:") || self.is_preview1()
    }

    /// True for WASI preview 1, the flat interface that older versions of wasi-libc call.
    pub(super) fn is_preview1(&self) -> bool {
        self.module == "wasi_snapshot_preview1"
    }
}

impl<'a> CoreModule<'a> {
    /// Reads the guest's own module, the only one with a memory. The others come from wit-component, or adapt one
    /// generation of WASI to the other, and share that memory.
    pub(super) fn first_of(component: &'a [u8]) -> Result<CoreModule<'a>, LinkError> {
        let mut modules = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            if let Payload::ModuleSection { unchecked_range, .. } = payload?
                && let Some(bytes) = component.get(unchecked_range)
            {
                modules.push(bytes);
            }
        }
        let own = modules.iter().filter(|module| has_memory(module)).count();
        match modules.first() {
            Some(first) if own == 1 => CoreModule::read(first),
            _ => Err(LinkError::SeveralModules(own)),
        }
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<CoreModule<'a>, LinkError> {
        let mut module = CoreModule {
            bytes,
            types: Vec::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            exports: BTreeMap::new(),
            globals: 0,
        };
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        module.types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        match import.ty {
                            TypeRef::Func(ty) => {
                                let name = import.name.split_once(" [v").map_or(import.name, |(name, _)| name);
                                module.imports.push(FunctionImport { module: import.module, name, ty });
                            }
                            // Only the shim imports a memory.
                            TypeRef::Memory(_) if import.module == "guest" => {}
                            _ => {
                                return Err(LinkError::Unsupported(format!(
                                    "`{}` is imported and no function",
                                    import.name
                                )));
                            }
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        module.functions.push(ty?);
                    }
                }
                Payload::GlobalSection(section) => module.globals = section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let Export { name, kind, index } = export?;
                        if kind == ExternalKind::Func {
                            module.exports.insert(name, index);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(module)
    }

    /// The index of a function's type.
    pub(super) fn type_of(&self, function: u32) -> u32 {
        let imported = self.imports.len();
        let index = function as usize;
        if index < imported { self.imports[index].ty } else { self.functions[index - imported] }
    }
}

fn has_memory(module: &[u8]) -> bool {
    Parser::new(0).parse_all(module).flatten().any(|payload| matches!(payload, Payload::MemorySection(_)))
}
