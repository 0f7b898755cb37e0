//! A client of a dev host.

use serde_json::Value;

use super::{DevHost, Sandbox, request};

/// A user of a dev host, and the plugin that the user works with.
pub struct Client<'h> {
    host: &'h DevHost,
    token: String,
    plugin: String,
}

impl<'h> Client<'h> {
    pub fn new(host: &'h DevHost, user: &str, plugin: &str) -> Client<'h> {
        Client { host, token: host.token(user), plugin: plugin.to_owned() }
    }

    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        request(&self.host.url(), method, path, Some(&self.token), &body, &[])
    }

    /// Sends a request for rows; `path` begins with `/<entity>`.
    pub fn rows(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask(method, &format!("/api/v1/plugins/{}{path}", self.plugin), body)
    }

    /// Lists rows; the values of `parameters` are percent-encoded here.
    pub fn list(&self, entity: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
        let query: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={}", encoded(value))).collect();
        self.rows("GET", &format!("/{entity}?{}", query.join("&")), &Value::Null)
    }

    /// Sends a request about the plugin's lifecycle; `path` is such as `/install`, or empty for the plugin itself.
    pub fn admin(&self, method: &str, path: &str) -> (u16, Value) {
        self.ask(method, &format!("/api/v1/admin/plugins/{}{path}", self.plugin), &Value::Null)
    }

    /// Uploads a package of the sandbox.
    pub fn upload(&self, sandbox: &Sandbox, package: &str) -> (u16, Value) {
        let path = "/api/v1/admin/plugins/upload";
        request(&self.host.url(), "POST", path, Some(&self.token), &sandbox.read(package), &[])
    }

    /// Installs and enables the plugin.
    pub fn start(&self) {
        assert_eq!(self.admin("POST", "/install").0, 200);
        assert_eq!(self.admin("POST", "/enable").0, 200);
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
