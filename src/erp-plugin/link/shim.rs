//! The functions that stand in for WASI, written in the text format and assembled for a host API.

use std::fmt::Write as _;

use wasmparser::{CodeSectionReader, FunctionBody, Operator, Parser, Payload};

use super::LinkError;
use super::core_module::CoreModule;

/// The host's side for host API 1.0.0.
pub(super) const HOST_1_0_0: &str = include_str!("host-1.0.0.wat");
/// The host's side for the legacy host API.
pub(super) const HOST_LEGACY: &str = include_str!("host-legacy.wat");
const SHIM: &str = include_str!("shim.wat");

/// An assembled shim.
pub(super) struct Shim {
    bytes: Vec<u8>,
}

impl Shim {
    /// Assembles the shim with one of the host's sides.
    pub(super) fn assemble(host: &str) -> Result<Shim, LinkError> {
        let text = format!("(module\n{}\n{}\n)", expand_texts(host), expand_texts(SHIM));
        let bytes = wat::parse_str(text).map_err(|error| LinkError::Unsupported(format!("shim: {error}")))?;
        Ok(Shim { bytes })
    }

    /// Its parts.
    pub(super) fn module(&self) -> Result<CoreModule<'_>, LinkError> {
        CoreModule::read(&self.bytes)
    }

    /// The bodies of its functions, in order.
    pub(super) fn bodies(&self) -> Result<Vec<FunctionBody<'_>>, LinkError> {
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(&self.bytes) {
            if let Payload::CodeSectionStart { range, .. } = payload? {
                let reader = wasmparser::BinaryReader::new(&self.bytes[range.clone()], range.start);
                for body in CodeSectionReader::new(reader)? {
                    bodies.push(body?);
                }
            }
        }
        Ok(bodies)
    }
}

/// The functions that a body calls.
pub(super) fn calls(body: &FunctionBody<'_>) -> Result<Vec<u32>, LinkError> {
    let mut called = Vec::new();
    for operator in body.get_operators_reader()? {
        if let Operator::Call { function_index } = operator? {
            called.push(function_index);
        }
    }
    Ok(called)
}

/// Puts stores in the place of `;;!text $local "…"` and numbers in the place of
/// `(;!length "…";)`. A data segment would need an address that only the guest's linker can give.
fn expand_texts(source: &str) -> String {
    let mut expanded = String::new();
    for line in source.lines() {
        if let Some(text) = line.trim().strip_prefix(";;!text ") {
            let (local, quoted) = text.split_once(' ').unwrap_or((text, ""));
            for (index, chunk) in quoted.trim_matches('"').as_bytes().chunks(4).enumerate() {
                let mut word = [0; 4];
                word[..chunk.len()].copy_from_slice(chunk);
                // Writing into a String cannot fail.
                let _ = writeln!(
                    expanded,
                    "(i32.store offset={} align=1 (local.get {local}) (i32.const {:#x}))",
                    index * 4,
                    u32::from_le_bytes(word)
                );
            }
        } else if let Some((before, rest)) = line.split_once("(;!length \"") {
            let (text, after) = rest.split_once("\";)").unwrap_or((rest, ""));
            let _ = writeln!(expanded, "{before}(i32.const {}){after}", text.len());
        } else {
            expanded.push_str(line);
            expanded.push('\n');
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shims_assemble_and_are_valid() {
        for host in [HOST_1_0_0, HOST_LEGACY] {
            let shim = Shim::assemble(host).unwrap();
            wasmparser::Validator::new().validate_all(&shim.bytes).unwrap();
            assert!(shim.module().unwrap().exports.contains_key("flush"));
        }
    }
}
