//! Pages that are generated from the source, and commands that the documentation shows.

use serde_json::Value;

use crate::support::{Sandbox, expect_file, repository};

/// Returns every command with its help; a command comes before its subcommands.
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
        // Global options are shown once, with the program itself.
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
    use erp_runtime::{LIMITS, LimitUnit};
    let mut page = "# Limits of a call\n\nMade from `host::limits` by the tests. `--limit NAME=VALUE` (`call`, `dev`) and `budget = { name = value }` in a scenario put another bound in \
                    the place of one; `[runtime]` of the manifest sets fuel, memory and time.\n\n| limit | default | bounds |\n|---|---|---|\n"
        .to_owned();
    for limit in &LIMITS {
        let default = match limit.unit {
            LimitUnit::Count => limit.default.to_string(),
            LimitUnit::Bytes => erp_manifest::ByteSize(limit.default).to_string(),
            LimitUnit::Time => format!("{} s", limit.default / 1_000),
        };
        page.push_str(&format!("| `{}` | {default} | {} |\n", limit.name, limit.meaning));
    }
    expect_file(&repository().join("docs/limits.md"), &page);
}

/// Returns a page with the part between two marks replaced.
pub fn with_part(page: &str, mark: &str, part: &str) -> String {
    let (start, end) = (format!("<!-- {mark}: made by the tests -->\n"), "<!-- end -->");
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no part `{mark}`"));
    let (_, after) = rest.split_once(end).unwrap_or_else(|| panic!("the part `{mark}` has no end"));
    format!("{before}{start}{part}{end}{after}")
}

#[test]
fn the_page_of_the_format_has_the_stages_and_the_limits() {
    use erp_package::strict_zip::{ArchiveLimit, ArchiveUnit};
    use erp_package::verification::Stage;
    let mut stages = "| stage | looks at |\n|---|---|\n".to_owned();
    for stage in Stage::ALL {
        stages.push_str(&format!("| {} | {} |\n", stage.word(), stage.why()));
    }
    let mut limits = "| limit | default | bounds |\n|---|---|---|\n".to_owned();
    for limit in ArchiveLimit::ALL {
        let default = match limit.unit() {
            ArchiveUnit::Bytes => erp_manifest::ByteSize(limit.default_value()).to_string(),
            ArchiveUnit::Count => limit.default_value().to_string(),
            ArchiveUnit::Ratio => format!("{} times", limit.default_value()),
        };
        limits.push_str(&format!("| `{}` | {default} | {} |\n", limit.name(), limit.meaning()));
    }
    let file = repository().join("docs/erpx-format.md");
    let page = std::fs::read_to_string(&file).unwrap();
    expect_file(&file, &with_part(&with_part(&page, "stages", &stages), "limits", &limits));
}

/// A code that nothing raises is an unused constant, which the compiler reports.
#[test]
fn the_pages_of_codes_are_made_from_their_declarations() {
    let (_, explained) = Sandbox::new().json(&["explain"]);
    let rows = |kind: &str, columns: &[&str]| -> String {
        let row = |code: &Value| -> String {
            let cell = |column: &&str| match &code[*column] {
                Value::String(text) if *column == "code" => format!(" `{text}` |"),
                Value::String(text) => format!(" {} |", text.replace('|', "\\|")),
                Value::Bool(value) => format!(" {} |", if *value { "yes" } else { "no" }),
                value => format!(" {value} |"),
            };
            format!("|{}\n", columns.iter().map(cell).collect::<String>())
        };
        explained[kind].as_array().unwrap().iter().map(row).collect()
    };
    let errors = format!(
        "# Errors\n\nThe codes that guests and HTTP clients see, made from the source by the tests. `erp-plugin explain CODE` \
         prints the same. A plugin's own\ncodes are answered with 422.\n\n\
         | code | status | retryable | meaning | why | what to do |\n|---|---|---|---|---|---|\n{}",
        rows("errors", &["code", "status", "retryable", "title", "why", "fix"])
    );
    expect_file(&repository().join("docs/errors.md"), &errors);
    let packages = format!(
        "# Why packages are refused\n\nMade from the source by the tests. `erp-plugin explain CODE` prints the same. The status is that of an upload.\n\n\
         | code | status | meaning | what to do |\n|---|---|---|---|\n{}",
        rows("packages", &["code", "status", "meaning", "fix"])
    );
    expect_file(&repository().join("docs/package-codes.md"), &packages);
    let commands = format!(
        "# Why commands fail\n\nThe codes in `error.code` of `--format json`, made from the source by the tests. `erp-plugin explain CODE` prints the\n\
         same. A command that ends with the code of a platform or of a package exits as [exit-codes.md](exit-codes.md) says.\n\n\
         | code | exit code | meaning | why | what to do |\n|---|---|---|---|---|\n{}",
        rows("commands", &["code", "exit_code", "title", "why", "fix"])
    );
    expect_file(&repository().join("docs/command-codes.md"), &commands);
}

#[test]
fn the_page_of_the_manifest_is_made_from_the_model() {
    let schema: Value = serde_json::from_str(&Sandbox::new().run(&["schema", "manifest"]).succeeded().stdout).unwrap();
    let mut page = "# plugin.toml\n\nMade from the model by the tests. `erp-plugin schema manifest` prints the JSON Schema for editors. \
                    A key that is not here is an error.\n"
        .to_owned();
    section("plugin.toml", "", &schema, &mut page);
    page.push_str("\n## Types of fields\n\nWhat `field_type` takes, and what a value is in the JSON of a row.\n\n| type | holds | a value |\n|---|---|---|\n");
    for field_type in schema["x-field-types"].as_array().unwrap() {
        let text = |key: &str| field_type[key].as_str().unwrap();
        page.push_str(&format!("| `{}` | {} | `{}` |\n", text("type"), text("holds"), text("example")));
    }
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
    page.push_str(&format!(
        "\n## `{title}`\n\n{description}\n\n| key | takes | example | if absent | meaning |\n|---|---|---|---|---|\n"
    ));
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
        let absent = match value.get("default") {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            Some(default) => format!("`{}`", toml(default)),
            None => String::new(),
        };
        let example = value["examples"].get(0).map_or_else(String::new, |example| format!("`{}`", toml(example)));
        let example = example.replace('|', "\\|");
        page.push_str(&format!("| `{key}` | {} | {example} | {absent} | {own} |\n", takes(value)));
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

/// Formats a value as one line of TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let is_bare = |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            let name = |key: &str| if is_bare(key) { key.to_owned() } else { format!("\"{key}\"") };
            let one = |(key, value): (&String, &Value)| format!("{} = {}", name(key), toml(value));
            format!("{{ {} }}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Collects the keys that have no example; for a table, those of its keys.
fn without_example(path: &str, schema: &Value, missing: &mut Vec<String>) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        let inner = [value, &value["items"], &value["additionalProperties"]];
        match inner.into_iter().find(|inner| inner["properties"].is_object()) {
            Some(inner) => without_example(&path, inner, missing),
            None if value["examples"].get(0).is_none() => missing.push(path),
            None => {}
        }
    }
}

#[test]
fn every_key_has_an_example_that_holds() {
    let sandbox = Sandbox::new();
    let schema =
        |of: &str| -> Value { serde_json::from_str(&sandbox.run(&["schema", of]).succeeded().stdout).unwrap() };
    let mut missing = Vec::new();
    without_example("manifest", &schema("manifest"), &mut missing);
    without_example("scenario", &schema("scenario"), &mut missing);
    assert!(missing.is_empty(), "no example in the models' examples.toml: {missing:#?}");
    sandbox.write("erp-inventory/plugin.toml", erp_manifest::EXAMPLES);
    sandbox.write("erp-inventory/tests/all.test.toml", erp_plugin::scenario::EXAMPLES);
    sandbox.write("erp-inventory/pages/map.html", "<!doctype html><html lang=\"zh-CN\"><title>地图</title></html>");
    sandbox.write("erp-inventory/i18n/en.toml", "");
    for rows in ["items", "demo"] {
        sandbox.write(&format!("erp-inventory/fixtures/{rows}.csv"), "sku,name\nB-001,螺母\n");
    }
    let checked = sandbox.run(&["-C", "erp-inventory", "check"]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);

    // Values for every type of field, as defaults in a manifest.
    let mut manifest =
        "[metadata]\nid = \"erp-types\"\nname = \"x\"\nversion = \"0.1.0\"\n[runtime]\nabi = \"erp:plugin@1.0.0\"\n\
                        world = \"minimal-plugin\"\n[[schema.entities]]\nname = \"thing\"\ndisplay_name = \"x\"\n"
            .to_owned();
    for field_type in schema("manifest")["x-field-types"].as_array().unwrap() {
        let word = field_type["type"].as_str().unwrap();
        let example: Value = serde_json::from_str(field_type["example"].as_str().unwrap()).unwrap();
        let beside = match word {
            "select" => "options = [{ value = \"draft\", label = \"x\" }]",
            "multi_select" => "options = [{ value = \"red\", label = \"x\" }, { value = \"blue\", label = \"y\" }]",
            "ref" | "ref_many" => "ref_entity = \"thing\"",
            // A numbering rule gives its value; a default would not follow the rule.
            "autonumber" => continue,
            _ => "",
        };
        manifest.push_str(&format!(
            "[[schema.entities.fields]]\nname = \"a_{word}\"\nfield_type = \"{word}\"\ndisplay_name = \"x\"\ndefault = {}\n{beside}\n",
            toml(&example)
        ));
    }
    sandbox.write("erp-types/plugin.toml", &manifest);
    let (_, checked) = sandbox.json(&["-C", "erp-types", "check"]);
    let errors: Vec<&Value> =
        checked["findings"].as_array().unwrap().iter().filter(|one| one["severity"] == "error").collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

fn takes(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(" ");
    }
    match schema["type"].as_str() {
        Some("array") if schema["items"]["properties"].is_object() => "tables".to_owned(),
        Some("array") => format!("array of {}", takes(&schema["items"])),
        Some("object") => "table".to_owned(),
        Some(word) => word.to_owned(),
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
        let lines = text.lines().filter_map(|line| line.trim_start_matches("$ ").strip_prefix("erp-plugin "));
        let spans =
            text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2));
        for line in lines.chain(spans.filter_map(|span| span.strip_prefix("erp-plugin "))) {
            // Text after a pipe, a comment or `&&` belongs to another program.
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
    expect_file(&file, &with_part(&page, "routes", &erp_platform::http_api::docs_table()));
}

#[test]
fn the_page_of_scenarios_has_every_matcher() {
    let mut rows = "| matcher | accepts |\n|---|---|\n".to_owned();
    for (form, meaning) in erp_plugin::scenario::MATCHERS {
        rows.push_str(&format!("| `{}` | {meaning} |\n", form.replace('|', "\\|")));
    }
    let file = repository().join("docs/scenarios.md");
    let page = std::fs::read_to_string(&file).unwrap();
    expect_file(&file, &with_part(&page, "matchers", &rows));
}
