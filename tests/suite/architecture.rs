//! The floors of the house, held against the sources. `docs/architecture.md` says why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::documentation::with_part;
use crate::support::{expect_file, repository};

/// A room and the rooms that it may use.
type Room = (&'static str, &'static [&'static str]);

/// The floors from the ground up, and the rooms of each. A room that is not here does not exist.
const FLOORS: &[(&str, &[Room])] = &[
    (
        "words",
        &[
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
        ],
    ),
    (
        "nouns",
        &[
            ("expression", &["codes", "diagnostics", "document"]),
            ("manifest", &["codes", "contract", "diagnostics", "document", "expression"]),
            ("contract", &["diagnostics"]),
            ("component", &["codes", "containment", "contract", "diagnostics"]),
            ("network", &["outgoing"]),
            ("outgoing", &[]),
            ("signing", &["codes", "diagnostics", "digest", "document"]),
            (
                "archive",
                &["codes", "containment", "diagnostics", "digest", "document", "manifest", "signing", "strict_zip"],
            ),
            ("evolution", &["diagnostics", "expression", "manifest"]),
            (
                "store",
                &[
                    "codes",
                    "contract",
                    "diagnostics",
                    "digest",
                    "document",
                    "evolution",
                    "expression",
                    "manifest",
                    "pattern",
                ],
            ),
            ("project", &["diagnostics", "files", "manifest", "strict_zip"]),
        ],
    ),
    (
        "engines",
        &[
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
            ("generate", &["codes", "contract", "http_api", "manifest"]),
            ("scaffold", &["containment", "document", "files", "pattern"]),
            ("build", &["component", "digest", "files", "settings", "signing"]),
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
            ("registry", &["codes", "diagnostics", "digest", "network", "outgoing"]),
        ],
    ),
    (
        "platform",
        &[(
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
        )],
    ),
    (
        "surfaces",
        &[
            (
                "scenario",
                &[
                    "check",
                    "codes",
                    "component",
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
                    "seed",
                    "store",
                ],
            ),
            (
                "dev_host",
                &[
                    "build",
                    "codes",
                    "component",
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
        ],
    ),
];

fn rooms() -> impl Iterator<Item = &'static Room> {
    FLOORS.iter().flat_map(|(_, rooms)| rooms.iter())
}

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
    ("reqwest::", &["network", "registry"]),
    ("postgres::", &["store"]),
    ("rusqlite::", &["store"]),
    ("sea_query::", &["store"]),
    ("sqlparser::", &["scaffold"]),
    ("std::process::Command", &["build", "commands", "host", "settings"]),
    ("tokio::", &["dev_host", "network", "registry"]),
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

/// The rooms that a source file names.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect()
    };
    let paths = text.split("crate::").skip(1).map(|path| match path.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap().split(',').map(|item| word(item.trim())).collect(),
        None => vec![word(path)],
    });
    // Modules of guests are in the options of their generator.
    paths.flatten().filter(|used| !used.is_empty() && !matches!(used.as_str(), "bindings" | "erp")).collect()
}

#[test]
fn rooms_only_use_the_rooms_below_them() {
    for (room, name, text) in files() {
        if PROGRAM.contains(&room.as_str()) {
            continue;
        }
        let (_, allowed) =
            rooms().find(|(known, _)| *known == room).unwrap_or_else(|| panic!("src/{name}: `{room}` is no room"));
        for used in used_rooms(&text) {
            let is_own = used == room;
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
            left.extend(rooms().find(|(known, _)| *known == room).unwrap().1);
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
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
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

/// The rooms as they are: who uses whom, as a picture without the arrows that follow from others, and sizes.
#[test]
fn the_picture_of_the_rooms_is_made_from_the_sources() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut sizes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (room, _, text) in files() {
        let room = if PROGRAM.contains(&room.as_str()) { "program".to_owned() } else { room };
        let size = sizes.entry(room.clone()).or_default();
        *size = (size.0 + 1, size.1 + text.lines().count());
        let mut others = used_rooms(&text);
        others.retain(|other| *other != room && !PROGRAM.contains(&other.as_str()));
        used.entry(room).or_default().extend(others);
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(room) = left.pop() {
            if room == to {
                return true;
            }
            if seen.insert(room.clone()) {
                left.extend(used[&room].iter().cloned());
            }
        }
        false
    };
    let mut picture = "```mermaid\nflowchart TD\n  program\n".to_owned();
    let floors = FLOORS.iter().rev();
    for (floor, rooms) in floors.clone() {
        let names: Vec<&str> = rooms.iter().map(|(room, _)| *room).collect();
        picture.push_str(&format!("  subgraph {floor}_floor[{floor}]\n    {}\n  end\n", names.join("; ")));
    }
    for (room, others) in &used {
        let follows = |other: &String| others.iter().any(|third| third != other && reaches(third, other));
        for other in others.iter().filter(|other| !follows(other)) {
            picture.push_str(&format!("  {room} --> {other}\n"));
        }
    }
    picture.push_str("```\n\n| room | floor | files | lines |\n|---|---|---|---|\n");
    let rows = floors.flat_map(|(floor, rooms)| rooms.iter().map(move |(room, _)| (*floor, *room)));
    for (floor, room) in std::iter::once(("program", "program")).chain(rows) {
        let (files, lines) = sizes[room];
        // Hundreds: a page that changes with every line is read by no one.
        let about = lines.div_ceil(100) * 100;
        picture.push_str(&format!("| {room} | {floor} | {files} | {about} |\n"));
    }
    let file = repository().join("docs/architecture.md");
    let page = std::fs::read_to_string(&file).unwrap();
    expect_file(&file, &with_part(&page, "rooms", &picture));
}

/// How many files somebody edits to add a thing, beside its own tests and blessed files; the row of the page says which.
#[test]
fn the_table_of_files_to_touch_names_files_that_know_the_thing() {
    let page = std::fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    let table = page.split("## Files to touch").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| a ") || line.starts_with("| an ")).collect();
    assert!(rows.len() >= 7, "{rows:?}");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [thing, _, now, files, example, _] = cells.as_slice() else { panic!("{row}") };
        let files: Vec<&str> = files.split('`').skip(1).step_by(2).collect();
        let count: usize = now.parse().unwrap();
        assert_eq!(files.len(), count, "{thing}: the row names {files:?}");
        assert!(count <= 3, "{thing}: {count} files");
        let tokens: Vec<&str> = example.trim_matches('`').split(' ').collect();
        let names_it = |text: &str| tokens.iter().any(|token| names(text, token));
        for file in &files {
            let text = std::fs::read_to_string(repository().join("src").join(file)).unwrap();
            assert!(names_it(&text), "{thing}: {example} is not in src/{file}");
        }
        // Nothing else in the program names the example.
        let elsewhere: Vec<String> = self::files()
            .into_iter()
            .filter(|(_, name, text)| !files.contains(&name.as_str()) && names_it(text))
            .map(|(_, name, _)| name)
            .collect();
        assert!(elsewhere.is_empty(), "{thing}: {example} is in {elsewhere:?} too");
    }
}

/// Whether the program part of a file has a word.
fn names(text: &str, word: &str) -> bool {
    let program = text.split("#[cfg(test)]").next().unwrap();
    let code = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
        .any(|found| found == word)
}

/// `npm run format` in `tests/console` breaks lines where it can; long templates are broken by hand.
#[test]
fn lines_of_the_console_fit_a_window() {
    let console = repository().join("src/dev_host/console");
    for folder in [console.clone(), console.join("app"), console.join("tools")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "js") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(text.starts_with("// @ts-check\n"), "{}: types are not checked", path.display());
                for (number, line) in text.lines().enumerate() {
                    let columns = line.chars().count();
                    assert!(columns <= 120, "{}:{}: {columns} columns", path.display(), number + 1);
                }
            }
        }
    }
}
