//! Makes rows, one entity after the other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use erp_manifest::expression::read_decimal;
use erp_manifest::{BaseType, Entity, Field, FieldType, Manifest, Moment};
use erp_runtime::Random;
use erp_storage::{EntityRef, Scope, StoreError};
use erp_store::{LoadedRow, format_number, period_of, settled};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::SeedPlan;
use super::values::{Maker, uuid_of};

/// The most attempts to make a row that the rules of the manifest accept.
const ATTEMPTS: usize = 12;
/// The number of days before now that the rows are spread over.
const DAYS: u64 = 365;
const DAY_MS: i64 = 86_400_000;

/// A row that was made.
pub type SeededRow = LoadedRow;

/// Why rows cannot be made.
#[derive(Debug, Error)]
pub enum SeedError {
    /// No attempt gave a row that satisfies the rules of the manifest.
    #[error("no row of {entity} can be made up: {why}")]
    Refused {
        /// The entity.
        entity: String,
        /// Why the last attempt was refused.
        why: String,
    },
    /// A numbering rule has no number left.
    #[error(transparent)]
    Numbering(#[from] StoreError),
}

/// Makes rows of a plugin's entities for one tenant.
pub struct Seeder {
    manifest: Arc<Manifest>,
    random: Random,
    now: Moment,
    users: Vec<String>,
    /// Ids of the rows known so far, by entity. References name the first ones most often.
    ids: BTreeMap<String, Vec<String>>,
    /// Keys of unique indexes that are taken. Their order does not matter.
    taken: HashSet<String>,
    /// The next number of each sequence, by rule and period.
    numbers: BTreeMap<(String, String), u64>,
    /// The last serial number of each entity.
    serials: BTreeMap<String, u64>,
}

impl std::fmt::Debug for Seeder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seeder").field("plugin", &self.manifest.metadata.id).finish_non_exhaustive()
    }
}

/// An entity whose rows are lines of another entity's rows, and the fields that are added up.
#[derive(Debug, Clone)]
struct Lines {
    /// The entity of the lines.
    entity: String,
    /// The field of a line that refers to its parent row.
    key: String,
    /// The field of a line that is added up, and the field of the parent row that holds the sum.
    sums: Vec<(String, String)>,
}

impl Seeder {
    /// The same arguments give the same rows. `users` are the creators that the rows get.
    pub fn new(manifest: &Arc<Manifest>, seed: u64, now: Moment, users: Vec<String>) -> Seeder {
        Seeder {
            manifest: Arc::clone(manifest),
            random: Random::new(seed),
            now,
            users,
            ids: BTreeMap::new(),
            taken: HashSet::new(),
            numbers: BTreeMap::new(),
            serials: BTreeMap::new(),
        }
    }

    /// Adds the ids of existing rows, which new rows may refer to.
    pub fn add_existing_rows(&mut self, entity: &str, ids: Vec<String>) {
        self.ids.entry(entity.to_owned()).or_default().extend(ids);
    }

    /// Continues the serial numbers of an entity after `serial`.
    pub fn begin_at(&mut self, entity: &str, serial: u64) {
        self.serials.insert(entity.to_owned(), serial);
    }

    /// Continues a sequence of numbers with `next`.
    pub fn count_from(&mut self, rule: &str, period: &str, next: u64) {
        self.numbers.insert((rule.to_owned(), period.to_owned()), next);
    }

    /// The next numbers of the sequences: rule, period, number.
    pub fn numbers(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.numbers.iter().map(|((rule, period), next)| (rule.as_str(), period.as_str(), *next))
    }

    /// Makes the rows of a plan and passes them to `take` in batches; rows that others refer to come first.
    ///
    /// # Errors
    /// [`SeedError`], and the errors of `take`.
    pub fn make<E: From<SeedError>>(
        &mut self,
        entities: &[EntityRef],
        scope: &Scope,
        plan: &SeedPlan,
        mut take: impl FnMut(&EntityRef, Vec<SeededRow>) -> Result<(), E>,
    ) -> Result<(), E> {
        let find = |name: &str| entities.iter().find(|entity| entity.name.as_str() == name);
        let mut lines_made: BTreeSet<String> = BTreeSet::new();
        for share in &plan.shares {
            let Some(entity) = find(&share.entity).filter(|_| !lines_made.contains(&share.entity)) else { continue };
            let lines = self.lines_of(entity).filter(|lines| find(&lines.entity).is_some());
            let line_share =
                lines.as_ref().and_then(|lines| plan.shares.iter().find(|share| share.entity == lines.entity));
            let line_rows = line_share.map_or(0, |share| share.rows);
            let mut made: Vec<SeededRow> = Vec::new();
            let mut made_lines: Vec<SeededRow> = Vec::new();
            for index in 0..share.rows {
                let made_at = self.moment(index, share.rows);
                let id = uuid_of(&mut self.random, made_at);
                let mut sums = Map::new();
                if let (Some(lines), Some(line_entity)) = (&lines, lines.as_ref().and_then(|lines| find(&lines.entity)))
                {
                    // The lines are spread evenly, so that all of them are used in the end.
                    let wanted = line_rows * (index + 1) / share.rows - line_rows * index / share.rows;
                    for _ in 0..wanted {
                        let own = Map::from_iter([(lines.key.clone(), json!(id))]);
                        let row = self.row(line_entity, scope, made_at, &own)?;
                        for (field, total) in &lines.sums {
                            add(&mut sums, total, row.data.get(field));
                        }
                        made_lines.push(row);
                    }
                }
                let mut row = self.row_with_id(entity, scope, made_at, &sums, id)?;
                if let Some(lines) = &lines {
                    // A total without lines stays empty.
                    row.data.retain(|name, _| {
                        sums.contains_key(name) || !lines.sums.iter().any(|(_, total)| total == name)
                    });
                }
                made.push(row);
                if made.len() >= 500 {
                    take(entity, std::mem::take(&mut made))?;
                    Self::give(lines.as_ref(), entities, &mut made_lines, &mut take)?;
                }
            }
            take(entity, made)?;
            Self::give(lines.as_ref(), entities, &mut made_lines, &mut take)?;
            lines_made.extend(lines.map(|lines| lines.entity));
        }
        Ok(())
    }

    fn give<E>(
        lines: Option<&Lines>,
        entities: &[EntityRef],
        made: &mut Vec<SeededRow>,
        take: &mut impl FnMut(&EntityRef, Vec<SeededRow>) -> Result<(), E>,
    ) -> Result<(), E> {
        let entity = lines.and_then(|lines| entities.iter().find(|entity| entity.name.as_str() == lines.entity));
        match entity {
            Some(entity) if !made.is_empty() => take(entity, std::mem::take(made)),
            _ => Ok(()),
        }
    }

    /// The entity whose rows are lines of this entity's rows and add up to a field of them; none if there is none.
    fn lines_of(&self, entity: &Entity) -> Option<Lines> {
        let is_sum = |field: &Field| {
            let names = ["total", "amount", "sum", "金额", "合计"];
            let name = field.name.as_str();
            field.field_type.base() == BaseType::Decimal
                && field.computed.is_none()
                && names.iter().any(|word| name.contains(word) || field.label().contains(word))
        };
        let sums: Vec<&Field> = entity.fields.iter().filter(|field| is_sum(field)).collect();
        self.manifest.schema.entities.iter().find_map(|other| {
            let key = other.fields.iter().find(|field| {
                *field.field_type == FieldType::Ref
                    && field.ref_entity.as_ref().is_some_and(|target| **target == *entity.name)
            })?;
            let is_child = other.child_of.as_ref().is_some_and(|parent| **parent == *entity.name) || key.required;
            let mut amounts = other.fields.iter().filter(|field| field.field_type.base() == BaseType::Decimal);
            let amount = amounts
                .rfind(|field| ["amount", "total", "金额"].iter().any(|word| field.name.as_str().contains(word)));
            let (amount, total) = (amount?, sums.first()?);
            is_child.then(|| Lines {
                entity: other.name.to_string(),
                key: key.name.to_string(),
                sums: vec![(amount.name.to_string(), total.name.to_string())],
            })
        })
    }

    /// The moment of row `index` out of `of`: the rows are spread evenly over the last year.
    fn moment(&mut self, index: u64, of: u64) -> Moment {
        let share = (index * 1_000).checked_div(of.max(1)).unwrap_or(0);
        // The oldest first: ids and numbers grow with time.
        let days = DAYS - DAYS * share / 1_000;
        let within = i64::try_from(self.random.below(36_000_000)).unwrap_or(0);
        self.now.plus_ms(-i64::try_from(days).unwrap_or(0) * DAY_MS - within)
    }

    fn row(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        made_at: Moment,
        fixed: &Map<String, Value>,
    ) -> Result<SeededRow, SeedError> {
        let id = uuid_of(&mut self.random, made_at);
        self.row_with_id(entity, scope, made_at, fixed, id)
    }

    fn row_with_id(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        made_at: Moment,
        fixed: &Map<String, Value>,
        id: String,
    ) -> Result<SeededRow, SeedError> {
        let serial = {
            let serial = self.serials.entry(entity.name.to_string()).or_default();
            *serial += 1;
            *serial
        };
        let scope = Scope { now: made_at, ..scope.clone() };
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let mut data = self.values(entity, serial, made_at);
            data.extend(fixed.clone());
            amounts(entity, &mut data, fixed);
            // The rules may require the number. It is used up only when the row is accepted.
            self.number(entity, made_at, &mut data)?;
            match settled(entity, &scope, &data) {
                Ok(data) => {
                    if let Some(fields) = self.take_keys(entity, &data) {
                        why = format!("{fields} would come twice");
                        continue;
                    }
                    self.count_numbers(entity, made_at);
                    self.ids.entry(entity.name.to_string()).or_default().push(id.clone());
                    let made_by = self.random.pick(&self.users).cloned();
                    return Ok(SeededRow { id, made_at, made_by, data });
                }
                Err(error) => why = error.to_string(),
            }
        }
        Err(SeedError::Refused { entity: entity.name.to_string(), why })
    }

    fn values(&mut self, entity: &EntityRef, serial: u64, made_at: Moment) -> Map<String, Value> {
        let mut data = Map::new();
        for field in entity.fields.iter().filter(|field| field.computed.is_none() && field.numbering.is_none()) {
            let value = match *field.field_type {
                FieldType::Ref => self.reference(entity, field),
                FieldType::RefMany => self.reference(entity, field).map(|id| json!([id])),
                _ => Maker { random: &mut self.random, entity, serial, made_at }.value(field),
            };
            if let Some(value) = value {
                data.insert(field.name.to_string(), value);
            }
        }
        data
    }

    /// An earlier row to refer to; none for some optional fields. Rows that refer to their own entity form a tree, in
    /// which a third of the rows has no parent.
    fn reference(&mut self, entity: &Entity, field: &Field) -> Option<Value> {
        let target = field.ref_entity.as_ref().filter(|_| field.ref_plugin.is_none())?;
        let is_tree = **target == *entity.name;
        let empty = if is_tree { 33 } else { 10 };
        if !field.required && self.random.percent(empty) {
            return None;
        }
        let known = self.ids.get(target.as_str())?;
        // A tree is flat: only the first rows become parents.
        let known = if is_tree { &known[..known.len().min(known.len() / 8 + 4)] } else { known };
        self.random.pick_often(known).map(|id| json!(id))
    }

    /// Sets the next numbers in a row; they stay the next ones until `count_numbers`.
    fn number(&self, entity: &EntityRef, made_at: Moment, data: &mut Map<String, Value>) -> Result<(), SeedError> {
        // If two fields use one rule, the second gets the number after the first.
        let mut given: BTreeMap<&str, u64> = BTreeMap::new();
        for field in &entity.fields {
            let Some(rule) = field.numbering.as_ref().and_then(|name| self.manifest.numbering_rule(name)) else {
                continue;
            };
            let key = (rule.name.to_string(), period_of(rule, made_at));
            let behind = given.entry(rule.name.as_str()).or_default();
            let next = self.numbers.get(&key).copied().unwrap_or(rule.start) + *behind;
            data.insert(field.name.to_string(), Value::String(format_number(rule, next, made_at)?));
            *behind += 1;
        }
        Ok(())
    }

    /// Marks the numbers of an accepted row as used.
    fn count_numbers(&mut self, entity: &EntityRef, made_at: Moment) {
        for field in &entity.fields {
            let Some(rule) = field.numbering.as_ref().and_then(|name| self.manifest.numbering_rule(name)) else {
                continue;
            };
            *self.numbers.entry((rule.name.to_string(), period_of(rule, made_at))).or_insert(rule.start) += 1;
        }
    }

    /// Takes the keys of the unique indexes. If one is taken already, takes none and returns its fields.
    fn take_keys(&mut self, entity: &Entity, data: &Map<String, Value>) -> Option<String> {
        let single = entity.fields.iter().filter(|field| field.unique).map(|field| vec![field.name.as_str()]);
        let several = entity.indexes.iter().filter(|index| index.unique);
        let several = several.map(|index| index.fields.iter().map(|field| field.as_str()).collect::<Vec<_>>());
        let mut keys = Vec::new();
        for fields in single.chain(several) {
            let values: Option<Vec<String>> = fields
                .iter()
                .map(|field| data.get(*field).filter(|value| !value.is_null()).map(ToString::to_string))
                .collect();
            let Some(values) = values else { continue };
            let key = format!("{} {} {}", *entity.name, fields.join("+"), values.join("\u{1f}"));
            if self.taken.contains(&key) {
                return Some(fields.join(" + "));
            }
            keys.push(key);
        }
        self.taken.extend(keys);
        None
    }
}

/// Sets the amount of a line to its quantity times its price.
fn amounts(entity: &Entity, data: &mut Map<String, Value>, fixed: &Map<String, Value>) {
    let named = |words: &[&str]| {
        entity
            .fields
            .iter()
            .find(|field| words.iter().any(|word| field.name.as_str().contains(word)))
            .map(|field| field.name.to_string())
    };
    let (Some(quantity), Some(price)) = (named(&["qty", "quantity"]), named(&["unit_price", "price"])) else { return };
    let amount = entity.fields.iter().find(|field| {
        let name = field.name.as_str();
        field.field_type.base() == BaseType::Decimal
            && field.computed.is_none()
            && (name.contains("amount") || name == "total")
    });
    let Some(amount) = amount.filter(|field| !fixed.contains_key(field.name.as_str())) else { return };
    let number = |name: &str| {
        data.get(name).and_then(|value| read_decimal(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    };
    if let (Some(quantity), Some(price)) = (number(&quantity), number(&price)) {
        let product = (quantity * price).round_dp(amount.kept_scale().unwrap_or(2));
        data.insert(amount.name.to_string(), json!(product.to_string()));
    }
}

fn add(sums: &mut Map<String, Value>, field: &str, value: Option<&Value>) {
    let number = |value: Option<&Value>| value.and_then(Value::as_str).and_then(read_decimal).unwrap_or(Decimal::ZERO);
    let sum = number(sums.get(field)) + number(value);
    sums.insert(field.to_owned(), json!(sum.to_string()));
}
