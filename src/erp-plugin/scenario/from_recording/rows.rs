//! The rows that recorded calls used, as fixtures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use erp_manifest::contract::HostFunction;
use erp_manifest::{BaseType, Entity, FieldType, Manifest, Moment, TenantId};
use erp_runtime::RecordedCall;
use erp_storage::{BatchKind, EntityRef, Scope};
use serde_json::{Map, Value, json};

use super::super::accept::toml_text;
use super::numbered;
use crate::seed::{SeedError, SeedPlan, Seeder};

type Row = Map<String, Value>;

/// The rows that existed before the calls: those that a call used and no call created.
#[derive(Default)]
pub(super) struct RecordedRows {
    tenants: Vec<TenantRows>,
    /// Ids of rows that the calls created.
    made: BTreeSet<String>,
}

/// The rows of a tenant.
struct TenantRows {
    tenant: String,
    /// The rows of each entity, in the order of their first use.
    rows: BTreeMap<String, Vec<Row>>,
}

impl RecordedRows {
    pub(super) fn of(manifest: &Manifest, calls: &[RecordedCall], now: Moment) -> RecordedRows {
        let mut found = RecordedRows::default();
        for call in calls {
            found.meet(manifest, call);
        }
        for tenant in &mut found.tenants {
            tenant.complete(manifest, &found.made, now);
        }
        found
    }

    fn meet(&mut self, manifest: &Manifest, call: &RecordedCall) {
        let tenant = call.context["tenant"].as_str().unwrap_or("acme");
        for host_call in call.host_calls.iter().filter(|call| call["error"].is_null()) {
            let entity = host_call["subject"].as_str().unwrap_or_default();
            let result = &host_call["result"];
            match host_call["function"].as_str().and_then(HostFunction::find) {
                Some(HostFunction::DbGet) => self.add(manifest, tenant, entity, result),
                Some(HostFunction::DbQuery) => {
                    for row in result["rows"].as_array().or_else(|| result.as_array()).into_iter().flatten() {
                        self.add(manifest, tenant, entity, row);
                    }
                }
                Some(HostFunction::DbInsert) => self.make(result),
                // No call read the row before: its new state is the closest to its old one that a recording contains.
                Some(HostFunction::DbUpdate | HostFunction::DbRestore) => self.add(manifest, tenant, entity, result),
                Some(HostFunction::DbBatch) => {
                    let steps = host_call["arguments"]["ops"].as_array().into_iter().flatten();
                    for (step, row) in steps.zip(result.as_array().into_iter().flatten()) {
                        self.meet_step(manifest, tenant, step, row);
                    }
                }
                _ => {}
            }
        }
    }

    /// Records the row of a batch step; an increment is undone.
    fn meet_step(&mut self, manifest: &Manifest, tenant: &str, step: &Value, row: &Value) {
        let entity = step["entity"].as_str().unwrap_or_default();
        match step["kind"].as_str().and_then(BatchKind::from_word) {
            Some(BatchKind::Insert | BatchKind::Upsert) => self.make(row),
            Some(BatchKind::Increment) => {
                let mut before = row.clone();
                for (field, by) in step["data"].as_object().into_iter().flatten() {
                    if let (Some(after), Some(by)) = (row[field.as_str()].as_i64(), by.as_i64()) {
                        before[field.as_str()] = json!(after.saturating_sub(by));
                    }
                }
                self.add(manifest, tenant, entity, &before);
            }
            Some(BatchKind::Update) => self.add(manifest, tenant, entity, row),
            _ => {}
        }
    }

    fn make(&mut self, row: &Value) {
        self.made.extend(row["id"].as_str().map(str::to_owned));
    }

    fn add(&mut self, manifest: &Manifest, tenant: &str, entity: &str, row: &Value) {
        let (Some(_), Some(row)) = (manifest.entity(entity), row.as_object()) else { return };
        let Some(id) = id_of(row) else { return };
        if self.made.contains(id) || self.reference(id).is_some() {
            return;
        }
        let at = match self.tenants.iter().position(|known| known.tenant == tenant) {
            Some(at) => at,
            None => {
                self.tenants.push(TenantRows { tenant: tenant.to_owned(), rows: BTreeMap::new() });
                self.tenants.len() - 1
            }
        };
        self.tenants[at].rows.entry(entity.to_owned()).or_default().push(row.clone());
    }

    /// The reference to a row in scenarios; none for an unknown id.
    pub(super) fn reference(&self, id: &str) -> Option<String> {
        self.tenants.iter().enumerate().find_map(|(index, tenant)| {
            let (entity, at) = tenant.find(id)?;
            Some(format!("@{}.{entity}.{at}", numbered(index)))
        })
    }

    /// Replaces known ids by references; `others` says whether matchers replace all other ids and times.
    pub(super) fn referred(&self, value: &Value, others: UnknownIds) -> Value {
        match value {
            Value::String(text) if is_uuid(text) => match self.reference(text) {
                Some(reference) => Value::String(reference),
                None if others == UnknownIds::Match => Value::String("<uuid>".to_owned()),
                None => value.clone(),
            },
            Value::String(text) if others == UnknownIds::Match && Moment::parse(text).is_some() => json!("<any>"),
            Value::Array(items) => items.iter().map(|item| self.referred(item, others)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.referred(value, others))).collect()
            }
            other => other.clone(),
        }
    }

    /// The names of the fixtures, one for each tenant.
    pub(super) fn fixture_names(&self) -> Vec<String> {
        (0..self.tenants.len()).map(numbered).collect()
    }

    /// The text of the fixtures; empty where no call used a row.
    pub(super) fn fixtures(&self, manifest: &Manifest) -> String {
        let mut text = String::new();
        for (index, tenant) in self.tenants.iter().enumerate() {
            let of = toml_text(&json!(tenant.tenant));
            text.push_str(&format!("\n[fixture.{}]\ntenant = {of}\n", numbered(index)));
            // Entities that others reference come first.
            for share in SeedPlan::of(manifest, 0).shares {
                let Some(entity) = manifest.entity(&share.entity) else { continue };
                let Some(rows) = tenant.rows.get(&share.entity) else { continue };
                text.push_str(&self.table(entity, rows));
            }
        }
        text
    }

    /// The rows of an entity as a table between pipes.
    fn table(&self, entity: &Entity, rows: &[Row]) -> String {
        let fields = entity.fields.iter().filter(|field| field.computed.is_none());
        let names: Vec<&str> = fields
            .filter(|field| field.field_type.base() != BaseType::Json)
            .map(|field| field.name.as_str())
            .filter(|name| rows.iter().any(|row| row.get(*name).is_some_and(|value| !value.is_null())))
            .collect();
        let mut text = format!("rows.{} = '''\n  | {} |\n", *entity.name, names.join(" | "));
        for row in rows {
            let cell = |name: &&str| match row.get(*name).map(|value| self.referred(value, UnknownIds::Keep)) {
                None | Some(Value::Null) => "~".to_owned(),
                // A text that a table cannot contain is left out. Only references begin with `@recorded`.
                Some(Value::String(text)) if !text.starts_with("@recorded") && !is_plain_cell(&text) => "~".to_owned(),
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
            };
            let cells: Vec<String> = names.iter().map(cell).collect();
            text.push_str(&format!("  | {} |\n", cells.join(" | ")));
        }
        text.push_str("'''\n");
        text
    }
}

impl TenantRows {
    /// The entity and the index of a row.
    fn find(&self, id: &str) -> Option<(&str, usize)> {
        self.rows.iter().find_map(|(entity, rows)| {
            let at = rows.iter().position(|row| id_of(row) == Some(id))?;
            Some((entity.as_str(), at))
        })
    }

    /// Invents the rows that other rows reference and no call used: their contents had no effect.
    fn complete(&mut self, manifest: &Manifest, made: &BTreeSet<String>, now: Moment) {
        let Some(tenant) = TenantId::new(self.tenant.as_str()) else { return };
        let mut pool = made_up(manifest, &tenant, now).unwrap_or_default();
        while let Some((entity, id)) = self.missing(manifest, made) {
            let rows = pool.entry(entity.clone()).or_default();
            let own = rows.iter().position(|row| id_of(row) == Some(id.as_str()));
            let Some(mut row) = own.map(|at| rows.remove(at)).or_else(|| rows.pop()) else {
                self.unname(&id);
                continue;
            };
            row.insert("id".to_owned(), json!(id));
            // Before the rows that calls used: a row of the same entity may reference it.
            self.rows.entry(entity).or_default().insert(0, row);
        }
    }

    /// The entity and the id of a row that is referenced and missing.
    fn missing(&self, manifest: &Manifest, made: &BTreeSet<String>) -> Option<(String, String)> {
        self.rows.iter().find_map(|(name, rows)| {
            let fields = &manifest.entity(name)?.fields;
            let mut keys =
                fields.iter().filter(|field| *field.field_type == FieldType::Ref && field.ref_plugin.is_none());
            keys.find_map(|field| {
                let target = field.ref_entity.as_ref()?;
                let mut ids = rows.iter().filter_map(|row| row.get(field.name.as_str())?.as_str());
                let id = ids.find(|id| !made.contains(*id) && self.find(id).is_none())?;
                Some((target.to_string(), id.to_owned()))
            })
        })
    }

    /// Removes an id from the rows that reference it.
    fn unname(&mut self, id: &str) {
        for row in self.rows.values_mut().flatten() {
            row.retain(|name, value| name == "id" || value != id);
        }
    }
}

/// Invents rows of every entity, which reference each other.
fn made_up(manifest: &Manifest, tenant: &TenantId, now: Moment) -> Result<BTreeMap<String, Vec<Row>>, SeedError> {
    const EACH: u64 = 8;
    let manifest = Arc::new(manifest.clone());
    let entities: Vec<EntityRef> = EntityRef::all(&manifest).collect();
    let mut plan = SeedPlan::of(&manifest, 0);
    plan.shares.iter_mut().for_each(|share| share.rows = EACH);
    let mut pool: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    let mut seeder = Seeder::new(&manifest, 1, now, Vec::new());
    seeder.make(&entities, &Scope::of_tenant(tenant, now), &plan, |entity, rows| {
        let rows = rows.into_iter().map(|row| {
            let mut with_id = row.data;
            with_id.insert("id".to_owned(), json!(row.id));
            with_id
        });
        pool.entry(entity.name.to_string()).or_default().extend(rows);
        Ok::<(), SeedError>(())
    })?;
    Ok(pool)
}

fn id_of(row: &Row) -> Option<&str> {
    row.get("id").and_then(Value::as_str)
}

fn is_plain_cell(text: &str) -> bool {
    let is_value = !text.is_empty() && text.trim() == text && text != "~" && !text.starts_with(['<', '@']);
    is_value && !text.contains(['|', '\n', '\r']) && !text.contains("'''") && !text.contains("${")
}

/// The treatment of unknown ids, and of times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownIds {
    Keep,
    Match,
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
