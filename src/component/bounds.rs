//! Limits that are checked before a component is validated: they refuse what a hostile component could make expensive.

use erp_manifest::codes::Code;
use wasmparser::{ComponentExternName, ComponentTypeRef, Parser, Payload, TypeRef};

use super::cost::{ComponentCost, Signatures};
use super::shapes::Shapes;
use super::{names, nesting};
use crate::codes::{COMPONENT_EXCESSIVE, FOREIGN_NAME, TOO_COMPLEX};

/// The most bytes of a component.
pub const MAX_BYTES: usize = 32 << 20;
/// The most functions with a body, in all modules together.
const MAX_FUNCTIONS: u32 = 100_000;
/// The most bytes of one function's body.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The most modules and components inside a component.
const MAX_PARTS: u32 = 64;
/// The most levels of modules and components inside each other.
const MAX_DEPTH: u32 = 4;
/// The most entries of one section, such as types, imports and exports.
const MAX_ENTRIES: u32 = 100_000;
/// The most initial pages (64 KiB) of a memory: those of 512 MB.
const MAX_INITIAL_PAGES: u64 = 8_192;
/// The most initial elements of a table.
const MAX_INITIAL_ELEMENTS: u64 = 1_000_000;

/// The limits of costs that may grow faster than the bytes; `docs/sandbox.md` has the measurements. The largest known
/// components, interpreters of 18 MB, stay below a tenth of each.
const MAX_COST: ComponentCost =
    ComponentCost { moves: 60_000_000, liveness: 150_000_000, locals: 10_000_000, nesting: 400_000_000 };
/// The most functions that inner components pass to each other, times the size of the largest type: the compiler
/// generates code for each of them.
const MAX_ADAPTERS: u64 = 1_000_000;

/// Why a component is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// `component/excessive`, `component/too-complex` or `component/foreign-name`.
    pub code: Code,
    /// The reason, as a sentence.
    pub why: String,
}

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl Excess {
    fn of_size(what: &str, found: u64, most: u64) -> Option<Excess> {
        let why = || format!("it has {found} {what}, more than {most}");
        (found > most).then(|| Excess { code: COMPONENT_EXCESSIVE, why: why() })
    }

    fn of_cost(cost: &ComponentCost) -> Option<Excess> {
        let over = [
            (cost.moves > MAX_COST.moves, "its calls, branches and blocks have too many operands and results"),
            (cost.liveness > MAX_COST.liveness, "its functions keep too many values across too many branches"),
            (cost.locals > MAX_COST.locals, "its functions have too many locals"),
            (cost.nesting > MAX_COST.nesting, "its blocks nest too deep"),
        ];
        let why = over.iter().find(|(is_over, _)| *is_over)?.1;
        Some(Excess { code: TOO_COMPLEX, why: why.to_owned() })
    }
}

/// Returns why a component is refused; `None` if it is within all limits. Reads each byte once.
pub fn excess(bytes: &[u8]) -> Option<Excess> {
    if let Some(excess) = Excess::of_size("bytes", bytes.len() as u64, MAX_BYTES as u64) {
        return Some(excess);
    }
    let mut counted = ComponentCounts::default();
    for payload in Parser::new(0).parse_all(bytes) {
        // Unreadable input is left to the validator.
        let payload = payload.ok()?;
        if let Payload::ComponentTypeSection(section) = &payload
            && bytes.get(section.range()).is_some_and(nesting::is_too_deep)
        {
            let why = format!("its types nest deeper than {} levels", nesting::MAX_LEVELS);
            return Some(Excess { code: TOO_COMPLEX, why });
        }
        let excess = counted.add(&payload);
        if excess.is_some() {
            return excess;
        }
    }
    None
}

/// The counts so far.
#[derive(Debug, Default)]
struct ComponentCounts {
    functions: u32,
    parts: u32,
    cost: ComponentCost,
    /// The signatures of the module that is being read, if any; `outer` has those of the components around it.
    module: Signatures,
    outer: Vec<Signatures>,
    shapes: Shapes,
}

impl ComponentCounts {
    fn add(&mut self, payload: &Payload<'_>) -> Option<Excess> {
        let of_section = |what, count: u32| Excess::of_size(what, count.into(), MAX_ENTRIES.into());
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.parts += 1;
                self.outer.push(std::mem::take(&mut self.module));
                self.shapes.enter();
                Excess::of_size("parts", self.parts.into(), MAX_PARTS.into())
                    .or_else(|| Excess::of_size("levels", self.outer.len() as u64, MAX_DEPTH.into()))
            }
            Payload::End(_) => {
                self.module = self.outer.pop().unwrap_or_default();
                self.shapes.leave();
                None
            }
            Payload::CodeSectionStart { count, .. } => {
                self.functions = self.functions.saturating_add(*count);
                Excess::of_size("functions", self.functions.into(), MAX_FUNCTIONS.into())
            }
            Payload::CodeSectionEntry(body) => {
                Excess::of_size("bytes in one function", body.range().len() as u64, MAX_BODY_BYTES as u64).or_else(
                    || {
                        self.cost.add(&mut self.module, body);
                        Excess::of_cost(&self.cost)
                    },
                )
            }
            Payload::TypeSection(section) => of_section("types", section.count()).or_else(|| {
                section.clone().into_iter().flatten().for_each(|group| self.module.add_types(group));
                None
            }),
            Payload::FunctionSection(section) => {
                section.clone().into_iter().flatten().for_each(|ty| self.module.add_function(ty));
                None
            }
            Payload::ImportSection(section) => of_section("imports", section.count()).or_else(|| {
                section.clone().into_imports().flatten().find_map(|import| {
                    if let TypeRef::Func(ty) = import.ty {
                        self.module.add_import(ty);
                    }
                    initial_size(import.ty)
                })
            }),
            Payload::ExportSection(section) => of_section("exports", section.count()),
            Payload::DataSection(section) => of_section("data segments", section.count()),
            Payload::ElementSection(section) => of_section("element segments", section.count()),
            Payload::GlobalSection(section) => of_section("globals", section.count()),
            Payload::MemorySection(section) => {
                section.clone().into_iter().flatten().find_map(|memory| initial_size(TypeRef::Memory(memory)))
            }
            Payload::TableSection(section) => {
                section.clone().into_iter().flatten().find_map(|table| initial_size(TypeRef::Table(table.ty)))
            }
            other => self.add_of_component(other),
        }
    }

    fn add_of_component(&mut self, payload: &Payload<'_>) -> Option<Excess> {
        let of_section = |what, count: u32| Excess::of_size(what, count.into(), MAX_ENTRIES.into());
        match payload {
            Payload::ComponentTypeSection(section) => of_section("types", section.count()).or_else(|| {
                section.clone().into_iter().flatten().find_map(|ty| {
                    self.shapes.add(&ty);
                    names::foreign_in(&ty).map(foreign_name)
                })
            }),
            Payload::ComponentImportSection(section) => of_section("imports", section.count()).or_else(|| {
                section.clone().into_iter().flatten().find_map(|import| {
                    self.shapes.add_named(&import.ty);
                    foreign(&import.name, &import.ty)
                })
            }),
            Payload::ComponentExportSection(section) => of_section("exports", section.count()).or_else(|| {
                section.clone().into_iter().flatten().find_map(|export| {
                    self.shapes.add_export(export.kind, export.index);
                    let is_function = export.kind == wasmparser::ComponentExternalKind::Func;
                    names::foreign(export.name.name, is_function).map(foreign_name)
                })
            }),
            Payload::ComponentAliasSection(section) => of_section("aliases", section.count()).or_else(|| {
                section.clone().into_iter().flatten().for_each(|alias| self.shapes.add_alias(&alias));
                None
            }),
            Payload::ComponentCanonicalSection(section) => of_section("functions", section.count()).or_else(|| {
                section.clone().into_iter().flatten().for_each(|function| self.shapes.add_function(&function));
                let is_over = self.shapes.adapters() > MAX_ADAPTERS;
                let why = "its parts pass too many functions of too large types to each other";
                is_over.then(|| Excess { code: TOO_COMPLEX, why: why.to_owned() })
            }),
            Payload::ComponentInstanceSection(section) => of_section("instances", section.count()),
            Payload::InstanceSection(section) => of_section("instances", section.count()),
            Payload::CoreTypeSection(section) => of_section("types", section.count()),
            _ => None,
        }
    }
}

fn foreign(name: &ComponentExternName<'_>, ty: &ComponentTypeRef) -> Option<Excess> {
    names::foreign(name.name, matches!(ty, ComponentTypeRef::Func(_))).map(foreign_name)
}

fn foreign_name(why: String) -> Excess {
    Excess { code: FOREIGN_NAME, why }
}

fn initial_size(ty: TypeRef) -> Option<Excess> {
    match ty {
        TypeRef::Memory(memory) => Excess::of_size("pages of memory to begin with", memory.initial, MAX_INITIAL_PAGES),
        TypeRef::Table(table) => Excess::of_size("table elements to begin with", table.initial, MAX_INITIAL_ELEMENTS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::excess;

    #[test]
    fn hostile_modules_are_refused_before_anything_looks_closer() {
        let excess_of = |text: &str| excess(&wat::parse_str(text).unwrap());
        assert_eq!(excess_of("(component (core module (memory 1) (func (nop))))"), None);
        for (text, word) in [
            ("(component (core module (memory 9000)))".to_owned(), "pages"),
            ("(component (core module (table 2000000 funcref)))".to_owned(), "elements"),
            ("(component (component (component (component (component (core module))))))".to_owned(), "levels"),
            (format!("(component {})", "(core module)".repeat(70)), "parts"),
            (format!("(component (core module (func {})))", "(nop)".repeat(1 << 20)), "bytes in one function"),
            (format!("(component (core module (func {} {})))", "block ".repeat(30_000), "end ".repeat(30_000)), "nest"),
        ] {
            let found = excess_of(&text).map(|excess| excess.why).unwrap_or_default();
            assert!(found.contains(word), "{word}: {found}");
        }
    }
}
