//! The floors of the house, held against the sources. `docs/architecture.md` says why.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// Each room and the rooms that it may use. A room that is not here does not exist.
const ROOMS: &[(&str, &[&str])] = &[
    // Words.
    ("codes", &["exit_code"]),
    ("containment", &[]),
    ("diagnostics", &["codes"]),
    ("digest", &[]),
    ("document", &["codes", "diagnostics"]),
    ("exit_code", &[]),
    ("files", &[]),
    ("pattern", &[]),
    ("random", &[]),
    ("settings", &[]),
    ("strict_zip", &["codes"]),
    ("ui", &["codes", "diagnostics", "settings"]),
    // Nouns.
    ("expression", &["codes", "diagnostics", "document"]),
    ("manifest", &["codes", "contract", "diagnostics", "document", "expression"]),
    ("contract", &["diagnostics"]),
    ("component", &["codes", "containment", "contract", "diagnostics"]),
    ("outgoing", &[]),
    ("signing", &["codes", "diagnostics", "digest", "document"]),
    ("archive", &["codes", "containment", "diagnostics", "digest", "document", "manifest", "signing", "strict_zip"]),
    ("evolution", &["diagnostics", "expression", "manifest"]),
    (
        "store",
        &["codes", "contract", "diagnostics", "digest", "document", "evolution", "expression", "manifest", "pattern"],
    ),
    ("project", &["diagnostics", "files", "manifest", "strict_zip"]),
    // Engines.
    (
        "check",
        &[
            "archive",
            "codes",
            "component",
            "contract",
            "diagnostics",
            "document",
            "evolution",
            "expression",
            "manifest",
            "outgoing",
            "pattern",
            "store",
            "strict_zip",
        ],
    ),
    (
        "verification",
        &[
            "archive",
            "check",
            "codes",
            "component",
            "containment",
            "contract",
            "diagnostics",
            "digest",
            "document",
            "manifest",
            "signing",
            "strict_zip",
        ],
    ),
    ("seed", &["diagnostics", "expression", "manifest", "pattern", "random", "store"]),
    ("http_api", &["contract", "manifest"]),
    ("generate", &["contract", "http_api", "manifest"]),
    ("scaffold", &["containment", "document", "files", "pattern"]),
    ("build", &["files", "settings", "signing"]),
    (
        "host",
        &[
            "codes",
            "component",
            "contract",
            "digest",
            "document",
            "expression",
            "files",
            "manifest",
            "outgoing",
            "random",
            "settings",
            "store",
        ],
    ),
    ("registry", &["codes", "diagnostics", "digest", "outgoing"]),
    // The platform's contract, and what stands on it.
    (
        "platform",
        &[
            "archive",
            "check",
            "codes",
            "contract",
            "diagnostics",
            "digest",
            "document",
            "evolution",
            "expression",
            "generate",
            "host",
            "http_api",
            "manifest",
            "signing",
            "store",
            "strict_zip",
            "verification",
        ],
    ),
    (
        "scenario",
        &[
            "check",
            "codes",
            "contract",
            "diagnostics",
            "digest",
            "document",
            "host",
            "http_api",
            "manifest",
            "outgoing",
            "pattern",
            "platform",
            "store",
        ],
    ),
    (
        "dev_host",
        &[
            "build",
            "codes",
            "diagnostics",
            "digest",
            "document",
            "files",
            "host",
            "http_api",
            "manifest",
            "outgoing",
            "platform",
            "project",
            "signing",
            "store",
        ],
    ),
];

/// The rooms of the program itself may use everything.
const PROGRAM: [&str; 7] = ["main", "lib", "cli", "commands", "command_error", "context", "explanations"];

/// Heavy dependencies and the rooms that they live in.
const HOMES: &[(&str, &[&str])] = &[
    ("axum::", &["dev_host"]),
    ("clap::", &["cli", "commands", "ui"]),
    ("ed25519_dalek::", &["signing"]),
    ("cargo_metadata::", &["build"]),
    ("hyper::", &["dev_host"]),
    ("hyper_util::", &["dev_host"]),
    ("flate2::", &["dev_host", "strict_zip"]),
    ("ignore::", &["project"]),
    ("regex::", &["pattern"]),
    ("indicatif::", &["ui"]),
    ("miette::", &["diagnostics"]),
    ("calamine::", &["scaffold"]),
    ("zip::", &["scaffold"]),
    ("minijinja::", &["scaffold"]),
    ("oci_client::", &["registry"]),
    ("reqwest::", &["registry"]),
    ("postgres::", &["store"]),
    ("rusqlite::", &["store"]),
    ("sea_query::", &["store"]),
    ("sqlparser::", &["scaffold"]),
    ("std::process::Command", &["build", "commands", "host", "settings"]),
    ("tokio::", &["dev_host", "registry"]),
    ("url::", &["outgoing"]),
    ("wasm_encoder::", &["component"]),
    ("wasm_metadata::", &["component"]),
    ("wasmtime::", &["host"]),
    ("wit_bindgen_", &["generate"]),
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The room of each source file, and its text.
fn files() -> Vec<(String, String, String)> {
    let source = repository().join("src");
    let mut paths = Vec::new();
    sources(&source, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/");
            let room = name.split(['/', '.']).next().unwrap().to_owned();
            (room, name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn rooms_only_use_the_rooms_below_them() {
    for (room, name, text) in files() {
        if PROGRAM.contains(&room.as_str()) {
            continue;
        }
        let (_, allowed) =
            ROOMS.iter().find(|(known, _)| *known == room).unwrap_or_else(|| panic!("src/{name}: `{room}` is no room"));
        for used in text.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            // Modules of guests stand in the options of their generator.
            let is_own = used == room || used.is_empty() || matches!(used.as_str(), "bindings" | "erp");
            assert!(
                is_own || allowed.contains(&used.as_str()),
                "src/{name}: `{room}` may not use `{used}`; see docs/architecture.md"
            );
        }
    }
}

#[test]
fn the_digest_of_the_rules_covers_every_room_that_they_use() {
    let (mut used, mut left) = (BTreeSet::new(), vec!["check"]);
    while let Some(room) = left.pop() {
        if used.insert(room) {
            left.extend(ROOMS.iter().find(|(known, _)| *known == room).unwrap().1);
        }
    }
    let script = std::fs::read_to_string(repository().join("build.rs")).unwrap();
    let digested: BTreeSet<&str> = script
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("\"src/")?.split(['"', '.']).next().unwrap()))
        .collect();
    assert_eq!(digested, used);
}

#[test]
fn heavy_dependencies_have_one_home() {
    for (room, name, text) in files() {
        for (dependency, homes) in HOMES {
            let uses = text.lines().any(|line| {
                let line = line.trim_start();
                line.contains(dependency)
                    && !line.starts_with("//")
                    && !line.contains(&format!("_{dependency}"))
                    && !line.contains(&format!("::{dependency}"))
            });
            assert!(!uses || homes.contains(&room.as_str()), "src/{name} uses {dependency}, which lives in {homes:?}");
        }
    }
}

#[test]
fn files_and_rooms_have_names_that_say_something() {
    for (_, name, text) in files() {
        for word in ["util", "utils", "helper", "helpers", "common", "misc", "manager"] {
            assert!(!name.split(['/', '.', '_']).any(|part| part == word), "src/{name}: `{word}` says nothing");
        }
        assert!(text.starts_with("//!"), "src/{name} does not say what it is for");
        let lines = text.lines().count();
        assert!(lines <= 600, "src/{name} has {lines} lines: it may want to be a folder");
    }
}

#[test]
fn no_file_of_the_suite_is_forgotten() {
    let folder = repository().join("tests/suite");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    let listed: BTreeSet<String> =
        main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect();
    let there: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(listed, there);
}

/// Types that more than one file may use: `pub`, `pub(crate)`, `pub(super)`, `pub(in …)`.
fn shared_types(text: &str) -> Vec<&str> {
    let program = text.split("#[cfg(test)]").next().unwrap();
    let name_of = |line: &'_ str| {
        let rest = line.trim_start().strip_prefix("pub")?;
        let rest = rest.strip_prefix('(').map_or(Some(rest), |rest| Some(rest.split_once(')')?.1))?.trim_start();
        let kind = ["struct ", "enum ", "trait ", "type "].into_iter().find(|kind| rest.starts_with(kind))?;
        Some(kind.len() + (line.len() - rest.len()))
    };
    program
        .lines()
        .filter_map(|line| {
            let name = &line[name_of(line)?..];
            Some(name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap())
        })
        // What a macro declares has its name where the macro is used.
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn no_two_shared_types_have_one_name() {
    let mut homes: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    for (_, name, text) in files() {
        for shared in shared_types(&text) {
            if let Some(other) = homes.insert(shared.to_owned(), name.clone()) {
                panic!(
                    "`{shared}` is a type in src/{other} and in src/{name}: docs/glossary.md has one word for one thing"
                );
            }
        }
    }
    assert!(homes.len() > 500, "the types were not found: {}", homes.len());
}

#[test]
fn the_glossary_names_what_exists() {
    let page = std::fs::read_to_string(repository().join("docs/glossary.md")).unwrap();
    let sources = files();
    let mut words: Vec<&str> = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| word")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{line}");
        words.push(cells[0]);
        for item in cells[3].split('`').skip(1).step_by(2).filter(|item| item.contains("::")) {
            let name = item.rsplit("::").next().unwrap();
            let is_module = repository().join("src").join(item.replace("::", "/")).with_extension("rs").is_file()
                || repository().join("src").join(item.replace("::", "/")).is_dir();
            let room = item.split("::").next().unwrap();
            let has_word = |text: &str| {
                text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
            };
            let is_type = sources.iter().any(|(of, _, text)| of == room && has_word(text));
            assert!(is_module || is_type, "docs/glossary.md: `{item}` does not exist");
        }
    }
    assert!(words.is_sorted(), "docs/glossary.md is not sorted");
}
