//! Guests in Python: componentize-py puts them and the interpreter into a component.

use std::path::PathBuf;

use erp_files::FileAccess;

use super::foreign::{ForeignBuild, ForeignError, Tool};
use super::typescript::is_newer;

/// The virtual environment of the build; the project's own environment is left alone.
const ENVIRONMENT: &str = ".erp-plugin/venv";

/// Builds the component of a project with `requirements.txt`.
pub(super) fn compile(build: &ForeignBuild<'_>) -> Result<PathBuf, ForeignError> {
    let root = build.root;
    let requirements = root.join("requirements.txt");
    if !requirements.is_file() {
        return Err(ForeignError::NoFile("requirements.txt", "pip's list of what the guest is built with"));
    }
    let environment = root.join(ENVIRONMENT);
    // Scripts in the environment contain the path of the folder where it was created; the interpreter does not.
    let inside = Tool::at(&environment.join("bin/python"));
    let (program, stamp) = (environment.join("bin/componentize-py"), environment.join("installed"));
    if !program.is_file() || is_newer(&requirements, &stamp) {
        if build.offline {
            return Err(ForeignError::Offline("componentize-py"));
        }
        (build.on_step)("Installing", "packages of PyPI into .erp-plugin/venv");
        let python = Tool::named("python3", "Debian's python3 and python3-venv bring it");
        python.run(root, &["-m", "venv", ENVIRONMENT], build)?;
        let arguments = ["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"];
        inside.run(root, &[&["-m", "pip"][..], &arguments].concat(), build)?;
        let _ = erp_files::write(&stamp, b"", FileAccess::Shared);
    }
    let entry = std::path::Path::new(build.entry);
    let module = entry.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let folder = entry.parent().map_or_else(|| ".".to_owned(), |folder| folder.to_string_lossy().into_owned());
    let out = build.out("plugin.wasm")?;
    let (wit, out_text) = (build.wit.to_string_lossy().into_owned(), out.to_string_lossy().into_owned());
    let script = program.to_string_lossy().into_owned();
    let arguments = [
        &script,
        "--wit-path",
        &wit,
        "--world",
        build.world,
        "componentize",
        // The interpreter imports files and environment of WASI, which a guest may not have.
        "--stub-wasi",
        "--python-path",
        &folder,
        &module,
        "--output",
        &out_text,
    ];
    inside.run(root, &arguments, build)?;
    Ok(out)
}
