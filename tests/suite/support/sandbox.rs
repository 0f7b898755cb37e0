//! A folder of its own, a clean environment, and the program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The folder of this repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The path of the program.
pub fn erp_plugin() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_erp-plugin"))
}

/// A folder that is deleted with the test.
pub struct Sandbox {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// The exit code and the output of a run.
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Sandbox {
        Sandbox { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A sandbox with a project made from a template, in the folder `erp-demo`.
    /// A language may follow the template's name, as in `event-python`.
    pub fn with_template(template: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        let (name, language) = template.split_once('-').map_or((template, None), |(name, word)| (name, Some(word)));
        let language = language.map(|language| format!("language={language}"));
        let mut arguments = vec!["new", "erp-demo", "--template", name];
        arguments.extend(language.iter().flat_map(|language| ["--define", language]));
        sandbox.run(&arguments).succeeded();
        sandbox
    }

    pub fn variable(mut self, name: &str, value: &str) -> Sandbox {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Gives the project in a folder a component from elsewhere, for its manifest as it is now.
    pub fn take_component(&self, folder: &str, file: impl AsRef<Path>) {
        self.run(&["-C", folder, "build", "--component", file.as_ref().to_str().unwrap()]).succeeded();
    }

    /// Packs a project with the component that it had before, for the manifest as it is now.
    pub fn repack(&self, id: &str) {
        self.take_component(id, self.path(&format!("{id}/dist/{id}.wasm")));
        self.run(&["-C", id, "pack"]).succeeded();
    }

    /// The same, with the bytes of a component.
    pub fn take_bytes(&self, folder: &str, component: impl AsRef<[u8]>) {
        self.write("taken.wasm", component);
        self.take_component(folder, self.path("taken.wasm"));
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Returns a command that runs the program; of this machine's environment it has only the toolchain.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(erp_plugin());
        command.current_dir(self.folder.path()).args(arguments).env_clear().stdin(Stdio::null());
        for name in ["PATH", "RUSTUP_HOME", "CARGO_HOME", "HOME", "RUSTUP_TOOLCHAIN", "ERP_PLUGIN_RUST_TOOLCHAIN"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("XDG_CONFIG_HOME", self.path("config"))
            // All tests share the cache: compiled components are the same for each of them.
            .env("XDG_CACHE_HOME", repository().join("target/test-cache"))
            .env("RUSTUP_AUTO_INSTALL", "0")
            .envs(self.variables.iter().cloned());
        command
    }

    #[must_use = "look at the exit code, or call `succeeded`"]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(&self.folder.path().display().to_string(), "[SANDBOX]")
        };
        Output { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Runs a command with `--format json`; returns the exit code and the document.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let mut all = arguments.to_vec();
        all.extend(["--format", "json"]);
        let output = self.run(&all);
        let document = serde_json::from_str(&output.stdout).unwrap_or_else(|error| {
            panic!("{arguments:?} printed no JSON ({error}): {}{}", output.stdout, output.stderr)
        });
        (output.code, document)
    }

    pub fn dev_host(&self, arguments: &[&str]) -> DevHost {
        let mut all = vec!["dev", "--no-watch", "--state-dir", "state"];
        all.extend(arguments);
        self.serving(&all)
    }

    /// Starts a dev host with these arguments, and with a free port and JSON output.
    pub fn serving(&self, arguments: &[&str]) -> DevHost {
        let mut all = arguments.to_vec();
        all.extend(["--port", "0", "--format", "json"]);
        let mut child = self.command(&all).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut document = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        while document.lines().last() != Some("}") {
            assert!(reader.read_line(&mut document).unwrap() > 0, "the dev host ended: {document}");
        }
        DevHost { child, hello: serde_json::from_str(&document).unwrap() }
    }
}

impl Output {
    #[track_caller]
    pub fn succeeded(self) -> Output {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn failed_with(self, code: i32) -> Output {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }
}

/// A dev host that is killed when this is dropped.
pub struct DevHost {
    pub child: Child,
    pub hello: Value,
}

impl DevHost {
    pub fn url(&self) -> String {
        self.hello["url"].as_str().unwrap().to_owned()
    }

    pub fn token(&self, user: &str) -> String {
        let users = self.hello["users"].as_array().unwrap();
        users.iter().find(|known| known["user"] == user).unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Kills the host with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for DevHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
