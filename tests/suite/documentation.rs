//! Pages that are made from the source, and commands that the documentation shows.

use serde_json::Value;

use crate::support::{Sandbox, expect_file, repository};

/// Every command with its help, those that have commands of their own before these.
fn commands() -> Vec<(Vec<String>, String)> {
    let sandbox = Sandbox::new();
    let (mut found, mut left) = (Vec::new(), vec![Vec::<String>::new()]);
    while let Some(command) = left.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let help = sandbox.run(&arguments).succeeded().stdout;
        let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
        let listed = listed.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
        let names = listed.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
        let names: Vec<&str> = names.filter(|name| *name != "help").collect();
        left.extend(names.iter().rev().map(|name| command.iter().cloned().chain([(*name).to_owned()]).collect()));
        found.push((command, help));
    }
    found
}

#[test]
fn the_command_reference_is_the_help() {
    let mut page =
        "# Commands\n\nMade from `--help` by the tests; `ERP_PLUGIN_BLESS=1 tests/run.sh` writes it anew. The global options of the first \
         part go with every command.\n"
            .to_owned();
    for (command, help) in commands() {
        // What goes with every command is said once.
        let own = help.split_once("\nGlobal options:\n").filter(|_| !command.is_empty());
        let help = own.map_or(help.as_str(), |(own, _)| own);
        let depth = if command.len() > 1 { "###" } else { "##" };
        let title = ["erp-plugin"].into_iter().chain(command.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        page.push_str(&format!("\n{depth} `{title}`\n\n```text\n{help}```\n"));
    }
    expect_file(&repository().join("docs/cli.md"), &page);
}

#[test]
fn the_page_of_codes_is_made_from_the_codes() {
    let (_, explained) = Sandbox::new().json(&["explain"]);
    let mut page =
        "# Diagnostics\n\nMade from the codes by the tests. `erp-plugin explain CODE` shows the same with an example; \
                    each code has a fixture in `tests/diagnostics/`.\n"
            .to_owned();
    for code in explained["codes"].as_array().unwrap() {
        let text = |key: &str| code[key].as_str().unwrap();
        page.push_str(&format!(
            "\n## `{}`\n\n{} ({})\n\nWhy: {}\n\nWhat to do: {}\n",
            text("code"),
            text("title"),
            text("severity"),
            text("why"),
            text("fix")
        ));
    }
    expect_file(&repository().join("docs/diagnostics.md"), &page);
}

#[test]
fn the_page_of_limits_is_made_from_the_table() {
    use erp_plugin::host::{LIMITS, LimitUnit};
    let mut page = "# Limits of a call\n\nMade from `host::limits` by the tests. `--limit NAME=VALUE` (`call`, `dev`) and `budget = { name = value }` in a scenario put another bound in \
                    the place of one; `[runtime]` of the manifest sets fuel, memory and time.\n\n| limit | default | bounds |\n|---|---|---|\n"
        .to_owned();
    for limit in &LIMITS {
        let default = match limit.unit {
            LimitUnit::Count => limit.default.to_string(),
            LimitUnit::Bytes => erp_plugin::manifest::ByteSize(limit.default).to_string(),
            LimitUnit::Time => format!("{} s", limit.default / 1_000),
        };
        page.push_str(&format!("| `{}` | {default} | {} |\n", limit.name, limit.meaning));
    }
    expect_file(&repository().join("docs/limits.md"), &page);
}

/// A page with the part between two marks made anew.
fn with_part(page: &str, mark: &str, part: &str) -> String {
    let (start, end) = (format!("<!-- {mark}: made by the tests -->\n"), "<!-- end -->");
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no part `{mark}`"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("the part `{mark}` has no end"));
    format!("{before}{start}{part}{end}{after}")
}

#[test]
fn the_page_of_the_format_has_the_stages_and_the_limits() {
    use erp_plugin::strict_zip::{Limit, Unit};
    use erp_plugin::verification::Stage;
    let mut stages = "| stage | looks at |\n|---|---|\n".to_owned();
    for stage in Stage::ALL {
        stages.push_str(&format!("| {} | {} |\n", stage.word(), stage.why()));
    }
    let mut limits = "| limit | default | bounds |\n|---|---|---|\n".to_owned();
    for limit in Limit::ALL {
        let default = match limit.unit() {
            Unit::Bytes => erp_plugin::manifest::ByteSize(limit.default_value()).to_string(),
            Unit::Count => limit.default_value().to_string(),
            Unit::Ratio => format!("{} times", limit.default_value()),
        };
        limits.push_str(&format!("| `{}` | {default} | {} |\n", limit.name(), limit.meaning()));
    }
    let file = repository().join("docs/erpx-format.md");
    let page = std::fs::read_to_string(&file).unwrap();
    expect_file(&file, &with_part(&with_part(&page, "stages", &stages), "limits", &limits));
}

/// Also: the sources refuse packages with no other code, and every code is one that they use.
#[test]
fn the_page_of_package_codes_is_made_from_the_table() {
    use erp_plugin::verification::CODES;
    let mut page = "# Why packages are refused\n\nMade from `verification::codes` by the tests. `erp-plugin explain CODE` shows the same.\n\n\
                    | code | meaning | what to do |\n|---|---|---|\n"
        .to_owned();
    for code in CODES {
        page.push_str(&format!("| `{}` | {} | {} |\n", code.name, code.meaning, code.next));
    }
    expect_file(&repository().join("docs/package-codes.md"), &page);
    assert!(CODES.is_sorted_by_key(|code| code.name), "the codes are not sorted");
    let mut sources = String::new();
    for folder in ["src/strict_zip", "src/archive", "src/signing", "src/verification", "src/platform"] {
        for entry in std::fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("codes.rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for code in CODES {
        assert!(sources.contains(&format!("\"{}\"", code.name)), "nothing refuses a package with {}", code.name);
    }
    let quoted = sources.split('"').filter(|text| {
        let room = ["archive/", "package/", "signature/", "receipt/"].iter().any(|room| text.starts_with(room));
        room && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"/-".contains(&byte))
    });
    for used in quoted.filter(|used| *used != "signature/good" && used.len() > 10) {
        assert!(CODES.iter().any(|code| code.name == used), "`{used}` is not in verification::codes");
    }
}

#[test]
fn the_page_of_errors_is_made_from_the_codes_and_the_sources_know_no_other() {
    let (_, explained) = Sandbox::new().json(&["explain"]);
    let mut page = "# Errors\n\nThe codes that guests and HTTP clients see, made from the source by the tests. `erp-plugin explain CODE` shows the same. A plugin's own \
                    codes are answered with 422.\n\n| code | status | meaning | why | what to do |\n|---|---|---|---|---|\n"
        .to_owned();
    let mut known = Vec::new();
    for error in explained["errors"].as_array().unwrap() {
        let text = |key: &str| error[key].as_str().unwrap().replace('|', "\\|");
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            text("code"),
            error["status"],
            text("title"),
            text("why"),
            text("fix")
        ));
        known.push(text("code"));
    }
    expect_file(&repository().join("docs/errors.md"), &page);
    let mut used = Vec::new();
    for folder in ["src/host", "src/platform", "src/store", "src/dev_host"] {
        codes_in(&repository().join(folder), &mut used);
    }
    used.sort();
    used.dedup();
    let unknown: Vec<&String> = used.iter().filter(|code| !known.contains(code)).collect();
    assert!(unknown.is_empty(), "codes that `explain` does not know: {unknown:?}");
    let unused: Vec<&String> = known.iter().filter(|code| !used.contains(code)).collect();
    assert!(unused.is_empty(), "codes that nothing gives: {unused:?}");
}

/// Texts such as `"db.not_found"` that stand where an error is made: behind `new(`, a status, or an arrow.
fn codes_in(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in(&path, found);
        } else if path.file_name().is_some_and(|name| name != "error_codes.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices('"') {
                let Some(word) = text[at + 1..].split('"').next() else { continue };
                let is_code = word.split_once(['.', '/']).is_some_and(|(area, rest)| {
                    matches!(
                        area,
                        "auth"
                            | "cap"
                            | "db"
                            | "call"
                            | "component"
                            | "numbering"
                            | "config"
                            | "kv"
                            | "expr"
                            | "blob"
                            | "limit"
                            | "guest"
                            | "host"
                            | "http"
                            | "plugin"
                            | "action"
                            | "event"
                            | "migration"
                            | "node"
                            | "entity"
                            | "import"
                            | "export"
                            | "dev"
                            | "registry"
                    ) && !rest.is_empty()
                        && rest.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'))
                });
                let before = text[..at].trim_end();
                let behind_a_status = before
                    .strip_suffix(',')
                    .is_some_and(|before| before.ends_with(|character: char| character.is_ascii_digit()));
                let is_made = behind_a_status
                    || ["new(", "=>", "\"code\":", "bad("].iter().any(|mark| before.ends_with(mark))
                    || word.starts_with("limit.");
                if is_code && is_made {
                    found.push(word.to_owned());
                }
            }
        }
    }
}

#[test]
fn the_page_of_the_manifest_is_made_from_the_model() {
    let schema: Value = serde_json::from_str(&Sandbox::new().run(&["schema", "manifest"]).succeeded().stdout).unwrap();
    let mut page = "# plugin.toml\n\nMade from the model by the tests. `erp-plugin schema manifest` prints the JSON Schema for editors. \
                    A key that is not here is an error.\n"
        .to_owned();
    section("plugin.toml", "", &schema, &mut page);
    page.push_str("\n## Reserved\n\nThe platform's plan names these; nothing in this version acts on them, so each is an error until its part is there.\n\n| key | for |\n|---|---|\n");
    for reserved in schema["x-reserved"].as_array().unwrap() {
        let text = |key: &str| reserved[key].as_str().unwrap();
        let name = if text("table").is_empty() {
            text("key").to_owned()
        } else {
            format!("{}.{}", text("table"), text("key"))
        };
        page.push_str(&format!("| `{name}` | {} |\n", text("for")));
    }
    expect_file(&repository().join("docs/manifest.md"), &page);
}

#[test]
fn the_page_of_scenarios_lists_the_keys_of_the_model() {
    let schema: Value = serde_json::from_str(&Sandbox::new().run(&["schema", "scenario"]).succeeded().stdout).unwrap();
    let mut page = "# Keys of a scenario file\n\nMade from the model by the tests; `docs/scenarios.md` tells how they work together.\n".to_owned();
    section("*.test.toml", "", &schema, &mut page);
    expect_file(&repository().join("docs/scenario-keys.md"), &page);
}

fn section(title: &str, path: &str, schema: &Value, page: &mut String) {
    let description = schema["description"].as_str().unwrap_or_default().replace('\n', " ");
    page.push_str(&format!("\n## `{title}`\n\n{description}\n\n| key | takes | meaning |\n|---|---|---|\n"));
    let required: Vec<&str> = schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    let mut below = Vec::new();
    for (key, value) in schema["properties"].as_object().unwrap() {
        let inner = if value["type"] == "array" { &value["items"] } else { value };
        let inner = if inner["properties"].is_null() && inner["additionalProperties"]["properties"].is_object() {
            &inner["additionalProperties"]
        } else {
            inner
        };
        let own = value["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let needed = if required.contains(&key.as_str()) { " (required)" } else { "" };
        page.push_str(&format!("| `{key}`{needed} | {} | {own} |\n", takes(value)));
        if inner["properties"].is_object() {
            let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let title = if value["type"] == "array" { format!("[[{name}]]") } else { format!("[{name}]") };
            below.push((title, name, inner.clone()));
        }
    }
    for (title, name, inner) in below {
        section(&title, &name, &inner, page);
    }
}

fn takes(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(" ");
    }
    match schema["type"].as_str() {
        Some("array") if schema["items"]["properties"].is_object() => "tables".to_owned(),
        Some("array") => format!("array of {}", takes(&schema["items"])),
        Some("object") => "table".to_owned(),
        Some(word) => match schema["examples"][0].as_str() {
            Some(example) => format!("{word}, like `\"{example}\"`"),
            None => word.to_owned(),
        },
        None => "any value".to_owned(),
    }
}

#[test]
fn the_functions_of_expressions_are_those_of_the_language() {
    let schema: Value = serde_json::from_str(&Sandbox::new().run(&["schema", "functions"]).succeeded().stdout).unwrap();
    let file = repository().join("docs/expressions.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, _) = page.split_once("<!-- functions -->").unwrap();
    let mut text = format!("{before}<!-- functions -->\n| function | gives |\n|---|---|\n");
    for function in schema.as_array().unwrap() {
        let text_of = |key: &str| function[key].as_str().unwrap();
        text.push_str(&format!("| `{}` | {} |\n", text_of("signature"), text_of("meaning")));
    }
    expect_file(&file, &text);
}

#[test]
fn exit_codes_of_the_help_and_of_the_page_agree() {
    let help = Sandbox::new().run(&["--help"]).succeeded().stdout;
    let page = std::fs::read_to_string(repository().join("docs/exit-codes.md")).unwrap();
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 70, 101, 130] {
        assert!(page.contains(&format!("| {code} |")), "docs/exit-codes.md lacks {code}");
        assert!(help.split_whitespace().any(|word| word == code.to_string()), "--help lacks {code}");
    }
}

#[test]
fn the_documentation_only_shows_commands_and_flags_that_exist() {
    let commands = commands();
    let whole = &commands[0].1;
    let mut pages = vec![repository().join("README.md")];
    for entry in std::fs::read_dir(repository().join("docs")).unwrap() {
        pages.push(entry.unwrap().path());
    }
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        for line in text.lines().filter_map(|line| line.trim_start_matches("$ ").strip_prefix("erp-plugin ")) {
            // What stands behind a pipe, a comment or `&&` is another program's.
            let line = line.split(['|', '#', '&', '>', ';', '`']).next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let named: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
            let place = page.display();
            let fitting = |(command, _): &&(Vec<String>, String)| {
                !command.is_empty()
                    && command.len() <= named.len()
                    && command.iter().zip(&named).all(|(own, word)| own == **word)
            };
            let found = commands.iter().filter(fitting).max_by_key(|(command, _)| command.len());
            let is_command = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
            if named.first().is_some_and(|word| is_command(word)) {
                assert!(found.is_some(), "{place}: there is no command `erp-plugin {line}`");
            }
            let help = found.map_or(whole.as_str(), |(_, help)| help.as_str());
            for flag in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
                let flag = flag.split(['=', '[', ']']).next().unwrap_or_default();
                let is_known = |help: &str| {
                    help.match_indices(flag).any(|(at, _)| {
                        !help[at + flag.len()..].starts_with(|next: char| next == '-' || next.is_ascii_alphanumeric())
                    })
                };
                assert!(is_known(help) || is_known(whole), "{place}: no flag `{flag}` in `erp-plugin {line}`");
            }
        }
    }
}

#[test]
fn the_page_of_the_http_api_has_every_route() {
    let file = repository().join("docs/http-api.md");
    let page = std::fs::read_to_string(&file).unwrap();
    expect_file(&file, &with_part(&page, "routes", &erp_plugin::http_api::docs_table()));
}
