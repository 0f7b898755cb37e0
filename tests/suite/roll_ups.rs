//! Computed fields over child rows, on both databases: updated in the unit of work that changes a child.

use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId, parse};
use erp_storage::{EntityRef, Scope, StoreError};
use erp_store::Database;
use serde_json::{Map, Value, json};

use crate::support::{Sandbox, postgres_url};

const HEAD: &str = "manifest_version = 1\n[metadata]\nid = \"erp-sums\"\nname = \"和\"\nversion = \"1.0.0\"\n[runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n";

/// Orders with lines, under customers, and categories under categories.
const TABLES: &str = r#"
[schema]
schema_version = 1

[[schema.entities]]
name = "customer"
display_name = "客户"
fields = [{ name = "owes", field_type = "currency", computed = "sum(order.total)" }]

[[schema.entities]]
name = "order"
display_name = "订单"
fields = [
  { name = "customer_id", field_type = "ref", ref_entity = "customer" },
  { name = "discount", field_type = "currency", default = 0 },
  { name = "net", field_type = "currency", computed = "sum(lines.amount)" },
  { name = "total", field_type = "currency", computed = "net - coalesce(discount, 0)" },
  { name = "pieces", field_type = "integer", computed = "sum(lines.quantity) + 0" },
  { name = "rows", field_type = "integer", computed = "count(lines)" },
  { name = "first_due", field_type = "date", computed = "min(lines.due)" },
  { name = "dearest", field_type = "currency", computed = "max(lines.price)" },
  { name = "is_paid", field_type = "boolean", computed = "count(payment) > 0" },
]
relations = [{ name = "lines", type = "one_to_many", target_entity = "line", foreign_key = "order_id", on_delete = "cascade" }]
constraints = [{ name = "limit", expr = "net <= 1000", message = "最多一千" }]

[[schema.entities]]
name = "line"
display_name = "行"
fields = [
  { name = "order_id", field_type = "ref", ref_entity = "order" },
  { name = "replaces_id", field_type = "ref", ref_entity = "order" },
  { name = "quantity", field_type = "integer" },
  { name = "price", field_type = "currency" },
  { name = "due", field_type = "date" },
  { name = "amount", field_type = "currency", computed = "quantity * price" },
]

[[schema.entities]]
name = "payment"
display_name = "付款"
fields = [{ name = "order_id", field_type = "ref", ref_entity = "order" }]

[[schema.entities]]
name = "category"
display_name = "类"
fields = [
  { name = "above_id", field_type = "ref", ref_entity = "category" },
  { name = "own", field_type = "integer" },
  { name = "all", field_type = "integer", computed = "coalesce(own, 0) + sum(category.all)" },
]
"#;

fn manifest(tables: &str) -> Arc<Manifest> {
    let source = SourceFile::new("plugin.toml", format!("{HEAD}{tables}"));
    let (manifest, report) = parse(&source);
    assert!(!report.has_errors(), "{:?}", report.diagnostics());
    Arc::new(manifest.unwrap())
}

fn scope() -> Scope {
    let now = Moment::parse("2026-04-15T08:00:00+08:00").unwrap();
    Scope::of_tenant(&TenantId::new("acme".to_owned()).unwrap(), now)
}

/// A database with the entities; the ids of its rows count up.
struct Tables {
    database: Database,
    manifest: Arc<Manifest>,
    next: u32,
}

impl Tables {
    /// Returns the same tables in both databases.
    fn both(tables: &str) -> [Tables; 2] {
        [Database::in_memory().unwrap(), Database::scratch(&postgres_url()).unwrap()].map(|mut database| {
            let manifest = manifest(tables);
            database.begin().unwrap();
            database.upgrades().upgrade(None, &manifest, scope().now, |_| Ok(())).unwrap();
            database.serve_schema(&manifest);
            Tables { database, manifest, next: 0 }
        })
    }

    fn entity(&self, name: &str) -> EntityRef {
        self.database.catalog().entity(&self.manifest.metadata.id, name).unwrap()
    }

    fn try_insert(&mut self, entity: &str, data: &Value) -> Result<String, StoreError> {
        let entity = self.entity(entity);
        self.next += 1;
        let id = format!("00000000-0000-7000-8000-{:012}", self.next);
        let row = self.database.writer().insert(&entity, &scope(), data.as_object().unwrap(), &mut || id.clone())?;
        Ok(row.id)
    }

    fn insert(&mut self, entity: &str, data: &Value) -> String {
        self.try_insert(entity, data).unwrap()
    }

    fn update(&mut self, entity: &str, id: &str, patch: &Value) -> Result<u32, StoreError> {
        let entity = self.entity(entity);
        self.database.writer().update(&entity, &scope(), id, patch.as_object().unwrap(), None).map(|row| row.version)
    }

    /// Returns the data of a row.
    fn row(&self, entity: &str, id: &str) -> Map<String, Value> {
        self.database.reader().get(&self.entity(entity), &scope(), id).unwrap().data
    }
}

#[test]
fn sums_follow_their_rows_in_the_same_unit_of_work() {
    for mut tables in Tables::both(TABLES) {
        let dialect = tables.database.dialect();
        let customer = tables.insert("customer", &json!({}));
        let [one, other] =
            [(); 2].map(|()| tables.insert("order", &json!({ "customer_id": customer, "discount": "1.50" })));
        let fresh = tables.row("order", &one);
        let none = ["net", "total", "pieces", "rows", "is_paid"].map(|name| fresh[name].clone());
        assert_eq!(none, [json!("0.00"), json!("-1.50"), json!(0), json!(0), json!(false)], "{dialect:?}");
        assert!(!fresh.contains_key("first_due") && !fresh.contains_key("dearest"), "{fresh:?}");

        let line = |order: &str, quantity: u32, price: &str, due: &str| json!({ "order_id": order, "quantity": quantity, "price": price, "due": due });
        let first = tables.insert("line", &line(&one, 3, "0.35", "2026-06-01"));
        tables.insert("line", &line(&one, 2, "10", "2026-05-01"));
        let payment = tables.insert("payment", &json!({ "order_id": one }));
        let all = |tables: &Tables, order: &str| {
            let row = tables.row("order", order);
            ["net", "total", "pieces", "rows", "first_due", "dearest"]
                .map(|name| row.get(name).cloned().unwrap_or_default())
        };
        let expected = json!(["21.05", "19.55", 5, 2, "2026-05-01", "10.00"]);
        assert_eq!(json!(all(&tables, &one)), expected, "{dialect:?}");
        assert_eq!(tables.row("order", &one)["is_paid"], true);
        assert_eq!(tables.row("customer", &customer)["owes"], "18.05", "two levels up: 19.55 and -1.50");

        // A line that moves is taken off one order and added to the other.
        tables.update("line", &first, &json!({ "order_id": other, "quantity": 10 })).unwrap();
        assert_eq!(json!(all(&tables, &one)), json!(["20.00", "18.50", 2, 1, "2026-05-01", "10.00"]));
        assert_eq!(json!(all(&tables, &other)), json!(["3.50", "2.00", 10, 1, "2026-06-01", "0.35"]));

        // A deleted row does not count; a restored one counts again.
        let lines = tables.entity("line");
        tables.database.writer().delete(&lines, &scope(), &first, None).unwrap();
        assert_eq!(json!(all(&tables, &other)), json!(["0.00", "-1.50", 0, 0, null, null]));
        tables.database.writer().restore(&lines, &scope(), &first).unwrap();
        assert_eq!(tables.row("order", &other)["pieces"], 10);
        let payments = tables.entity("payment");
        tables.database.writer().delete(&payments, &scope(), &payment, None).unwrap();
        assert_eq!(tables.row("order", &one)["is_paid"], false);

        // The order's own rule refuses the line, and nothing of it is stored.
        let refused = tables.try_insert("line", &line(&other, 100, "99", "2026-06-01")).unwrap_err();
        let StoreError::Validation { entity, problems } = refused else { panic!("{refused}") };
        assert_eq!((entity.as_str(), problems[0].message.as_str()), ("order", "最多一千"));
        assert!(tables.update("line", &first, &json!({ "price": "1000" })).is_err());
        assert_eq!(json!(all(&tables, &other)), json!(["3.50", "2.00", 10, 1, "2026-06-01", "0.35"]));

        // No user edited the order, so a client that has it open can save it.
        let orders = tables.entity("order");
        let patch = json!({ "discount": null });
        let saved =
            tables.database.writer().update(&orders, &scope(), &other, patch.as_object().unwrap(), Some(1)).unwrap();
        assert_eq!((saved.version, &saved.data["total"]), (2, &json!("3.50")));
        assert_eq!(tables.row("customer", &customer)["owes"], "22.00");
    }
}

#[test]
fn sums_of_a_tree_go_up_to_its_root_and_a_circle_ends() {
    for mut tables in Tables::both(TABLES) {
        let mut above = Value::Null;
        let ids: Vec<String> = (0..5)
            .map(|own| {
                let id = tables.insert("category", &json!({ "above_id": above, "own": own }));
                above = json!(id);
                id
            })
            .collect();
        assert_eq!(tables.row("category", &ids[0])["all"], 1 + 2 + 3 + 4);
        tables.update("category", &ids[4], &json!({ "own": 100 })).unwrap();
        assert_eq!(tables.row("category", &ids[0])["all"], 1 + 2 + 3 + 100);
        let refused = tables.update("category", &ids[0], &json!({ "above_id": ids[4] })).unwrap_err();
        assert!(refused.to_string().contains("more than 100 rows"), "{refused}");
        assert_eq!(tables.row("category", &ids[0])["all"], 106, "{:?}", tables.database.dialect());
    }
}

#[test]
fn an_upgrade_brings_sums_for_the_rows_that_are_there() {
    let plain = |text: &str| -> String {
        text.lines()
            .filter(|line| {
                !["sum(", "count(", "min(", "max(", "net - ", "net <="].iter().any(|part| line.contains(part))
            })
            .collect::<Vec<_>>()
            .join("\n")
    };
    let first = plain(TABLES).replace(
        "name = \"customer\"\ndisplay_name = \"客户\"",
        "name = \"customer\"\ndisplay_name = \"客户\"\nfields = [{ name = \"note\", field_type = \"string\" }]",
    );
    for mut tables in Tables::both(&first) {
        let customer = tables.insert("customer", &json!({}));
        let order = tables.insert("order", &json!({ "customer_id": customer, "discount": "1" }));
        for quantity in [1, 2] {
            tables.insert("line", &json!({ "order_id": order, "quantity": quantity, "price": "4" }));
        }
        let root = tables.insert("category", &json!({ "own": 1 }));
        let mid = tables.insert("category", &json!({ "above_id": root, "own": 2 }));
        tables.insert("category", &json!({ "above_id": mid, "own": 4 }));
        tables.database.commit().unwrap();
        let new = manifest(&TABLES.replace("schema_version = 1", "schema_version = 2").replace(
            "fields = [{ name = \"owes\"",
            "fields = [{ name = \"note\", field_type = \"string\" }, { name = \"owes\"",
        ));
        tables.database.begin().unwrap();
        tables.database.upgrades().upgrade(Some(&tables.manifest), &new, scope().now, |_| Ok(())).unwrap();
        tables.database.commit().unwrap();
        tables.database.serve_schema(&new);
        tables.manifest = new;
        let row = tables.row("order", &order);
        assert_eq!((&row["net"], &row["rows"], &row["total"]), (&json!("12.00"), &json!(2), &json!("11.00")));
        assert_eq!(tables.row("customer", &customer)["owes"], "11.00", "{:?}", tables.database.dialect());
        assert_eq!(tables.row("category", &root)["all"], 7);
    }
}

#[test]
fn a_roll_up_that_cannot_be_is_found_at_its_place() {
    let sandbox = Sandbox::new();
    for (computed, code, message) in [
        ("sum(linse.amount)", "manifest/unknown-entity", "`linse` names no child rows of `order`"),
        ("sum(line.amount)", "manifest/unknown-entity", "by several fields: order_id, replaces_id"),
        ("sum(lines.amout)", "manifest/unknown-field", "`line` has no field `amout`"),
        ("sum(lines.due)", "expression/type", "`due` is a date, which has no `sum`"),
        ("sum(net)", "expression/type", "`sum` goes over child rows"),
        ("count(customer)", "manifest/unknown-entity", "names no child rows"),
        ("max(lines.due)", "expression/type", "this is a date, and a number is needed"),
    ] {
        let tables = TABLES.replace("computed = \"sum(lines.amount)\"", &format!("computed = \"{computed}\""));
        sandbox.write("plugin.toml", format!("{HEAD}{tables}"));
        let (_, checked) = sandbox.json(&["check"]);
        let found = checked["findings"].as_array().unwrap();
        assert!(
            found.iter().any(|one| one["code"] == code && one["message"].as_str().unwrap().contains(message)),
            "{computed}: {checked:#}"
        );
    }
    // A condition may use its own row only.
    let tables = TABLES.replace("expr = \"net <= 1000\"", "expr = \"sum(lines.amount) <= 1000\"");
    sandbox.write("plugin.toml", format!("{HEAD}{tables}"));
    let (_, checked) = sandbox.json(&["check"]);
    assert!(checked.to_string().contains("which only `computed` can be"), "{checked:#}");
    sandbox.write("plugin.toml", format!("{HEAD}{TABLES}"));
    let (_, checked) = sandbox.json(&["check"]);
    assert!(!checked.to_string().contains("expression/"), "{checked:#}");
}
