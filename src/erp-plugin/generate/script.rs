//! `src/erp/` for guests in TypeScript and Python: the granted host API, a guard around every export, and the
//! definitions of nodes.

use erp_manifest::contract::World;
use erp_manifest::{Manifest, NodeKind};
use serde_json::{Value, json};

use super::wit::{WIT_FILE, granted_wit};
use super::{GenerateError, GeneratedFile, MARK};

/// Returns the files of a guest in TypeScript or JavaScript.
pub(super) fn typescript_files(manifest: &Manifest, world: &World) -> Result<Vec<GeneratedFile>, GenerateError> {
    let made = |text: &str| format!("// {MARK}\n{text}");
    let mut files = vec![
        GeneratedFile::new(WIT_FILE, granted_wit(manifest, world)?),
        GeneratedFile::new("src/erp/guard.ts", made(include_str!("../../../templates/toolkit/typescript/guard.ts"))),
        GeneratedFile::new("src/erp/rolldown.config.mjs", made(&bundling(world))),
    ];
    if let Some(definitions) = definitions(manifest) {
        let text =
            made(&format!("/** What `getNodeDefinitions` gives. */\nexport const definitions = {definitions};\n"));
        files.push(GeneratedFile::new("src/erp/definitions.ts", text));
    }
    Ok(files)
}

/// The bundler's configuration, with the names that the bundle must export.
fn bundling(world: &World) -> String {
    let border = world.border();
    let names = border.exports.iter().map(|export| {
        let short = export.name.split(['/', '@']).nth(1).unwrap_or(&export.name);
        json!([export.name, camel(short)])
    });
    let exports: Value = names.collect();
    let text = include_str!("../../../templates/toolkit/typescript/rolldown.config.mjs");
    text.replace("const EXPORTS = [];", &format!("const EXPORTS = {exports};"))
}

/// Converts a name like `tenant-hooks` to the form of JavaScript, `tenantHooks`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |joined, word| {
        let mut letters = word.chars();
        let head = letters.next().map(|letter| letter.to_ascii_uppercase());
        joined + &head.into_iter().chain(letters).collect::<String>()
    })
}

/// Returns the files of a guest in Python.
pub(super) fn python_files(manifest: &Manifest, world: &World) -> Result<Vec<GeneratedFile>, GenerateError> {
    let made = |text: &str| format!("# {MARK}\n{text}");
    let mut files = vec![
        GeneratedFile::new(WIT_FILE, granted_wit(manifest, world)?),
        GeneratedFile::new("src/erp/__init__.py", made("")),
        GeneratedFile::new("src/erp/guard.py", made(include_str!("../../../templates/toolkit/python/guard.py"))),
    ];
    if let Some(definitions) = definitions(manifest) {
        let text = made(&format!("\"\"\"What `get_node_definitions` gives.\"\"\"\n\nDEFINITIONS = {definitions}\n"));
        files.push(GeneratedFile::new("src/erp/definitions.py", text));
    }
    Ok(files)
}

/// The node definitions as a string literal that is valid in JavaScript and in Python; none without nodes.
fn definitions(manifest: &Manifest) -> Option<String> {
    let all: Value = manifest.nodes.iter().map(NodeKind::definition).collect();
    (!manifest.nodes.is_empty()).then(|| Value::String(all.to_string()).to_string())
}
