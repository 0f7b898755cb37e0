//! Uploads while everything fails: connections, servers, and the processes at both ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_package::archive::{self, PackageParts};
use erp_plugin::registry::{Client, PublishError, ServerConnection};
use erp_runtime::{Compilation, Runtime};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::faulty::{Fault, FaultyPlatform, Numbers};
use crate::support::{DevHost, Sandbox, request, template_component};

/// The number of random schedules of faults.
const SCHEDULES: u64 = 1_000;
/// The number of times that one of the two processes is killed.
const KILLS: u64 = 200;
const SEED: u64 = 20_260_415;

/// Returns a small package and its digest.
fn package() -> (Vec<u8>, String) {
    let manifest = json!({
        "metadata": { "id": "erp-small", "name": "小", "version": "1.0.0" },
        "runtime": { "abi": "erp:plugin@1.0.0", "world": "minimal-plugin" },
    });
    let sandbox = Sandbox::new();
    sandbox.write(
        "plugin.toml",
        "manifest_version = 1\n[metadata]\nid = \"erp-small\"\nname = \"小\"\nversion = \"1.0.0\"\n[runtime]\n\
         abi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n",
    );
    sandbox.take_component(".", template_component("minimal"));
    let component = sandbox.read("dist/erp-small.wasm");
    let parts = PackageParts {
        manifest,
        id: "erp-small".to_owned(),
        version: "1.0.0".to_owned(),
        abi: "erp:plugin@1.0.0".to_owned(),
        world: "minimal-plugin".to_owned(),
        wit: "package erp:plugin@1.0.0;".to_owned(),
        component,
        files: Vec::new(),
        tool: "test".to_owned(),
        rule_set: String::new(),
    };
    let bytes = archive::build(&parts).unwrap();
    let sha256 = erp_manifest::digest::sha256_hex(&bytes);
    (bytes, sha256)
}

fn publish(server: &FaultyPlatform, bytes: &[u8]) -> Result<bool, PublishError> {
    let connection = ServerConnection {
        token: Some(Zeroizing::new("tok_secret".to_owned())),
        timeout: Duration::from_secs(5),
        pause: |_| {},
        ..ServerConnection::default()
    };
    let client = Client::new(&server.url, connection)?;
    client.publish("erp-small", "1.0.0", bytes, |_| {}, |_, _| {}).map(|published| published.already_there)
}

#[test]
fn whatever_fails_on_the_way_one_version_is_stored_and_what_is_said_is_true() {
    let (bytes, sha256) = package();
    let runtime = Arc::new(Runtime::new(Compilation::default()).unwrap());
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for schedule in 0..SCHEDULES {
        let mut numbers = Numbers::new(SEED + schedule * 7919);
        let faults: Vec<Fault> = (0..numbers.below(12)).map(|_| numbers.fault()).collect();
        let server = FaultyPlatform::start(&runtime, faults.clone());
        let ended = publish(&server, &bytes);
        let stored = server.stored("erp-small", "1.0.0");
        let told = || format!("schedule {schedule} {faults:?}: {ended:?}, stored {stored:?}");
        assert!(stored.is_none() || stored.as_ref() == Some(&sha256), "{}", told());
        let end = match &ended {
            Ok(_) => {
                assert!(stored.is_some(), "a success that is none: {}", told());
                "published"
            }
            Err(PublishError::Unreachable { .. } | PublishError::Unavailable { .. } | PublishError::Refused { .. }) => {
                assert!(stored.is_none(), "a failure that is none: {}", told());
                "not published"
            }
            Err(PublishError::Unknown { .. }) => "not known",
            // The answer made no sense, and the server then reported that it has no such version.
            Err(PublishError::NotAPlatform { .. } | PublishError::WrongReceipt { .. }) => {
                assert!(stored.is_none(), "a failure that is none: {}", told());
                "no platform"
            }
            Err(error) => panic!("{error}"),
        };
        *ends.entry(end).or_default() += 1;
        // Running it again converges, once the connection works.
        server.mend();
        publish(&server, &bytes).unwrap_or_else(|error| panic!("{error}: {}", told()));
        assert_eq!(server.stored("erp-small", "1.0.0"), Some(sha256.clone()), "{}", told());
        assert_eq!(server.platform.lock().unwrap().plugins().len(), 1, "{}", told());
    }
    assert!(ends["published"] > 300 && ends["not published"] > 20 && ends["not known"] > 20, "{ends:?}");
}

/// The steps that bring a plugin into a host, each with the state that follows it.
const STEPS: [(&str, &str); 3] = [("upload", "uploaded"), ("install", "installed"), ("enable", "running")];

#[test]
fn whoever_is_killed_no_half_plugin_stays_and_nothing_acknowledged_is_lost() {
    let sandbox = Sandbox::with_template("minimal");
    sandbox.take_component("erp-demo", template_component("minimal"));
    let (_, packed) = sandbox.json(&["-C", "erp-demo", "pack"]);
    let sha256 = packed["sha256"].as_str().unwrap();
    let package = sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx");
    let mut numbers = Numbers::new(SEED);
    // How long both take when no process is killed.
    let host = sandbox.dev_host(&[]);
    let started = Instant::now();
    client(&sandbox, &host).wait().unwrap();
    let a_publish = started.elapsed();
    let started = Instant::now();
    go_the_way(&host, &package);
    let the_way = started.elapsed();
    drop(host);
    let mut survived = BTreeMap::new();
    for kill in 0..KILLS {
        std::fs::remove_dir_all(sandbox.path("state")).unwrap();
        let mut host = sandbox.dev_host(&[]);
        let moment = |whole: Duration, numbers: &mut Numbers| whole.mul_f64(numbers.below(1_200) as f64 / 1_000.0);
        if kill % 2 == 0 {
            let mut client = client(&sandbox, &host);
            std::thread::sleep(moment(a_publish, &mut numbers));
            let _ = client.kill();
            let succeeded = client.wait().unwrap().success();
            let known = version(&host);
            assert!(known.is_none() || known.as_deref() == Some(sha256), "kill {kill}");
            assert!(!succeeded || known.is_some(), "kill {kill}: a success that is none");
            *survived.entry(("client", known.is_some())).or_insert(0) += 1;
            assert!(self::client(&sandbox, &host).wait().unwrap().success(), "kill {kill}: it does not converge");
        } else {
            let after = moment(the_way, &mut numbers);
            let acknowledged = std::thread::scope(|scope| {
                let way = scope.spawn(|| go_the_way(&host, &package));
                std::thread::sleep(after);
                // The process is killed, not the handle, from which the other thread reads the address.
                let killed = std::process::Command::new("kill").args(["-9", &host.child.id().to_string()]).status();
                assert!(killed.unwrap().success());
                way.join().unwrap()
            });
            host.kill();
            host = sandbox.dev_host(&[]);
            let reached = reached(&host);
            assert!(
                reached >= acknowledged,
                "kill {kill}: {acknowledged} steps were acknowledged, {reached} are there"
            );
            *survived.entry(("server", reached > 0)).or_insert(0) += 1;
            go_the_way(&host, &package);
            assert_eq!(self::reached(&host), 3, "kill {kill}: it does not converge");
        }
        assert_eq!(version(&host).as_deref(), Some(sha256), "kill {kill}");
    }
    assert!(survived.len() == 4, "the kills hit too few moments: {survived:?}");
}

fn client(sandbox: &Sandbox, host: &DevHost) -> std::process::Child {
    let mut command = sandbox.command(&["-C", "erp-demo", "publish", "--to", &host.url()]);
    command.env("ERP_PLUGIN_TOKEN", host.token("admin@acme"));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
}

fn ask(host: &DevHost, method: &str, path: &str, body: &[u8]) -> Option<(u16, Value)> {
    let token = host.token("admin@acme");
    let url = host.url();
    // A host that is killed leaves the client without an answer, and the client then panics.
    std::panic::catch_unwind(|| request(&url, method, path, Some(&token), body, &[])).ok()
}

/// Uploads, installs and enables the plugin; returns how many of these steps the host acknowledged.
fn go_the_way(host: &DevHost, package: &[u8]) -> usize {
    for (acknowledged, (step, _)) in STEPS.iter().enumerate() {
        let (path, body) = match *step {
            "upload" => ("/api/v1/admin/plugins/upload".to_owned(), package),
            step => (format!("/api/v1/admin/plugins/erp-demo/{step}"), &[][..]),
        };
        let answer = ask(host, "POST", &path, body);
        // 409: the step was done before, which is no failure.
        if !answer.is_some_and(|(status, _)| status == 200 || status == 201 || status == 409) {
            return acknowledged;
        }
    }
    STEPS.len()
}

/// Returns how many steps the plugin has passed.
fn reached(host: &DevHost) -> usize {
    let (status, detail) = ask(host, "GET", "/api/v1/admin/plugins/erp-demo", &[]).unwrap();
    if status != 200 {
        return 0;
    }
    let word = detail["status"].as_str().unwrap();
    let step = STEPS.iter().position(|(_, state)| *state == word);
    step.unwrap_or_else(|| panic!("half a plugin: {detail}")) + 1
}

fn version(host: &DevHost) -> Option<String> {
    let (status, receipt) = ask(host, "GET", "/api/v1/admin/plugins/erp-demo/versions/0.1.0", &[]).unwrap();
    (status == 200).then(|| receipt["sha256"].as_str().unwrap().to_owned())
}
