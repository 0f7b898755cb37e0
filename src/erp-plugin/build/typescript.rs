//! Guests in TypeScript and JavaScript: jco bundles them with a small engine (`QuickJS`) into a component.

use std::path::{Path, PathBuf};

use erp_files::FileAccess;

use super::foreign::{ForeignBuild, ForeignError, Tool};

/// Builds the component of a project with `package.json`. Missing or outdated packages are installed first.
pub(super) fn compile(build: &ForeignBuild<'_>) -> Result<PathBuf, ForeignError> {
    let root = build.root;
    if !root.join("package.json").is_file() {
        return Err(ForeignError::NoFile("package.json", "npm's list of what the guest is built with"));
    }
    Tool::named("node", "Node.js 20.19 or newer is needed").run(root, &["--version"], build)?;
    let program = root.join("node_modules/.bin/jco");
    let installed = root.join("node_modules/.package-lock.json");
    if !program.is_file() || is_newer(&root.join("package.json"), &installed) {
        (build.on_step)("Installing", "packages of npm into node_modules");
        let mut arguments = vec!["install", "--no-audit", "--no-fund", "--loglevel=error"];
        if build.offline {
            arguments.push("--offline");
        }
        Tool::named("npm", "Node.js 20.19 or newer brings it").run(root, &arguments, build)?;
    }
    let jco = Tool::at(&program);
    let stamp = root.join("src/erp/types/.stamp");
    // A cancelled build may have left incomplete types, so the stamp is written last.
    if is_newer(build.wit, &stamp) {
        let wit = shown(build.wit.parent().unwrap_or(root));
        jco.run(root, &["guest-types", &wit, "-n", build.world, "-o", "src/erp/types", "-q"], build)?;
        // The time of the folder does not change when existing files in it are overwritten, so a stamp keeps it.
        let _ = erp_files::write(&stamp, build.world.as_bytes(), FileAccess::Shared);
    }
    // The engine passes 64-bit numbers as plain ones: code written for the type `bigint` would trap.
    plain_numbers(&root.join("src/erp/types"))?;
    if root.join("tsconfig.json").is_file() && root.join("node_modules/.bin/tsc").is_file() {
        Tool::at(&root.join("node_modules/.bin/tsc")).run(root, &["--noEmit", "-p", "."], build)?;
    }
    let out = build.out("plugin.wasm")?;
    let (wit, out_text) = (shown(build.wit.parent().unwrap_or(root)), shown(&out));
    // jco bundles TypeScript without a flag.
    let ending = Path::new(build.entry).extension().and_then(|ending| ending.to_str());
    let is_script = matches!(ending, Some("js" | "mjs"));
    let mut arguments = vec![
        "componentize",
        build.entry,
        "--backend",
        "qjs",
        // Without these two flags, the engine imports functions of WASI that a guest may not have.
        "--backend-qjs-disable-async",
        "--backend-qjs-stub-wasi",
        "--cwd",
        ".",
        "--wit",
        &wit,
        "--world-name",
        build.world,
        "--bundle-config",
        "src/erp/rolldown.config.mjs",
        "--out",
        &out_text,
    ];
    if is_script {
        arguments.push("--bundle");
    }
    jco.run(root, &arguments, build)?;
    Ok(out)
}

/// Replaces `bigint` by `number` in declarations; the engine has no exact value for numbers beyond 2^53.
fn plain_numbers(folder: &Path) -> Result<(), ForeignError> {
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            plain_numbers(&path)?;
        } else if path.to_string_lossy().ends_with(".d.ts") {
            let text = fs_err::read_to_string(&path)?;
            if text.contains("bigint") {
                erp_files::write(&path, text.replace("bigint", "number").as_bytes(), FileAccess::Shared)
                    .map_err(std::io::Error::other)?;
            }
        }
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// True where `one` was written after `other`, or `other` is missing.
pub(super) fn is_newer(one: &Path, other: &Path) -> bool {
    let written = |path: &Path| fs_err::metadata(path).and_then(|metadata| metadata.modified()).ok();
    match (written(one), written(other)) {
        (Some(one), Some(other)) => one > other,
        (_, other) => other.is_none(),
    }
}
