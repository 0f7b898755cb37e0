//! What an untrusted project, package or file may not do on a developer's machine: read secrets, follow links out of
//! the project, write files unasked, control the terminal, use up memory.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{Sandbox, repository, template_component};

const SECRETS: [(&str, &str); 4] = [
    ("ERP_PLUGIN_TOKEN", "hush-token"),
    ("ERP_PLUGIN_SIGNING_KEY", "hush-key"),
    ("ERP_PLUGIN_KEY_PASSPHRASE", "hush-passphrase"),
    ("PGPASSWORD", "hush-password"),
];

/// Returns a sandbox with secrets in its environment. Wrappers with the names of `programs` come first on its PATH and
/// record the environment and arguments that they get. With `does_work`, a wrapper then runs the real program;
/// otherwise it fails.
fn watched(programs: &[&str], template: &str, does_work: bool) -> Sandbox {
    let sandbox = Sandbox::with_template(template);
    let path = std::env::var("PATH").unwrap();
    for program in programs {
        let found =
            path.split(':').map(|folder| format!("{folder}/{program}")).find(|file| std::fs::exists(file).unwrap());
        let real = found.filter(|_| does_work).unwrap_or_else(|| "false".to_owned());
        let heard = sandbox.path(&format!("heard.{program}"));
        sandbox.write(
            &format!("bin/{program}"),
            format!(
                "#!/bin/sh\nenv >> {0}\nfor one in \"$@\"; do echo \"$one\" >> {0}; done\nexec {real} \"$@\"\n",
                heard.display()
            ),
        );
        std::fs::set_permissions(sandbox.path(&format!("bin/{program}")), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{path}", sandbox.path("bin").display());
    SECRETS.iter().fold(sandbox.variable("PATH", &path), |sandbox, (name, value)| sandbox.variable(name, value))
}

/// Asserts that a program was started without the secrets and without our flags.
#[track_caller]
fn heard_nothing(sandbox: &Sandbox, file: &str) {
    let heard =
        std::fs::read_to_string(sandbox.path(file)).unwrap_or_else(|error| panic!("{file} was not started: {error}"));
    assert!(heard.contains("PATH="), "{file}: {heard}");
    for (name, value) in SECRETS {
        assert!(!heard.contains(name) && !heard.contains(value), "{file} heard of {name}");
    }
    assert!(!heard.contains("ERP_PLUGIN_FORMAT"), "{file} got our flags");
}

#[test]
fn programs_that_are_started_hear_of_no_secret() {
    let target = repository().join("target/test-guests");
    let build = ["-C", "erp-demo", "build", "--release", "--target-dir", target.to_str().unwrap()];
    // cargo, rustc started by cargo, and a build script of an untrusted project.
    let sandbox = watched(&["cargo", "git", "rustc"], "minimal", true).variable("ERP_PLUGIN_FORMAT", "json");
    sandbox.write(
        "erp-demo/build.rs",
        "fn main() { std::fs::write(\"../heard.build-script\", std::env::vars().map(|(name, value)| format!(\"{name}={value}\\n\")).collect::<String>()).unwrap(); }",
    );
    sandbox.run(&build).succeeded();
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let package = "erp-demo/dist/erp-demo-0.1.0.erpx";
    let _ = std::fs::remove_file(sandbox.path("heard.cargo"));
    let rebuilt = sandbox.run(&["verify", package, "--integrity-only", "--rebuild", "erp-demo"]);
    assert!(rebuilt.code == 0 || rebuilt.code == 7, "{}{}", rebuilt.stdout, rebuilt.stderr);
    for file in ["heard.cargo", "heard.git", "heard.rustc", "heard.build-script"] {
        heard_nothing(&sandbox, file);
    }
    // The programs of the other languages, which need not succeed here.
    for (template, program) in [("event-typescript", "node"), ("event-python", "python3")] {
        let sandbox = watched(&[program], template, false);
        assert_ne!(sandbox.run(&["-C", "erp-demo", "build"]).code, 0);
        heard_nothing(&sandbox, &format!("heard.{program}"));
    }
    // The repository of a template.
    let sandbox = watched(&["git"], "minimal", false);
    let failed = sandbox.run(&["new", "erp-other", "--template", "file:///nowhere", "--revision", "main"]);
    assert_ne!(failed.code, 0);
    heard_nothing(&sandbox, "heard.git");
}

/// Returns a built project without code, with pages, labels and rows.
fn project() -> Sandbox {
    let sandbox = Sandbox::with_template("pages");
    sandbox.run(&["-C", "erp-demo", "build", "--release"]).succeeded();
    sandbox
}

#[test]
fn links_in_a_project_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.html");
    std::fs::write(&secret, "the neighbour's").unwrap();
    let sandbox = project();
    let (code, listed) = sandbox.json(&["-C", "erp-demo", "pack", "--list"]);
    assert_eq!(code, 0, "{listed}");
    let files: Vec<String> =
        listed["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap().to_owned()).collect();
    let own: Vec<&String> = files.iter().filter(|name| sandbox.path(&format!("erp-demo/{name}")).is_file()).collect();
    assert!(own.iter().any(|name| name.starts_with("pages/")), "{files:?}");
    for name in own {
        let sandbox = project();
        let file = sandbox.path(&format!("erp-demo/{name}"));
        std::fs::remove_file(&file).unwrap();
        symlink(&secret, &file).unwrap();
        let packed = sandbox.run(&["-C", "erp-demo", "pack"]);
        let package = sandbox.path("erp-demo/dist/erp-demo-0.1.0.erpx");
        if packed.code == 0 {
            let bytes = std::fs::read(package).unwrap();
            // So short a file is stored uncompressed: its text would be found.
            assert!(!bytes.windows(12).any(|window| window == b"the neighbou"), "{name} was followed");
        } else {
            assert!(
                !package.exists() && (packed.stderr.contains("link") || packed.stderr.contains(name.as_str())),
                "{name}: {}",
                packed.stderr
            );
        }
    }
    // Links instead of the project's own folders.
    for folder in ["dist", "pages", "i18n", "tests"] {
        let sandbox = project();
        let there = sandbox.path(&format!("erp-demo/{folder}"));
        if there.exists() {
            std::fs::rename(&there, outside.path().join(format!("{folder}-kept"))).unwrap();
        }
        let elsewhere = outside.path().join(folder);
        std::fs::create_dir_all(&elsewhere).unwrap();
        symlink(&elsewhere, &there).unwrap();
        for command in [
            ["-C", "erp-demo", "pack"].as_slice(),
            &["-C", "erp-demo", "generate"],
            &["-C", "erp-demo", "test", "--accept"],
        ] {
            let output = sandbox.run(command);
            let written: Vec<_> = std::fs::read_dir(&elsewhere).unwrap().collect();
            assert!(written.is_empty(), "{folder}: {command:?} wrote {written:?}");
            if folder == "dist" && command.contains(&"pack") {
                assert!(output.code != 0 && output.stderr.contains("link"), "{}", output.stderr);
            }
        }
    }
}

#[test]
fn a_cassette_stays_in_the_project_and_is_written_when_asked() {
    let sandbox = project();
    let suite = |cassette: &str| {
        format!(
            "schema = 1\nsuite = \"s\"\n[world]\ncassette = {cassette:?}\n[world.users]\nal = {{ tenant = \"acme\", grants = [\"*\"] }}\n\
             [[test]]\nname = \"n\"\n[[test.step]]\nas = \"al\"\nhttp = \"GET /customer\"\nexpect.status = 200\n"
        )
    };
    let absolute = sandbox.path("absolute.json").display().to_string();
    for cassette in ["../../climbs.json", absolute.as_str(), "../climbs.json", "a/../../../climbs.json"] {
        sandbox.write("erp-demo/tests/cassette.test.toml", suite(cassette));
        for flags in [["test"].as_slice(), &["test", "--record-http"]] {
            let mut arguments = vec!["-C", "erp-demo"];
            arguments.extend(flags);
            let output = sandbox.run(&arguments);
            assert!(
                output.code != 0 && output.stderr.contains("leads"),
                "{cassette}: {}{}",
                output.stdout,
                output.stderr
            );
        }
    }
    for file in ["climbs.json", "absolute.json", "erp-demo/climbs.json"] {
        assert!(!sandbox.path(file).exists(), "{file}");
    }
    // Inside the project, a cassette is written only when recording is asked for.
    sandbox.write("erp-demo/tests/cassette.test.toml", suite("tapes/x.json"));
    let _ = sandbox.run(&["-C", "erp-demo", "test"]);
    assert!(!sandbox.path("erp-demo/tests/tapes").exists());
}

#[test]
fn nothing_of_a_stranger_moves_the_terminal() {
    let sandbox = project();
    sandbox.write(
        "erp-demo/plugin.toml",
        "[metadata]\nid = \"erp-demo\"\nname = \"a\" # \u{1b}]0;PWNED\u{7}\u{1b}[31m\nversion = \"x\u{1b}[2J\"\nbad\u{202e}key = 1\n",
    );
    let manifest = ["-C", "erp-demo", "check"];
    let mut runs = Vec::new();
    for format in ["human", "github", "json", "sarif"] {
        let mut arguments = manifest.to_vec();
        arguments.extend(["--format", format]);
        runs.push(sandbox.run(&arguments));
    }
    let sandbox = project();
    sandbox.write(
        "erp-demo/tests/escape.test.toml",
        "schema = 1\nsuite = \"s\\u001b]0;SUITE\\u0007\\u001b[2Jx\"\n[world.users]\nal = { tenant = \"acme\", grants = [\"*\"] }\n\
         [[test]]\nname = \"n\\u001b]0;NAME\\u0007\\u009b31m\\u2066\"\n[[test.step]]\nas = \"al\"\nhttp = \"GET /x?search=\\u001b\"\nexpect.status = 418\n",
    );
    for format in ["human", "json", "tap", "github"] {
        runs.push(sandbox.run(&["-C", "erp-demo", "test", "--format", format]));
    }
    runs.push(sandbox.run(&["new", "x\u{1b}[2J"]));
    runs.push(sandbox.run(&["inspect", "no\u{1b}[2Jfile\u{202e}"]));
    for output in runs {
        let all = format!("{}{}", output.stdout, output.stderr);
        let moves = all.chars().find(|one| {
            (one.is_control() && !matches!(one, '\n' | '\t')) || matches!(one, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(moves, None, "{all:?}");
    }
}

/// Returns a workbook of one sheet with these cells.
fn workbook(dimension: &str, cells: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let types = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    for (name, text) in [
        (
            "[Content_Types].xml",
            format!(
                r#"<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>"#
            ),
        ),
        (
            "_rels/.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="one" sheetId="1" r:id="r1"/></sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                r#"<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!(
                r#"<worksheet xmlns="{main}"><dimension ref="{dimension}"/><sheetData>{cells}</sheetData></worksheet>"#
            ),
        ),
    ] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_small_file_is_no_large_table() {
    let sandbox = Sandbox::new();
    let cell = |place: &str| format!(r#"<c r="{place}" t="inlineStr"><is><t>name</t></is></c>"#);
    let far = format!(r#"<row r="1">{}</row><row r="1048576">{}</row>"#, cell("A1"), cell("XFD1048576"));
    sandbox.write("far.xlsx", workbook("A1:XFD1048576", &far));
    sandbox.write("lies.xlsx", workbook("A1:A2", &far));
    let near = format!(r#"<row r="1">{}</row><row r="2">{}</row>"#, cell("A1"), cell("A2"));
    sandbox.write("claims.xlsx", workbook("A1:XFD1048576", &near));
    sandbox.write("near.xlsx", workbook("A1:A2", &near));
    sandbox.write("wide.csv", "x,".repeat(200_000));
    sandbox.write("deep.json", "[".repeat(200_000));
    for file in ["far.xlsx", "lies.xlsx", "wide.csv", "deep.json"] {
        let output = sandbox.run(&["new", "erp-demo", "-t", "crud", "--from", file]);
        assert!(
            matches!(output.code, 1..=4) && output.stderr.contains(file),
            "{file}: {} {}",
            output.code,
            output.stderr
        );
        assert!(!sandbox.path("erp-demo").exists(), "{file}");
    }
    sandbox.run(&["new", "erp-near", "-t", "crud", "--from", "near.xlsx"]).succeeded();
}

#[test]
fn a_template_has_an_end() {
    for (name, text, told) in [
        (
            "loops",
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "cannot be filled in",
        ),
        ("grows", "{% for a in range(90000) %}{{ 'x' * 9000 }}{% endfor %}", ""),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("template/template.toml", template_toml());
        sandbox.write("template/content/plugin.toml.tmpl", text);
        let output = sandbox.run(&["new", "erp-demo", "--template", "./template"]);
        assert!(output.code != 0 && output.stderr.contains(told), "{name}: {}", output.stderr);
        assert!(!sandbox.path("erp-demo").exists(), "{name}");
    }
    let sandbox = Sandbox::new();
    sandbox.write("template/template.toml", template_toml());
    sandbox.write("other/secret.txt", "the neighbour's");
    symlink(sandbox.path("other"), sandbox.path("template/content")).unwrap();
    let output = sandbox.run(&["new", "erp-demo", "--template", "./template"]);
    assert!(output.code != 0 && output.stderr.contains("link"), "{}", output.stderr);
    assert!(!sandbox.path("erp-demo").exists());
}

/// The `template.toml` of an existing template.
fn template_toml() -> String {
    std::fs::read_to_string(repository().join("templates/minimal/template.toml")).unwrap()
}

#[test]
fn what_a_project_says_is_held_against_its_bounds() {
    let sandbox = project();
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    let (before, rest) = manifest.split_once("name = ").unwrap();
    let rest = rest.split_once('\n').unwrap().1;
    let named = |name: &str| format!("{before}name = {name}\n{rest}");
    for (text, code) in [
        (named("\"a\\u0007b\""), "manifest/invalid-value"),
        (named("\"a\\u202eb\""), "manifest/invalid-value"),
        (format!("{manifest}\n[x]\ny = 1.2.3\n"), "toml/syntax"),
        (format!("{manifest}\n[x]\ny = 0x\n"), "toml/syntax"),
        (format!("{manifest}\n[x]\ny = 0xffffffffffffffffff\n"), "toml/syntax"),
        (format!("{manifest}\n[x]\ny = 1e999\n"), "toml/syntax"),
        (format!("{manifest}\n[x]\ny = nan\n"), "toml/syntax"),
        (format!("{manifest}\n[x]\ny = 1979-13-45\n"), "toml/syntax"),
    ] {
        sandbox.write("erp-demo/plugin.toml", text);
        let (code_of_exit, document) = sandbox.json(&["-C", "erp-demo", "check"]);
        let codes: Vec<&str> =
            document["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        assert!(code_of_exit != 0 && codes.contains(&code), "{code}: {codes:?}");
    }
}

#[test]
fn a_verdict_on_trust_needs_a_signature() {
    let sandbox = Sandbox::with_template("minimal").variable("ERP_PLUGIN_KEY_PASSPHRASE", "correct horse");
    sandbox.take_component("erp-demo", template_component("minimal"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let package = "erp-demo/dist/erp-demo-0.1.0.erpx";
    let unsigned = sandbox.read(package);
    for key in ["own", "foreign"] {
        sandbox.run(&["key", "new", key]).succeeded();
    }
    // Without a trusted key, only integrity is verified, and the output says so.
    let plain = sandbox.run(&["verify", package]).succeeded();
    assert!(plain.stdout.contains("nobody has signed it"), "{}", plain.stdout);
    let own = sandbox.path("config/erp-plugin/keys/own.pub.pem").display().to_string();
    let trust = |file: &str| {
        sandbox.run(&["key", "trust", &own, "--publisher", "Us", "--scope", "*", "--trust-file", file]).succeeded();
    };
    trust("trust.toml");
    let with_file = ["verify", package, "--trust-file", "trust.toml"];
    let integrity = ["verify", package, "--trust-file", "trust.toml", "--integrity-only"];
    let states: [(&str, &dyn Fn(), i32); 3] = [
        ("stripped", &|| sandbox.write(package, &unsigned), 7),
        ("foreign", &|| drop(sandbox.run(&["sign", package, "--key", "foreign"]).succeeded()), 7),
        ("own", &|| drop(sandbox.run(&["sign", package, "--key", "own"]).succeeded()), 0),
    ];
    for (state, make, expected) in states {
        sandbox.write(package, &unsigned);
        make();
        assert_eq!(sandbox.run(&with_file).code, expected, "{state}");
        assert_eq!(sandbox.run(&integrity).code, 0, "{state}");
    }
    // The user's own trust file counts as much as one that is named.
    sandbox.write(package, &unsigned);
    sandbox.run(&["key", "trust", &own, "--publisher", "Us", "--scope", "*"]).succeeded();
    sandbox.run(&["verify", package]).failed_with(7);
    sandbox.run(&["verify", package, "--integrity-only"]).succeeded();
    // A trust file with a threshold and no key also demands signatures.
    let own_trust = "config/erp-plugin/trust.toml";
    assert!(!sandbox.read(own_trust).is_empty());
    sandbox.write(own_trust, "[[thresholds]]\nscope = \"*\"\nsignatures = 1\n");
    sandbox.run(&["verify", package]).failed_with(7);
}
