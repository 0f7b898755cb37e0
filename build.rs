//! Rebuilds the program when a file is added to what it embeds (changed files cargo sees by itself), and
//! takes the digest of everything that the rules of `check` are made of.

#![expect(clippy::disallowed_macros, reason = "how a build script talks to cargo")]

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What decides about a finding: the rules, all rooms that they use, and the host API that they hold it against. A test
/// of the rooms says which ones they are.
const RULES: [&str; 19] = [
    "src/archive",
    "src/check",
    "src/codes",
    "src/component",
    "src/containment.rs",
    "src/contract",
    "src/diagnostics",
    "src/digest.rs",
    "src/document",
    "src/evolution",
    "src/exit_code.rs",
    "src/expression",
    "src/manifest",
    "src/outgoing",
    "src/pattern.rs",
    "src/signing",
    "src/store",
    "src/strict_zip",
    "wit",
];
/// Texts of errors decide about no finding.
const NO_RULES: [&str; 1] = ["src/codes/errors.rs"];
/// The versions of the libraries that read files for them.
const LOCK: &str = "Cargo.lock";

fn main() {
    println!("cargo::rerun-if-changed=templates");
    println!("cargo::rerun-if-changed=src/dev_host/console");
    println!("cargo::rerun-if-changed=tests/diagnostics");
    let mut files = Vec::new();
    for folder in RULES {
        println!("cargo::rerun-if-changed={folder}");
        match Path::new(folder) {
            file if file.is_file() => files.push(file.to_path_buf()),
            folder => collect(folder, &mut files),
        }
    }
    println!("cargo::rerun-if-changed={LOCK}");
    files.retain(|file| !NO_RULES.iter().any(|other| file == Path::new(other)));
    files.push(PathBuf::from(LOCK));
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(file.to_string_lossy().as_bytes());
        digest.update(Sha256::digest(read(&file)));
    }
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo::rustc-env=ERP_PLUGIN_RULE_SET={digest}");
}

#[expect(clippy::disallowed_methods, reason = "the program's file helpers are not there yet")]
fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_default()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
