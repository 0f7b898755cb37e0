//! What is refused before anything looks closer at a component: what a hostile one could make expensive.

use wasmparser::{FunctionBody, Operator, Parser, Payload, TypeRef};

/// Bytes of a component at the most.
pub const MAX_BYTES: usize = 32 << 20;
/// Functions with a body, of all modules together, at the most.
const MAX_FUNCTIONS: u32 = 100_000;
/// The square of how deep blocks nest in a function, summed over all functions, at the most: the time of compiling
/// grows with it. One function may nest 20,000 deep; machine-made ones nest some hundreds deep.
const MAX_NESTING_COST: u64 = 400_000_000;
/// Functions with fewer bytes that could open a block are not looked at: even all that there may be stay below the
/// bound together.
const MIN_OPENERS: usize = 64;
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
pub fn excess(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_BYTES {
        return Some(format!("it has {} bytes, more than {MAX_BYTES}", bytes.len()));
    }
    let (mut functions, mut parts, mut depth) = (0_u32, 0_u32, 0_u32);
    let mut nesting = 0_u64;
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
                nesting = nesting.saturating_add(nesting_depth(body).saturating_pow(2));
                over("bytes in one function", body.range().len() as u64, MAX_BODY_BYTES as u64).or_else(|| {
                    (nesting > MAX_NESTING_COST)
                        .then(|| "its blocks nest deeper than can be compiled in time".to_owned())
                })
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

/// How deep the blocks of a function nest; what cannot be read is the validator's business.
fn nesting_depth(body: &FunctionBody<'_>) -> u64 {
    // A block, a loop and an if each begin with one of these bytes; so do other things, which only costs a closer look.
    let openers = body.as_bytes().iter().filter(|byte| (2..=4).contains(*byte)).count();
    if openers <= MIN_OPENERS {
        return 0;
    }
    let (mut depth, mut deepest) = (0_u64, 0_u64);
    let Ok(operators) = body.get_operators_reader() else { return 0 };
    for operator in operators {
        match operator {
            Ok(Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. }) => depth += 1,
            Ok(Operator::End) => depth = depth.saturating_sub(1),
            Ok(_) => {}
            Err(_) => break,
        }
        deepest = deepest.max(depth);
    }
    deepest
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
            (format!("(component (core module (func {} {})))", "block ".repeat(30_000), "end ".repeat(30_000)), "nest"),
        ] {
            let found = excess_of(&text).unwrap_or_default();
            assert!(found.contains(word), "{word}: {found}");
        }
    }
}
