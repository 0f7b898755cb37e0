//! The second version of a plugin, applied to rows of the first one, on both databases.

use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId, parse};
use erp_storage::{ListQuery, Row, Scope, StoreError};
use erp_store::{Database, Dialect, plan_upgrade};
use serde_json::{Map, Value, json};

use crate::support::postgres_url;

const HEAD: &str = "manifest_version = 1\n[metadata]\nid = \"erp-up\"\nname = \"上\"\n[runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n";

/// The first version of a plugin for stock.
const FIRST: &str = r#"
[schema]
schema_version = 1

[[schema.entities]]
name = "goods"
display_name = "货物"
[[schema.entities.fields]]
name = "sku"
field_type = "string"
required = true
unique = true
[[schema.entities.fields]]
name = "contact"
field_type = "string"
filterable = true
[[schema.entities.fields]]
name = "count"
field_type = "string"
sortable = true
[[schema.entities.fields]]
name = "price"
field_type = "decimal"
scale = 4
filterable = true
[[schema.entities.fields]]
name = "street"
field_type = "string"
[[schema.entities.fields]]
name = "city"
field_type = "string"
[[schema.entities.fields]]
name = "secret"
field_type = "string"

[[schema.entities]]
name = "old_log"
display_name = "日志"
[[schema.entities.fields]]
name = "text"
field_type = "string"
"#;

/// The second version, which changes everything about the first.
const SECOND: &str = r#"
[schema]
schema_version = 2

[[schema.entities]]
name = "item"
display_name = "物料"
renamed_from = "goods"
[[schema.entities.fields]]
name = "code"
field_type = "string"
required = true
unique = true
renamed_from = "sku"
[[schema.entities.fields]]
name = "first_name"
field_type = "string"
[[schema.entities.fields]]
name = "last_name"
field_type = "string"
filterable = true
[[schema.entities.fields]]
name = "count"
field_type = "integer"
sortable = true
[[schema.entities.fields]]
name = "price"
field_type = "currency"
filterable = true
[[schema.entities.fields]]
name = "address"
field_type = "text"
[[schema.entities.fields]]
name = "status"
field_type = "select"
required = true
options = [{ value = "rich", label = "贵" }, { value = "poor", label = "便宜" }]
[[schema.entities.fields]]
name = "value"
field_type = "currency"
computed = "count * price"

[[migrations]]
from = 1
to = 2
phase = "pre"
steps = [
  { do = "split", entity = "item", from = "contact", into = ["last_name", "first_name"], separator = " " },
  { do = "merge", entity = "item", fields = ["city", "street"], field = "address", separator = ", " },
  { do = "change_type", entity = "item", field = "count", otherwise = "clear" },
  { do = "change_type", entity = "item", field = "price", value = "round(price, 2)" },
  { do = "drop_field", entity = "item", field = "secret" },
  { do = "drop_entity", entity = "old_log" },
]

[[migrations]]
from = 1
to = 2
phase = "post"
steps = [
  { do = "backfill", entity = "item", field = "status", value = "if(price > 10, 'rich', 'poor')" },
]
"#;

fn manifest(version: &str, tables: &str) -> Arc<Manifest> {
    let text = HEAD.replace("name = \"上\"", &format!("name = \"上\"\nversion = \"{version}\"")) + tables;
    let source = SourceFile::new("plugin.toml", text);
    let (manifest, report) = parse(&source);
    assert!(!report.has_errors(), "{:?}", report.diagnostics());
    Arc::new(manifest.unwrap())
}

fn both() -> [Database; 2] {
    [Database::in_memory().unwrap(), Database::scratch(&postgres_url()).unwrap()]
}

fn now() -> Moment {
    Moment::parse("2026-04-15T08:00:00+08:00").unwrap()
}

fn scope() -> Scope {
    Scope::of_tenant(&TenantId::new("acme".to_owned()).unwrap(), now())
}

/// Installs the first version into a database, and inserts rows of it.
fn with_rows(mut database: Database, old: &Arc<Manifest>, entity: &str, rows: &[Value]) -> Database {
    database.begin().unwrap();
    database.upgrades().upgrade(None, old, now(), |_| Ok(())).unwrap();
    database.serve_schema(old);
    let entity = database.catalog().entity(&old.metadata.id, entity).unwrap();
    for (index, row) in rows.iter().enumerate() {
        let mut id = || format!("00000000-0000-7000-8000-{index:012}");
        database.writer().insert(&entity, &scope(), row.as_object().unwrap(), &mut id).unwrap();
    }
    database.commit().unwrap();
    database
}

fn upgrade(database: &mut Database, old: &Arc<Manifest>, new: &Arc<Manifest>) -> Result<u64, StoreError> {
    database.begin()?;
    match database.upgrades().upgrade(Some(old), new, now(), |_| Ok(())) {
        Ok(report) => {
            database.commit()?;
            database.serve_schema(new);
            Ok(report.upgrade.unwrap_or_default())
        }
        Err(error) => {
            database.rollback();
            Err(error)
        }
    }
}

fn rows(database: &Database, manifest: &Manifest, entity: &str) -> Vec<Map<String, Value>> {
    let entity = database.catalog().entity(&manifest.metadata.id, entity).unwrap();
    let page = database.reader().list(
        &entity,
        &scope(),
        &ListQuery { by_plugin: true, limit: Some(100), ..ListQuery::default() },
    );
    page.unwrap().rows.into_iter().map(|row: Row| row.data).collect()
}

fn stock() -> Vec<Value> {
    vec![
        json!({ "sku": "A-1", "contact": "王 小明", "count": "12", "price": "20.1250", "street": "南京路 1", "city": "上海", "secret": "x" }),
        json!({ "sku": "A-2", "contact": "Ada", "count": "a dozen", "price": "3.5", "city": "北京" }),
        json!({ "sku": "A-3" }),
    ]
}

#[test]
fn a_new_version_takes_all_rows_along_and_a_rollback_brings_them_back() {
    let (old, new) = (manifest("1.0.0", FIRST), manifest("2.0.0", SECOND));
    for database in both() {
        let dialect = database.dialect();
        let mut database = with_rows(database, &old, "goods", &stock());
        let before = rows(&database, &old, "goods");
        let number = upgrade(&mut database, &old, &new).unwrap();
        // A host does this when it starts again; nothing changes.
        database.schema().install_schema(&new).unwrap();
        let after = Value::from(rows(&database, &new, "item").into_iter().map(Value::Object).collect::<Vec<_>>());
        let expected = json!([
            { "code": "A-1", "first_name": "小明", "last_name": "王", "count": 12, "price": "20.13",
              "address": "上海, 南京路 1", "status": "rich", "value": "241.56" },
            { "code": "A-2", "last_name": "Ada", "price": "3.50", "address": "北京", "status": "poor" },
            { "code": "A-3", "status": "poor" },
        ]);
        assert_eq!(after, expected, "{dialect:?}");
        // Rows are found by the new names, and sorted by the new types.
        let item = database.catalog().entity(&new.metadata.id, "item").unwrap();
        let query = ListQuery {
            filter: json!({ "count": { "gt": 3 }, "last_name": "王" }),
            sort: vec!["-count".into()],
            by_plugin: true,
            ..ListQuery::default()
        };
        assert_eq!(database.reader().count(&item, &scope(), &query).unwrap(), 1);
        assert_eq!(database.upgrades().all(&new.metadata.id).unwrap()[0].from_version, "1.0.0");

        // A value written after the upgrade prevents a rollback, and the error counts its row.
        database.begin().unwrap();
        let patch = json!({ "count": 13 }).as_object().unwrap().clone();
        database.writer().update(&item, &scope(), "00000000-0000-7000-8000-000000000000", &patch, None).unwrap();
        database.commit().unwrap();
        database.begin().unwrap();
        let error = database.upgrades().roll_back(number, (&old, &new), false, now()).unwrap_err();
        assert_eq!((error.code().name(), error.details()["count"].as_u64()), ("migration.rows_at_stake", Some(1)));
        database.rollback();
        database.begin().unwrap();
        let reversal = database.upgrades().roll_back(number, (&old, &new), true, now()).unwrap();
        database.commit().unwrap();
        database.serve_schema(&old);
        assert_eq!((reversal.restored, reversal.discarded), (3, 1), "{dialect:?}");
        assert_eq!(rows(&database, &old, "goods"), before, "{dialect:?}");
        assert!(rows(&database, &old, "old_log").is_empty());
        // And forward again.
        upgrade(&mut database, &old, &new).unwrap();
        assert_eq!(rows(&database, &new, "item").len(), 3);
    }
}

#[test]
fn what_would_be_lost_or_does_not_fit_is_refused_with_its_rows_and_nothing_changes() {
    let old = manifest("1.0.0", FIRST);
    let changed = |from: &str, to: &str| {
        manifest("1.1.0", &FIRST.replace(from, to).replace("schema_version = 1", "schema_version = 2"))
    };
    let field = |name: &str, kind: &str| format!("name = \"{name}\"\nfield_type = \"{kind}\"\n");
    let cases = [
        (changed(&format!("[[schema.entities.fields]]\n{}", field("secret", "string")), ""), "goods.secret", 1),
        (changed(&field("count", "string"), &field("count", "integer")), "goods.count", 1),
        (changed("scale = 4", "scale = 2"), "goods.price", 1),
        (changed(&field("city", "string"), &(field("city", "string") + "required = true\n")), "goods.city", 1),
        (changed("name = \"goods\"", "name = \"wares\""), "goods", 3),
        (changed(&field("street", "string"), &(field("street", "string") + "unique = true\n")), "goods.street", 1),
    ];
    for database in both() {
        let dialect = database.dialect();
        let mut stock = stock();
        stock.push(json!({ "sku": "A-4", "street": "南京路 1", "city": "上海" }));
        stock.push(json!({ "sku": "A-5", "city": "上海" }));
        let mut database = with_rows(database, &old, "goods", &stock[..3]);
        for (new, place, count) in &cases {
            if *place == "goods.street" {
                database.begin().unwrap();
                let goods = database.catalog().entity(&old.metadata.id, "goods").unwrap();
                let mut id = || "00000000-0000-7000-8000-000000000009".to_owned();
                database.writer().insert(&goods, &scope(), stock[3].as_object().unwrap(), &mut id).unwrap();
                database.commit().unwrap();
            }
            let before = rows(&database, &old, "goods");
            let error = upgrade(&mut database, &old, new).unwrap_err();
            let details = error.details();
            assert_eq!(
                (error.code().name(), details["place"].as_str(), details["count"].as_u64()),
                ("migration.rows_at_stake", Some(*place), Some(*count)),
                "{dialect:?}: {error} {details}"
            );
            assert!(!details["rows"][0]["problem"].as_str().unwrap().is_empty());
            assert_eq!(rows(&database, &old, "goods"), before, "{dialect:?} {place}");
        }
    }
}

#[test]
fn a_plan_says_what_is_locked_and_what_is_written_anew() {
    let (old, new) = (manifest("1.0.0", FIRST), manifest("2.0.0", SECOND));
    let show = |dialect: Dialect| {
        let mut text = format!("-- {}\n", dialect.name());
        for step in plan_upgrade(dialect, &old, &new) {
            let by = if step.by_host { ", by the host" } else { "" };
            let rewrites = if step.rewrites { ", writes every row" } else { "" };
            text += &format!(
                "-- {} (locks: {:?}{rewrites}{by})\n{};\n",
                step.title,
                step.lock,
                step.statements.join(";\n")
            );
        }
        text
    };
    let expected = crate::support::repository().join("tests/snapshots/upgrade-plan.sql");
    crate::support::expect_file(&expected, &(show(Dialect::Sqlite) + &show(Dialect::Postgres)));
}

/// Returns tables: a schema version, the entity `order` with the given fields (name, type and more), and `more`.
fn orders(schema: u64, fields: &[(&str, &str)], more: &str) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, rest)| format!("[[schema.entities.fields]]\nname = \"{name}\"\nfield_type = {rest}\n"))
        .collect();
    format!(
        "[schema]\nschema_version = {schema}\n[[schema.entities]]\nname = \"order\"\ndisplay_name = \"订单\"\n{fields}{more}"
    )
}

const SHELF: &str = "[[schema.entities]]\nname = \"shelf\"\ndisplay_name = \"架\"\n[[schema.entities.fields]]\nname = \"code\"\nfield_type = \"string\"\nunique = true\n";

#[test]
fn a_customer_may_skip_a_version() {
    let old = manifest("1.0.0", &orders(1, &[("threshold", "\"integer\""), ("note", "\"string\"")], ""));
    let steps = "[[migrations]]\nfrom = 1\nto = 2\nsteps = [{ do = \"rename_field\", entity = \"order\", field = \"minimum\", from = \"threshold\" }]\n\
                 [[migrations]]\nfrom = 1\nto = 2\nphase = \"post\"\nsteps = [{ do = \"backfill\", entity = \"order\", field = \"memo\", value = \"note\" }]\n\
                 [[migrations]]\nfrom = 2\nto = 3\nsteps = [\n  { do = \"rename_field\", entity = \"order\", field = \"lowest\", from = \"minimum\" },\n  \
                 { do = \"drop_field\", entity = \"order\", field = \"note\" },\n]\n\
                 [[migrations]]\nfrom = 2\nto = 3\nphase = \"after_fixtures\"\nsteps = [{ do = \"backfill\", entity = \"order\", field = \"last\", value = \"note\" }]\n";
    let fields = [("lowest", "\"decimal\"\nfilterable = true"), ("memo", "\"string\""), ("last", "\"string\"")];
    let new = manifest("3.0.0", &orders(3, &fields, steps));
    for database in both() {
        let mut database = with_rows(database, &old, "order", &[json!({ "threshold": 7, "note": "加急" })]);
        upgrade(&mut database, &old, &new).unwrap();
        let expected = json!([{ "lowest": "7", "memo": "加急", "last": "加急" }]);
        let after = Value::from(rows(&database, &new, "order").into_iter().map(Value::Object).collect::<Vec<_>>());
        assert_eq!(after, expected, "{:?}", database.dialect());
    }
}

#[test]
fn a_name_that_no_field_has_never_clears_a_value() {
    let old = manifest("1.0.0", &orders(1, &[("name", "\"string\"\nrequired = true"), ("count", "\"string\"")], ""));
    for (step, place) in [
        (
            "{ do = \"backfill\", entity = \"order\", field = \"name\", value = \"nosuch\", when = \"1 == 1\" }",
            "order.name",
        ),
        ("{ do = \"change_type\", entity = \"order\", field = \"count\", value = \"cuont * 2\" }", "order.count"),
    ] {
        let steps = format!("[[migrations]]\nfrom = 1\nto = 2\nsteps = [{step}]\n");
        let fields = [("name", "\"string\"\nrequired = true"), ("count", "\"integer\"")];
        let new = manifest("2.0.0", &orders(2, &fields, &steps));
        for database in both() {
            let mut database = with_rows(database, &old, "order", &[json!({ "name": "甲", "count": "3" })]);
            let error = upgrade(&mut database, &old, &new).unwrap_err();
            assert_eq!(
                (error.code().name(), error.details()["place"].as_str()),
                ("migration.rows_at_stake", Some(place)),
                "{error}"
            );
        }
    }
}

#[test]
fn a_rollback_brings_back_deleted_rows_dropped_tables_and_equal_values_and_may_be_followed_by_the_upgrade() {
    let steps = "[[migrations]]\nfrom = 1\nto = 2\nsteps = [\n  \
                 { do = \"backfill\", entity = \"order\", field = \"name\", value = \"code\", when = \"1 == 1\" },\n  \
                 { do = \"drop_entity\", entity = \"shelf\" },\n]\n\
                 [[schema.entities]]\nname = \"bin\"\ndisplay_name = \"箱\"\n[[schema.entities.fields]]\nname = \"code\"\nfield_type = \"string\"\nunique = true\n\
                 [[fixtures]]\nentity = \"bin\"\nkey = [\"code\"]\nrows = [{ code = \"B-1\" }]\n";
    let old = manifest("1.0.0", &orders(1, &[("code", "\"string\""), ("name", "\"string\"")], SHELF));
    let new = manifest("2.0.0", &orders(2, &[("code", "\"string\""), ("name", "\"string\"\nunique = true")], steps));
    let again = manifest("3.0.0", &orders(3, &[("code", "\"string\""), ("name", "\"string\"\nunique = true")], SHELF));
    for database in both() {
        let stock = [json!({ "code": "1", "name": "同" }), json!({ "code": "2", "name": "同" })];
        let mut database = with_rows(database, &old, "order", &stock);
        database.begin().unwrap();
        let shelf = database.catalog().entity(&old.metadata.id, "shelf").unwrap();
        let row = json!({ "code": "S-1" });
        database
            .writer()
            .insert(&shelf, &scope(), row.as_object().unwrap(), &mut || {
                "00000000-0000-7000-8000-00000000aaaa".to_owned()
            })
            .unwrap();
        database.commit().unwrap();
        let forward = |database: &mut Database| {
            database.begin().unwrap();
            database.serve_schema(&new);
            let report = database.upgrades().upgrade(Some(&old), &new, now(), |database| {
                let mut id = || "00000000-0000-7000-8000-00000000bbbb".to_owned();
                database.fixtures().apply_fixtures(&new, &new.fixtures, &scope(), &mut id).map(|_| ())
            });
            let number = report.unwrap().upgrade.unwrap();
            database.commit().unwrap();
            number
        };
        let back = |database: &mut Database, number, discards| {
            database.begin().unwrap();
            let done = database.upgrades().roll_back(number, (&old, &new), discards, now());
            match &done {
                Ok(_) => drop(database.commit().unwrap()),
                Err(_) => database.rollback(),
            }
            database.serve_schema(if done.is_ok() { &old } else { &new });
            done
        };
        let first = forward(&mut database);
        assert_eq!(rows(&database, &new, "bin").len(), 1);
        // Rows that the upgrade itself inserted do not prevent its rollback.
        back(&mut database, first, false).unwrap();
        assert_eq!(rows(&database, &old, "shelf").len(), 1);
        assert_eq!(rows(&database, &old, "order").iter().filter(|row| row["name"] == "同").count(), 2);
        let second = forward(&mut database);
        database.schema().install_schema(&new).unwrap();
        assert_eq!(rows(&database, &new, "bin").len(), 1, "fixtures come again with the upgrade");
        database.begin().unwrap();
        let order = database.catalog().entity(&new.metadata.id, "order").unwrap();
        database.writer().delete(&order, &scope(), "00000000-0000-7000-8000-000000000000", None).unwrap();
        database.commit().unwrap();
        let refused = back(&mut database, second, false).unwrap_err();
        assert_eq!(refused.code().name(), "migration.rows_at_stake");
        back(&mut database, second, true).unwrap();
        assert_eq!(rows(&database, &old, "order").len(), 2, "the deleted row is back");
        // An entity that was dropped may be added again.
        forward(&mut database);
        upgrade(&mut database, &new, &again).unwrap_err();
        let steps = "[[migrations]]\nfrom = 2\nto = 3\nsteps = [{ do = \"drop_entity\", entity = \"bin\" }]\n";
        let fields = [("code", "\"string\""), ("name", "\"string\"\nunique = true")];
        let again = manifest("3.0.0", &orders(3, &fields, &format!("{SHELF}{steps}")));
        upgrade(&mut database, &new, &again).unwrap();
        assert!(rows(&database, &again, "shelf").is_empty());
    }
}

#[test]
fn an_optional_field_costs_no_copy_and_its_values_are_in_the_way_of_a_rollback() {
    let old = manifest("1.0.0", &orders(1, &[("code", "\"string\"")], ""));
    let new = manifest("1.1.0", &orders(1, &[("code", "\"string\""), ("extra", "\"string\"\nfilterable = true")], ""));
    for database in both() {
        let mut database = with_rows(database, &old, "order", &[json!({ "code": "1" }), json!({ "code": "2" })]);
        let number = upgrade(&mut database, &old, &new).unwrap();
        let (_, kept) = database.inspect(None, None, "select count(*) from erp_kept_rows", 1).unwrap();
        assert_eq!(kept, [[json!(0)]]);
        database.begin().unwrap();
        let order = database.catalog().entity(&new.metadata.id, "order").unwrap();
        let patch = object(json!({ "extra": "later" }));
        database.writer().update(&order, &scope(), "00000000-0000-7000-8000-000000000001", &patch, None).unwrap();
        database.commit().unwrap();
        database.begin().unwrap();
        let refused = database.upgrades().roll_back(number, (&old, &new), false, now()).unwrap_err();
        assert_eq!(refused.details()["place"], "order.extra");
        database.rollback();
        database.begin().unwrap();
        assert_eq!(database.upgrades().roll_back(number, (&old, &new), true, now()).unwrap().discarded, 1);
        database.commit().unwrap();
        database.serve_schema(&old);
        assert!(rows(&database, &old, "order").iter().all(|row| !row.contains_key("extra")));
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn what_fixtures_did_goes_back_with_the_upgrade_one_version_after_the_other() {
    let version = |number: u64, mode: &str, name: &str| {
        let fixture = format!(
            "[[fixtures]]\nentity = \"order\"\nmode = \"{mode}\"\nkey = [\"code\"]\nrows = [{{ code = \"A-1\", name = \"{name}\" }}]\n"
        );
        manifest(
            &format!("{number}.0.0"),
            &orders(1, &[("code", "\"string\"\nunique = true"), ("name", "\"string\"")], &fixture),
        )
    };
    let old = manifest("1.0.0", &orders(1, &[("code", "\"string\"\nunique = true"), ("name", "\"string\"")], ""));
    let (second, third) = (version(2, "upsert", "二"), version(3, "overwrite", "三"));
    for database in both() {
        let mine = [json!({ "code": "A-1", "name": "我的" }), json!({ "code": "A-2", "name": "也是" })];
        let mut database = with_rows(database, &old, "order", &mine);
        let forward = |database: &mut Database, old: &Arc<Manifest>, new: &Arc<Manifest>| {
            database.begin().unwrap();
            database.serve_schema(new);
            let mut id = || "00000000-0000-7000-8000-00000000cccc".to_owned();
            let report = database.upgrades().upgrade(Some(old), new, now(), |database| {
                database.fixtures().apply_fixtures(new, &new.fixtures, &scope(), &mut id).map(|_| ())
            });
            let number = report.unwrap().upgrade.unwrap();
            database.commit().unwrap();
            number
        };
        let names = |database: &Database, manifest: &Manifest| -> Vec<String> {
            rows(database, manifest, "order").iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        let to_second = forward(&mut database, &old, &second);
        assert_eq!(names(&database, &second), ["二", "也是"]);
        let to_third = forward(&mut database, &second, &third);
        assert_eq!(names(&database, &third), ["三"]);
        for (number, before, after, expected) in
            [(to_third, &second, &third, ["二", "也是"]), (to_second, &old, &second, ["我的", "也是"])]
        {
            database.begin().unwrap();
            database.upgrades().roll_back(number, (before, after), false, now()).unwrap();
            database.commit().unwrap();
            database.serve_schema(before);
            assert_eq!(names(&database, before), expected, "{:?}", database.dialect());
        }
    }
}
