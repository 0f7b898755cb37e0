//! Entities: typed rows, queries that only name fields that are there, and writes.

use std::marker::PhantomData;
use std::ops::Not;

use serde_json::{Map, Value, json};

use super::error::{Result, refuse};
use super::host::host_db::{self, Op};
use super::value::{Fields, Id, JsonValue};

/// Rows that one page of the host holds.
const PAGE: usize = 200;

/// What a row of an entity is in Rust.
pub trait Entity: Sized {
    /// The entity's name in the manifest.
    const NAME: &'static str;
    /// A row that is not stored yet.
    type New: NewRow;

    /// The row of these fields.
    ///
    /// # Errors
    /// `plugin.bad_value`: the row holds what the manifest does not say.
    fn from_fields(fields: &Fields) -> Result<Self>;

    /// The row as JSON, for an action's result.
    fn to_value(&self) -> Value;

    /// The row's id.
    fn id(&self) -> &Id<Self>;

    /// The version that the row had when it was read.
    fn version(&self) -> u32;

    /// The row of an id, where there is one.
    ///
    /// # Errors
    /// What the host refuses.
    fn find(id: &Id<Self>) -> Result<Option<Self>> {
        match host_db::get(Self::NAME, id.as_str())? {
            Some(row) => Ok(Some(read(&row)?)),
            None => Ok(None),
        }
    }

    /// The row of an id, which must be there.
    ///
    /// # Errors
    /// `plugin.not_found`.
    fn get(id: &Id<Self>) -> Result<Self> {
        let missing = || refuse("plugin.not_found", format!("there is no {} `{id}`", Self::NAME));
        Self::find(id)?.ok_or_else(missing)
    }

    /// Stores a row; gives it with what the host adds.
    ///
    /// # Errors
    /// What the host refuses.
    fn insert(row: &Self::New) -> Result<Self> {
        read(&host_db::insert(Self::NAME, &row.to_fields().to_string())?)
    }

    /// Rows to ask for.
    fn query() -> Query<Self> {
        Query { fields: Map::new(), filters: Vec::new(), sort: Vec::new(), entity: PhantomData }
    }

    /// Rows for which something holds.
    fn filter(filter: Filter<Self>) -> Query<Self> {
        Self::query().filter(filter)
    }

    /// Changes of a row.
    fn patch() -> Patch<Self> {
        Patch(Fields::default(), PhantomData)
    }

    /// Changes the row; gives it as it is then.
    ///
    /// # Errors
    /// `db.version_conflict`, where somebody has changed it since it was read.
    fn update(&self, patch: Patch<Self>) -> Result<Self> {
        let row = host_db::update(Self::NAME, self.id().as_str(), &patch.0.to_string(), Some(self.version()))?;
        read(&row)
    }

    /// Deletes the row, as the platform deletes: it can be restored.
    ///
    /// # Errors
    /// `db.version_conflict`, `db.ref_restrict`.
    fn delete(&self) -> Result<()> {
        host_db::delete(Self::NAME, self.id().as_str(), Some(self.version()))
    }
}

/// A row that is not stored yet.
pub trait NewRow {
    /// Its fields; what is absent gets its default.
    fn to_fields(&self) -> Fields;
}

fn read<E: Entity>(row: &str) -> Result<E> {
    E::from_fields(&Fields::parse(row)?)
}

/// A field of `E` that holds a `T`.
pub struct Field<E, T> {
    name: &'static str,
    marker: PhantomData<fn() -> (E, T)>,
}

impl<E, T> Clone for Field<E, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, T> Copy for Field<E, T> {}

impl<E, T: JsonValue> Field<E, T> {
    pub(super) const fn new(name: &'static str) -> Field<E, T> {
        Field { name, marker: PhantomData }
    }

    fn compare(self, operator: &str, value: Value) -> Filter<E> {
        Filter::of(json!({ self.name: { operator: value } }))
    }

    /// The field has this value.
    pub fn eq(self, value: impl Into<T>) -> Filter<E> {
        self.compare("eq", value.into().to_json())
    }

    /// The field has another value, or none.
    pub fn ne(self, value: impl Into<T>) -> Filter<E> {
        self.compare("ne", value.into().to_json())
    }

    /// The field is less.
    pub fn lt(self, value: impl Into<T>) -> Filter<E> {
        self.compare("lt", value.into().to_json())
    }

    /// The field is less, or the same.
    pub fn le(self, value: impl Into<T>) -> Filter<E> {
        self.compare("lte", value.into().to_json())
    }

    /// The field is more.
    pub fn gt(self, value: impl Into<T>) -> Filter<E> {
        self.compare("gt", value.into().to_json())
    }

    /// The field is more, or the same.
    pub fn ge(self, value: impl Into<T>) -> Filter<E> {
        self.compare("gte", value.into().to_json())
    }

    /// The field is one of these.
    pub fn is_in<V: Into<T>>(self, values: impl IntoIterator<Item = V>) -> Filter<E> {
        let values: Vec<Value> = values.into_iter().map(|value| value.into().to_json()).collect();
        self.compare("in", Value::Array(values))
    }

    /// The field has no value.
    pub fn is_null(self) -> Filter<E> {
        Filter::of(json!({ self.name: null }))
    }

    /// The text holds this part, or the list this item.
    pub fn contains(self, part: &str) -> Filter<E> {
        self.compare("contains", part.into())
    }

    /// From the least to the greatest.
    pub fn ascending(self) -> Sort<E> {
        Sort(self.name.to_owned(), PhantomData)
    }

    /// From the greatest to the least.
    pub fn descending(self) -> Sort<E> {
        Sort(format!("-{}", self.name), PhantomData)
    }
}

/// What rows are sorted by.
pub struct Sort<E>(String, PhantomData<fn() -> E>);

/// What must hold for a row.
pub struct Filter<E>(Value, PhantomData<fn() -> E>);

impl<E> Filter<E> {
    fn of(value: Value) -> Filter<E> {
        Filter(value, PhantomData)
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Filter<E>) -> Filter<E> {
        Filter::of(json!({ "and": [self.0, other.0] }))
    }

    /// One of them holds, or both.
    #[must_use]
    pub fn or(self, other: Filter<E>) -> Filter<E> {
        Filter::of(json!({ "or": [self.0, other.0] }))
    }
}

impl<E> Not for Filter<E> {
    type Output = Filter<E>;

    fn not(self) -> Filter<E> {
        Filter::of(json!({ "not": self.0 }))
    }
}

/// Rows to ask for.
pub struct Query<E> {
    fields: Map<String, Value>,
    filters: Vec<Value>,
    sort: Vec<Value>,
    entity: PhantomData<fn() -> E>,
}

impl<E: Entity> Query<E> {
    /// Only rows for which this holds too.
    #[must_use]
    pub fn filter(mut self, filter: Filter<E>) -> Query<E> {
        self.filters.push(filter.0);
        self
    }

    /// Only rows whose searchable fields hold this text.
    #[must_use]
    pub fn search(mut self, text: &str) -> Query<E> {
        self.fields.insert("search".to_owned(), text.into());
        self
    }

    /// In this order; a second order counts where the first says nothing.
    #[must_use]
    pub fn sort(mut self, sort: Sort<E>) -> Query<E> {
        self.sort.push(sort.0.into());
        self
    }

    /// Every row, page by page.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn all(self) -> Result<Vec<E>> {
        self.rows(None)
    }

    /// The first rows, so many at the most.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn take(self, most: usize) -> Result<Vec<E>> {
        self.rows(Some(most))
    }

    /// The first row, where there is one.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn first(self) -> Result<Option<E>> {
        Ok(self.rows(Some(1))?.pop())
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn count(self) -> Result<u64> {
        // The host counts by filters; what is searched for is found row by row.
        if self.fields.contains_key("search") {
            return Ok(self.rows(None)?.len() as u64);
        }
        let filter = conjunction(self.filters);
        let filter = if filter.is_null() { None } else { Some(filter.to_string()) };
        host_db::count(E::NAME, filter.as_deref())
    }

    /// Whether there is such a row.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn exists(self) -> Result<bool> {
        Ok(!self.rows(Some(1))?.is_empty())
    }

    fn rows(self, most: Option<usize>) -> Result<Vec<E>> {
        let mut query = self.fields;
        let filter = conjunction(self.filters);
        if !filter.is_null() {
            query.insert("filter".to_owned(), filter);
        }
        if !self.sort.is_empty() {
            query.insert("sort".to_owned(), Value::Array(self.sort));
        }
        let mut rows = Vec::new();
        loop {
            let wanted = most.map_or(PAGE, |most| most.saturating_sub(rows.len()).min(PAGE));
            if wanted == 0 {
                return Ok(rows);
            }
            query.insert("limit".to_owned(), wanted.into());
            let page = host_db::query(E::NAME, &Value::Object(query.clone()).to_string())?;
            for row in &page.rows {
                rows.push(read(row)?);
            }
            match page.next_cursor {
                Some(cursor) => query.insert("cursor".to_owned(), cursor.into()),
                None => return Ok(rows),
            };
        }
    }
}

/// One filter of several, all of which must hold; null for none.
fn conjunction(mut filters: Vec<Value>) -> Value {
    match filters.len() {
        0 => Value::Null,
        1 => filters.remove(0),
        _ => json!({ "and": filters }),
    }
}

/// Changes of a row.
pub struct Patch<E>(Fields, PhantomData<fn() -> E>);

impl<E> Patch<E> {
    /// The field gets this value.
    #[must_use]
    pub fn set<T: JsonValue>(mut self, field: Field<E, T>, value: impl Into<T>) -> Patch<E> {
        self.0.set(field.name, &value.into());
        self
    }

    /// The field loses its value.
    #[must_use]
    pub fn clear<T: JsonValue>(mut self, field: Field<E, T>) -> Patch<E> {
        self.0.set(field.name, &Value::Null);
        self
    }
}

/// Several writes: all of them or none.
#[derive(Default)]
pub struct Batch(Vec<Op>);

/// The row of a step, once the batch has run.
pub struct Step<E>(usize, PhantomData<fn() -> E>);

impl Batch {
    fn step<E: Entity>(&mut self, kind: &str, id: Option<&Id<E>>, version: Option<u32>, data: &Fields) -> Step<E> {
        self.0.push(Op {
            kind: kind.to_owned(),
            entity: E::NAME.to_owned(),
            id: id.map(|id| id.as_str().to_owned()),
            data: Some(data.to_string()),
            expected_version: version,
            name: None,
        });
        Step(self.0.len() - 1, PhantomData)
    }

    /// A new row.
    pub fn insert<E: Entity>(&mut self, row: &E::New) -> Step<E> {
        self.step("insert", None, None, &row.to_fields())
    }

    /// A row that was read changes.
    pub fn update<E: Entity>(&mut self, row: &E, patch: Patch<E>) -> Step<E> {
        self.step("update", Some(row.id()), Some(row.version()), &patch.0)
    }

    /// A number grows by an amount, whatever it is by then.
    pub fn increment<E: Entity, T: JsonValue>(&mut self, id: &Id<E>, field: Field<E, T>, by: impl Into<T>) -> Step<E> {
        let mut amount = Fields::default();
        amount.set(field.name, &by.into());
        self.step("increment", Some(id), None, &amount)
    }

    /// A row that was read goes.
    pub fn delete<E: Entity>(&mut self, row: &E) -> Step<E> {
        self.step("delete", Some(row.id()), Some(row.version()), &Fields::default())
    }

    /// Does it.
    ///
    /// # Errors
    /// What the host refuses; nothing is written then.
    pub fn run(self) -> Result<Written> {
        Ok(Written(host_db::batch(&self.0)?))
    }
}

/// The rows of a batch.
pub struct Written(Vec<String>);

impl Written {
    /// The row of a step, as it is afterwards.
    ///
    /// # Errors
    /// `plugin.bad_value`.
    pub fn row<E: Entity>(&self, step: &Step<E>) -> Result<E> {
        read(self.0.get(step.0).map_or("", String::as_str))
    }
}
