//! The rules that hold for every command: streams, JSON, exit codes, closed standard input, no
//! terminal, `--offline`, variables.

use serde_json::Value;

use crate::support::Sandbox;

/// A command line that succeeds in a project without network and toolchain, and one that fails, with
/// its exit code.
struct Row {
    command: &'static str,
    succeeds: Option<&'static [&'static str]>,
    fails: &'static [&'static str],
    code: i32,
    /// False for commands whose result is text in every format.
    is_json: bool,
}

const ROWS: &[Row] = &[
    Row { command: "new", succeeds: Some(&["new", "another"]), fails: &["new", "Bad_Name"], code: 2, is_json: true },
    Row {
        command: "init",
        succeeds: Some(&["-C", "empty", "init", "--id", "erp-x"]),
        fails: &["init", "--id", "erp-x"],
        code: 3,
        is_json: true,
    },
    Row {
        command: "add",
        succeeds: Some(&["add", "permission", "note.print"]),
        fails: &["add", "field", "nothing", "x", "string"],
        code: 2,
        is_json: true,
    },
    Row {
        command: "generate",
        succeeds: Some(&["generate"]),
        fails: &["--manifest-path", "empty/plugin.toml", "generate"],
        code: 3,
        is_json: true,
    },
    Row {
        command: "build",
        succeeds: None,
        fails: &["--manifest-path", "empty/plugin.toml", "build"],
        code: 3,
        is_json: true,
    },
    Row {
        command: "check",
        succeeds: Some(&["check"]),
        fails: &["check", "--component", "plugin.toml"],
        code: 1,
        is_json: true,
    },
    Row { command: "test", succeeds: None, fails: &["test", "--no-build"], code: 3, is_json: true },
    Row { command: "call", succeeds: None, fails: &["call", "--no-build", "base.init()"], code: 3, is_json: true },
    Row { command: "bench", succeeds: None, fails: &["bench", "--no-build"], code: 3, is_json: true },
    Row { command: "replay", succeeds: None, fails: &["replay", "plugin.toml"], code: 3, is_json: true },
    Row { command: "dev", succeeds: None, fails: &["dev", "--limit", "fool=1"], code: 2, is_json: true },
    Row {
        command: "node",
        succeeds: Some(&["node", "list"]),
        fails: &["node", "list", "no.such"],
        code: 2,
        is_json: true,
    },
    Row { command: "sql", succeeds: None, fails: &["sql", "plugin.toml"], code: 3, is_json: true },
    Row { command: "seed", succeeds: None, fails: &["seed", "--tenant", "A B"], code: 2, is_json: true },
    Row {
        command: "migrate",
        succeeds: Some(&["migrate", "diff", "."]),
        fails: &["migrate", "diff", "nowhere"],
        code: 2,
        is_json: true,
    },
    Row { command: "wit", succeeds: Some(&["wit", "list"]), fails: &["wit", "show", "9.9.9"], code: 2, is_json: true },
    Row { command: "inspect", succeeds: None, fails: &["inspect", "plugin.toml"], code: 1, is_json: true },
    Row { command: "version", succeeds: Some(&["version"]), fails: &["version", "next"], code: 2, is_json: true },
    Row { command: "pack", succeeds: None, fails: &["pack", "--no-build"], code: 3, is_json: true },
    Row { command: "key", succeeds: Some(&["key", "list"]), fails: &["key", "new", "k"], code: 2, is_json: true },
    Row { command: "sign", succeeds: None, fails: &["sign", "plugin.toml", "--key", "none"], code: 7, is_json: true },
    Row { command: "verify", succeeds: None, fails: &["verify", "plugin.toml"], code: 7, is_json: true },
    Row {
        command: "login",
        succeeds: Some(&["login", "https://erp.example.com", "--remove"]),
        fails: &["login", "no address"],
        code: 2,
        is_json: true,
    },
    Row {
        command: "publish",
        succeeds: None,
        fails: &["publish", "none.erpx", "--to", "http://127.0.0.1:1"],
        code: 3,
        is_json: true,
    },
    Row {
        command: "host",
        succeeds: None,
        fails: &["host", "--to", "http://127.0.0.1:1", "list"],
        code: 6,
        is_json: true,
    },
    Row { command: "demo", succeeds: None, fails: &["demo", "--nonsense"], code: 2, is_json: true },
    Row { command: "doctor", succeeds: None, fails: &["doctor", "--nonsense"], code: 2, is_json: true },
    Row { command: "explain", succeeds: Some(&["explain"]), fails: &["explain", "no/code"], code: 2, is_json: true },
    Row {
        command: "schema",
        succeeds: Some(&["schema", "manifest"]),
        fails: &["schema", "nothing"],
        code: 2,
        is_json: true,
    },
    Row {
        command: "completions",
        succeeds: Some(&["completions", "bash"]),
        fails: &["completions", "tcsh"],
        code: 2,
        is_json: false,
    },
    Row { command: "man", succeeds: Some(&["man", "build"]), fails: &["man", "nothing"], code: 2, is_json: false },
];

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&["new", "erp-demo", "-q"]).succeeded();
    for file in ["plugin.toml", "Cargo.toml", "src/lib.rs"] {
        let content = sandbox.read(&format!("erp-demo/{file}"));
        sandbox.write(file, content);
    }
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox
}

#[test]
fn the_table_names_every_command() {
    let help = Sandbox::new().run(&["--help"]).succeeded().stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let listed: Vec<&str> = ROWS.iter().map(|row| row.command).collect();
    assert_eq!(names, listed, "every command has a row here");
}

#[test]
fn results_go_to_standard_output_and_talk_to_standard_error() {
    for row in ROWS {
        if let Some(arguments) = row.succeeds {
            let output = project().run(arguments).succeeded();
            assert!(!output.stdout.is_empty(), "{arguments:?} says nothing");
            assert!(
                !output.stdout.contains('\x1b') && !output.stderr.contains('\x1b'),
                "{arguments:?} is coloured without a terminal"
            );
        }
        let output = project().run(row.fails);
        assert_eq!(output.code, row.code, "{:?}: {}{}", row.fails, output.stdout, output.stderr);
        assert!(!output.stderr.is_empty(), "{:?} fails without a word", row.fails);
    }
}

#[test]
fn json_is_one_document_also_on_failure() {
    for row in ROWS.iter().filter(|row| row.is_json) {
        if let Some(arguments) = row.succeeds {
            let (code, document) = project().json(arguments);
            assert_eq!(code, 0, "{arguments:?}");
            assert!(document.is_object());
        }
        let (code, document) = project().json(row.fails);
        assert_eq!(code, row.code, "{:?}: {document}", row.fails);
        assert_eq!(document["ok"], Value::Bool(false), "{:?}: {document}", row.fails);
    }
}

#[test]
fn every_json_result_has_a_schema_that_names_its_keys() {
    for row in ROWS.iter().filter(|row| row.is_json && !matches!(row.command, "schema" | "key")) {
        let sandbox = project();
        // A command with subcommands has a schema for each of them.
        let name = match row.command {
            "wit" => "wit-list",
            "migrate" => "migrate-diff",
            "node" => "node-list",
            command => command,
        };
        let schema: Value = serde_json::from_str(&sandbox.run(&["schema", name]).succeeded().stdout).unwrap();
        let properties =
            schema["properties"].as_object().unwrap_or_else(|| panic!("{} has no properties", row.command));
        if let Some(arguments) = row.succeeds {
            let (_, document) = sandbox.json(arguments);
            for key in document.as_object().unwrap().keys() {
                assert!(properties.contains_key(key), "`{key}` of {} is not in its schema", row.command);
            }
        }
    }
}

#[test]
fn nothing_waits_for_an_answer_that_nobody_can_give() {
    // Standard input is closed for every run of a sandbox; a command that asked would fail or hang.
    let sandbox = project();
    sandbox.run(&["key", "new", "k"]).failed_with(2);
    sandbox.run(&["key", "new", "k", "--no-passphrase"]).succeeded();
}

#[test]
fn flags_of_ci_have_variables() {
    let sandbox = project().variable("ERP_PLUGIN_FORMAT", "json");
    let output = sandbox.run(&["check"]).succeeded();
    assert!(serde_json::from_str::<Value>(&output.stdout).is_ok(), "{}", output.stdout);
    let human = project().variable("ERP_PLUGIN_FORMAT", "json").run(&["check", "--format", "human"]).succeeded();
    assert!(serde_json::from_str::<Value>(&human.stdout).is_err(), "the flag beats the variable: {}", human.stdout);
    let forced = project().variable("CLICOLOR_FORCE", "1").run(&["explain", "no/code"]).failed_with(2);
    assert!(forced.stderr.contains('\x1b'));
    let plain =
        project().variable("CLICOLOR_FORCE", "1").variable("NO_COLOR", "1").run(&["explain", "no/code"]).failed_with(2);
    assert!(!plain.stderr.contains('\x1b'));
}

#[test]
fn offline_holds() {
    for row in ROWS {
        let Some(arguments) = row.succeeds else { continue };
        let mut arguments = arguments.to_vec();
        arguments.push("--offline");
        project().run(&arguments).succeeded();
    }
}

#[test]
fn secrets_are_no_arguments() {
    for command in ["publish", "sign", "key new"] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let help = Sandbox::new().run(&arguments).succeeded().stdout;
        for flag in ["--token ", "--passphrase ", "--password"] {
            assert!(!help.contains(flag), "{command} takes {flag}");
        }
    }
}

#[test]
fn versions_and_help_are_results() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["--version"]).succeeded().stdout, concat!("erp-plugin ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(sandbox.run(&["build", "--help"]).succeeded().stdout.starts_with("Compile the plugin"));
    assert_eq!(sandbox.run(&["biuld"]).failed_with(2).stdout, "");
}

#[test]
fn a_result_that_is_lost_is_no_success() {
    let sandbox = project();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = sandbox.command(&["check"]).stdout(full).stderr(std::process::Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("tmp")).unwrap();
    let mut demo = sandbox.command(&["demo"]);
    demo.env("TMPDIR", sandbox.path("tmp")).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut demo = demo.spawn().unwrap();
    // By now the build should have begun, and not have ended. In any case the demo must clean up.
    std::thread::sleep(std::time::Duration::from_millis(700));
    let told = std::process::Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    let left = std::fs::read_dir(sandbox.path("tmp")).unwrap().count();
    assert_eq!(left, 0, "something is left in the temporary folder");
}

/// Words after a command are completed: the script must spell the dash in the program's name in one way only.
#[test]
fn bash_completes_commands_and_their_words() {
    let sandbox = Sandbox::new();
    sandbox.write("completions.bash", sandbox.run(&["completions", "bash"]).succeeded().stdout);
    let complete = |words: &[&str]| {
        let last = words[words.len() - 1];
        let before = words[words.len() - 2];
        let script = format!(
            "source completions.bash; COMP_WORDS=(erp-plugin {}); COMP_CWORD={}; _erp__plugin erp-plugin '{last}' '{before}'; echo \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
            words.len(),
        );
        let output =
            std::process::Command::new("bash").args(["-c", &script]).current_dir(sandbox.path(".")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete(&["key", "re"]), "revoke");
    assert!(complete(&["check", "--format", ""]).contains("sarif"));
    assert!(complete(&["host", "ro"]).contains("rollback"));
}
