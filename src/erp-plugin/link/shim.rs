//! The functions that replace WASI. They are written in the text format: `shim.wat`, and a host's side for each host
//! API. The tests assemble them, so that the program needs no assembler.

use wasmparser::{CodeSectionReader, FunctionBody, Operator, Parser, Payload};

use super::LinkError;
use super::core_module::CoreModule;

/// The shim for host API 1.0.0.
pub(super) const HOST_1_0_0: &[u8] = include_bytes!("shim-1.0.0.wasm");
/// The shim for the legacy host API.
pub(super) const HOST_LEGACY: &[u8] = include_bytes!("shim-legacy.wasm");

/// An assembled shim.
pub(super) struct Shim<'b> {
    bytes: &'b [u8],
}

impl<'b> Shim<'b> {
    /// Takes one of the constants above.
    pub(super) fn new(bytes: &'b [u8]) -> Shim<'b> {
        Shim { bytes }
    }

    /// Reads the parts of the module.
    pub(super) fn module(&self) -> Result<CoreModule<'b>, LinkError> {
        CoreModule::read(self.bytes)
    }

    /// The bodies of its functions, in order.
    pub(super) fn bodies(&self) -> Result<Vec<FunctionBody<'b>>, LinkError> {
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(self.bytes) {
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

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// Replaces `;;!text $local "…"` by stores and `(;!length "…";)` by numbers. A data segment would need an address
    /// that only the guest's linker can assign.
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

    /// `ERP_PLUGIN_BLESS=1` writes the modules again after a change of the text.
    #[test]
    fn the_shims_are_assembled_from_their_text() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/erp-plugin/link");
        let text = |name: &str| fs_err::read_to_string(folder.join(name)).unwrap();
        for (name, bytes) in [("1.0.0", HOST_1_0_0), ("legacy", HOST_LEGACY)] {
            let host = text(&format!("host-{name}.wat"));
            let text = format!("(module\n{}\n{}\n)", expand_texts(&host), expand_texts(&text("shim.wat")));
            let assembled = wat::parse_str(text).unwrap();
            wasmparser::Validator::new().validate_all(&assembled).unwrap();
            assert!(Shim::new(&assembled).module().unwrap().exports.contains_key("flush"));
            #[expect(clippy::disallowed_methods, reason = "the variable of the tests, and a file of the repository")]
            if std::env::var_os("ERP_PLUGIN_BLESS").is_some() {
                fs_err::write(folder.join(format!("shim-{name}.wasm")), &assembled).unwrap();
            } else {
                assert!(assembled == bytes, "shim-{name}.wasm is not up to date");
            }
        }
    }
}
