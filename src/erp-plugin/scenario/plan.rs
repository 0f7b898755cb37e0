//! Turns a file into cases that can run. All errors that can be known in advance are found here, before anything runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use erp_check::scenarios::{SCENARIO_NAME, SCENARIO_STEP, SCENARIO_UNUSED, SCENARIO_VALUE};
use erp_manifest::diagnostics::{Report, SourceFile, Span, Spanned};
use erp_manifest::document::codes::DUPLICATE;
use erp_manifest::document::{self, FromToml, Node, NodeValue, Reader, did_you_mean};
use erp_manifest::outgoing::{BodyText, Cassette, HttpTransport, Interaction, allowed};
use erp_manifest::{DataScope, Manifest, PermissionGrant, TenantId};
use erp_platform::PlatformImage;
use erp_platform::http_api::PLATFORM_PERMISSIONS;
use erp_runtime::LoadedPlugin;
use erp_store::ScratchPlace;

use super::model::{HttpResponseOf, ScenarioFile, ScenarioFixture, Step, Test};
use super::substitute::used_names;
use super::{pipe_table, steps};

/// Tenants that exist in every world.
pub(super) const TENANTS: [&str; 2] = ["acme", "globex"];

/// A file of scenarios that was read and checked.
#[derive(Debug)]
pub struct Suite {
    /// The text of the file.
    pub source: Arc<SourceFile>,
    /// The tables of the file.
    pub file: ScenarioFile,
    /// Responses to HTTP requests of the plugin.
    pub cassette: Arc<Cassette>,
    /// The texts of existing snapshots, by their names.
    pub snapshots: BTreeMap<String, String>,
    /// Files that steps send, by their names in `tests/data`.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Plugins that the plugin needs, each after those that it needs itself. They start before the plugin.
    pub needs: Vec<LoadedPlugin>,
    /// The place where the databases of the cases are created.
    pub place: ScratchPlace,
    /// Platforms that cases begin with, by the tenants that differ between cases.
    pub(super) images: Mutex<BTreeMap<String, PlatformImage>>,
}

/// One run: a test with the values of one of its cases.
#[derive(Debug, Clone, Copy)]
pub struct Case<'s> {
    /// The file.
    pub suite: &'s Suite,
    /// The test in the file.
    pub test: &'s Test,
    /// The values; none for a test without cases.
    pub values: Option<&'s Node>,
    /// The index of the case in the test, from 0.
    pub index: usize,
}

/// Reads a file and reports its problems. The suite is `None` where the report has errors.
pub fn read_suite(source: &Arc<SourceFile>, manifest: &Manifest) -> (Option<Suite>, Report) {
    let (node, mut report) = document::parse(source);
    let mut reader = Reader::new(source);
    let file = if report.has_errors() { None } else { ScenarioFile::from_toml(&node, &mut reader) };
    if let Some(file) = &file {
        look_through(file, manifest, source, &mut reader);
    }
    report.extend(reader.into_report());
    let suite = file.filter(|_| !report.has_errors()).map(|file| {
        let cassette = Arc::new(Cassette::new(file.world.http.iter().filter_map(interaction).collect(), None));
        Suite {
            source: Arc::clone(source),
            file,
            cassette,
            snapshots: BTreeMap::new(),
            data: BTreeMap::new(),
            needs: Vec::new(),
            place: ScratchPlace::default(),
            images: Mutex::default(),
        }
    });
    (suite, report)
}

/// Converts a response of the file to the form of a cassette.
fn interaction(response: &HttpResponseOf) -> Option<Interaction> {
    let (method, url) = response.request.split_once(' ')?;
    let body = match (&response.json, &response.body) {
        (Some(json), _) => json.to_json().to_string(),
        (None, body) => body.clone().unwrap_or_default(),
    };
    Some(Interaction {
        method: method.to_owned(),
        url: url.trim().to_owned(),
        request_body: None,
        status: u16::try_from(response.status).ok()?,
        headers: response.headers.clone().into_iter().collect(),
        body: BodyText::Text(body),
    })
}

impl Suite {
    /// Adds the responses of the file's cassette. Where `network` is given, it answers requests without a response, and
    /// its responses are recorded.
    pub fn add_cassette(&mut self, recorded: Vec<Interaction>, network: Option<Arc<dyn HttpTransport>>) {
        let own = self.cassette.interactions();
        self.cassette = Arc::new(Cassette::new(own.into_iter().chain(recorded).collect(), network));
        // The images contain the old cassette.
        self.images = Mutex::default();
    }

    /// The responses in addition to the file's own: those that belong in its cassette.
    pub fn recorded(&self) -> Vec<Interaction> {
        self.cassette.interactions().split_off(self.file.world.http.len())
    }

    /// The runs of the file, in its order.
    pub fn cases(&self) -> Vec<Case<'_>> {
        let mut cases = Vec::new();
        for test in &self.file.test {
            if test.case.is_empty() {
                cases.push(Case { suite: self, test, values: None, index: 0 });
            }
            for (index, values) in test.case.iter().enumerate() {
                cases.push(Case { suite: self, test, values: Some(values), index });
            }
        }
        cases
    }
}

impl Case<'_> {
    /// The test's name with the case's values in it. Where it uses none, the case's `name` or its number is added.
    pub fn name(&self) -> String {
        let template = self.test.name.as_str();
        let Some(values) = self.values else { return template.to_owned() };
        let mut name = template.to_owned();
        for entry in values.entries() {
            let text = match entry.node.to_json() {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            name = name.replace(&format!("${{{}}}", entry.key), &text);
        }
        if name == template {
            let own =
                values.get("name").and_then(Node::as_str).map_or_else(|| (self.index + 1).to_string(), str::to_owned);
            name = format!("{name} [{own}]");
        }
        name
    }
}

fn look_through(file: &ScenarioFile, manifest: &Manifest, source: &Arc<SourceFile>, reader: &mut Reader) {
    if *file.schema != 1 {
        let message = format!("schema {} is not known to this tool", *file.schema);
        reader.find(SCENARIO_VALUE, file.schema.span(), message, "not 1", Some("write `schema = 1`".to_owned()));
    }
    if let Some(budget) = &file.budget {
        steps::budget(budget, reader);
    }
    users(file, manifest, reader);
    world(file, manifest, reader);
    fixtures(file, manifest, source, reader);
    let mut names = BTreeSet::new();
    for test in &file.test {
        if !names.insert(test.name.as_str()) {
            reader.find(
                DUPLICATE,
                test.name.span(),
                format!("the test `{}` is there twice", *test.name),
                "again",
                None,
            );
        }
        one_test(file, test, manifest, reader);
    }
}

/// Reports unknown departments, data scopes and permissions. With a typo in a permission, a test could pass only
/// because its user may do nothing.
fn users(file: &ScenarioFile, manifest: &Manifest, reader: &mut Reader) {
    for user in file.world.users.values() {
        if let Some(name) = user.department.as_ref().filter(|name| !file.world.departments.contains_key(name.as_str()))
        {
            let known: Vec<&str> = file.world.departments.keys().map(String::as_str).collect();
            unknown("department", name, name.span(), &known, reader);
        }
        for granted in &user.grants {
            let (written, level) =
                granted.split_once(':').map_or((granted.as_str(), None), |(code, level)| (code, Some(level)));
            if let Some(level) = level.filter(|level| DataScope::from_word(level).is_none()) {
                unknown("level of a data scope", level, granted.span(), DataScope::WORDS, reader);
            }
            let grant = PermissionGrant::parse(written);
            let is_known = grant.is_some_and(|grant| match (grant.code(), grant.whole_entity()) {
                (Some(code), _) => PLATFORM_PERMISSIONS.contains(&code) || manifest.permission(code).is_some(),
                (None, Some(entity)) => manifest.entity(entity).is_some(),
                (None, None) => true,
            });
            if !is_known {
                let codes: Vec<&str> = manifest.permissions.iter().map(|permission| permission.code.as_str()).collect();
                unknown("permission", written, granted.span(), &codes, reader);
            }
        }
    }
}

/// Reports unknown departments and secrets, and responses that no request can get.
fn world(file: &ScenarioFile, manifest: &Manifest, reader: &mut Reader) {
    let known: Vec<&str> = file.world.departments.keys().map(String::as_str).collect();
    for parent in file.world.departments.values().filter_map(|department| department.parent.as_ref()) {
        if !known.contains(&parent.as_str()) {
            unknown("department", parent, parent.span(), &known, reader);
        }
    }
    for response in &file.world.http {
        let request = &response.request;
        let granted = manifest.capabilities.http.iter().map(|pattern| pattern.as_str());
        let why = match request.split_once(' ') {
            None => Some("write a method and an address, such as `GET https://api.example.com/rates`".to_owned()),
            Some((_, url)) => allowed(granted, url.trim()).err(),
        };
        if let Some(why) = why {
            let message = "the plugin can never send this request".to_owned();
            reader.find(SCENARIO_VALUE, request.span(), message, "no such request", Some(why));
        }
        if interaction(response).is_none_or(|response| !(100..600).contains(&response.status)) {
            let message = format!("{} is no HTTP status", response.status);
            reader.find(SCENARIO_VALUE, response.span.clone(), message, "cannot be given", None);
        }
    }
    for key in file.world.secrets.keys() {
        let known: Vec<&str> = manifest.capabilities.secrets.iter().map(|secret| secret.as_str()).collect();
        if !known.contains(&key.as_str()) {
            unknown("secret", key, file.world.span.clone(), &known, reader);
        }
    }
}

/// The tenants of the file: those of its users, and those that exist in every world.
fn known_tenants(file: &ScenarioFile) -> Vec<&str> {
    TENANTS.into_iter().chain(file.world.users.values().map(|user| user.tenant.as_str())).collect()
}

/// Reports an unknown tenant: with a typo in one, a test of isolation would pass for the wrong reason.
pub(super) fn tenant(file: &ScenarioFile, tenant: &Spanned<TenantId>, reader: &mut Reader) {
    let known = known_tenants(file);
    if !known.contains(&tenant.as_str()) {
        unknown("tenant", tenant.as_str(), tenant.span(), &known, reader);
    }
}

fn fixtures(file: &ScenarioFile, manifest: &Manifest, source: &Arc<SourceFile>, reader: &mut Reader) {
    let known: Vec<&str> = file.fixture.keys().map(String::as_str).collect();
    let mut used: BTreeSet<&str> = file.test.iter().flat_map(|test| &test.r#use).map(|name| name.as_str()).collect();
    for fixture in file.fixture.values() {
        used.extend(fixture.needs.iter().map(|name| name.as_str()));
    }
    for (name, fixture) in &file.fixture {
        if !used.contains(name.as_str()) {
            let help = Some(format!("write `use = [\"{name}\"]` in a test, or take it away"));
            reader.find(
                SCENARIO_UNUSED,
                fixture.span.clone(),
                format!("no test uses the fixture `{name}`"),
                "unused",
                help,
            );
        }
        for needed in fixture.needs.iter().filter(|needed| !known.contains(&needed.as_str())) {
            unknown("fixture", needed, needed.span(), &known, reader);
        }
        tenant(file, &fixture.tenant, reader);
        if needs_itself(file, name, name, &mut BTreeSet::new()) {
            let message = format!("the fixture `{name}` needs itself");
            reader.find(SCENARIO_VALUE, fixture.span.clone(), message, "a circle of `needs`", None);
        }
        for (entity, text) in &fixture.rows {
            let Some(found) = manifest.entity(entity) else {
                let entities: Vec<&str> = manifest.schema.entities.iter().map(|entity| entity.name.as_str()).collect();
                unknown("entity", entity, text.span(), &entities, reader);
                continue;
            };
            match pipe_table::read(text, &text.span(), source, Some(found)) {
                Err((span, why)) => reader.find(SCENARIO_VALUE, span, why, "here", None),
                Ok(rows) => {
                    for column in rows
                        .first()
                        .into_iter()
                        .flat_map(Node::entries)
                        .filter(|column| found.field(&column.key).is_none())
                    {
                        let fields: Vec<&str> = found.fields.iter().map(|field| field.name.as_str()).collect();
                        unknown("field", &column.key, column.key_span.clone(), &fields, reader);
                    }
                }
            }
        }
    }
}

/// Whether the fixture `at` needs `name`, directly or not.
fn needs_itself<'f>(file: &'f ScenarioFile, name: &str, at: &'f str, seen: &mut BTreeSet<&'f str>) -> bool {
    file.fixture.get(at).is_some_and(|fixture: &ScenarioFixture| {
        fixture
            .needs
            .iter()
            .any(|needed| needed.as_str() == name || (seen.insert(needed) && needs_itself(file, name, needed, seen)))
    })
}

fn one_test(file: &ScenarioFile, test: &Test, manifest: &Manifest, reader: &mut Reader) {
    let fixtures: Vec<&str> = file.fixture.keys().map(String::as_str).collect();
    for name in test.r#use.iter().filter(|name| !file.fixture.contains_key(name.as_str())) {
        unknown("fixture", name, name.span(), &fixtures, reader);
    }
    if test.step.is_empty() {
        let help = Some("add a `[[test.step]]`".to_owned());
        reader.find(
            SCENARIO_STEP,
            test.span.clone(),
            format!("the test `{}` has no step", *test.name),
            "does nothing",
            help,
        );
    }

    // Names: the columns of the cases, and the values that earlier steps captured.
    let mut used = BTreeSet::new();
    used_names(&string_node(&test.name), &mut used);
    let mut known: BTreeMap<String, Option<Span>> = BTreeMap::new();
    for entry in test.case.iter().flat_map(Node::entries) {
        known.entry(entry.key.clone()).or_insert_with(|| Some(entry.key_span.clone()));
    }
    for name in used.iter().filter(|name| !known.contains_key(*name)) {
        let columns: Vec<&str> = known.keys().map(String::as_str).collect();
        unknown("column", &format!("${{{name}}}"), test.name.span(), &columns, reader);
    }
    for step in &test.step {
        steps::look_through(file, step, manifest, reader);
        let mut in_step = BTreeSet::new();
        for node in step_nodes(step) {
            used_names(node, &mut in_step);
        }
        if let Some(user) = &step.r#as {
            used_names(&string_node(user), &mut in_step);
        }
        for name in in_step.iter().filter(|name| !known.contains_key(*name)) {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            unknown("name", &format!("${{{name}}}"), step.span.clone(), &names, reader);
        }
        used.extend(in_step);
        for (name, path) in &step.capture {
            known.insert(name.clone(), Some(path.span()));
        }
    }
    for (name, span) in known.into_iter().filter(|(name, _)| !used.contains(name) && name != "name") {
        let help = Some(format!("use it as `${{{name}}}`, or take it away"));
        let message = format!("nothing uses `{name}`");
        reader.find(SCENARIO_UNUSED, span.unwrap_or_else(|| test.span.clone()), message, "unused", help);
    }
}

fn step_nodes(step: &Step) -> impl Iterator<Item = &Node> {
    let acts = steps::acts(step).map(|(_, act)| act);
    acts.into_iter()
        .chain([&step.json, &step.body, &step.payload, &step.budget, &step.fault])
        .flatten()
        .chain(step.expect.as_deref())
}

pub(super) fn unknown(what: &str, name: &str, span: Span, known: &[&str], reader: &mut Reader) {
    let help = did_you_mean(name, known.iter().copied());
    reader.find(SCENARIO_NAME, span, format!("there is no {what} `{name}`"), "unknown", help);
}

fn string_node(text: &str) -> Node {
    Node { span: 0..0, value: NodeValue::String(text.to_owned()) }
}
