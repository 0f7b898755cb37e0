//! How lists, searches, cursors and aggregates slow down as rows grow: many tenants and plugins share one database, and
//! one tenant has half of the rows. `cargo bench --bench storage [-- postgres://… ROWS…]` prints a table for
//! docs/benchmarks.md.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_macros,
    reason = "a program for people who measure"
)]

use std::sync::Arc;
use std::time::Instant;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId, parse};
use erp_plugin::seed::{SeedPlan, Seeder, Share};
use erp_storage::{AggregateQuery, EntityRef, ListQuery, Scope};
use erp_store::Database;
use serde_json::json;

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
const TENANTS: u64 = 1_000;
const PLUGINS: u64 = 20;
const REPEATS: usize = 15;

fn manifest(number: u64) -> Arc<Manifest> {
    let field = |name: &str, rest: &str| format!("[[schema.entities.fields]]\nname = \"{name}\"\n{rest}\n");
    let text = format!(
        "manifest_version = 1\n[metadata]\nid = \"erp-load-{number}\"\nname = \"负载\"\nversion = \"0.1.0\"\n\
         [runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n\
         [[schema.entities]]\nname = \"order\"\ndisplay_name = \"订单\"\nindexes = [{{ name = \"status_total\", fields = [\"status\", \"total\"] }}, {{ name = \"status_day\", fields = [\"status\", \"ordered_on\"] }}]\n"
    ) + &field("code", "field_type = \"string\"\nrequired = true\nunique = true\nsortable = true")
        + &field("customer", "field_type = \"string\"\nrequired = true\nsearchable = true")
        + &field(
            "status",
            "field_type = \"select\"\nfilterable = true\nrequired = true\noptions = [{ value = \"draft\", label = \"草稿\" }, { value = \"open\", label = \"开放\" }, { value = \"closed\", label = \"关闭\" }]",
        )
        + &field("total", "field_type = \"currency\"\nsortable = true\nfilterable = true")
        + &field("ordered_on", "field_type = \"date\"\nsortable = true\nfilterable = true");
    let (manifest, report) = parse(&SourceFile::new("plugin.toml", text));
    assert!(!report.has_errors(), "{:?}", report.diagnostics());
    Arc::new(manifest.unwrap())
}

fn now() -> Moment {
    Moment::parse("2026-04-15T08:00:00+08:00").unwrap()
}

fn scope(tenant: u64) -> Scope {
    Scope::of_tenant(&TenantId::new(format!("tenant-{tenant}")).unwrap(), now())
}

/// Gives half of the rows to the first tenant and the rest to all others; gives each of the other plugins a few rows.
fn fill(database: &mut Database, rows: u64) -> EntityRef {
    database.begin().unwrap();
    for number in 0..PLUGINS {
        let manifest = manifest(number);
        database.schema().install_schema(&manifest).unwrap();
        database.serve_schema(&manifest);
        let entities: Vec<EntityRef> = EntityRef::all(&manifest).collect();
        let tenants = if number == 0 { TENANTS } else { 5 };
        for tenant in 0..tenants {
            let share = match (number, tenant) {
                (0, 0) => rows / 2,
                (0, _) => rows / 2 / (TENANTS - 1),
                _ => 20,
            };
            let mut seeder = Seeder::new(&manifest, number * TENANTS + tenant, now(), Vec::new());
            let plan = SeedPlan { shares: vec![Share { entity: "order".to_owned(), rows: share }] };
            let scope = scope(tenant);
            let made: Result<(), Box<dyn std::error::Error>> = seeder
                .make(&entities, &scope, &plan, |entity, rows| Ok(database.loader().load(entity, &scope, &rows)?));
            made.unwrap();
        }
    }
    database.commit().unwrap();
    let main = manifest(0);
    database.catalog().entity(&main.metadata.id, "order").unwrap()
}

/// Returns the median of `REPEATS` runs, in milliseconds.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

/// Returns the cursor after `pages` pages of 200 rows; `None` if the list ends before.
fn cursor_at(database: &Database, entity: &EntityRef, sort: &[String], pages: u64) -> Option<String> {
    let mut query = ListQuery { sort: sort.to_vec(), limit: Some(200), ..ListQuery::default() };
    for _ in 0..pages {
        query.cursor = database.reader().list(entity, &scope(0), &query).unwrap().next_cursor;
        query.cursor.as_ref()?;
    }
    query.cursor
}

fn measure(name: &str, mut database: Database, rows: u64) {
    let started = Instant::now();
    let entity = fill(&mut database, rows);
    let filled = started.elapsed().as_secs_f64();
    // PostgreSQL would do this by itself after a while.
    database.analyze().unwrap();
    let scope = scope(0);
    let page = |query: ListQuery| {
        let query = ListQuery { limit: Some(20), ..query };
        median(|| drop(database.reader().list(&entity, &scope, &query).unwrap()))
    };
    let own = rows / 2;
    let deep = own * 9 / 10 / 200;
    let mut cells = vec![name.to_owned(), rows.to_string(), format!("{filled:.1} s")];
    for sort in [vec![], vec!["-total".to_owned()]] {
        let first = page(ListQuery { sort: sort.clone(), ..ListQuery::default() });
        let cursor = cursor_at(&database, &entity, &sort, deep);
        let last = page(ListQuery { sort, cursor, ..ListQuery::default() });
        cells.push(format!("{first:.2}"));
        cells.push(format!("{last:.2}"));
    }
    let search = |text: &str| page(ListQuery { search: Some(text.to_owned()), ..ListQuery::default() });
    cells.push(format!("{:.2}", search("深圳")));
    cells.push(format!("{:.2}", search("没有这样的公司")));
    cells.push(format!("{:.2}", search("没有")));
    let filter = json!({ "status": "open", "ordered_on": { "gte": "2026-03-01" } });
    cells.push(format!("{:.2}", page(ListQuery { filter: filter.clone(), ..ListQuery::default() })));
    let sums = json!({ "group_by": ["status"], "metrics": [{ "func": "sum", "field": "total", "as": "total" }] });
    let sums = AggregateQuery::from_json(&sums, false).unwrap();
    cells.push(format!("{:.1}", median(|| drop(database.reader().aggregate(&entity, &scope, &sums).unwrap()))));
    let small = Scope { tenant: TenantId::new("tenant-7".to_owned()).unwrap(), ..scope.clone() };
    cells.push(format!("{:.2}", median(|| drop(database.reader().aggregate(&entity, &small, &sums).unwrap()))));
    println!("| {} |", cells.join(" | "));
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let address = std::env::args().skip(1).find(|argument| argument.starts_with("postgres"));
    println!(
        "| database | rows | filled in | first page | page at 90 % | by -total, first | at 90 % | search | search, none | of two characters, none | filter | sum of one tenant's half | of a small tenant |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let asked: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    for rows in if asked.is_empty() { SIZES.to_vec() } else { asked } {
        let folder = tempfile::tempdir().unwrap();
        measure("SQLite", Database::open(&folder.path().join("load.sqlite")).unwrap(), rows);
        if let Some(address) = &address {
            measure("PostgreSQL", Database::scratch(&address.parse().unwrap()).unwrap(), rows);
        }
    }
}
