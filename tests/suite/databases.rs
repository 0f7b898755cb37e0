//! Sends the same queries and writes to SQLite and PostgreSQL: their answers must be equal to the byte.

use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId, parse};
use erp_storage::{AggregateQuery, BatchKind, BatchStep, EntityRef, ListQuery, Row, RowReach, Scope, StoreError};
use erp_store::Database;
use serde_json::{Map, Value, json};

use crate::storage::{entity, field, running};
use crate::support::{Client, Random, Sandbox, empty_database, postgres_url, repository};

/// The number of queries and writes that are sent.
const OPERATIONS: usize = 10_000;
const USERS: [&str; 3] = ["u-ada", "u-lin", "u-mei"];
const TENANTS: [&str; 2] = ["acme", "globex"];
const WORDS: [&str; 14] = [
    "螺丝 M4",
    "螺母",
    "Bolt",
    "bolt",
    "BOLT 8mm",
    "50%_off",
    "a\\b",
    "Größe",
    "größe",
    "钢材",
    "é",
    "'quoted'",
    "\"two\"",
    "zz",
];

fn manifest() -> Arc<Manifest> {
    let file = repository().join("tests/fixtures/two-databases.toml");
    let source = SourceFile::new("plugin.toml", std::fs::read_to_string(file).unwrap());
    let (manifest, report) = parse(&source);
    assert!(!report.has_errors(), "{:?}", report.diagnostics());
    Arc::new(manifest.unwrap())
}

/// One of the databases, with the number of ids that it has made.
struct Side {
    database: Database,
    ids: u64,
}

impl Side {
    fn new(mut database: Database, manifest: &Arc<Manifest>) -> Side {
        database.begin().unwrap();
        database.schema().install_schema(manifest).unwrap();
        database.commit().unwrap();
        database.serve_schema(manifest);
        Side { database, ids: 0 }
    }

    fn entity(&self, manifest: &Manifest, name: &str) -> EntityRef {
        self.database.catalog().entity(&manifest.metadata.id, name).unwrap()
    }

    fn answer(&mut self, manifest: &Manifest, scope: &Scope, operation: &Operation) -> Value {
        let Side { database, ids } = self;
        let mut new_id = || {
            *ids += 1;
            // Ids are not in the order of creation: a list by id must sort.
            let mixed = (*ids).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("{:08x}-{:04x}-7000-8000-{:012x}", mixed >> 32, (mixed >> 16) & 0xffff, *ids)
        };
        let id = &manifest.metadata.id;
        let entity = |database: &Database, name: &str| database.catalog().entity(id, name);
        let found = match operation {
            Operation::Begin => database.begin().map(|()| Value::Null),
            Operation::Commit => database.commit().map(|changes| json!(changes.len())),
            Operation::Rollback => {
                database.rollback();
                Ok(Value::Null)
            }
            Operation::Insert(name, data) => entity(database, name)
                .and_then(|entity| database.writer().insert(&entity, scope, data, &mut new_id))
                .map(|row| whole(&row)),
            Operation::Update(name, row, data, version) => entity(database, name)
                .and_then(|entity| database.writer().update(&entity, scope, row, data, *version))
                .map(|row| whole(&row)),
            Operation::Replace(name, row, data) => entity(database, name)
                .and_then(|entity| database.writer().replace(&entity, scope, row, data, None))
                .map(|row| whole(&row)),
            Operation::Delete(name, row) => entity(database, name)
                .and_then(|entity| database.writer().delete(&entity, scope, row, None))
                .map(|count| json!(count)),
            Operation::Restore(name, row) => entity(database, name)
                .and_then(|entity| database.writer().restore(&entity, scope, row))
                .map(|row| whole(&row)),
            Operation::Get(name, row) => entity(database, name)
                .and_then(|entity| database.reader().get(&entity, scope, row))
                .map(|row| whole(&row)),
            Operation::Batch(steps) => database
                .writer()
                .batch(id, scope, &vec![RowReach::All; steps.len()], steps, &mut new_id)
                .map(|(rows, count)| json!([rows, count])),
            Operation::List(name, query) => entity(database, name)
                .and_then(|entity| database.reader().list(&entity, scope, query))
                .map(|page| json!([page.rows.iter().map(whole).collect::<Vec<_>>(), page.next_cursor, page.total])),
            Operation::Pages(name, query) => {
                entity(database, name).and_then(|entity| pages(database, &entity, scope, query))
            }
            Operation::Count(name, query) => entity(database, name)
                .and_then(|entity| database.reader().count(&entity, scope, query))
                .map(|count| json!(count)),
            Operation::Aggregate(name, query) => AggregateQuery::from_json(query, true)
                .and_then(|query| database.reader().aggregate(&entity(database, name)?, scope, &query))
                .map(Value::from),
            Operation::Labels(name, rows) => entity(database, name)
                .and_then(|entity| database.reader().labels(&entity, scope, rows, None))
                .map(Value::Object),
            Operation::Number => database.numbers().next_number(manifest, "order", scope).map(Value::from),
            Operation::KeySet(key, value) => {
                database.keys().set_key_value(id, scope, key, value, Some(60)).map(|()| Value::Null)
            }
            Operation::Key(key) => database.keys().key_value(id, scope, key).map(|value| json!(value)),
        };
        match found {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.code(), "message": error.to_string(), "details": error.details() }),
        }
    }
}

/// Returns the ids of a complete list, read page by page with cursors.
fn pages(database: &Database, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<Value, StoreError> {
    let mut query = query.clone();
    let mut ids = Vec::new();
    loop {
        let page = database.reader().list(entity, scope, &query)?;
        ids.extend(page.rows.iter().map(|row| row.id.clone()));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            let whole = database.reader().list(
                entity,
                scope,
                &ListQuery { cursor: None, limit: Some(200), ..query.clone() },
            )?;
            if whole.next_cursor.is_none() {
                let at_once: Vec<&str> = whole.rows.iter().map(|row| row.id.as_str()).collect();
                assert_eq!(ids, at_once, "pages of {query:?} give other rows than the list at once");
            }
            return Ok(json!(ids));
        }
    }
}

fn whole(row: &Row) -> Value {
    json!([
        row.id,
        row.data,
        row.created_at,
        row.created_by,
        row.updated_at,
        row.updated_by,
        row.deleted_at,
        row.version
    ])
}

#[derive(Debug, Clone)]
enum Operation {
    Begin,
    Commit,
    Rollback,
    Insert(&'static str, Map<String, Value>),
    Update(&'static str, String, Map<String, Value>, Option<u32>),
    Replace(&'static str, String, Map<String, Value>),
    Delete(&'static str, String),
    Restore(&'static str, String),
    Get(&'static str, String),
    Batch(Vec<BatchStep>),
    List(&'static str, ListQuery),
    Pages(&'static str, ListQuery),
    Count(&'static str, ListQuery),
    Aggregate(&'static str, Value),
    Labels(&'static str, Vec<String>),
    Number,
    KeySet(String, Value),
    Key(String),
}

/// Generates operations; remembers the ids of inserted rows.
struct Maker {
    random: Random,
    items: Vec<String>,
    groups: Vec<String>,
    lines: Vec<String>,
    is_in_unit: bool,
}

const FIELDS: [&str; 17] = [
    "name", "code", "quantity", "price", "rate", "weight", "active", "day", "moment", "clock", "status", "group",
    "tags", "colors", "note", "amount", "number",
];

impl Maker {
    fn next(&mut self) -> Operation {
        if self.is_in_unit && self.random.percent(12) {
            self.is_in_unit = false;
            return if self.random.percent(75) { Operation::Commit } else { Operation::Rollback };
        }
        if !self.is_in_unit && self.random.percent(75) {
            self.is_in_unit = true;
            return Operation::Begin;
        }
        // Writes are made only within a unit of work.
        let kind = if self.is_in_unit { self.random.below(100) } else { 50 + self.random.below(50) };
        match kind {
            0..16 => Operation::Insert("item", self.item(false)),
            16..20 => Operation::Insert("group", self.group()),
            20..25 => Operation::Insert("line", self.line()),
            25..34 => {
                let version = self.random.percent(15).then(|| u32::try_from(self.random.below(4)).unwrap());
                Operation::Update("item", self.id("item"), self.item(true), version)
            }
            34..36 => Operation::Replace("item", self.id("item"), self.item(false)),
            36..38 => Operation::Update("group", self.id("group"), self.group(), None),
            38..41 => self.of_any(Operation::Delete),
            41..43 => self.of_any(Operation::Restore),
            43..47 => Operation::Batch(self.batch()),
            47..49 => Operation::Number,
            49 => Operation::KeySet(format!("k{}", self.random.below(5)), self.json(2)),
            50..52 => Operation::Key(format!("k{}", self.random.below(5))),
            52..58 => self.of_any(Operation::Get),
            58..74 => Operation::List("item", self.query()),
            74..80 => Operation::Pages(
                "item",
                ListQuery { limit: Some(3 + self.random.below(5) as u64), offset: 0, ..self.query() },
            ),
            80..86 => Operation::Count("item", self.query()),
            86..97 => Operation::Aggregate("item", self.aggregate()),
            _ => Operation::Labels("item", vec![self.id("item"), self.id("item"), self.id("group")]),
        }
    }

    fn of_any(&mut self, make: impl FnOnce(&'static str, String) -> Operation) -> Operation {
        let name = *self.random.pick(&["item", "item", "group", "line"]);
        make(name, self.id(name))
    }

    fn id(&mut self, entity: &str) -> String {
        let known = match entity {
            "item" => &self.items,
            "group" => &self.groups,
            _ => &self.lines,
        };
        match self.random.below(20) {
            0 => "not-an-id".to_owned(),
            1 => "00000000-0000-7000-8000-000000000000".to_owned(),
            _ if known.is_empty() => "00000000-0000-7000-8000-000000000001".to_owned(),
            _ => self.random.pick(known).clone(),
        }
    }

    fn group(&mut self) -> Map<String, Value> {
        let parent = if self.random.percent(50) { json!(self.id("group")) } else { Value::Null };
        object(json!({ "name": format!("{}{}", self.random.pick(&WORDS), self.random.below(12)), "parent": parent }))
    }

    fn line(&mut self) -> Map<String, Value> {
        object(json!({ "item": self.id("item"), "position": self.random.below(4) }))
    }

    fn item(&mut self, is_patch: bool) -> Map<String, Value> {
        let mut row = Map::new();
        for field in FIELDS {
            let chance = match (field, is_patch) {
                ("amount" | "number", _) => 2,
                (_, true) => 15,
                ("name", false) => 97,
                _ => 60,
            };
            if self.random.percent(chance) {
                row.insert(field.to_owned(), self.value(field));
            }
        }
        for field in ["others", "place", "extra"] {
            if self.random.percent(20) {
                row.insert(field.to_owned(), self.value(field));
            }
        }
        row
    }

    /// Returns a value for a field; in 3 % of the cases one that most fields refuse.
    fn value(&mut self, field: &str) -> Value {
        if self.random.percent(3) {
            return self
                .random
                .pick(&[Value::Null, json!(""), json!("x"), json!(-1), json!(1.5), json!([]), json!({}), json!("a\0b")])
                .clone();
        }
        let random = &mut self.random;
        match field {
            "name" => json!(format!("{} {}", random.pick(&WORDS), random.below(9))),
            "code" => json!(format!("C{}", random.below(60))),
            "note" => json!(format!("{} {}", random.pick(&WORDS), random.pick(&WORDS))),
            "quantity" => match random.below(12) {
                0 => json!(-3),
                1 => json!(i64::MAX),
                2 => json!(9_007_199_254_740_993_i64),
                _ => json!(random.below(20)),
            },
            "price" => json!(format!("{}.{:02}", random.below(500), random.below(100))),
            "rate" => {
                let rates = [
                    "9.5",
                    "9.50",
                    "-1",
                    "0.1",
                    "1e3",
                    "10",
                    "0",
                    "-0.0",
                    "12345678901234.56789",
                    "00.5",
                    "79228162514264337593543950335",
                ];
                json!(random.pick(&rates))
            }
            "weight" => {
                let weights = [0.1, 2.5, -0.0, 1e16, 1e-7, 1.5e300, 123_456.789, 3.0, -4.25];
                json!(random.pick(&weights))
            }
            "active" => json!(random.percent(50)),
            "day" => json!(format!("2026-{:02}-{:02}", 1 + random.below(12), 1 + random.below(28))),
            "moment" => json!(random.pick(&[
                "2026-04-15T08:00:00+08:00",
                "2026-04-15T00:00:00Z",
                "2025-12-31T23:59:59.999Z",
                "2026-04-15T00:00:00.5Z"
            ])),
            "clock" => json!(random.pick(&["08:30", "08:30:00", "23:59:59", "00:00"])),
            "status" => json!(random.pick(&["draft", "open", "closed"])),
            "colors" => json!([*random.pick(&["red", "blue"])]),
            "tags" => json!([*random.pick(&WORDS), *random.pick(&WORDS)]),
            "group" => json!(self.id("group")),
            "others" => json!([self.id("item"), self.id("item")]),
            "place" => json!({ "lat": 31.25, "lng": 121.5 }),
            "extra" => self.json(3),
            "amount" => json!("1.00"),
            _ => json!("IT2026-000001"),
        }
    }

    fn json(&mut self, depth: usize) -> Value {
        match self.random.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.random.percent(50)),
            2 => json!(self.random.below(1000)),
            3 => json!(*self.random.pick(&[1e16, 1e17, 1.8e19, 1e20, -0.0, 1e-9, 2.0, 1.0e22])),
            4 => json!(u64::MAX),
            5 => json!(*self.random.pick(&WORDS)),
            6 => (0..self.random.below(4)).map(|_| self.json(depth - 1)).collect(),
            _ => {
                let keys = ["zz", "a", "螺", "bb", "ab"];
                Value::Object(
                    (0..self.random.below(4))
                        .map(|_| ((*self.random.pick(&keys)).to_owned(), self.json(depth - 1)))
                        .collect(),
                )
            }
        }
    }

    fn query(&mut self) -> ListQuery {
        let filter = if self.random.percent(70) { self.filter(2) } else { Value::Null };
        let search = self.random.percent(25).then(|| {
            let word = *self.random.pick(&WORDS);
            let length = 1 + self.random.below(3);
            word.chars().take(length).collect()
        });
        let keys = self.random.below(3);
        let sort = (0..keys).map(|_| {
            let sign = *self.random.pick(&["", "-"]);
            format!(
                "{sign}{}",
                self.random.pick(&[
                    "name",
                    "code",
                    "quantity",
                    "price",
                    "rate",
                    "weight",
                    "active",
                    "day",
                    "moment",
                    "clock",
                    "created_at",
                    "id",
                    "tags",
                    "nowhere",
                    "version"
                ])
            )
        });
        let sort = sort.collect();
        ListQuery {
            filter,
            search,
            sort,
            limit: Some(1 + self.random.below(30) as u64),
            offset: if self.random.percent(10) { self.random.below(5) as u64 } else { 0 },
            cursor: None,
            with_total: self.random.percent(30),
            include_deleted: self.random.percent(10),
            by_plugin: self.random.percent(60),
        }
    }

    fn filter(&mut self, depth: usize) -> Value {
        match self.random.below(10) {
            0 if depth > 0 => json!({ "and": [self.filter(depth - 1), self.filter(depth - 1)] }),
            1 if depth > 0 => json!({ "or": [self.filter(depth - 1), self.filter(depth - 1)] }),
            2 if depth > 0 => json!({ "not": self.filter(depth - 1) }),
            // A filter that an index is declared for.
            3 => json!({ "status": self.value("status"), "day": { "gte": self.value("day") } }),
            _ => {
                let field =
                    *self.random.pick(&["id", "created_at", "created_by", "version", "extra", "others", "nowhere"]);
                let field = if self.random.percent(85) { *self.random.pick(&FIELDS) } else { field };
                let value = if field == "id" { json!(self.id("item")) } else { self.value(field) };
                let comparison = match self.random.below(10) {
                    0 => value,
                    1 => json!({ "eq": value }),
                    2 => json!({ "ne": value }),
                    3 => json!({ "gt": value }),
                    4 => json!({ "gte": value }),
                    5 => json!({ "lt": value }),
                    6 => json!({ "lte": value }),
                    7 => json!({ "in": [value, self.value(field)] }),
                    8 => json!({ "contains": *self.random.pick(&WORDS) }),
                    _ => Value::Null,
                };
                json!({ field: comparison })
            }
        }
    }

    fn aggregate(&mut self) -> Value {
        let groups: Vec<Value> = (0..self.random.below(3))
            .map(|_| match self.random.below(4) {
                0 => json!({ "field": *self.random.pick(&["day", "moment", "created_at", "name"]), "per": *self.random.pick(&["year", "month", "day", "hour"]) }),
                _ => json!(*self.random.pick(&FIELDS)),
            })
            .collect();
        let metrics: Vec<Value> = (0..=self.random.below(3))
            .map(|n| {
                let function = *self.random.pick(&["count", "sum", "avg", "min", "max"]);
                let mut field = *self.random.pick(&FIELDS);
                // The sum of floats depends on the order of the rows; `check` reports it as `storage/float-sum`.
                if field == "weight" && matches!(function, "sum" | "avg") {
                    field = "price";
                }
                json!({ "func": function, "field": field, "as": format!("m{n}") })
            })
            .collect();
        let filter = if self.random.percent(40) { self.filter(1) } else { Value::Null };
        json!({ "group_by": groups, "metrics": metrics, "filter": filter })
    }

    fn batch(&mut self) -> Vec<BatchStep> {
        let step = |kind, entity: &str, id: Option<String>, data| BatchStep {
            kind,
            entity: entity.to_owned(),
            id,
            data,
            expected_version: None,
            name: None,
        };
        (0..=self.random.below(4))
            .map(|_| match self.random.below(6) {
                0 => step(BatchKind::Insert, "item", None, self.item(false)),
                1 => step(BatchKind::Update, "item", Some(self.id("item")), self.item(true)),
                2 => {
                    let amounts = object(json!({ "quantity": self.random.below(5), "price": "0.05" }));
                    step(BatchKind::Increment, "item", Some(self.id("item")), amounts)
                }
                3 => {
                    let row = Value::Object(self.item(false));
                    step(BatchKind::Upsert, "item", None, object(json!({ "key": ["code"], "row": row })))
                }
                4 => step(BatchKind::Delete, "line", Some(self.id("line")), Map::new()),
                _ => step(BatchKind::Assert, "item", Some(self.id("item")), object(json!({ "active": true }))),
            })
            .collect()
    }

    /// Remembers the id of an inserted row.
    fn learn(&mut self, operation: &Operation, answer: &Value) {
        if let (Operation::Insert(entity, _), Some(id)) = (operation, answer["ok"][0].as_str()) {
            match *entity {
                "item" => self.items.push(id.to_owned()),
                "group" => self.groups.push(id.to_owned()),
                _ => self.lines.push(id.to_owned()),
            }
        }
    }
}

/// Returns the text around the first difference of two texts; `None` if they are equal.
fn difference(left: &str, right: &str) -> Option<(String, String)> {
    let place = left.chars().zip(right.chars()).position(|(left, right)| left != right);
    let place = place.or((left.len() != right.len()).then(|| left.chars().count().min(right.chars().count())))?;
    let around = |text: &str| text.chars().skip(place.saturating_sub(120)).take(240).collect();
    Some((around(left), around(right)))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn ten_thousand_questions_and_writes_have_the_same_answers_on_both_databases() {
    let manifest = manifest();
    let folder = Sandbox::new();
    let mut sqlite = Side::new(Database::in_memory().unwrap(), &manifest);
    // In a file, SQLite searches texts with an index.
    let mut file = Side::new(Database::open(&folder.path("rows.sqlite")).unwrap(), &manifest);
    let mut postgres = Side::new(Database::scratch(&postgres_url()).unwrap(), &manifest);
    let seed = std::env::var("ERP_PLUGIN_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(2026);
    let (items, groups, lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut maker = Maker { random: Random::new(seed), items, groups, lines, is_in_unit: false };
    let start = Moment::parse("2026-04-15T08:00:00+08:00").unwrap();
    let (mut refused, mut rows) = (0, 0);
    for index in 0..OPERATIONS {
        let operation = maker.next();
        let tenant = TenantId::new((*maker.random.pick(&TENANTS)).to_owned()).unwrap();
        let mut scope = Scope::of_tenant(&tenant, start.plus_ms(i64::try_from(index).unwrap() * 137))
            .by(USERS[maker.random.below(3)]);
        if maker.random.percent(8) {
            scope = scope.within(RowReach::Of { users: vec![USERS[0].to_owned()], departments: Vec::new() });
        }
        let on_sqlite = sqlite.answer(&manifest, &scope, &operation);
        for (name, side) in [("a file of SQLite", &mut file), ("PostgreSQL", &mut postgres)] {
            let other = side.answer(&manifest, &scope, &operation);
            if let Some((left, right)) = difference(&on_sqlite.to_string(), &other.to_string()) {
                panic!(
                    "operation {index} of seed {seed} has two answers: {operation:?}\n SQLite: …{left}…\n {name}: …{right}…"
                );
            }
        }
        refused += usize::from(on_sqlite.get("error").is_some());
        rows += on_sqlite["ok"][0].as_array().map_or(0, Vec::len);
        maker.learn(&operation, &on_sqlite);
    }
    // Enough rows and refusals must have been compared.
    assert!(maker.items.len() > 200 && refused > 1_000 && rows > 2_000, "{} {refused} {rows}", maker.items.len());
    let item = sqlite.entity(&manifest, "item");
    assert!(
        sqlite
            .database
            .reader()
            .count(&item, &Scope::of_tenant(&TenantId::new("acme".to_owned()).unwrap(), start), &ListQuery::default())
            .unwrap()
            > 50
    );
}

/// An entity whose rows are numbered, and one whose rows are counters.
fn numbered_rows() -> String {
    "[[numbering]]\nname = \"note\"\nentity = \"note\"\nprefix = \"N\"\nformat = \"{prefix}{seq}\"\nseq_length = 4\n"
        .to_owned()
        + &entity("note", &field("number", "field_type = \"autonumber\"\nnumbering = \"note\"\nunique = true"))
        + &entity("counter", &field("value", "field_type = \"integer\""))
}

#[test]
fn two_hosts_on_one_database_lose_nothing_and_leave_no_gap() {
    let address = empty_database();
    let (sandbox, beside) = (Sandbox::new(), Sandbox::new());
    let first = sandbox.dev_host(&["--database", &address]);
    let client = running(&sandbox, &first, "erp-shared", &numbered_rows());
    let second = beside.dev_host(&["--database", &address]);
    let (status, counter) = client.rows("POST", "/counter", &json!({ "value": 0 }));
    assert_eq!(status, 201, "{counter}");
    let path = format!("/counter/{}", counter["id"].as_str().unwrap());

    let work = |host: &crate::support::DevHost| {
        let client = Client::new(host, "admin@acme", "erp-shared");
        let mut conflicts = 0;
        for _ in 0..25 {
            let (status, body) = client.rows("POST", "/note", &json!({}));
            assert_eq!(status, 201, "{body}");
            // Both hosts increment one counter; after a conflict, the client reads it again.
            loop {
                let (_, counter) = client.rows("GET", &path, &Value::Null);
                let value = counter["data"]["value"].as_i64().unwrap();
                let raised = json!({ "data": { "value": value + 1 }, "version": counter["version"] });
                let (status, body) = client.rows("PATCH", &path, &raised);
                match status {
                    200 => break,
                    409 => conflicts += 1,
                    _ => panic!("{status} {body}"),
                }
            }
        }
        conflicts
    };
    let conflicts: usize = std::thread::scope(|scope| {
        let both = [scope.spawn(|| work(&first)), scope.spawn(|| work(&second))];
        both.into_iter().map(|done| done.join().unwrap()).sum()
    });
    let (_, counter) = client.rows("GET", &path, &Value::Null);
    assert_eq!(
        (&counter["data"]["value"], &counter["version"]),
        (&json!(50), &json!(51)),
        "after {conflicts} conflicts"
    );
    let (_, notes) = client.rows("GET", "/note?page_size=200", &Value::Null);
    let mut numbers: Vec<&str> =
        notes["items"].as_array().unwrap().iter().map(|note| note["data"]["number"].as_str().unwrap()).collect();
    numbers.sort_unstable();
    let expected: Vec<String> = (1..=50).map(|number| format!("N{number:04}")).collect();
    assert_eq!(numbers, expected);

    // An upgrade of the tables needs the database alone: another host would go on with the old tables.
    let manifest = String::from_utf8(sandbox.read("erp-shared/plugin.toml")).unwrap();
    let more = field("remark", "field_type = \"string\"\nfilterable = true");
    sandbox.write("erp-shared/plugin.toml", manifest.replace("version = \"0.1.0\"", "version = \"0.2.0\"") + &more);
    sandbox.repack("erp-shared");
    let package = "erp-shared/dist/erp-shared-0.2.0.erpx";
    let (status, refused) = client.upload(&sandbox, package);
    assert_eq!((status, &refused["code"]), (409, &json!("migration.in_use")), "{refused}");
    drop(second);
    // The server notices a moment later that the other host is gone.
    let accepted = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        client.upload(&sandbox, package).0 == 201
    });
    assert!(accepted, "the upgrade is refused also when nobody else is there");
}

#[test]
fn a_host_that_is_killed_finds_its_plugins_and_rows_in_postgresql_again() {
    let address = empty_database();
    let sandbox = Sandbox::new();
    let mut host = sandbox.dev_host(&["--database", &address]);
    let client = running(&sandbox, &host, "erp-kept", &numbered_rows());
    let (status, note) = client.rows("POST", "/note", &json!({}));
    assert_eq!((status, &note["data"]["number"]), (201, &json!("N0001")), "{note}");
    host.child.kill().unwrap();
    host.child.wait().unwrap();
    let host = sandbox.dev_host(&["--database", &address]);
    let client = Client::new(&host, "admin@acme", "erp-kept");
    let (status, note) = client.rows("POST", "/note", &json!({}));
    assert_eq!((status, &note["data"]["number"]), (201, &json!("N0002")), "{note}");
}

/// Returns the parts of the tests' address: the folder of the cluster, its port, and the name of an empty database.
fn cluster() -> (String, String, String) {
    let address = empty_database();
    let (server, name) = address.rsplit_once('/').unwrap();
    let (folder, port) = server.trim_start_matches("postgres://erp@").rsplit_once(':').unwrap();
    (folder.replace("%2F", "/"), port.to_owned(), name.to_owned())
}

#[test]
fn postgresql_is_spoken_to_in_tls_and_its_certificate_is_looked_at() {
    let (folder, port, name) = cluster();
    let open = |host: &str, query: &str| {
        let address = format!("postgres://erp@{host}:{port}/{name}?connect_timeout=5&{query}");
        Database::open_postgres(&address.parse().unwrap()).map_err(|error| error.to_string())
    };
    let authority = format!("sslrootcert={folder}/server.crt");
    for query in ["sslmode=require".to_owned(), format!("sslmode=verify-full&{authority}"), authority.clone()] {
        let mut database = open("localhost", &query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let sql = "select count(*) from pg_stat_ssl where ssl and pid = pg_backend_pid()";
        let (_, rows) = database.inspect(None, None, sql, 1).unwrap();
        assert_eq!(rows[0][0], 1, "{query}");
    }
    // A host name that is not in the certificate, and a certificate that the system does not trust.
    for (host, query) in [("127.0.0.1", authority.as_str()), ("localhost", "sslmode=verify-full")] {
        let error = open(host, query).unwrap_err();
        assert!(error.contains("certificate"), "{error}");
    }
    assert!(open("localhost", "sslmode=disable").is_ok());
}

#[test]
fn a_statement_of_a_stranger_costs_the_host_no_memory() {
    let mut database = Database::open_postgres(&empty_database().parse().unwrap()).unwrap();
    for large in ["select repeat('x', 100000000)", "select repeat('x', 1000000) from generate_series(1, 900)"] {
        let error = database.inspect(None, None, large, 1_000).unwrap_err();
        assert_eq!(error.code().name(), "db.bad_query", "{large}: {error}");
    }
    assert!(database.inspect(None, None, "select * from public.ERP_secrets", 10).is_err());
    assert!(database.inspect(None, None, "select 1 as one, null, repeat('x', 1000) as text", 10).is_ok());
}

#[test]
fn a_server_that_was_restarted_meanwhile_answers_the_first_question() {
    let address = empty_database();
    let manifest = manifest();
    let mut side = Side::new(Database::open_postgres(&address.parse().unwrap()).unwrap(), &manifest);
    let entity = side.entity(&manifest, manifest.schema.entities[0].name.as_str());
    let scope = Scope::of_tenant(&TenantId::new("acme").unwrap(), Moment::parse("2026-04-15T08:00:00Z").unwrap());
    let mut other = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut break_off = || {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        other.execute(sql, &[]).unwrap();
    };
    assert_eq!(side.database.reader().count(&entity, &scope, &ListQuery::default()).unwrap(), 0);
    break_off();
    assert_eq!(
        side.database.reader().count(&entity, &scope, &ListQuery::default()).unwrap(),
        0,
        "a question of its own"
    );
    break_off();
    side.database.begin().unwrap();
    assert_eq!(side.database.reader().count(&entity, &scope, &ListQuery::default()).unwrap(), 0, "a unit of work");
    side.database.rollback();
}
