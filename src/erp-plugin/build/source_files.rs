//! The files that a component was built from, and whether they have changed since.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use erp_component::{BuildInputs, ComponentOrigin};
use erp_manifest::digest::sha256_hex;

use crate::settings::Environment;

/// Folders that a build does not read, or that only builds write.
const SKIPPED: [&str; 7] = ["target", "dist", "tests", "docs", "node_modules", "venv", "__pycache__"];
/// Generated code: the digest of the manifest and the version of this program cover it.
const GENERATED: &str = "src/erp/";
/// Files outside `src` that name dependencies or options.
const WITH_DEPENDENCIES: [&str; 7] = [
    "Cargo.toml",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "requirements.txt",
    "pyproject.toml",
    "setup.cfg",
];

/// The present state of a project, to compare with the inputs of a component.
#[derive(Debug, Clone, Copy)]
pub struct PresentInputs<'p> {
    /// The folder of the manifest, absolute and without symbolic links.
    pub root: &'p Path,
    /// SHA-256 of the manifest as packages contain it.
    pub manifest: &'p str,
    /// The digest of cargo's configuration; none where cargo does not build the project.
    pub settings: Option<&'p str>,
    /// The version of this program.
    pub tool: &'p str,
}

/// The files that cargo read for an artifact, from the `.d` file beside it. A file that was written since the build
/// began may differ from what the compiler saw. Its digest is empty, so it counts as changed.
pub(super) fn cargo_files(root: &Path, artifact: &Path, began: SystemTime) -> BTreeMap<String, String> {
    let account = fs_err::read_to_string(artifact.with_extension("d")).unwrap_or_default();
    let mut found = BTreeMap::new();
    let made = artifact.ancestors().find(|folder| folder.ends_with("wasm32-wasip2")).and_then(Path::parent);
    let is_made = |file: &Path| made.is_some_and(|made| file.starts_with(made));
    let mut packages = Vec::new();
    for file in listed(&account).map(|file| root.join(file)).filter(|file| !is_made(file)) {
        let package = file.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file());
        if let Some(package) = package.filter(|package| !packages.iter().any(|known| known == package)) {
            packages.push(package.to_path_buf());
        }
        let is_newer = fs_err::metadata(&file).and_then(|metadata| metadata.modified()).is_ok_and(|time| time >= began);
        let seen = digested(root, &file).map(|(name, digest)| (name, if is_newer { String::new() } else { digest }));
        found.extend(seen);
    }
    if !packages.iter().any(|package| package == root) {
        packages.push(root.to_path_buf());
    }
    for package in packages {
        found.extend(digested(root, &package.join("Cargo.toml")));
        // A build script may read any file of its package, and cargo lists only those that the script declares.
        if package.join("build.rs").is_file() {
            found.extend(walked(&package).iter().filter_map(|file| digested(root, file)));
        }
    }
    let workspace = workspace_of(root);
    for name in ["Cargo.toml", "Cargo.lock"] {
        found.extend(digested(root, &workspace.join(name)));
    }
    found
}

/// The environment variables that the compiler read for the crate of an artifact, from its `.d` file: digests of their
/// values. Variables that cargo sets itself are left out.
pub(super) fn read_variables(artifact: &Path) -> BTreeMap<String, String> {
    let account = artifact.file_stem().and_then(|stem| {
        let file = artifact.parent()?.join("deps").join(stem).with_extension("d");
        fs_err::read_to_string(file).ok()
    });
    let names = account.iter().flat_map(|account| account.lines()).filter_map(|line| {
        let asked = line.strip_prefix("# env-dep:")?;
        Some(asked.split('=').next().unwrap_or(asked).to_owned())
    });
    let is_cargos = |name: &String| name.starts_with("CARGO") || name == "OUT_DIR";
    names.filter(|name| !is_cargos(name)).map(|name| (name.clone(), digest_of_variable(&name))).collect()
}

/// SHA-256 of a variable's value; empty where the variable is not set.
fn digest_of_variable(name: &str) -> String {
    Environment::read_by_source(name).map_or_else(String::new, |value| sha256_hex(value.as_encoded_bytes()))
}

/// The files of a project whose build does not report what it read: all of `src`, and those that name dependencies.
pub fn script_files(root: &Path) -> BTreeMap<String, String> {
    let named = WITH_DEPENDENCIES.iter().map(|name| root.join(name));
    walked(&root.join("src")).into_iter().chain(named).filter_map(|file| digested(root, &file)).collect()
}

/// The folders outside the project with files that its component was built from.
pub fn folders_beside(root: &Path, inputs: &BuildInputs) -> Vec<PathBuf> {
    let outside = inputs.files.keys().filter(|name| name.starts_with("../") && name.ends_with("Cargo.toml"));
    let mut folders: Vec<PathBuf> = outside
        .filter_map(|name| root.join(name).parent().and_then(|folder| fs_err::canonicalize(folder).ok()))
        // The workspace's own folder contains this project and its neighbours.
        .filter(|folder| !root.starts_with(folder))
        .collect();
    folders.sort();
    folders.dedup();
    folders
}

/// The changes since a component was built; empty where it is up to date.
pub fn changes(inputs: &BuildInputs, present: PresentInputs<'_>) -> Vec<String> {
    let mut changes = Vec::new();
    if inputs.manifest != present.manifest {
        changes.push("plugin.toml".to_owned());
    }
    changes.extend(source_changes(inputs, present));
    changes
}

/// The changes without those of the manifest, for callers that compare the manifest themselves.
pub fn source_changes(inputs: &BuildInputs, present: PresentInputs<'_>) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, digest) in &inputs.files {
        let file = present.root.join(name);
        match fs_err::read(&file) {
            Ok(bytes) if sha256_hex(&bytes) == *digest => {}
            Ok(_) => changes.push(name.clone()),
            Err(_) => changes.push(format!("{name} (it is gone)")),
        }
    }
    let is_script = inputs.profile.is_none() && !inputs.files.is_empty();
    let new: Vec<String> = if is_script {
        script_files(present.root).into_keys().collect()
    } else {
        let with_script = inputs.files.keys().filter_map(|name| name.strip_suffix("build.rs"));
        let packages =
            with_script.map(|folder| present.root.join(folder)).filter(|folder| folder.join("Cargo.toml").is_file());
        packages.flat_map(|folder| walked(&folder)).filter_map(|file| relative(present.root, &file)).collect()
    };
    let is_new = |name: &String| !inputs.files.contains_key(name) && !name.starts_with(GENERATED);
    changes.extend(new.into_iter().filter(is_new).map(|name| format!("{name} (it is new)")));
    if inputs.settings.is_some() && present.settings.is_some() && inputs.settings.as_deref() != present.settings {
        changes.push("cargo's flags, linker or profiles".to_owned());
    }
    let others = inputs.variables.iter().filter(|(name, digest)| digest_of_variable(name) != **digest);
    changes.extend(others.map(|(name, _)| format!("the variable {name}")));
    if inputs.tool != present.tool && inputs.origin != ComponentOrigin::File {
        changes.push(format!("erp-plugin ({} built it)", inputs.tool));
    }
    changes
}

/// The folder whose lock file applies to the package in a folder.
pub fn workspace_of(root: &Path) -> PathBuf {
    let table = |folder: &Path| {
        fs_err::read_to_string(folder.join("Cargo.toml")).ok().and_then(|text| text.parse::<toml::Table>().ok())
    };
    let named = table(root).and_then(|own| Some(own.get("package")?.get("workspace")?.as_str()?.to_owned()));
    if let Some(named) = named {
        let folder = root.join(named);
        return fs_err::canonicalize(&folder).unwrap_or(folder);
    }
    let is_root = |folder: &&Path| table(folder).is_some_and(|cargo| cargo.contains_key("workspace"));
    root.ancestors().find(is_root).unwrap_or(root).to_path_buf()
}

/// The dependencies in a `.d` file of cargo: the files of its first rule, where a backslash escapes a space.
fn listed(account: &str) -> impl Iterator<Item = String> {
    let rule = account.lines().next().and_then(|line| line.split_once(": ")).map_or("", |(_, files)| files);
    let mut files = Vec::new();
    let mut file = String::new();
    let mut letters = rule.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&' ') => file.extend(letters.next()),
            ' ' => files.push(std::mem::take(&mut file)),
            other => file.push(other),
        }
    }
    files.push(file);
    files.into_iter().filter(|file| !file.is_empty())
}

/// The files of a folder that a build may read; symbolic links are not followed.
fn walked(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            match entry.file_type() {
                _ if name.starts_with('.') || SKIPPED.contains(&&*name) => {}
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The relative path of a file and the digest of its content; none where it cannot be read or is generated.
fn digested(root: &Path, file: &Path) -> Option<(String, String)> {
    let name = relative(root, file)?;
    if name.starts_with(GENERATED) {
        return None;
    }
    Some((name, sha256_hex(&fs_err::read(file).ok()?)))
}

/// The relative path from a folder to a file, with `/` on every system; none for a missing file or one on another
/// drive.
fn relative(root: &Path, file: &Path) -> Option<String> {
    let file = fs_err::canonicalize(file).ok()?;
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (root.components().collect(), file.components().collect());
    let common = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    if common == 0 {
        return None;
    }
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_the_source_reads_are_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            erp_files::write(&file, text.as_bytes(), erp_files::FileAccess::Shared).unwrap();
        };
        write(
            "deps/erp_demo.d",
            "x.wasm: src/lib.rs\n\nsrc/lib.rs:\n\n# env-dep:CARGO_PKG_NAME=x\n# env-dep:NOT_SET_ANYWHERE\n# env-dep:PATH=/bin\n",
        );
        let read = read_variables(&folder.path().join("erp_demo.wasm"));
        assert_eq!(read.keys().collect::<Vec<_>>(), ["NOT_SET_ANYWHERE", "PATH"]);
        assert_eq!((read["NOT_SET_ANYWHERE"].as_str(), read["PATH"].len()), ("", 64));
        assert!(read_variables(&folder.path().join("other.wasm")).is_empty());
    }

    #[test]
    fn names_with_spaces_are_whole() {
        let account = "/t/a.wasm: /p/src/lib.rs /p/my\\ file.txt\n\n/p/src/lib.rs:\n";
        assert_eq!(listed(account).collect::<Vec<_>>(), ["/p/src/lib.rs", "/p/my file.txt"]);
        assert_eq!(listed("").count(), 0);
    }

    #[test]
    fn a_file_beside_the_project_has_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let base = fs_err::canonicalize(folder.path()).unwrap();
        for file in ["shared/src/lib.rs", "plugin/src/lib.rs"] {
            let file = base.join(file);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            fs_err::File::create(file).unwrap();
        }
        let root = base.join("plugin");
        assert_eq!(relative(&root, &base.join("plugin/src/lib.rs")).as_deref(), Some("src/lib.rs"));
        assert_eq!(relative(&root, &base.join("shared/src/lib.rs")).as_deref(), Some("../shared/src/lib.rs"));
    }

    #[test]
    fn every_change_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(folder.path()).unwrap();
        let write = |name: &str, text: &str| {
            let file = root.join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            erp_files::write(&file, text.as_bytes(), erp_files::FileAccess::Shared).unwrap();
        };
        write("src/plugin.ts", "a");
        write("package.json", "{}");
        let inputs = BuildInputs {
            origin: ComponentOrigin::Release,
            profile: None,
            compiler: None,
            tool: "1".to_owned(),
            manifest: "m".to_owned(),
            settings: None,
            files: script_files(&root),
            variables: BTreeMap::new(),
        };
        let present = PresentInputs { root: &root, manifest: "m", settings: None, tool: "1" };
        assert!(changes(&inputs, present).is_empty());
        assert_eq!(changes(&inputs, PresentInputs { manifest: "n", ..present }), ["plugin.toml"]);
        write("src/plugin.ts", "b");
        write("src/more.ts", "c");
        fs_err::remove_file(root.join("package.json")).unwrap();
        let changed = changes(&inputs, present);
        assert_eq!(changed, ["package.json (it is gone)", "src/plugin.ts", "src/more.ts (it is new)"]);
        // A component from a file records the files beside it at that time, and the tool's version does not count.
        let taken = BuildInputs { origin: ComponentOrigin::File, tool: "0.0.1".to_owned(), ..inputs };
        assert_eq!(changes(&taken, present), changed);
    }
}
