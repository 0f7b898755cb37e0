//! Publishing to an OCI registry, Debian's `docker-registry`: what is pushed, and that nothing is pushed twice.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Sandbox, template_component};

/// `docker-registry` on a free port, with its files in the sandbox; it ends with the test.
struct Registry {
    child: Child,
    host: String,
}

impl Registry {
    fn start(sandbox: &Sandbox) -> Registry {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let files = sandbox.path("registry");
        sandbox.write(
            "registry.yml",
            format!("version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n", files.display()),
        );
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(sandbox.path("registry.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry, which tests/run.sh makes ready: {error}"));
        let registry = Registry { child, host };
        for _ in 0..200 {
            if TcpStream::connect(&registry.host).is_ok() {
                return registry;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("docker-registry does not start");
    }

    /// Fetches a document or a blob, as a client that has no notion of plugins does.
    fn get(&self, path: &str) -> Vec<u8> {
        let output = Command::new("curl")
            .args(["-sSf", "-H", "accept: application/vnd.oci.image.manifest.v1+json"])
            .arg(format!("http://{}/v2/plugins/erp-demo/{path}", self.host))
            .output()
            .unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn manifest(&self, tag: &str) -> Value {
        serde_json::from_slice(&self.get(&format!("manifests/{tag}"))).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> Vec<u8> {
        self.get(&format!("blobs/{}", descriptor["digest"].as_str().unwrap()))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_version_is_a_plain_component_and_a_package_and_stays_what_it_is() {
    let sandbox = Sandbox::with_template("minimal");
    sandbox.take_component("erp-demo", template_component("minimal"));
    let component = sandbox.read("erp-demo/dist/erp-demo.wasm");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let registry = Registry::start(&sandbox);
    let address = format!("oci://{}/plugins/erp-demo", registry.host);
    let publish = |more: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "publish", "--to", &address];
        arguments.extend(more);
        sandbox.json(&arguments)
    };
    let (code, looked) = publish(&["--dry-run"]);
    assert_eq!((code, &looked["already_there"]), (0, &json!(false)), "{looked}");
    let (code, published) = publish(&[]);
    assert_eq!(
        (code, &published["already_there"], &published["attempts"]),
        (0, &json!(false), &json!(1)),
        "{published}"
    );
    let (code, again) = publish(&[]);
    assert_eq!((code, &again["already_there"], &again["attempts"]), (0, &json!(true), &json!(0)), "{again}");

    // What `wkg` and runtimes pull: one layer, the component itself.
    let plain = registry.manifest("0.1.0");
    assert_eq!(plain["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(plain["layers"].as_array().unwrap().len(), 1);
    assert_eq!(plain["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(registry.blob(&plain["layers"][0]), component);
    let config: Value = serde_json::from_slice(&registry.blob(&plain["config"])).unwrap();
    assert_eq!((&config["architecture"], &config["layerDigests"][0]), (&json!("wasm"), &plain["layers"][0]["digest"]));

    let package = registry.manifest("erpx-0.1.0");
    assert_eq!(package["artifactType"], "application/vnd.erpx.v1+zip");
    let bytes = registry.blob(&package["layers"][0]);
    assert_eq!(bytes, sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx"));
    let pulled = registry.get("manifests/0.1.0");
    assert_eq!(package["subject"]["digest"], format!("sha256:{}", erp_manifest::digest::sha256_hex(&pulled)));

    // The same version with other content is refused, and the stored content stays.
    sandbox.write("erp-demo/assets/more.txt", "more");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let (code, refused) = publish(&[]);
    assert_eq!((code, refused["error"]["code"].as_str()), (6, Some("publish/conflict")), "{refused}");
    assert_eq!(registry.blob(&registry.manifest("erpx-0.1.0")["layers"][0]), bytes);
}

#[test]
fn addresses_that_are_none_and_servers_that_are_not_there_are_told_apart() {
    let sandbox = Sandbox::with_template("minimal");
    sandbox.take_component("erp-demo", template_component("minimal"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    for (address, exit, code) in [
        ("oci://127.0.0.1:1/plugins/erp-demo", 6, "publish/unreachable"),
        ("oci://127.0.0.1:1/plugins/erp-demo:latest", 2, "publish/address"),
        ("oci://registry", 2, "publish/address"),
    ] {
        let (found, document) = sandbox.json(&["-C", "erp-demo", "publish", "--to", address]);
        assert_eq!((found, document["error"]["code"].as_str()), (exit, Some(code)), "{address}: {document}");
    }
}
