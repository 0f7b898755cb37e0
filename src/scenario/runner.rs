//! Runs one case in a world of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::effects::{Observed, Outcome, judge};
use super::matcher::StepTime;
use super::model::{Effects, Step};
use super::plan::{Case, Suite, TENANTS};
use super::substitute::{Names, UnknownName};
use super::{pipe_table, steps};
use crate::diagnostics::{Diagnostic, Report, Span, codes};
use crate::document::{Node, NodeValue};
use crate::host::{Caller, Department, LimitOverrides, LoadedPlugin, Runtime, Surroundings};
use crate::manifest::{BaseType, Manifest, TenantId, Timeout};
use crate::outgoing::HttpTransport;
use crate::platform::{Body, Directory, Identity, Platform, Request};
use crate::store::{Database, Moment};

/// How a case went.
#[derive(Debug)]
pub struct CaseResult {
    /// The name of the case.
    pub name: String,
    /// The findings; none where it passed.
    pub report: Report,
    /// How long it took.
    pub duration: Duration,
    /// Fuel of all its calls.
    pub fuel: u64,
    /// Calls of the plugin.
    pub calls: usize,
    /// Functions of the host that its calls used, such as `events.publish`.
    pub host_functions: BTreeSet<&'static str>,
}

/// Runs a case to its end or to the first step that fails.
pub fn run_case(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>) -> CaseResult {
    let started = Instant::now();
    let mut totals = Totals::default();
    let report = match World::build(runtime, plugin, case) {
        Err(finding) => one(*finding),
        Ok(mut world) => world.run(case, &mut totals),
    };
    CaseResult {
        name: case.name(),
        report,
        duration: started.elapsed(),
        fuel: totals.fuel,
        calls: totals.calls,
        host_functions: totals.host_functions,
    }
}

#[derive(Default)]
struct Totals {
    fuel: u64,
    calls: usize,
    host_functions: BTreeSet<&'static str>,
}

pub(super) struct World<'a> {
    pub(super) platform: Platform,
    manifest: &'a Manifest,
    suite: &'a Suite,
    names: Names,
}

/// Boxed: it is far larger than what succeeds.
type Finding = Box<Diagnostic>;

impl<'a> World<'a> {
    pub(super) fn build(
        runtime: &Arc<Runtime>,
        plugin: &'a LoadedPlugin,
        case: &Case<'a>,
    ) -> Result<World<'a>, Finding> {
        let suite = case.suite;
        let file = &suite.file;
        let manifest: &Manifest = plugin.manifest();
        let broken = |what: String| {
            Box::new(
                Diagnostic::new(codes::SCENARIO_UNEXPECTED, what)
                    .in_source(&suite.source)
                    .at(case.test.name.span(), "before the first step"),
            )
        };

        let mut directory = Directory::default();
        for tenant in TENANTS.into_iter().filter_map(TenantId::new) {
            directory.add_tenant(tenant);
        }
        for (name, department) in &file.world.departments {
            directory.add_department(id_of(name), department.parent.as_ref().map(|parent| id_of(parent)));
        }
        for (name, user) in &file.world.users {
            let caller = Caller {
                id: id_of(name),
                name: name.clone(),
                permissions: user.grants.iter().map(|grant| (**grant).clone()).collect(),
                department: user
                    .department
                    .as_ref()
                    .map(|name| Department { id: id_of(name), ..Department::default() }),
            };
            directory.add_user(name.clone(), Identity { tenant: user.tenant.clone(), caller });
        }
        for fixture in file.fixture.values() {
            directory.add_tenant((*fixture.tenant).clone());
        }
        for tenant in case.test.step.iter().filter_map(|step| step.tenant.as_ref()) {
            directory.add_tenant((**tenant).clone());
        }
        let now = file.world.now.as_ref().map_or_else(default_now, |now| now.0);
        let transport: Arc<dyn HttpTransport> = suite.cassette.clone();
        let surroundings = Surroundings::fixed(now, file.world.seed).with_transport(transport);
        let database = Database::in_memory().map_err(|error| broken(error.to_string()))?;
        let mut platform = Platform::new(Arc::clone(runtime), database, surroundings, directory);
        platform.run_loaded(plugin).map_err(|error| broken(format!("the plugin does not start: {error}")))?;
        platform.set_config(&file.world.config).map_err(|error| broken(error.to_string()))?;
        let settings: Map<String, Value> = file.world.settings.clone().into_iter().collect();
        platform.set_settings(manifest, &settings).map_err(|error| broken(error.to_string()))?;

        platform.set_secrets(manifest, &file.world.secrets).map_err(|error| broken(error.to_string()))?;

        let mut world = World { platform, manifest, suite, names: Names::default() };
        let people = file.world.users.keys().map(|name| (format!("users.{name}"), id_of(name)));
        let departments = file.world.departments.keys().map(|name| (format!("departments.{name}"), id_of(name)));
        world.names.rows.extend(people.chain(departments));
        for entry in case.values.into_iter().flat_map(Node::entries) {
            world.names.values.insert(entry.key.clone(), entry.node.clone());
        }
        let mut done = BTreeSet::new();
        for fixture in &case.test.r#use {
            world.insert_fixture(fixture, &mut done)?;
        }
        // What happened until here is the world and not the test.
        world.platform.take_activity();
        Ok(world)
    }

    fn insert_fixture(&mut self, name: &str, done: &mut BTreeSet<String>) -> Result<(), Finding> {
        let Some(fixture) = self.suite.file.fixture.get(name).filter(|_| done.insert(name.to_owned())) else {
            return Ok(());
        };
        for needed in &fixture.needs {
            self.insert_fixture(needed, done)?;
        }
        // Parents come before the rows that name them: in the order of the manifest's entities.
        for entity in &self.manifest.schema.entities {
            let Some(text) = fixture.rows.get(entity.name.as_str()) else { continue };
            let node = Node { span: text.span(), value: NodeValue::String((**text).clone()) };
            let filled = self.fill(&node)?;
            let rows =
                pipe_table::read(filled.as_str().unwrap_or_default(), &text.span(), &self.suite.source, Some(entity))
                    .map_err(|(span, why)| self.finding(codes::SCENARIO_VALUE, span, why, "here"))?;
            for (index, row) in rows.iter().enumerate() {
                let row = self.fill(row)?;
                let fields = row.to_json().as_object().cloned().unwrap_or_default();
                let id = self
                    .platform
                    .insert_fixture(self.manifest, entity.name.as_str(), &fixture.tenant, &fields)
                    .map_err(|error| {
                        self.finding(codes::SCENARIO_VALUE, row.span.clone(), error.to_string(), "refused")
                    })?;
                self.names.rows.insert(format!("{name}.{}.{index}", *entity.name), id);
            }
        }
        Ok(())
    }

    fn run(&mut self, case: &Case<'_>, totals: &mut Totals) -> Report {
        for step in &case.test.step {
            let report = self.step(step, totals).unwrap_or_else(|finding| one(*finding));
            if report.has_errors() {
                return report;
            }
        }
        Report::new()
    }

    /// Does what a step does, with what it remembers, and expects nothing.
    pub(super) fn act_alone(&mut self, step: &Step) -> Result<(), Finding> {
        let budget = step.budget.as_ref().map(|budget| self.fill(budget)).transpose()?;
        let limits = budget.map(|budget| self.limits(&budget)).transpose()?;
        self.platform.set_limits(limits.unwrap_or_default());
        let (_, outcome) = self.act(step)?;
        self.platform.set_limits(LimitOverrides::default());
        self.capture(step, &outcome)
    }

    /// The rows of every entity and tenant, with their fields alone: ids and moments differ from run to run.
    pub(super) fn rows_of_all_tenants(&self) -> Value {
        let tenants = self.platform.directory().tenants().to_vec();
        let mut all = Map::new();
        for entity in &self.manifest.schema.entities {
            for tenant in &tenants {
                let rows =
                    self.platform.all_rows(self.manifest, entity.name.as_str(), tenant, false).unwrap_or_default();
                let own = |row: &Value| {
                    let fields = entity.fields.iter().filter(|field| field.field_type.base() != BaseType::Uuid);
                    let fields = fields.filter(|field| field.field_type.base() != BaseType::Datetime);
                    let value =
                        |field: &crate::manifest::Field| (field.name.to_string(), row[field.name.as_str()].clone());
                    Value::Object(fields.map(value).collect())
                };
                all.insert(format!("{} {tenant}", *entity.name), rows.iter().map(own).collect());
            }
        }
        Value::Object(all)
    }

    fn step(&mut self, step: &Step, totals: &mut Totals) -> Result<Report, Finding> {
        let start = self.platform.now();
        let budget = step.budget.as_ref().map(|budget| self.fill(budget)).transpose()?;
        let limits = budget.map(|budget| self.limits(&budget)).transpose()?;
        self.platform.set_limits(limits.unwrap_or_default());
        let (tenant, outcome) = self.act(step)?;
        self.platform.set_limits(LimitOverrides::default());

        let activity = self.platform.take_activity();
        totals.calls += activity.calls.len();
        let used = activity.calls.iter().flat_map(|call| &call.trace.host_calls).map(|call| call.function);
        totals.host_functions.extend(used);
        totals.fuel += activity.calls.iter().map(|call| call.trace.fuel).sum::<u64>();
        let expect = step.expect.as_ref().map(|expect| self.fill(expect)).transpose()?;
        let observed = Observed {
            outcome: &outcome,
            activity: &activity,
            platform: &self.platform,
            manifest: self.manifest,
            tenant: &tenant,
            time: StepTime { start, end: self.platform.now() },
            source: &self.suite.source,
            step_span: step_span(step),
            open: step.effects.as_ref().is_some_and(|effects| **effects == Effects::Open),
        };
        let report = judge(&observed, expect.as_ref());
        if !report.has_errors() {
            self.capture(step, &outcome)?;
        }
        Ok(report)
    }

    fn act(&mut self, step: &Step) -> Result<(TenantId, Outcome), Finding> {
        let user = match &step.r#as {
            Some(name) => {
                let node = Node { span: name.span(), value: NodeValue::String((**name).clone()) };
                let filled = self.fill(&node)?;
                let found = self.platform.directory().user(filled.as_str().unwrap_or_default()).cloned();
                Some(found.ok_or_else(|| {
                    self.finding(codes::SCENARIO_NAME, name.span(), format!("there is no user `{name}`"), "unknown")
                })?)
            }
            None => None,
        };
        if let (Some(target), Some(user)) = (&step.http, &user) {
            return self.request(step, target, user).map(|outcome| (user.tenant.clone(), outcome));
        }
        if let (Some(event), Some(tenant)) = (&step.event, &step.tenant) {
            let event_type = self.text(event)?;
            let payload = match &step.payload {
                Some(payload) => self.fill(payload)?.to_json(),
                None => Value::Object(Map::new()),
            };
            for _ in 0..*step.repeat {
                self.platform.tell(tenant, &event_type, &payload).map_err(|error| {
                    self.finding(codes::SCENARIO_UNEXPECTED, event.span.clone(), error.to_string(), "here")
                })?;
            }
            return Ok(((**tenant).clone(), Outcome::Other));
        }
        if let (Some(call), Some(user)) = (&step.call, &user) {
            let text = self.text(call)?;
            let result = self.platform.call_by_name(self.manifest.metadata.id.as_str(), user, text.trim());
            return Ok((user.tenant.clone(), Outcome::Call(result)));
        }
        if let Some(advance) = &step.advance {
            let text = self.text(advance)?;
            let length = Timeout::parse(&text).ok_or_else(|| {
                self.finding(
                    codes::SCENARIO_VALUE,
                    advance.span.clone(),
                    format!("`{text}` is no length of time such as `30m`"),
                    "here",
                )
            })?;
            self.platform.advance(u64::try_from(length.0.as_millis()).unwrap_or(u64::MAX));
        }
        let tenant = user.map(|user| user.tenant).or_else(|| TenantId::new(TENANTS[0]));
        tenant.map(|tenant| (tenant, Outcome::Other)).ok_or_else(|| {
            self.finding(codes::SCENARIO_STEP, step.span.clone(), "the step belongs to no tenant".to_owned(), "here")
        })
    }

    fn request(&mut self, step: &Step, target: &Node, user: &Identity) -> Result<Outcome, Finding> {
        let text = self.text(target)?;
        let bad = || {
            self.finding(
                codes::SCENARIO_VALUE,
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
        let response = self.platform.handle(&request, None);
        Ok(Outcome::Http { status: response.status, body: response.body, entity })
    }

    fn capture(&mut self, step: &Step, outcome: &Outcome) -> Result<(), Finding> {
        let value = match outcome {
            Outcome::Http { body: Body::Json(value), .. } => value.clone(),
            Outcome::Call(Ok(value)) => value.clone(),
            _ => Value::Null,
        };
        for (name, path) in &step.capture {
            // `$.a.b[0]` is the pointer `/a/b/0`.
            let pointer = path.trim_start_matches('$').replace(['.', '['], "/").replace(']', "");
            let found = value.pointer(&pointer).ok_or_else(|| {
                let message = format!("there is nothing at `{path}` in {}", super::compare::show(Some(&value)));
                self.finding(codes::SCENARIO_MISMATCH, path.span(), message, "nothing to capture")
            })?;
            let node = Node { span: path.span(), ..Node::from_json(found) };
            self.names.values.insert(name.clone(), node);
        }
        Ok(())
    }

    fn limits(&self, budget: &Node) -> Result<LimitOverrides, Finding> {
        let mut limits = LimitOverrides::default();
        for entry in budget.entries() {
            limits.add(&entry.key, &steps::scalar(&entry.node)).map_err(|error| {
                self.finding(codes::SCENARIO_VALUE, entry.node.span.clone(), error.to_string(), "here")
            })?;
        }
        Ok(limits)
    }

    fn text(&self, node: &Node) -> Result<String, Finding> {
        let filled = self.fill(node)?;
        let text = filled.as_str().map(str::to_owned);
        text.ok_or_else(|| {
            self.finding(
                codes::SCENARIO_VALUE,
                node.span.clone(),
                format!("expected text, found {}", filled.kind()),
                "here",
            )
        })
    }

    fn fill(&self, node: &Node) -> Result<Node, Finding> {
        let filled = self.names.fill(node).map_err(|error| self.unknown(&error))?;
        Ok(filled.unwrap_or(Node { span: node.span.clone(), value: NodeValue::Table(Vec::new()) }))
    }

    fn unknown(&self, error: &UnknownName) -> Finding {
        let finding = self.finding(
            codes::SCENARIO_NAME,
            error.span.clone(),
            format!("`{}` has no value here", error.name),
            "unknown",
        );
        let is_row = error.name.contains('.');
        let help = "a row is `@fixture.entity.n`, and the first row is 0; the test must `use` the fixture".to_owned();
        Box::new(finding.maybe_help(is_row.then_some(help)))
    }

    fn finding(&self, code: crate::diagnostics::Code, span: Span, message: impl Into<String>, label: &str) -> Finding {
        Box::new(Diagnostic::new(code, message).in_source(&self.suite.source).at(span, label))
    }
}

fn one(finding: Diagnostic) -> Report {
    let mut report = Report::new();
    report.push(finding);
    report
}

/// Where a step's act stands.
fn step_span(step: &Step) -> Span {
    [&step.http, &step.event, &step.call, &step.advance]
        .into_iter()
        .flatten()
        .map(|act| act.span.clone())
        .next()
        .unwrap_or_else(|| step.span.clone())
}

/// The clock of a world that names none.
fn default_now() -> Moment {
    Moment { unix_ms: 1_767_225_600_000, offset_seconds: 0 }
}

/// The same id for the same name in every run.
pub(super) fn id_of(name: &str) -> String {
    let digest = crate::digest::sha256_hex(name.as_bytes());
    format!("{}-{}-8{}-8{}-{}", &digest[..8], &digest[8..12], &digest[12..15], &digest[15..18], &digest[18..30])
}
