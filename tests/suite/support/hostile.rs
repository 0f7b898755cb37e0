//! Small guests in text, hostile and harmless, for the platform's first contract; and a host to call them with.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId};
use erp_runtime::{
    CallContext, CallError, CallLimits, CallOutcome, CallRequest, Compilation, Detail, Interrupt, Invocation,
    LimitOverrides, LoadedPlugin, Runtime, RuntimeError, SharedSurroundings, Surroundings, Trigger,
};
use erp_storage::StoredEvent;
use erp_store::{Database, SharedDatabase};
use serde_json::json;

pub const MANIFEST: &str = r#"
[metadata]
id = "erp-hostile"
name = "敌"
version = "1.0.0"

[runtime]
abi = "legacy"

[capabilities]
config = ["hostile.*"]
publish = ["hostile.*"]

[[schema.entities]]
name = "item"
display_name = "物"

[[schema.entities.fields]]
name = "sku"
field_type = "string"
display_name = "编码"
"#;

/// A guest: what it does with an event, and what else is in its module.
#[derive(Clone, Copy)]
pub struct GuestText {
    /// The body of `handle-event`, which returns the address of its result. `$ok` returns the address of a success.
    pub body: &'static str,
    /// Further functions, tables and the like.
    pub besides: &'static str,
    /// The initial size of the memory, in pages of 64 KiB, as text.
    pub memory: &'static str,
    /// The body of `realloc`.
    pub realloc: &'static str,
}

/// Allocates memory after the last piece, and lets the memory grow where it is too small.
pub const BUMP: &str = "(local $at i32) \
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8))) \
    (global.set $next (i32.add (local.get $at) (local.get 3))) \
    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))) \
      (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1)))))) \
    (local.get $at)";

impl GuestText {
    /// A guest that is unusual only in its body.
    pub const fn of(body: &'static str) -> GuestText {
        GuestText { body, besides: "", memory: "2", realloc: BUMP }
    }

    /// Returns the component.
    ///
    /// Its memory has at 16 `item`, 32 a row, 64 `hostile.x`, 80 `info`, 96 `other.entity`, 128 a query, 160
    /// `secret.key`, 192 text with control characters, 224 a name with SQL in it, 1024 a successful result. Host calls
    /// write theirs at 1032.
    pub fn component(&self) -> Vec<u8> {
        let GuestText { body, besides, memory, realloc } = self;
        let text = format!(
            r#"(component
  (import "erp:plugin/host-api" (instance $host
    (export "db-insert" (func (param "entity" string) (param "data" (list u8)) (result (result (list u8) (error string)))))
    (export "db-query" (func (param "entity" string) (param "filter" (list u8)) (param "pagination" (list u8)) (result (result (list u8) (error string)))))
    (export "event-publish" (func (param "event-type" string) (param "payload" (list u8)) (result (result (error string)))))
    (export "config-get" (func (param "key" string) (result (result (list u8) (error string)))))
    (export "log-write" (func (param "level" string) (param "message" string)))))
  (core module $libc
    (memory (export "memory") {memory})
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc}))
  (core instance $libc (instantiate $libc))
  (core func $insert (canon lower (func $host "db-insert") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $query (canon lower (func $host "db-query") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $publish (canon lower (func $host "event-publish") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $config (canon lower (func $host "config-get") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $log (canon lower (func $host "log-write") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $guest
    (import "libc" "memory" (memory 0))
    (import "host" "insert" (func $insert (param i32 i32 i32 i32 i32)))
    (import "host" "query" (func $query (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "publish" (func $publish (param i32 i32 i32 i32 i32)))
    (import "host" "config" (func $config (param i32 i32 i32)))
    (import "host" "log" (func $log (param i32 i32 i32 i32)))
    (data (i32.const 16) "item")
    (data (i32.const 32) "{{\"sku\":\"A-1\"}}")
    (data (i32.const 64) "hostile.x")
    (data (i32.const 80) "info")
    (data (i32.const 96) "other.entity")
    (data (i32.const 128) "{{\"limit\":200}}")
    (data (i32.const 160) "secret.key")
    (data (i32.const 192) "line\0a\1b[31mforged\07")
    (data (i32.const 224) "item\" where 1=1; drop table plugins; --")
    {besides}
    (func $ok (result i32) (i32.store (i32.const 1024) (i32.const 0)) (i32.const 1024))
    (func (export "init") (result i32) (call $ok))
    (func (export "tenant") (param i32 i32) (result i32) (call $ok))
    (func (export "handle") (param i32 i32 i32 i32) (result i32) (local $n i32) (local $m i32) {body}))
  (core instance $guest (instantiate $guest
    (with "libc" (instance $libc))
    (with "host" (instance (export "insert" (func $insert)) (export "query" (func $query)) (export "publish" (func $publish))
      (export "config" (func $config)) (export "log" (func $log))))))
  (func $init (result (result (error string))) (canon lift (core func $guest "init") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (func $tenant (param "tenant-id" string) (result (result (error string)))
    (canon lift (core func $guest "tenant") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (func $handle (param "event-type" string) (param "payload" (list u8)) (result (result (error string)))
    (canon lift (core func $guest "handle") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (instance (export "erp:plugin/plugin-api") (export "init" (func $init)) (export "on-tenant-created" (func $tenant))
    (export "handle-event" (func $handle))))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A host with a database in memory and the manifest of the guests.
pub struct Host {
    pub runtime: Runtime,
    pub manifest: Arc<Manifest>,
    pub database: SharedDatabase,
    pub surroundings: SharedSurroundings,
    event: Invocation,
}

impl Host {
    pub fn new() -> Host {
        Host::over(Runtime::new(Compilation::default()).unwrap())
    }

    pub fn over(runtime: Runtime) -> Host {
        let (manifest, _) = erp_manifest::parse(&SourceFile::new("plugin.toml", MANIFEST));
        let manifest = Arc::new(manifest.unwrap());
        let mut database = Database::in_memory().unwrap();
        database.begin().unwrap();
        database.schema().install_schema(&manifest).unwrap();
        database.commit().unwrap();
        database.serve_schema(&manifest);
        let now = Moment::parse("2026-04-15T08:00:00Z").unwrap();
        Host {
            runtime,
            manifest,
            database: SharedDatabase::new(database),
            surroundings: Arc::new(Mutex::new(Surroundings::fixed(now, 1))),
            event: Invocation::Event {
                attempt: 1,
                event: Arc::new(StoredEvent {
                    seq: 1,
                    id: "e".to_owned(),
                    tenant: tenant(),
                    event_type: "hostile.event".to_owned(),
                    source: "platform".to_owned(),
                    payload: json!({}),
                    occurred_at_ms: 0,
                    depth: 0,
                }),
            },
        }
    }

    pub fn load(&self, component: &[u8]) -> Result<LoadedPlugin, RuntimeError> {
        self.runtime.load(component, Arc::clone(&self.manifest))
    }

    /// Delivers one event, within the manifest's limits and the given ones.
    pub fn call(&self, plugin: &LoadedPlugin, limits: &[(&str, &str)], detail: Detail) -> CallOutcome {
        let request = CallRequest { detail, ..self.request(limits) };
        self.runtime.call(plugin, request, &self.database, &self.surroundings, |_| Ok(()), |_| Ok(()))
    }

    /// Returns the request for such a call.
    pub fn request(&self, limits: &[(&str, &str)]) -> CallRequest<'_> {
        let mut overrides = LimitOverrides::default();
        for (name, value) in limits {
            overrides.add(name, value).unwrap();
        }
        CallRequest {
            context: CallContext {
                request_id: "r".to_owned(),
                tenant: tenant(),
                caller: None,
                trigger: Trigger::Event,
                locale: "zh-CN".to_owned(),
                event_depth: 0,
            },
            limits: CallLimits::of(&self.manifest).with(&overrides),
            detail: Detail::Outline,
            probe: None,
            interrupt: Interrupt::default(),
            attempt: 1,
            invocation: &self.event,
        }
    }
}

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

/// An attack, and its expected result.
pub struct Attack {
    pub name: &'static str,
    pub guest: GuestText,
    pub limits: &'static [(&'static str, &'static str)],
    /// The code of the error. If the guest succeeds: the code of the last host call that failed, or `harmless`.
    pub code: &'static str,
}

const fn attack(name: &'static str, code: &'static str, guest: GuestText) -> Attack {
    Attack { name, guest, limits: &[], code }
}

/// The result of an attack.
pub struct Survived {
    pub code: String,
    pub time: Duration,
    pub outcome: Option<CallOutcome>,
}

/// Loads and calls a hostile guest. The code is `plugin.load` if it cannot be loaded.
pub fn survive(host: &Host, attack: &Attack) -> Survived {
    let started = Instant::now();
    let Ok(plugin) = host.load(&attack.guest.component()) else {
        return Survived { code: "plugin.load".to_owned(), time: started.elapsed(), outcome: None };
    };
    let started = Instant::now();
    let outcome = host.call(&plugin, attack.limits, Detail::Outline);
    let time = started.elapsed();
    let code = match &outcome.result {
        // Guests of the first contract pass errors on as text that begins with the code.
        Err(CallError::Guest(error)) if error.code.as_str() == "guest.error" => {
            error.message.split_once(": ").map_or("guest.error", |(code, _)| code).to_owned()
        }
        Err(error) => error.code().to_string(),
        Ok(_) => {
            let failed = outcome.trace.host_calls.iter().rev().find_map(|call| call.error.clone());
            failed.unwrap_or_else(|| "harmless".to_owned())
        }
    };
    Survived { code, time, outcome: Some(outcome) }
}

const LOOP: &str = "(loop $again (br $again)) (unreachable)";

/// Fills the memory from 65,536 with 8 MB of letters, in quotes where it must be a JSON text, and calls the host with
/// it again and again.
const CONFIG_8_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
    (loop $again (call $config (i32.const 65536) (i32.const 8000000) (i32.const 1032)) (br $again)) (call $ok)";
const INSERT_NAME_8_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
    (loop $again (call $insert (i32.const 65536) (i32.const 8000000) (i32.const 32) (i32.const 13) (i32.const 1032)) \
    (br $again)) (call $ok)";
const INSERT_TEXT_8_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
    (i64.store (i32.const 65536) (i64.const 0x3a22756b73227b20)) (i32.store8 (i32.const 65544) (i32.const 34)) \
    (i32.store16 (i32.const 8065534) (i32.const 0x7d22)) \
    (loop $again (call $insert (i32.const 16) (i32.const 4) (i32.const 65536) (i32.const 8000000) (i32.const 1032)) \
    (br $again)) (call $ok)";
/// Small enough for one row: ` {"sku":"aaa…"}`.
const INSERT_TEXT_3_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 3000000)) \
    (i64.store (i32.const 65536) (i64.const 0x3a22756b73227b20)) (i32.store8 (i32.const 65544) (i32.const 34)) \
    (i32.store16 (i32.const 3065534) (i32.const 0x7d22)) \
    (loop $again (call $insert (i32.const 16) (i32.const 4) (i32.const 65536) (i32.const 3000000) (i32.const 1032)) \
    (br $again)) (call $ok)";
/// `{"sku":[[],[],…[]]}`: 2.6 million values of three bytes each.
const INSERT_VALUES: &str = "(i64.store (i32.const 65536) (i64.const 0x3a22756b73227b20)) \
    (i32.store8 (i32.const 65544) (i32.const 91)) (local.set $n (i32.const 65545)) \
    (loop $fill (i32.store (local.get $n) (i32.const 0x2c5d5b)) (local.set $n (i32.add (local.get $n) (i32.const 3))) \
    (br_if $fill (i32.lt_u (local.get $n) (i32.const 8000000)))) \
    (i32.store (local.get $n) (i32.const 0x7d5d5d5b)) (local.set $n (i32.sub (local.get $n) (i32.const 65532))) \
    (loop $again (call $insert (i32.const 16) (i32.const 4) (i32.const 65536) (local.get $n) (i32.const 1032)) \
    (br $again)) (call $ok)";
const QUERY_8_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
    (i64.store (i32.const 65536) (i64.const 0x3a22756b73227b20)) (i32.store8 (i32.const 65544) (i32.const 34)) \
    (i32.store16 (i32.const 8065534) (i32.const 0x7d22)) \
    (loop $again (call $query (i32.const 16) (i32.const 4) (i32.const 65536) (i32.const 8000000) (i32.const 128) \
    (i32.const 13) (i32.const 1032)) (br $again)) (call $ok)";
const PUBLISH_3_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 3000000)) \
    (i32.store8 (i32.const 65536) (i32.const 34)) (i32.store8 (i32.const 3065535) (i32.const 34)) \
    (loop $again (call $publish (i32.const 64) (i32.const 9) (i32.const 65536) (i32.const 3000000) (i32.const 1032)) \
    (br $again)) (call $ok)";
const PUBLISH_NAME_8_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
    (loop $again (call $publish (i32.const 65536) (i32.const 8000000) (i32.const 32) (i32.const 13) (i32.const 1032)) \
    (br $again)) (call $ok)";
const LOG_8_MB: &str = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
    (loop $again (call $log (i32.const 80) (i32.const 4) (i32.const 65536) (i32.const 8000000)) \
    (local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))) \
    (call $ok)";

/// A guest with 16 MB of memory; the host writes all results to the same address.
const fn again(body: &'static str) -> GuestText {
    GuestText { memory: "256", realloc: "(i32.const 2048)", ..GuestText::of(body) }
}

/// Every attack, with the expected code of its error.
pub const ATTACKS: &[Attack] = &[
    attack("an endless loop", "limit.fuel", GuestText::of(LOOP)),
    Attack {
        limits: &[("fuel", "1_000_000_000_000"), ("time", "50ms")],
        ..attack("an endless loop with all the fuel of the world", "limit.time", GuestText::of(LOOP))
    },
    attack(
        "a recursion without end",
        "guest.stack_overflow",
        GuestText { besides: "(func $deep (call $deep))", ..GuestText::of("(call $deep) (call $ok)") },
    ),
    attack(
        "memory that grows until it cannot",
        "limit.memory",
        GuestText::of(
            "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
        ),
    ),
    attack(
        "1 GiB of memory from the beginning",
        "plugin.load",
        GuestText { memory: "16384", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "a table of ten million entries",
        "plugin.load",
        GuestText { besides: "(table 10000000 funcref)", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "two tables that are too large together",
        "limit.tables",
        GuestText { besides: "(table 15000 funcref) (table 15000 funcref)", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "128 MB of memory from the beginning",
        "limit.memory",
        GuestText { memory: "2048", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "a table that grows until it cannot",
        "harmless",
        GuestText {
            besides: "(table $t 1 funcref)",
            ..GuestText::of(
                "(loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) (call $ok)",
            )
        },
    ),
    attack(
        "megabytes that are filled again and again",
        "limit.fuel",
        GuestText {
            memory: "512",
            ..GuestText::of(
                "(loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 33000000)) (br $again)) (unreachable)",
            )
        },
    ),
    attack(
        "a loop while it starts",
        "limit.fuel",
        GuestText { besides: "(func $s (loop $again (br $again))) (start $s)", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "32 MB handed to the log at once",
        "limit.border_bytes",
        GuestText {
            memory: "512",
            ..GuestText::of(
                "(call $log (i32.const 80) (i32.const 4) (i32.const 65536) (i32.const 33000000)) (call $ok)",
            )
        },
    ),
    attack(
        "32 MB given back as an error",
        "limit.border_bytes",
        GuestText {
            memory: "512",
            ..GuestText::of(
                "(i32.store (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 65536)) \
                 (i32.store (i32.const 1032) (i32.const 33000000)) (i32.const 1024)",
            )
        },
    ),
    attack(
        "a text that begins beyond the memory",
        "guest.border",
        GuestText::of("(call $log (i32.const 80) (i32.const 4) (i32.const 0x7fffff00) (i32.const 16)) (call $ok)"),
    ),
    attack(
        "a text that is not UTF-8",
        "guest.border",
        GuestText {
            besides: "(data (i32.const 300) \"\\ff\\fe\\fd\")",
            ..GuestText::of("(call $log (i32.const 80) (i32.const 4) (i32.const 300) (i32.const 3)) (call $ok)")
        },
    ),
    attack(
        "a result that is neither well nor an error",
        "guest.border",
        GuestText::of("(i32.store (i32.const 1024) (i32.const 77)) (i32.const 1024)"),
    ),
    attack("a result at an odd address", "guest.border", GuestText::of("(i32.const 1025)")),
    attack("a result beyond the memory", "guest.border", GuestText::of("(i32.const -8)")),
    attack(
        "memory for the host that traps",
        "guest.panic",
        GuestText { realloc: "(unreachable)", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "memory for the host beyond the end",
        "guest.border",
        GuestText { realloc: "(i32.const 0x7ffffff0)", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "memory for the host that never comes",
        "limit.fuel",
        GuestText { realloc: "(loop $again (br $again)) (unreachable)", ..GuestText::of("(call $ok)") },
    ),
    attack(
        "memory for the host that overlaps its own",
        "harmless",
        GuestText { realloc: "(i32.const 2048)", ..GuestText::of("(call $ok)") },
    ),
    Attack {
        limits: &[("host_calls", "100_000")],
        ..attack(
            "more rows than a call may write",
            "limit.writes",
            GuestText::of(
                "(loop $again (call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) \
                 (br_if $again (i32.eqz (i32.load8_u (i32.const 1032))))) (call $ok)",
            ),
        )
    },
    Attack {
        limits: &[("writes", "1_000_000")],
        ..attack(
            "calls of the host without end",
            "limit.host_calls",
            GuestText::of(
                "(loop $again (call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) \
                 (br_if $again (i32.eqz (i32.load8_u (i32.const 1032))))) (call $ok)",
            ),
        )
    },
    attack(
        "calls of the host with names of 400 KB",
        "limit.host_calls",
        GuestText {
            memory: "128",
            realloc: "(i32.const 2048)",
            ..GuestText::of(
                "(loop $again (call $config (i32.const 65536) (i32.const 400000) (i32.const 1032)) (br $again)) (call $ok)",
            )
        },
    ),
    Attack {
        limits: &[("fuel", "10_000_000_000")],
        ..attack("keys of 8 MB until the calls are spent", "limit.host_calls", again(CONFIG_8_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("names of entities of 8 MB", "limit.host_calls", again(INSERT_NAME_8_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("rows of 8 MB of text", "limit.host_calls", again(INSERT_TEXT_8_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("rows of millions of values", "limit.host_calls", again(INSERT_VALUES))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("rows of 3 MB of text", "limit.host_calls", again(INSERT_TEXT_3_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("queries of 8 MB", "limit.host_calls", again(QUERY_8_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("events of 3 MB", "limit.host_calls", again(PUBLISH_3_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000"), ("host_calls", "12")],
        ..attack("events with names of 8 MB", "limit.host_calls", again(PUBLISH_NAME_8_MB))
    },
    Attack {
        limits: &[("fuel", "10_000_000_000")],
        ..attack(
            "log lines of 8 MB, a hundred times",
            "harmless",
            GuestText { memory: "256", ..GuestText::of(LOG_8_MB) },
        )
    },
    Attack {
        limits: &[("fuel", "10_000_000_000")],
        ..attack(
            "8 MB given back as an error",
            "guest.error",
            GuestText {
                memory: "256",
                ..GuestText::of(
                    "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 8000000)) \
                     (i32.store (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 65536)) \
                     (i32.store (i32.const 1032) (i32.const 8000000)) (i32.const 1024)",
                )
            },
        )
    },
    attack(
        "an event bomb",
        "limit.events",
        GuestText::of(
            "(loop $again (call $publish (i32.const 64) (i32.const 9) (i32.const 32) (i32.const 13) (i32.const 1032)) \
             (br_if $again (i32.eqz (i32.load8_u (i32.const 1032))))) (call $ok)",
        ),
    ),
    attack(
        "a flood of log records",
        "harmless",
        GuestText::of(
            "(loop $again (call $log (i32.const 80) (i32.const 4) (i32.const 80) (i32.const 4)) \
             (local.set $n (i32.add (local.get $n) (i32.const 1))) \
             (br_if $again (i32.lt_u (local.get $n) (i32.const 5000)))) (call $ok)",
        ),
    ),
    attack(
        "a forged line in the log",
        "harmless",
        GuestText::of("(call $log (i32.const 80) (i32.const 4) (i32.const 192) (i32.const 17)) (call $ok)"),
    ),
    attack(
        "SQL in the name of an entity",
        "db.unknown_entity",
        GuestText::of(
            "(call $insert (i32.const 224) (i32.const 38) (i32.const 32) (i32.const 13) (i32.const 1032)) (call $ok)",
        ),
    ),
    attack(
        "another plugin's table",
        "db.unknown_entity",
        GuestText::of(
            "(call $insert (i32.const 96) (i32.const 12) (i32.const 32) (i32.const 13) (i32.const 1032)) (call $ok)",
        ),
    ),
    attack(
        "an event that was not granted",
        "cap.denied",
        GuestText::of(
            "(call $publish (i32.const 96) (i32.const 12) (i32.const 32) (i32.const 13) (i32.const 1032)) (call $ok)",
        ),
    ),
    attack(
        "a key of the configuration that was not granted",
        "cap.denied",
        GuestText::of("(call $config (i32.const 160) (i32.const 10) (i32.const 1032)) (call $ok)"),
    ),
    attack(
        "JSON that nests a hundred thousand deep",
        "db.bad_json",
        GuestText {
            memory: "4",
            ..GuestText::of(
                "(memory.fill (i32.const 65536) (i32.const 91) (i32.const 100000)) \
                 (call $insert (i32.const 16) (i32.const 4) (i32.const 65536) (i32.const 100000) (i32.const 1032)) \
                 (i32.store (i32.const 1024) (i32.load8_u (i32.const 1032))) \
                 (i32.store (i32.const 1028) (i32.load (i32.const 1036))) (i32.store (i32.const 1032) (i32.load (i32.const 1040))) (i32.const 1024)",
            )
        },
    ),
    attack("a division by zero", "guest.fault", GuestText::of("(i32.div_u (i32.const 1) (local.get $n))")),
    attack("memory that is not its own", "guest.fault", GuestText::of("(i32.load (i32.const 0x7ffffff0))")),
    attack(
        "a call of another type",
        "guest.fault",
        GuestText {
            besides: "(type $f (func (param i64) (result i32))) (table $t 1 funcref) (elem (i32.const 0) $ok)",
            ..GuestText::of("(call_indirect $t (type $f) (i64.const 1) (i32.const 0))")
        },
    ),
    attack(
        "writes before it gives up",
        "guest.panic",
        GuestText::of(
            "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) (unreachable)",
        ),
    ),
];

/// A guest that inserts a row five times, as a plugin does.
pub const HONEST: GuestText = GuestText::of(
    "(loop $again (call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) \
     (local.set $n (i32.add (local.get $n) (i32.const 1))) \
     (br_if $again (i32.lt_u (local.get $n) (i32.const 5)))) (call $ok)",
);
