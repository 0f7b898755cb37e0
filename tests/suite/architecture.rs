//! Checks of the structure of the sources. `docs/architecture.md` gives the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use erp_manifest::digest::sha256_hex;

use crate::documentation::with_part;
use crate::support::{expect_file, repository};

/// A room (a module at the root of a crate), with the rooms of the same crate that it may use. `Cargo.toml` files list
/// what crates may use of each other.
type Room = (&'static str, &'static [&'static str]);

/// The crates that have several rooms. Every room must be listed.
const ROOMS: &[(&str, &[Room])] = &[
    (
        "manifest",
        &[
            ("codes", &["exit_code"]),
            ("containment", &[]),
            ("contract", &["diagnostics"]),
            ("diagnostics", &["codes"]),
            ("digest", &[]),
            ("document", &["codes", "diagnostics"]),
            ("evolution", &["diagnostics", "expression", "manifest"]),
            ("exit_code", &[]),
            ("expression", &["codes", "diagnostics", "document"]),
            ("manifest", &["codes", "contract", "diagnostics", "document", "expression", "pattern"]),
            ("outgoing", &[]),
            ("pattern", &[]),
        ],
    ),
    (
        "package",
        &[
            ("archive", &["signing", "strict_zip"]),
            ("signing", &[]),
            ("strict_zip", &[]),
            ("verification", &["archive", "signing", "strict_zip"]),
        ],
    ),
    (
        "erp-plugin",
        &[
            ("build", &["link", "settings"]),
            ("dev_host", &["build", "project", "settings"]),
            ("generate", &[]),
            ("link", &[]),
            ("network", &[]),
            ("project", &[]),
            ("registry", &["network"]),
            ("scaffold", &[]),
            ("scenario", &["seed"]),
            ("seed", &[]),
            ("settings", &[]),
            ("ui", &["settings"]),
        ],
    ),
];

/// The modules of the program itself, which may use everything.
const PROGRAM: [&str; 7] = ["main", "lib", "cli", "commands", "command_error", "context", "explanations"];

/// Heavy dependencies, and the only rooms that may use them.
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
    ("miette::", &["ui"]),
    ("calamine::", &["scaffold"]),
    ("zip::", &["scaffold"]),
    ("minijinja::", &["scaffold"]),
    ("oci_client::", &["registry"]),
    ("reqwest::", &["network", "registry"]),
    ("tokio_postgres::", &["store"]),
    ("rusqlite::", &["store"]),
    ("sea_query::", &["store"]),
    ("std::process::Command", &["build", "commands", "runtime", "settings"]),
    ("tokio::", &["dev_host", "network", "registry", "store"]),
    ("url::", &["outgoing"]),
    ("wac_graph::", &["link"]),
    ("wasm_encoder::", &["component", "link"]),
    ("wasm_metadata::", &["component"]),
    ("wasmtime::", &["runtime"]),
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

/// A source file of the program.
struct Source {
    /// The folder of its crate in `src`.
    of_crate: String,
    /// Its room. In a crate that has only one, it is named like the crate.
    room: String,
    /// Its path in `src`.
    name: String,
    text: String,
}

fn files() -> Vec<Source> {
    let source = repository().join("src");
    let mut paths = Vec::new();
    sources(&source, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&source).unwrap().to_string_lossy().replace('\\', "/");
            let mut parts = name.split(['/', '.']);
            let of_crate = parts.next().unwrap().to_owned();
            let has_rooms = ROOMS.iter().any(|(known, _)| *known == of_crate);
            let room = if has_rooms { parts.next().unwrap().to_owned() } else { of_crate.clone() };
            Source { of_crate, room, name, text: std::fs::read_to_string(&path).unwrap() }
        })
        .collect()
}

/// Returns the rooms of its own crate that a source file uses.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect()
    };
    let paths = text.split(" crate::").skip(1).map(|path| match path.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap().split(',').map(|item| word(item.trim())).collect(),
        None => vec![word(path)],
    });
    // An item at the root of a crate begins with a capital letter, so its word is empty.
    paths.flatten().filter(|used| !used.is_empty()).collect()
}

#[test]
fn rooms_only_use_the_rooms_that_they_may() {
    for (of_crate, rooms) in ROOMS {
        for file in files().iter().filter(|file| file.of_crate == *of_crate && !PROGRAM.contains(&file.room.as_str())) {
            let (room, name) = (&file.room, &file.name);
            let (_, allowed) = rooms
                .iter()
                .find(|(known, _)| known == room)
                .unwrap_or_else(|| panic!("src/{name}: `{room}` is no room of {of_crate}"));
            for used in used_rooms(&file.text) {
                let is_room = rooms.iter().any(|(known, _)| *known == used) || PROGRAM.contains(&used.as_str());
                assert!(
                    !is_room || used == *room || allowed.contains(&used.as_str()),
                    "src/{name}: `{room}` may not use `{used}`; see docs/architecture.md"
                );
            }
        }
    }
}

/// The digest covers the code that decides about findings. Comments and tests do not count: editing them does not
/// change the rules.
#[test]
fn the_digest_of_the_rules_is_that_of_their_sources() {
    let is_of_rules = |file: &Source| {
        ["check", "component", "manifest"].contains(&file.of_crate.as_str()) && file.name != "manifest/codes/errors.rs"
    };
    let mut parts: Vec<(String, String)> = files()
        .into_iter()
        .filter(is_of_rules)
        .map(|file| {
            let program = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code = program.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
            (file.name.clone(), code.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    for version in ["1.0.0", "legacy"] {
        let file = repository().join("wit").join(version).join("plugin.wit");
        parts.push((format!("wit/{version}"), std::fs::read_to_string(file).unwrap()));
    }
    parts.sort();
    let digests: Vec<String> =
        parts.iter().map(|(name, code)| format!("{name} {}\n", sha256_hex(code.as_bytes()))).collect();
    expect_file(
        &repository().join("src/check/rule-set.sha256"),
        &format!("{}\n", sha256_hex(digests.concat().as_bytes())),
    );
}

/// A code that is never raised explains an error that users never see.
#[test]
fn every_code_is_raised() {
    let files = files();
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &files {
        for word in file.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
            *words.entry(word).or_default() += 1;
        }
    }
    let mut codes = 0;
    for file in &files {
        // Guests raise the codes of their toolkit.
        for block in file.text.split("codes! {").skip(1).filter(|_| !file.name.ends_with("generate/codes.rs")) {
            let declared = block.split("\n}").next().unwrap().lines().filter_map(|line| {
                let (name, rest) = line.trim().split_once(" = \"")?;
                name.bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
                    .then_some(())?;
                rest.contains("\", ").then_some(name)
            });
            for name in declared {
                codes += 1;
                assert!(words[name] > 1, "src/{}: nothing raises {name}", file.name);
            }
        }
    }
    assert!(codes > 250, "the codes were not found: {codes}");
}

#[test]
fn heavy_dependencies_have_one_home() {
    for Source { room, name, text, .. } in files() {
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
    for Source { name, text, .. } in files() {
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

/// Returns the types that more than one file may use: `pub`, `pub(crate)`, `pub(super)`, `pub(in …)`.
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
        // A type that a macro declares has its name where the macro is used.
        .filter(|name| !name.is_empty())
        .collect()
}

/// The number of files that may contain inherent methods of one type.
const MOST_FILES_OF_A_TYPE: usize = 5;
/// The type that implements the host API, with a file for each interface of the WIT.
const HOST_API: &str = "Services";

#[test]
fn no_type_has_its_methods_in_more_than_five_files() {
    let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Source { name, text, .. } in files() {
        let program = text.split("#[cfg(test)]").next().unwrap();
        let heads = program.lines().filter(|line| line.starts_with("impl") && !line.contains(" for "));
        for head in heads {
            // The name follows the lifetimes and parameters: `impl<S: Storage> Host<S> {`.
            let rest = head.strip_prefix("impl").unwrap();
            let rest = if rest.starts_with('<') {
                rest.split_once("> ").map_or("", |(_, rest)| rest)
            } else {
                rest.trim_start()
            };
            let of: String = rest.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            homes.entry(of).or_default().insert(name.clone());
        }
    }
    assert!(homes.len() > 200, "the types were not found: {}", homes.len());
    let spread: Vec<_> =
        homes.iter().filter(|(name, files)| files.len() > MOST_FILES_OF_A_TYPE && *name != HOST_API).collect();
    assert!(spread.is_empty(), "cut these into parts, as docs/decisions/0039 says: {spread:#?}");
}

#[test]
fn no_two_shared_types_have_one_name() {
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    for Source { name, text, .. } in files() {
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
            let room = item.split("::").next().unwrap();
            let of_room = sources.iter().filter(|file| file.room == room);
            let path = item.replace("::", "/");
            let is_module = of_room
                .clone()
                .any(|file| file.name.contains(&format!("{path}/")) || file.name.ends_with(&format!("{path}.rs")));
            let has_word = |text: &str| {
                text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
            };
            let is_type = of_room.clone().any(|file| has_word(&file.text));
            assert!(is_module || is_type, "docs/glossary.md: `{item}` does not exist");
        }
    }
    assert!(words.is_sorted(), "docs/glossary.md is not sorted");
}

/// Draws the crates as the sources are: which crate uses which, without the arrows that follow from others, and sizes.
#[test]
fn the_picture_of_the_crates_is_made_from_the_sources() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut sizes: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for Source { of_crate, room, text, .. } in files() {
        let room = if PROGRAM.contains(&room.as_str()) { String::new() } else { room };
        let size = sizes.entry((of_crate.clone(), room)).or_default();
        *size = (size.0 + 1, size.1 + text.lines().count());
        used.entry(of_crate).or_default();
    }
    for (of_crate, others) in &mut used {
        let folder =
            if of_crate == "erp-plugin" { repository().to_owned() } else { repository().join("src").join(of_crate) };
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default().split("\n[").next().unwrap();
        others.extend(dependencies.lines().filter_map(|line| {
            let name = line.strip_prefix("erp-")?.split(['.', ' ']).next()?;
            (name != "wit").then(|| name.to_owned())
        }));
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(one) = left.pop() {
            if one == to {
                return true;
            }
            if seen.insert(one.clone()) {
                left.extend(used[&one].iter().cloned());
            }
        }
        false
    };
    let mut picture = "```mermaid\nflowchart TD\n".to_owned();
    for (of_crate, others) in &used {
        let follows = |other: &String| others.iter().any(|third| third != other && reaches(third, other));
        for other in others.iter().filter(|other| !follows(other)) {
            picture.push_str(&format!("  {of_crate} --> {other}\n"));
        }
    }
    picture.push_str("```\n\n| crate | room | files | lines |\n|---|---|---|---|\n");
    for ((of_crate, room), (files, lines)) in &sizes {
        // Rounded up to hundreds: a page that changed with every line would not be read.
        let about = lines.div_ceil(100) * 100;
        let room = if room == of_crate { "" } else { room };
        picture.push_str(&format!("| {of_crate} | {room} | {files} | {about} |\n"));
    }
    let file = repository().join("docs/architecture.md");
    let page = std::fs::read_to_string(&file).unwrap();
    expect_file(&file, &with_part(&page, "rooms", &picture));
}

/// The table lists the files that one edits to add a thing, beside its own tests and blessed files. Each of the files
/// must contain the example of its row.
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
            .filter(|file| !files.contains(&file.name.as_str()) && names_it(&file.text))
            .map(|file| file.name)
            .collect();
        assert!(elsewhere.is_empty(), "{thing}: {example} is in {elsewhere:?} too");
    }
}

/// Whether the code of a file, without tests and comments, contains a word.
fn names(text: &str, word: &str) -> bool {
    let program = text.split("#[cfg(test)]").next().unwrap();
    let code = program.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
        .any(|found| found == word)
}

/// `npm run format` in `tests/console` breaks lines where it can; long templates are broken by hand.
#[test]
fn lines_of_the_console_fit_a_window() {
    let console = repository().join("src/erp-plugin/dev_host/console");
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
