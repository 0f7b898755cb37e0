//! Removes function names and source lines, which a shipped component does not need.

use wasm_encoder::{ComponentSectionId, Encode, RawSection, Section};
use wasmparser::{Encoding, Parser, Payload};

/// Returns the component without names and debug information. The instructions stay at the same places in their
/// sections.
///
/// # Errors
/// The error of the parser, for a file that is not a component.
pub fn strip_component(component: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut output = Vec::with_capacity(component.len());
    let mut outer: Vec<(Encoding, Vec<u8>)> = Vec::new();
    let mut encoding = Encoding::Component;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding: found, .. } => {
                encoding = *found;
                output.extend_from_slice(match found {
                    Encoding::Component => &wasm_encoder::Component::HEADER,
                    Encoding::Module => &wasm_encoder::Module::HEADER,
                });
            }
            // The content follows as separate payloads.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                outer.push((encoding, std::mem::take(&mut output)));
                continue;
            }
            Payload::End(_) => {
                let Some((outer_encoding, mut around)) = outer.pop() else { break };
                around.push(match encoding {
                    Encoding::Component => ComponentSectionId::Component as u8,
                    Encoding::Module => ComponentSectionId::CoreModule as u8,
                });
                output.encode(&mut around);
                (encoding, output) = (outer_encoding, around);
            }
            Payload::CustomSection(section) if is_debug(section.name()) && !outer.is_empty() => continue,
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            RawSection { id, data: &component[range] }.append_to(&mut output);
        }
    }
    Ok(output)
}

/// Whether only debuggers read a section of a core module. The component's own name is a part of its description.
fn is_debug(name: &str) -> bool {
    name == "name" || name.starts_with(".debug") || name == "sourceMappingURL"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_lines_go_and_everything_else_stays() {
        let text = r#"(component $c (core module $m (func $f (export "f")) (@custom ".debug_line" "x") (@custom "kept" "y")))"#;
        let component = wat::parse_str(text).unwrap();
        let bare = strip_component(&component).unwrap();
        let custom = |bytes: &[u8]| {
            let payloads = Parser::new(0).parse_all(bytes).flatten();
            payloads
                .filter_map(|payload| match payload {
                    Payload::CustomSection(section) => Some(section.name().to_owned()),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert!(custom(&component).contains(&".debug_line".to_owned()));
        assert_eq!(custom(&bare), ["kept", "component-name"]);
        assert_eq!(strip_component(&bare).unwrap(), bare);
        assert!(strip_component(b"no component").is_err());
    }
}
