//! Components that tests need, built with the program itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use super::{Sandbox, repository};

/// Allows one cargo at a time: guests share a target folder, and the machine has two cores.
static BUILDING: Mutex<()> = Mutex::new(());

/// Returns the release component of a template, as `erp-demo`. A language may follow the template's name, as in
/// `event-python`.
pub fn template_component(template: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = built.get(template) {
        return known.clone();
    }
    let _one = one_build();
    let sandbox = Sandbox::with_template(template);
    let component = keep(&sandbox, "erp-demo", "erp-demo", template);
    built.insert(template.to_owned(), component.clone());
    component
}

/// The release component of a fixture project under `tests/fixtures`.
pub fn fixture_component(name: &str) -> PathBuf {
    let _one = one_build();
    let sandbox = Sandbox::new();
    copy(&repository().join("tests/fixtures").join(name), &sandbox.path(name));
    let id = name;
    keep(&sandbox, name, id, name)
}

/// A fixture project with its generated code, in the folder `erp-demo`.
pub fn fixture_project(name: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    copy(&repository().join("tests/fixtures").join(name), &sandbox.path("erp-demo"));
    sandbox.run(&["-C", "erp-demo", "generate"]).succeeded();
    sandbox
}

fn keep(sandbox: &Sandbox, folder: &str, id: &str, name: &str) -> PathBuf {
    let target = repository().join("target/test-guests");
    let arguments = ["-C", folder, "build", "--release", "--target-dir", target.to_str().unwrap()];
    sandbox.run(&arguments).succeeded();
    let kept = repository().join(format!("target/test-guests/{name}.component.wasm"));
    // Another test may be reading the old file: the new one replaces it at once.
    let new = kept.with_extension(format!("{}.new", std::process::id()));
    std::fs::copy(sandbox.path(&format!("{folder}/dist/{id}.wasm")), &new).unwrap();
    std::fs::rename(&new, &kept).unwrap();
    kept
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let target = to.join(name.to_str().unwrap().trim_end_matches(".tmpl"));
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Returns a guard; while it is held, no other test builds guests.
pub fn one_build() -> MutexGuard<'static, ()> {
    BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Returns a project made from a template; its builds reuse what was compiled before.
pub fn buildable(template: &str) -> Sandbox {
    let target = repository().join("target/test-guests");
    Sandbox::with_template(template).variable("CARGO_TARGET_DIR", target.to_str().unwrap())
}

/// Returns a project made from a template, with a debug component that has line numbers.
pub fn debug_component(template: &str) -> (Sandbox, String) {
    let sandbox = Sandbox::with_template(template);
    let _one = one_build();
    let target = repository().join("target/test-guests");
    sandbox.run(&["-C", "erp-demo", "build", "--target-dir", target.to_str().unwrap()]).succeeded();
    let component = sandbox.path("erp-demo/dist/debug/erp-demo.wasm").display().to_string();
    (sandbox, component)
}
