//! What is refused before anything looks closer at a component: what a hostile one could make expensive.

use wasmparser::{Parser, Payload, TypeRef};

/// Bytes of a component at the most.
pub const MAX_BYTES: usize = 32 << 20;
/// Functions with a body, of all modules together, at the most.
const MAX_FUNCTIONS: u32 = 200_000;
/// Bytes of one function's body at the most.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Modules and components inside of it at the most.
const MAX_PARTS: u32 = 64;
/// How deep components hold components at the most.
const MAX_DEPTH: u32 = 4;
/// Types of a module, of a component, and entries of an import or export section, at the most.
const MAX_ENTRIES: u32 = 100_000;
/// Pages of a memory (64 KiB) that are there from the beginning, at the most: those of 512 MB.
const MAX_INITIAL_PAGES: u64 = 8_192;
/// Elements of a table that are there from the beginning, at the most.
const MAX_INITIAL_ELEMENTS: u64 = 1_000_000;

/// Why a component is refused; `None` for one within all bounds. Reads each byte once and keeps nothing.
pub(super) fn excess(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_BYTES {
        return Some(format!("it has {} bytes, more than {MAX_BYTES}", bytes.len()));
    }
    let (mut functions, mut parts, mut depth) = (0_u32, 0_u32, 0_u32);
    let over =
        |what: &str, found: u64, most: u64| (found > most).then(|| format!("it has {found} {what}, more than {most}"));
    for payload in Parser::new(0).parse_all(bytes) {
        // What cannot be read is the validator's business.
        let payload = payload.ok()?;
        let excess = match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                parts += 1;
                depth += 1;
                over("parts", parts.into(), MAX_PARTS.into()).or_else(|| over("levels", depth.into(), MAX_DEPTH.into()))
            }
            Payload::End(_) => {
                depth = depth.saturating_sub(1);
                None
            }
            Payload::CodeSectionStart { count, .. } => {
                functions = functions.saturating_add(*count);
                over("functions", functions.into(), MAX_FUNCTIONS.into())
            }
            Payload::CodeSectionEntry(body) => {
                over("bytes in one function", body.range().len() as u64, MAX_BODY_BYTES as u64)
            }
            Payload::TypeSection(section) => over("types", section.count().into(), MAX_ENTRIES.into()),
            Payload::ComponentTypeSection(section) => over("types", section.count().into(), MAX_ENTRIES.into()),
            Payload::ImportSection(section) => over("imports", section.count().into(), MAX_ENTRIES.into())
                .or_else(|| section.clone().into_imports().flatten().find_map(|import| initial_size(import.ty))),
            Payload::ExportSection(section) => over("exports", section.count().into(), MAX_ENTRIES.into()),
            Payload::DataSection(section) => over("data segments", section.count().into(), MAX_ENTRIES.into()),
            Payload::ElementSection(section) => over("element segments", section.count().into(), MAX_ENTRIES.into()),
            Payload::GlobalSection(section) => over("globals", section.count().into(), MAX_ENTRIES.into()),
            Payload::MemorySection(section) => {
                section.clone().into_iter().flatten().find_map(|memory| initial_size(TypeRef::Memory(memory)))
            }
            Payload::TableSection(section) => {
                section.clone().into_iter().flatten().find_map(|table| initial_size(TypeRef::Table(table.ty)))
            }
            _ => None,
        };
        if excess.is_some() {
            return excess;
        }
    }
    None
}

fn initial_size(ty: TypeRef) -> Option<String> {
    match ty {
        TypeRef::Memory(memory) if memory.initial > MAX_INITIAL_PAGES => {
            Some(format!("a memory begins with {} pages, more than {MAX_INITIAL_PAGES}", memory.initial))
        }
        TypeRef::Table(table) if table.initial > MAX_INITIAL_ELEMENTS => {
            Some(format!("a table begins with {} elements, more than {MAX_INITIAL_ELEMENTS}", table.initial))
        }
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
        ] {
            let found = excess_of(&text).unwrap_or_default();
            assert!(found.contains(word), "{word}: {found}");
        }
    }
}
