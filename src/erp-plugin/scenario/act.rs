//! Performs the act of a step and returns its outcome.

use erp_check::scenarios::{SCENARIO_MISMATCH, SCENARIO_NAME, SCENARIO_STEP, SCENARIO_UNEXPECTED, SCENARIO_VALUE};
use erp_manifest::digest::sha256_hex;
use erp_manifest::document::{Node, NodeValue};
use erp_manifest::{EventType, TenantId, Timeout};
use erp_platform::{Body, Identity, Request, Response};
use erp_runtime::{Fault, LimitOverrides};
use erp_storage::StoreError;
use serde_json::{Map, Value, json};

use super::judge::StepOutcome;
use super::model::Step;
use super::plan::TENANTS;
use super::world::{CaseWorld, Finding};
use super::{fault, steps};

/// The most rows that a statement of a step returns.
const MAX_SQL_ROWS: usize = 1_000;

/// A step that was performed.
pub(super) struct PerformedStep {
    /// The tenant that it was performed for.
    pub(super) tenant: TenantId,
    pub(super) outcome: StepOutcome,
    /// Faults of the step that did not happen.
    pub(super) left: Vec<Fault>,
}

impl CaseWorld<'_> {
    /// Performs a step, within its budget and with its faults.
    pub(super) fn perform(&mut self, step: &Step) -> Result<PerformedStep, Finding> {
        let budget = step.budget.as_ref().or(self.suite.file.budget.as_ref());
        let budget = budget.map(|budget| self.fill(budget)).transpose()?;
        let limits = budget.map(|budget| self.limits(&budget)).transpose()?;
        if let Some(fault) = &step.fault {
            // A case without the fault drops the key.
            let filled = self.names.fill(fault).map_err(|error| self.unknown(&error))?;
            let faults = filled.as_ref().map_or(Ok(Vec::new()), fault::read);
            let faults = faults.map_err(|(span, why)| self.finding(SCENARIO_VALUE, span, why, "cannot be read"))?;
            for fault in faults {
                self.platform.surroundings().add_fault(fault);
            }
        }
        self.platform.call_settings.limits = limits.unwrap_or_default();
        let acted = self.act(step);
        self.platform.call_settings.limits = LimitOverrides::default();
        // Faults of an exploration are set outside the step and outlive it.
        let left = if step.fault.is_some() { self.platform.surroundings().clear_faults() } else { Vec::new() };
        let (tenant, outcome) = acted?;
        Ok(PerformedStep { tenant, outcome, left })
    }

    fn act(&mut self, step: &Step) -> Result<(TenantId, StepOutcome), Finding> {
        let user = match &step.r#as {
            Some(name) => {
                let node = Node { span: name.span(), value: NodeValue::String((**name).clone()) };
                let filled = self.fill(&node)?;
                let found = self.platform.directory().user(filled.as_str().unwrap_or_default()).cloned();
                let mut found = found.ok_or_else(|| {
                    self.finding(SCENARIO_NAME, name.span(), format!("there is no user `{name}`"), "unknown")
                })?;
                if let Some(tenant) = &self.stand_in {
                    found.tenant = tenant.clone();
                }
                Some(found)
            }
            None => None,
        };
        if let (Some(target), Some(user)) = (&step.http, &user) {
            return self.request(step, target, user).map(|outcome| (user.tenant.clone(), outcome));
        }
        if let (Some(event), Some(tenant)) = (&step.event, &step.tenant) {
            let tenant = self.stand_in.clone().unwrap_or_else(|| (**tenant).clone());
            let text = self.text(event)?;
            let event_type = EventType::new(&*text).ok_or_else(|| {
                let message = format!("`{text}` is no name of an event");
                self.finding(SCENARIO_VALUE, event.span.clone(), message, "words joined by dots")
            })?;
            let payload = match &step.payload {
                Some(payload) => self.fill(payload)?.to_json(),
                None => Value::Object(Map::new()),
            };
            let heard = self.platform.listeners(event_type.as_str()).len();
            for _ in 0..*step.repeat {
                self.platform.events().publish_event(&tenant, &event_type, &payload).map_err(|error| {
                    self.finding(SCENARIO_UNEXPECTED, event.span.clone(), error.to_string(), "here")
                })?;
            }
            return Ok((tenant, StepOutcome::Event { heard }));
        }
        if let (Some(call), Some(user)) = (&step.call, &user) {
            let text = self.text(call)?;
            let (plugin, call) = (self.manifest.metadata.id.as_str(), text.trim());
            let result = if call.contains('(') {
                self.platform.exports().call_wave(plugin, user, call)
            } else {
                let arguments = step.json.as_ref().map(|json| self.fill(json)).transpose()?;
                let arguments = match arguments.map(|json| json.to_json()) {
                    Some(Value::Object(arguments)) => arguments,
                    _ => Map::new(),
                };
                self.platform.exports().call(plugin, user, call, &arguments)
            };
            return Ok((user.tenant.clone(), StepOutcome::Call(result)));
        }
        if let (Some(page), Some(user)) = (&step.page, &user) {
            let name = self.text(page)?;
            let opened = self.platform.pages().page(user, None, self.manifest.metadata.id.as_str(), &name);
            let shown = opened.unwrap_or_else(|error| json!({ "status": error.status(), "code": error.code }));
            return Ok((user.tenant.clone(), StepOutcome::Page(shown)));
        }
        if let Some(sql) = &step.sql {
            let rows = self
                .query_rows(&self.text(sql)?)
                .map_err(|error| self.finding(SCENARIO_VALUE, sql.span.clone(), error.to_string(), "cannot be done"))?;
            let tenant = user.as_ref().map(|user| user.tenant.clone()).or_else(|| TenantId::new(TENANTS[0]));
            return tenant.map(|tenant| (tenant, StepOutcome::Rows(rows))).ok_or_else(|| self.nobody(step));
        }
        if let Some(lifecycle) = &step.lifecycle {
            let what = self.text(lifecycle)?;
            self.live(&what, lifecycle)?;
        }
        if let Some(advance) = &step.advance {
            let text = self.text(advance)?;
            let length = Timeout::parse(&text).ok_or_else(|| {
                self.finding(
                    SCENARIO_VALUE,
                    advance.span.clone(),
                    format!("`{text}` is no length of time such as `30m`"),
                    "here",
                )
            })?;
            self.platform.surroundings().advance(u64::try_from(length.0.as_millis()).unwrap_or(u64::MAX));
        }
        let tenant = user.map(|user| user.tenant).or_else(|| TenantId::new(TENANTS[0]));
        tenant.map(|tenant| (tenant, StepOutcome::Other)).ok_or_else(|| self.nobody(step))
    }

    fn nobody(&self, step: &Step) -> Finding {
        self.finding(SCENARIO_STEP, step.span.clone(), "the step belongs to no tenant".to_owned(), "here")
    }

    /// Runs a statement over the plugin's entities as tables, and returns its rows.
    pub(super) fn query_rows(&self, sql: &str) -> Result<Vec<Value>, StoreError> {
        let plugin = self.manifest.metadata.id.as_str();
        let (names, rows) = self.platform.inspect(Some(plugin), self.neighbour.as_ref(), sql, MAX_SQL_ROWS)?;
        Ok(rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect())
    }

    /// Changes the state of the plugin itself.
    fn live(&mut self, what: &str, node: &Node) -> Result<(), Finding> {
        let id = self.manifest.metadata.id.as_str();
        let platform = &mut self.platform;
        let done = match what {
            "disable" => platform.lifecycle().disable(id),
            "enable" | "restart" => platform.lifecycle().run_again(self.plugin),
            "uninstall" => platform.lifecycle().uninstall(id),
            "install" => platform.lifecycle().install(id),
            _ => {
                let message = format!("`{what}` is nothing that happens to a plugin");
                let label = "write disable, enable, restart, uninstall or install";
                return Err(self.finding(SCENARIO_VALUE, node.span.clone(), message, label));
            }
        };
        done.map_err(|error| self.finding(SCENARIO_UNEXPECTED, node.span.clone(), error.to_string(), "refused"))
    }

    fn request(&mut self, step: &Step, target: &Node, user: &Identity) -> Result<StepOutcome, Finding> {
        let text = self.text(target)?;
        let bad = || {
            self.finding(
                SCENARIO_VALUE,
                target.span.clone(),
                format!("`{text}` is not a method and a path"),
                "write it like GET /item",
            )
        };
        let (method, path) = text.trim().split_once(' ').ok_or_else(bad)?;
        let path = path.trim();
        let prefix = format!("/api/v1/plugins/{}", *self.manifest.metadata.id);
        let full = if path.starts_with("/api/") || path.starts_with("/_dev/") {
            path.to_owned()
        } else {
            format!("{prefix}{path}")
        };
        let mut request = Request::new(method, &full);
        request.identity = Some(user.clone());
        if let Some(json) = step
            .json
            .as_ref()
            .map(|json| self.names.fill(json))
            .transpose()
            .map_err(|error| self.unknown(&error))?
            .flatten()
        {
            request.body = json.to_json().to_string().into_bytes();
        }
        let entity = request
            .path
            .strip_prefix(&prefix)
            .and_then(|rest| rest.trim_matches('/').split('/').next())
            .map(str::to_owned);
        if let Some(body) = &step.body {
            (request.content_type, request.body) = self.sent(&self.fill(body)?)?;
        }
        let Response { status, body, headers } = self.platform.handle(&request);
        Ok(StepOutcome::Http { status, body: shown(body, headers), entity })
    }

    /// The media type and the bytes of a body that is not JSON.
    fn sent(&self, body: &Node) -> Result<(Option<String>, Vec<u8>), Finding> {
        let bad = |message: String| self.finding(SCENARIO_VALUE, body.span.clone(), message, "cannot be sent");
        let text = |key: &str| body.get(key).and_then(Node::as_str);
        let bytes = match (text("file"), text("text")) {
            (Some(file), None) => {
                let data = &self.suite.data;
                let known: Vec<&str> = data.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "is empty".to_owned() } else { format!("has {}", known.join(", ")) };
                let bytes = data.get(file).cloned();
                bytes.ok_or_else(|| bad(format!("there is no file `{file}`: tests/data {known}")))?
            }
            (None, Some(text)) => text.as_bytes().to_vec(),
            _ => return Err(bad("a body has either `file` or `text`".to_owned())),
        };
        Ok((text("type").map(str::to_owned), bytes))
    }

    pub(super) fn capture(&mut self, step: &Step, outcome: &StepOutcome) -> Result<(), Finding> {
        let value = match outcome {
            StepOutcome::Http { body: Some(value), .. } => value.clone(),
            StepOutcome::Call(Ok(value)) => value.clone(),
            _ => Value::Null,
        };
        for (name, path) in &step.capture {
            // `$.a.b[0]` becomes the pointer `/a/b/0`.
            let pointer = path.trim_start_matches('$').replace(['.', '['], "/").replace(']', "");
            let found = value.pointer(&pointer).ok_or_else(|| {
                let message = format!("there is nothing at `{path}` in {}", super::compare::show(Some(&value)));
                self.finding(SCENARIO_MISMATCH, path.span(), message, "nothing to capture")
            })?;
            let node = Node { span: path.span(), ..Node::from_json(found) };
            self.names.values.insert(name.clone(), node);
        }
        Ok(())
    }

    fn limits(&self, budget: &Node) -> Result<LimitOverrides, Finding> {
        let mut limits = LimitOverrides::default();
        for entry in budget.entries() {
            limits
                .add(&entry.key, &steps::scalar(&entry.node))
                .map_err(|error| self.finding(SCENARIO_VALUE, entry.node.span.clone(), error.to_string(), "here"))?;
        }
        Ok(limits)
    }
}

/// The body in the form that expectations use.
fn shown(body: Body, headers: Vec<(&'static str, String)>) -> Option<Value> {
    match body {
        Body::Empty => None,
        Body::Json(value) => Some(value),
        // Rows of the API can always be written as JSON; a test of every route checks it.
        Body::Row(row) => serde_json::to_value(row).ok(),
        Body::Rows(page) => serde_json::to_value(page).ok(),
        Body::Bytes(content_type, bytes) => {
            let headers: Map<String, Value> =
                headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let (size, sha256) = (bytes.len(), sha256_hex(&bytes));
            let text = String::from_utf8(bytes).ok();
            Some(json!({ "type": content_type, "bytes": size, "sha256": sha256, "text": text, "headers": headers }))
        }
    }
}
