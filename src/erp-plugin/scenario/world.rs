//! The world of one case: its own platform with users and rows, and the names that refer to them.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use erp_check::scenarios::{SCENARIO_NAME, SCENARIO_UNEXPECTED, SCENARIO_VALUE};
use erp_manifest::codes::Code;
use erp_manifest::diagnostics::{Diagnostic, Span};
use erp_manifest::document::{Node, NodeValue};
use erp_manifest::outgoing::HttpTransport;
use erp_manifest::{BaseType, Entity, Manifest, Moment, PermissionGrant, TenantId};
use erp_platform::{Directory, Gate, Identity, Platform, PlatformImage};
use erp_runtime::{Caller, Department, Detail, LoadedPlugin, Probe, Runtime, Surroundings};
use serde_json::{Map, Value};

use super::pipe_table;
use super::plan::{Case, Suite, TENANTS};
use super::substitute::{Names, UnknownName};

/// A world in which one case runs.
pub(super) struct CaseWorld<'a> {
    pub(super) platform: Platform,
    pub(super) plugin: &'a LoadedPlugin,
    pub(super) manifest: &'a Manifest,
    pub(super) suite: &'a Suite,
    pub(super) names: Names,
    /// The tenant that replaces those of the steps; none in an ordinary run.
    pub(super) stand_in: Option<TenantId>,
    /// A tenant in addition to those of the file, which statements of steps do not see.
    pub(super) neighbour: Option<TenantId>,
    /// Whether other cases of the test have the same steps.
    pub(super) shares_steps: bool,
    /// The number of times that each row of a fixture is inserted.
    copies: usize,
}

/// The options of a world.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The number of times that each row of a fixture is inserted.
    pub(super) copies: usize,
    /// The probe that watches the calls.
    pub(super) probe: Option<Probe>,
    /// The level of detail that is kept of calls.
    pub(super) detail: Detail,
    /// A tenant in addition to those of the file.
    pub(super) neighbour: Option<TenantId>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { copies: 1, probe: None, detail: Detail::Outline, neighbour: None }
    }
}

/// Boxed, because it is far larger than the values of a success.
pub(super) type Finding = Box<Diagnostic>;

impl<'a> CaseWorld<'a> {
    pub(super) fn build(
        runtime: &Arc<Runtime>,
        plugin: &'a LoadedPlugin,
        case: &Case<'a>,
        setup: &Setup,
    ) -> Result<CaseWorld<'a>, Finding> {
        let suite = case.suite;
        let file = &suite.file;
        let manifest: &Manifest = plugin.manifest();
        let broken = |what: String| {
            Box::new(
                Diagnostic::new(SCENARIO_UNEXPECTED, what)
                    .in_source(&suite.source)
                    .at(case.test.name.span(), "before the first step"),
            )
        };

        let platform = if setup.probe.is_some() {
            // The probe also watches the start of the plugin.
            started(runtime, plugin, case, setup).map_err(broken)?
        } else {
            let image = image(runtime, plugin, case, setup).map_err(broken)?;
            image.platform(Arc::clone(runtime)).map_err(|error| broken(error.to_string()))?
        };
        let mut world = CaseWorld {
            platform,
            plugin,
            manifest,
            suite,
            names: Names::default(),
            stand_in: None,
            neighbour: setup.neighbour.clone(),
            shares_steps: case.test.case.len() > 1,
            copies: setup.copies,
        };
        let people = file.world.users.keys().map(|name| (format!("users.{name}"), id_of(name)));
        let departments = file.world.departments.keys().map(|name| (format!("departments.{name}"), id_of(name)));
        world.names.rows.extend(people.chain(departments));
        for entry in case.values.into_iter().flat_map(Node::entries) {
            world.names.values.insert(entry.key.clone(), entry.node.clone());
        }
        world.insert_fixtures(case)?;
        world.platform.call_settings.probe.clone_from(&setup.probe);
        world.platform.call_settings.detail = setup.detail;
        Ok(world)
    }

    /// Inserts the fixtures that a case begins with.
    pub(super) fn insert_fixtures(&mut self, case: &Case<'_>) -> Result<(), Finding> {
        let mut done = BTreeSet::new();
        for fixture in &case.test.r#use {
            self.insert_fixture(fixture, &mut done)?;
        }
        // The activity until here belongs to the world, not to the test.
        self.platform.take_activity();
        Ok(())
    }

    fn insert_fixture(&mut self, name: &str, done: &mut BTreeSet<String>) -> Result<(), Finding> {
        let Some(fixture) = self.suite.file.fixture.get(name).filter(|_| done.insert(name.to_owned())) else {
            return Ok(());
        };
        for needed in &fixture.needs {
            self.insert_fixture(needed, done)?;
        }
        // Parents come before the rows that reference them: in the order of the manifest's entities.
        for entity in &self.manifest.schema.entities {
            let Some(text) = fixture.rows.get(entity.name.as_str()) else { continue };
            let node = Node { span: text.span(), value: NodeValue::String((**text).clone()) };
            let filled = self.fill(&node)?;
            let rows =
                pipe_table::read(filled.as_str().unwrap_or_default(), &text.span(), &self.suite.source, Some(entity))
                    .map_err(|(span, why)| self.finding(SCENARIO_VALUE, span, why, "here"))?;
            for (index, row) in rows.iter().enumerate() {
                let row = self.fill(row)?;
                let fields = row.to_json().as_object().cloned().unwrap_or_default();
                let tenant = self.stand_in.clone().unwrap_or_else(|| (*fixture.tenant).clone());
                for copy in 0..self.copies {
                    let fields = copied(entity, &fields, copy);
                    let inserted =
                        self.platform.data().insert_fixture(self.manifest, entity.name.as_str(), &tenant, &fields);
                    let id = inserted.map_err(|error| {
                        self.finding(SCENARIO_VALUE, row.span.clone(), error.to_string(), "refused")
                    })?;
                    if copy == 0 {
                        self.names.rows.insert(format!("{name}.{}.{index}", *entity.name), id);
                    }
                }
            }
        }
        Ok(())
    }

    /// All rows of every entity of a tenant, deleted ones too, with all their values.
    pub(super) fn rows_of(&self, tenant: &TenantId) -> Value {
        let all = self.manifest.schema.entities.iter().map(|entity| {
            let rows = self.platform.all_rows(self.manifest, entity.name.as_str(), tenant, true).unwrap_or_default();
            (entity.name.to_string(), Value::Array(rows))
        });
        Value::Object(all.collect())
    }

    /// The live rows of every entity and tenant, without ids and times, which differ from run to run.
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
                        |field: &erp_manifest::Field| (field.name.to_string(), row[field.name.as_str()].clone());
                    Value::Object(fields.map(value).collect())
                };
                all.insert(format!("{} {tenant}", *entity.name), rows.iter().map(own).collect());
            }
        }
        Value::Object(all)
    }

    pub(super) fn text(&self, node: &Node) -> Result<String, Finding> {
        let filled = self.fill(node)?;
        let text = filled.as_str().map(str::to_owned);
        text.ok_or_else(|| {
            self.finding(SCENARIO_VALUE, node.span.clone(), format!("expected text, found {}", filled.kind()), "here")
        })
    }

    pub(super) fn fill(&self, node: &Node) -> Result<Node, Finding> {
        let filled = self.names.fill(node).map_err(|error| self.unknown(&error))?;
        Ok(filled.unwrap_or(Node { span: node.span.clone(), value: NodeValue::Table(Vec::new()) }))
    }

    pub(super) fn unknown(&self, error: &UnknownName) -> Finding {
        let finding =
            self.finding(SCENARIO_NAME, error.span.clone(), format!("`{}` has no value here", error.name), "unknown");
        let is_row = error.name.contains('.');
        let help = "a row is `@fixture.entity.n`, and the first row is 0; the test must `use` the fixture".to_owned();
        Box::new(finding.maybe_help(is_row.then_some(help)))
    }

    pub(super) fn finding(&self, code: Code, span: Span, message: impl Into<String>, label: &str) -> Finding {
        Box::new(Diagnostic::new(code, message).in_source(&self.suite.source).at(span, label))
    }
}

/// Creates the platform that the cases of a file begin with: the plugin runs, and no fixture is inserted.
fn started(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>, setup: &Setup) -> Result<Platform, String> {
    let (suite, file, manifest) = (case.suite, &case.suite.file, plugin.manifest());
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
            permissions: user.grants.iter().filter_map(|grant| PermissionGrant::parse(grant)).collect(),
            department: user.department.as_ref().map(|name| Department { id: id_of(name), ..Department::default() }),
        };
        directory.add_user(name.clone(), Identity { tenant: user.tenant.clone(), caller });
    }
    for fixture in file.fixture.values() {
        directory.add_tenant((*fixture.tenant).clone());
    }
    for tenant in case.test.step.iter().filter_map(|step| step.tenant.as_ref()) {
        directory.add_tenant((**tenant).clone());
    }
    if let Some(neighbour) = &setup.neighbour {
        directory.add_tenant(neighbour.clone());
    }
    let now = file.world.now.as_ref().map_or_else(default_now, |now| now.0);
    let transport: Arc<dyn HttpTransport> = suite.cassette.clone();
    let surroundings = Surroundings::fixed(now, file.world.seed).with_transport(transport);
    let database = suite.place.database().map_err(|error| error.to_string())?;
    let mut platform = Platform::new(Arc::clone(runtime), database, surroundings, directory);
    platform.set_gate(Gate::of_version(manifest.dev_platform_version()));
    platform.call_settings.probe.clone_from(&setup.probe);
    for needed in &suite.needs {
        let id = needed.manifest().metadata.id.as_str();
        platform
            .lifecycle()
            .run_loaded(needed)
            .map_err(|error| format!("the plugin `{id}`, which is needed, does not start: {error}"))?;
    }
    platform.lifecycle().run_loaded(plugin).map_err(|error| format!("the plugin does not start: {error}"))?;
    platform.data().set_config(&file.world.config).map_err(|error| error.to_string())?;
    let settings: Map<String, Value> = file.world.settings.clone().into_iter().collect();
    platform.data().set_settings(manifest, &settings).map_err(|error| error.to_string())?;

    platform.data().set_secrets(manifest, &file.world.secrets).map_err(|error| error.to_string())?;
    Ok(platform)
}

/// Returns the same platform as an image, which all cases of a file with the same tenants share.
fn image(
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    case: &Case<'_>,
    setup: &Setup,
) -> Result<PlatformImage, String> {
    let tenants = case.test.step.iter().filter_map(|step| step.tenant.as_ref()).map(ToString::to_string);
    let key =
        tenants.chain(setup.neighbour.iter().map(|tenant| format!("beside {tenant}"))).collect::<Vec<_>>().join(" ");
    let mut images = case.suite.images.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = images.get(&key) {
        return Ok(known.clone());
    }
    let image = PlatformImage::of(&started(runtime, plugin, case, setup)?).map_err(|error| error.to_string())?;
    images.insert(key, image.clone());
    Ok(image)
}

/// Changes a row into its n-th copy: values that must be unique differ.
fn copied(entity: &Entity, fields: &Map<String, Value>, copy: usize) -> Map<String, Value> {
    let mut fields = fields.clone();
    if copy == 0 {
        return fields;
    }
    let in_index = |name: &str| {
        entity.indexes.iter().any(|index| index.unique && index.fields.iter().any(|field| field.as_str() == name))
    };
    for field in entity.fields.iter().filter(|field| field.unique || in_index(field.name.as_str())) {
        match fields.get_mut(field.name.as_str()) {
            Some(Value::String(text)) if field.field_type.base() == BaseType::String => {
                text.push_str(&format!("-{copy}"));
            }
            Some(number @ Value::Number(_)) => {
                *number = Value::from(number.as_i64().unwrap_or(0) + i64::try_from(copy).unwrap_or(0) * 1_000_003);
            }
            _ => {}
        }
    }
    fields
}

/// The clock of a world without `now`: 2026-01-01T00:00:00Z.
fn default_now() -> Moment {
    Moment { unix_ms: 1_767_225_600_000, offset_seconds: 0 }
}

/// The id of a user or a department: the same for the same name in every run.
pub(super) fn id_of(name: &str) -> String {
    let digest = erp_manifest::digest::sha256_hex(name.as_bytes());
    format!("{}-{}-8{}-8{}-{}", &digest[..8], &digest[8..12], &digest[12..15], &digest[15..18], &digest[18..30])
}
