//! The tables of a `.test.toml` file.

use std::collections::BTreeMap;

use erp_check::scenarios::SCENARIO_VALUE;
use erp_manifest::TenantId;
use erp_manifest::diagnostics::Spanned;
use erp_manifest::document::{FromToml, Node, Reader, table, words};

table! {
    /// A file of scenarios.
    pub struct ScenarioFile {
        /// The format of this file: 1.
        schema: Spanned<u64>,
        /// What the scenarios are about.
        suite: String = String::new(),
        /// All that a run can observe is fixed here.
        world: ScenarioWorld,
        /// Rows that tests begin with.
        fixture: BTreeMap<String, ScenarioFixture>,
        /// The tests.
        test: Vec<Test>,
        /// Budgets of all calls, where a step says nothing else.
        budget: Option<Node>,
    }
}

table! {
    /// All that a run can observe.
    pub struct ScenarioWorld {
        /// The host's clock; it moves one millisecond a host call.
        now: Option<Spanned<ScenarioMoment>>,
        /// What ids and random bytes are made from.
        seed: u64 = 1,
        /// Who may act; `@users.name` is a user's id.
        users: BTreeMap<String, User>,
        /// Departments that users work in; `@departments.name` is a department's id.
        departments: BTreeMap<String, WorldDepartment>,
        /// Keys of the platform's configuration, as plugins read it with `host-config.get`.
        config: BTreeMap<String, serde_json::Value>,
        /// Settings of the plugin, for every tenant.
        settings: BTreeMap<String, serde_json::Value>,
        /// Secrets of the plugin, for every tenant.
        secrets: BTreeMap<String, String>,
        /// Responses to the plugin's HTTP requests; there is no network.
        http: Vec<HttpResponseOf>,
        /// A file with more responses, beside this one; `test --record-http` adds those that it lacks.
        cassette: Option<Spanned<String>>,
    }
}

table! {
    /// A department.
    pub struct WorldDepartment {
        /// The one above it.
        parent: Option<Spanned<String>>,
    }
}

table! {
    /// A response to a request of the plugin.
    pub struct HttpResponseOf {
        /// Method and address, such as `GET https://api.example.com/rates`.
        request: Spanned<String>,
        /// The status.
        status: u64 = 200,
        /// The headers.
        headers: BTreeMap<String, String>,
        /// The body as JSON.
        json: Option<Node>,
        /// The body as text.
        body: Option<String>,
    }
}

table! {
    /// Somebody who acts.
    pub struct User {
        /// The tenant that they belong to.
        tenant: TenantId,
        /// Permissions: codes of the manifest, `entity.*`, or `*`; a level of its data scope may follow, as in `order.list:self`.
        grants: Vec<Spanned<String>>,
        /// The department that they work in.
        department: Option<Spanned<String>>,
    }
}

table! {
    /// Rows that tests begin with.
    pub struct ScenarioFixture {
        /// Whose rows they are.
        tenant: Spanned<TenantId>,
        /// Fixtures that come first.
        needs: Vec<Spanned<String>>,
        /// For each entity a table between pipes, typed by its fields; `~` leaves a value out.
        rows: BTreeMap<String, Spanned<String>>,
    }
}

table! {
    /// A test: steps in order, for each case anew.
    pub struct Test {
        /// What it shows; `${column}` is the case's value.
        name: Spanned<String>,
        /// Words to pick tests by.
        tags: Vec<String>,
        /// Fixtures that are there at the beginning.
        r#use: Vec<Spanned<String>>,
        /// Values that the steps run with; each case is a test of its own.
        case: Vec<Node>,
        /// What is done.
        step: Vec<Step>,
        /// What is made to go wrong, one run at a time.
        explore: Option<Explore>,
        /// What must hold after every step, and after every run of `explore`.
        invariant: Vec<Invariant>,
    }
}

words! {
    /// Where a fault is tried.
    pub enum Everywhere {
        /// At each call of the host, one run each.
        EachHostCall = "each-host-call",
    }
}

words! {
    /// Where a failing commit is tried.
    pub enum EveryCommit {
        /// At the commit of each call, one run each.
        EachCall = "each-call",
    }
}

words! {
    /// What follows a fault.
    pub enum Afterwards {
        /// The step that failed is done again, without the fault; the rows must then be those of a clean run.
        Retry = "retry",
        /// Nothing.
        Nothing = "nothing",
    }
}

table! {
    /// What is made to go wrong, one run at a time.
    pub struct Explore {
        /// The call of the host fails.
        fail: Option<Everywhere>,
        /// The fuel ends before the call of the host.
        fuel: Option<Everywhere>,
        /// The commit fails.
        commit: Option<EveryCommit>,
        /// What follows; the platform gives an event again by itself.
        then: Afterwards = Afterwards::Nothing,
    }
}

table! {
    /// What must hold whatever happens.
    pub struct Invariant {
        /// What it says.
        name: Spanned<String>,
        /// A statement that only reads. Entities are tables of their live rows, of all tenants; fields are their columns.
        sql: Spanned<String>,
        /// How many rows it gives.
        rows: u64 = 0,
    }
}

table! {
    /// One act and what is expected of it.
    pub struct Step {
        /// What it shows.
        name: Option<String>,
        /// The user who acts.
        r#as: Option<Spanned<String>>,
        /// A request: method and path, relative to `/api/v1/plugins/<this plugin>`.
        http: Option<Node>,
        /// The body of the request, or the arguments of the call by their names.
        json: Option<Node>,
        /// The body of the request, where it is no JSON: `{ type = "image/png", file = "red.png" }` with a file of
        /// `tests/data`, or `{ type = "text/csv", text = "…" }`.
        body: Option<Node>,
        /// An event that is told.
        event: Option<Node>,
        /// The tenant of the event.
        tenant: Option<Spanned<TenantId>>,
        /// What the event carries.
        payload: Option<Node>,
        /// How often the event is told.
        repeat: Spanned<u64> = Spanned::new(1, 0..0),
        /// An export that is called: `interface.function(arguments)` in WAVE, where the context may be left out, or
        /// `interface.function` with the arguments by their names in `json`.
        call: Option<Node>,
        /// Time that passes, such as `30m`.
        advance: Option<Node>,
        /// What happens to the plugin: `disable`, `enable`, `restart`, `uninstall` or `install`.
        lifecycle: Option<Node>,
        /// A page that the user opens, by its name.
        page: Option<Node>,
        /// A statement that only reads, over the entities as tables.
        sql: Option<Node>,
        /// Budgets of the calls, instead of the manifest's: `{ fuel, memory, time }` or any other limit.
        budget: Option<Node>,
        /// What goes wrong: `[{ at = "db.insert", entity = "stock_move", nth = 1, error = "…" }]`; instead of
        /// `error`, `delay = "6s"` or `fuel = "ends"`; `at = "commit"` for the commit.
        fault: Option<Node>,
        /// `open` allows effects that nothing expects.
        effects: Option<Spanned<Effects>>,
        /// What must be so afterwards.
        expect: Option<Expect>,
        /// Values to remember: `capture.name = "$.path"`.
        capture: BTreeMap<String, Spanned<String>>,
    }
}

words! {
    /// Whether effects that nothing expects fail a test.
    pub enum Effects {
        /// They do.
        Closed = "closed",
        /// They do not.
        Open = "open",
    }
}

/// The conditions after a step, with the keys of `EXPECT_KEYS`.
#[derive(Debug, Clone)]
pub struct Expect(pub Node);

/// The keys of `expect`, and their meanings.
pub(super) const EXPECT_KEYS: [(&str, &str); 19] = [
    ("status", "The HTTP status; a number or a matcher such as `<int 200..299>`."),
    (
        "json",
        "The body of the answer: an object is a subset, an array is exact. Of bytes it is `{ type, bytes, sha256, text, headers }`.",
    ),
    ("ok", "Whether all calls of the plugin succeeded."),
    ("error", "The error of the first call that failed: `{ kind, code, message }`, for traps `{ kind, trap }`."),
    ("result", "What a call gave, as WAVE."),
    ("heard", "How many plugins an event was given to; an event that nobody hears fails unless `heard = 0` says so."),
    ("db", "For each entity its live rows of the tenant, all of them: a table between pipes, or `{ rows, deleted }`."),
    ("changes", "`none`: no row changed."),
    ("events", "The events that were told, in order; or `{ count }`."),
    ("logs", "Log records, in order; warnings and errors must all be here."),
    ("calls", "The host calls that were made, in order."),
    ("fuel", "A bound on the fuel of all calls, such as `< 200_000`."),
    ("memory", "A bound on the memory of a call, such as `<= 2MB`."),
    ("page", "The page that was opened: `{ columns, filters, form, actions, search, rows }`."),
    ("rows", "What `sql` gave: an array of objects by the names of the columns."),
    ("denied", "Calls of the host that the manifest does not grant, such as `kv.get`, in order."),
    ("exact", "true where objects have no other keys than those that stand here."),
    ("unordered", "true where items of arrays may come in any order."),
    ("snapshot", "The name of a file in `tests/snapshots` that holds all that the step did."),
];

impl std::ops::Deref for Expect {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.0
    }
}

impl FromToml for Expect {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<Expect> {
        reader.unknown_keys(node, &EXPECT_KEYS.map(|(key, _)| key));
        Some(Expect(node.clone()))
    }

    fn json_schema() -> serde_json::Value {
        let one = |(key, meaning): (&str, &str)| (key.to_owned(), serde_json::json!({ "description": meaning }));
        let properties: serde_json::Map<String, serde_json::Value> = EXPECT_KEYS.into_iter().map(one).collect();
        serde_json::json!({ "type": "object", "properties": properties, "additionalProperties": false, "required": [] })
    }
}

/// A date-time, with or without quotes.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioMoment(pub erp_manifest::Moment);

impl FromToml for ScenarioMoment {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<ScenarioMoment> {
        use erp_manifest::document::NodeValue;
        let (NodeValue::Datetime(text) | NodeValue::String(text)) = &node.value else {
            reader.wrong_type(node, "a date-time");
            return None;
        };
        let moment = erp_manifest::Moment::parse(text);
        if moment.is_none() {
            let help = Some("write it like 2026-04-15T08:00:00+08:00".to_owned());
            let message = format!("`{text}` is not a date-time with an offset");
            reader.find(SCENARIO_VALUE, node.span.clone(), message, "cannot be read", help);
        }
        moment.map(ScenarioMoment)
    }

    fn json_schema() -> serde_json::Value {
        serde_json::json!({ "type": "string", "format": "date-time" })
    }
}
