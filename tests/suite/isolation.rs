//! What two units of work on PostgreSQL may do to each other: step by step, in the orders in which something could be lost.

use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, PluginId, TenantId};
use erp_storage::{Attempt, BatchKind, BatchStep, EntityRef, ListQuery, Row, RowReach, Scope, Storage, StoreError};
use erp_store::{Database, Pool, UnitOfWork};
use serde_json::{Value, json};

use crate::support::empty_database;

const MANIFEST: &str = r#"
[metadata]
id = "erp-demo"
name = "Demo"
version = "1.0.0"

[[schema.entities]]
name = "order"
display_name = "Order"
fields = [
    { name = "status", field_type = "string", display_name = "Status" },
    { name = "total", field_type = "integer", display_name = "Total", computed = "sum(line.quantity)" },
]

[[schema.entities]]
name = "line"
display_name = "Line"
child_of = "order"
fields = [
    { name = "order_id", field_type = "ref", ref_entity = "order", display_name = "Order", required = true },
    { name = "quantity", field_type = "integer", display_name = "Quantity" },
]

[[schema.entities]]
name = "note"
display_name = "Note"
fields = [{ name = "order_id", field_type = "ref", ref_entity = "order", display_name = "Order" }]
"#;

struct World {
    pool: Pool,
    manifest: Arc<Manifest>,
    scope: Scope,
    ids: std::cell::Cell<u32>,
}

impl World {
    fn new() -> World {
        let source = SourceFile::new("plugin.toml", MANIFEST);
        let (manifest, report) = erp_manifest::parse(&source);
        let manifest = Arc::new(manifest.unwrap_or_else(|| panic!("{:?}", report.diagnostics())));
        let mut database = Database::open_postgres(&empty_database().parse().unwrap()).unwrap();
        let now = Moment::parse("2026-04-15T08:00:00Z").unwrap();
        database.schema().install(&manifest, &source, now).unwrap();
        let scope = Scope::of_tenant(&TenantId::new("acme").unwrap(), now);
        World { pool: Pool::new(database, 3).unwrap(), manifest, scope, ids: std::cell::Cell::new(0) }
    }

    fn begin(&self) -> UnitOfWork {
        self.pool.begin(Attempt::first(&self.scope.tenant)).unwrap()
    }

    fn entity(&self, name: &str) -> EntityRef {
        EntityRef::all(&self.manifest).find(|entity| entity.name.as_str() == name).unwrap()
    }

    fn insert(&self, unit: &mut UnitOfWork, name: &str, row: &Value) -> Result<Row, StoreError> {
        let mut new_id = || {
            self.ids.set(self.ids.get() + 1);
            format!("01a22e93-c61f-7000-8614-{:012x}", self.ids.get())
        };
        unit.writer().insert(&self.entity(name), &self.scope, row.as_object().unwrap(), &mut new_id)
    }

    fn kept(&self, name: &str, row: &Value) -> Row {
        let mut unit = self.begin();
        let row = self.insert(&mut unit, name, row).unwrap();
        unit.commit().unwrap();
        row
    }

    fn get(&self, unit: &UnitOfWork, name: &str, id: &str) -> Row {
        unit.reader().get(&self.entity(name), &self.scope, id).unwrap()
    }

    fn set(&self, unit: &mut UnitOfWork, name: &str, id: &str, patch: &Value) -> Result<Row, StoreError> {
        unit.writer().update(&self.entity(name), &self.scope, id, patch.as_object().unwrap(), None)
    }

    fn plugin(&self) -> &PluginId {
        &self.manifest.metadata.id
    }
}

#[test]
fn what_was_made_of_a_row_that_changed_meanwhile_is_not_written() {
    let world = World::new();
    let order = world.kept("order", &json!({ "status": "a" }));
    for reads_again in [false, true] {
        let (mut first, mut second) = (world.begin(), world.begin());
        world.get(&first, "order", &order.id);
        world.set(&mut second, "order", &order.id, &json!({ "status": "b" })).unwrap();
        second.commit().unwrap();
        if reads_again {
            // Reading the row again does not change what the guest has already computed with.
            first.reader().list(&world.entity("order"), &world.scope, &ListQuery::default()).unwrap();
        }
        let refused = world.set(&mut first, "order", &order.id, &json!({ "status": "c" }));
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        assert!(matches!(first.commit(), Err(StoreError::Conflict)), "it can only be undone");
    }
    // A sum over child rows changes its row without a new version.
    let (mut first, mut second) = (world.begin(), world.begin());
    assert_eq!(world.get(&first, "order", &order.id).data["total"], 0);
    world.insert(&mut second, "line", &json!({ "order_id": order.id, "quantity": 5 })).unwrap();
    second.commit().unwrap();
    let refused = world.set(&mut first, "order", &order.id, &json!({ "status": "d" }));
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

#[test]
fn a_step_that_was_refused_is_forgotten_with_what_it_had_read() {
    let world = World::new();
    let order = world.kept("order", &json!({ "status": "a" }));
    world.kept("note", &json!({ "order_id": order.id }));
    let mut unit = world.begin();
    let all = world.entity("order");
    // The batch changes the row and fails; a savepoint undoes the change: the row is as before.
    let steps = [
        BatchStep {
            kind: BatchKind::Update,
            entity: "order".to_owned(),
            id: Some(order.id.clone()),
            data: json!({ "status": "b" }).as_object().unwrap().clone(),
            expected_version: None,
            name: None,
        },
        BatchStep {
            kind: BatchKind::Delete,
            entity: "order".to_owned(),
            id: Some("01a22e93-c61f-7000-8614-ffffffffffff".to_owned()),
            data: serde_json::Map::new(),
            expected_version: None,
            name: None,
        },
    ];
    let reaches = [RowReach::All, RowReach::All];
    let mut new_id = || unreachable!();
    let own = world.plugin().clone();
    unit.writer().batch(&own, &world.scope, &reaches, &steps, &mut new_id).unwrap_err();
    assert_eq!(unit.reader().get(&all, &world.scope, &order.id).unwrap().version, 1);
    world.set(&mut unit, "order", &order.id, &json!({ "status": "c" })).unwrap();
    assert_eq!(unit.commit().unwrap().len(), 1);
}

#[test]
fn a_row_that_is_deleted_takes_along_what_began_to_hang_on_it() {
    let world = World::new();
    let order = world.kept("order", &json!({ "status": "a" }));
    let mut naming = world.begin();
    world.insert(&mut naming, "line", &json!({ "order_id": order.id, "quantity": 1 })).unwrap();
    std::thread::scope(|threads| {
        let (pool, entity, scope) = (&world.pool, world.entity("order"), world.scope.clone());
        let id = &order.id;
        let deleting = threads.spawn(move || {
            let mut unit = pool.begin(Attempt::first(&scope.tenant))?;
            unit.writer().delete(&entity, &scope, id, None)?;
            unit.commit()
        });
        // Deleting waits for the unit of work that refers to the row.
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!deleting.is_finished());
        naming.commit().unwrap();
        assert_eq!(deleting.join().unwrap().unwrap().len(), 2, "the order and its line");
    });
    let mut unit = world.begin();
    assert_eq!(unit.reader().count(&world.entity("line"), &world.scope, &ListQuery::default()).unwrap(), 0);
    let late = world.insert(&mut unit, "line", &json!({ "order_id": order.id, "quantity": 1 }));
    assert!(matches!(late, Err(StoreError::RefMissing { .. })), "{late:?}");
}

#[test]
fn keys_are_counted_and_claimed_once() {
    let world = World::new();
    let plugin = world.plugin().clone();
    let (mut first, mut second) = (world.begin(), world.begin());
    assert_eq!(first.keys().key_value(&plugin, &world.scope, "claim").unwrap(), None);
    second.keys().set_key_value(&plugin, &world.scope, "claim", &json!("theirs"), None).unwrap();
    second.commit().unwrap();
    let refused = first.keys().set_key_value(&plugin, &world.scope, "claim", &json!("ours"), None);
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    drop(first);
    // Eight threads that count at the same time lose no step.
    std::thread::scope(|threads| {
        for _ in 0..8 {
            let (pool, scope, plugin) = (&world.pool, world.scope.clone(), &plugin);
            threads.spawn(move || {
                let mut unit = pool.begin(Attempt::first(&scope.tenant)).unwrap();
                let old =
                    unit.keys().key_value_to_change(plugin, &scope, "n").unwrap().and_then(|n| n.as_i64()).unwrap_or(0);
                unit.keys().change_key_value(plugin, &scope, "n", &json!(old + 1)).unwrap();
                unit.commit().unwrap();
            });
        }
    });
    assert_eq!(world.begin().keys().key_value(&plugin, &world.scope, "n").unwrap(), Some(json!(8)));
}

#[test]
fn a_connection_comes_back_from_a_unit_that_was_given_up() {
    let world = World::new();
    for _ in 0..6 {
        let mut unit = world.begin();
        world.insert(&mut unit, "order", &json!({ "status": "x" })).unwrap();
        drop(unit);
    }
    let unit = world.begin();
    assert_eq!(unit.reader().count(&world.entity("order"), &world.scope, &ListQuery::default()).unwrap(), 0);
    // The pool has three connections, and none of them is lost.
    let others = (world.begin(), world.begin());
    drop((unit, others));
}

#[test]
fn a_long_unit_of_one_tenant_holds_no_other_one() {
    let world = World::new();
    let order = world.kept("order", &json!({ "status": "a" }));
    let mut long = world.begin();
    world.set(&mut long, "order", &order.id, &json!({ "status": "b" })).unwrap();
    world.insert(&mut long, "line", &json!({ "order_id": order.id, "quantity": 1 })).unwrap();
    let other = World { scope: Scope { tenant: TenantId::new("other").unwrap(), ..world.scope.clone() }, ..world };
    let started = std::time::Instant::now();
    let theirs = other.kept("order", &json!({ "status": "c" }));
    other.kept("line", &json!({ "order_id": theirs.id, "quantity": 2 }));
    assert_eq!(other.get(&other.begin(), "order", &theirs.id).data["total"], 2);
    assert!(started.elapsed() < std::time::Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(long.commit().unwrap().len(), 2);
}
