//! `src/erp/` for guests in TypeScript and Python: the granted host API, a guard around every export, and the definitions of
//! nodes.

use serde_json::Value;

use super::wit::{WIT_FILE, granted_wit};
use super::{GenerateError, GeneratedFile, MARK};
use crate::contract::World;
use crate::manifest::{Manifest, NodeKind};

/// The files of a guest in TypeScript or JavaScript.
pub(super) fn typescript_files(manifest: &Manifest, world: &World) -> Result<Vec<GeneratedFile>, GenerateError> {
    let made = |text: &str| format!("// {MARK}\n{text}");
    let mut files = vec![
        GeneratedFile::new(WIT_FILE, granted_wit(manifest, world)?),
        GeneratedFile::new("src/erp/guard.ts", made(include_str!("../../templates/toolkit/typescript/guard.ts"))),
        GeneratedFile::new(
            "src/erp/rolldown.config.mjs",
            made(include_str!("../../templates/toolkit/typescript/rolldown.config.mjs")),
        ),
    ];
    if let Some(definitions) = definitions(manifest) {
        let text =
            made(&format!("/** What `getNodeDefinitions` gives. */\nexport const definitions = {definitions};\n"));
        files.push(GeneratedFile::new("src/erp/definitions.ts", text));
    }
    Ok(files)
}

/// The files of a guest in Python.
pub(super) fn python_files(manifest: &Manifest, world: &World) -> Result<Vec<GeneratedFile>, GenerateError> {
    let made = |text: &str| format!("# {MARK}\n{text}");
    let mut files = vec![
        GeneratedFile::new(WIT_FILE, granted_wit(manifest, world)?),
        GeneratedFile::new("src/erp/__init__.py", made("")),
        GeneratedFile::new("src/erp/guard.py", made(include_str!("../../templates/toolkit/python/guard.py"))),
    ];
    if let Some(definitions) = definitions(manifest) {
        let text = made(&format!("\"\"\"What `get_node_definitions` gives.\"\"\"\n\nDEFINITIONS = {definitions}\n"));
        files.push(GeneratedFile::new("src/erp/definitions.py", text));
    }
    Ok(files)
}

/// The definitions as a literal that JavaScript and Python both read.
fn definitions(manifest: &Manifest) -> Option<String> {
    let all: Value = manifest.nodes.iter().map(NodeKind::definition).collect();
    (!manifest.nodes.is_empty()).then(|| Value::String(all.to_string()).to_string())
}
