//! The table of all host functions: the place in WIT, the required capability and the effect.

use super::Capability;

/// The effect of a host function outside of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostEffect {
    /// Nothing: the result comes from the call itself. Such calls are neither counted nor traced, and faults do not
    /// apply to them.
    Nothing,
    /// It reads stored data.
    Reads,
    /// It changes stored data; a rollback of the call's transaction undoes this.
    Writes,
    /// It sends a request, which no rollback undoes.
    Sends,
}

struct Row {
    name: &'static str,
    interface: &'static str,
    function: &'static str,
    legacy: Option<&'static str>,
    capability: Option<Capability>,
    effect: HostEffect,
}

macro_rules! host_functions {
    ($(
        $variant:ident = $name:literal, $interface:literal $function:literal,
        legacy $legacy:expr, needs $capability:expr, $effect:ident;
    )*) => {
        /// A function of the host API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum HostFunction {
            $( #[doc = concat!("`", $name, "`.")] $variant, )*
        }

        impl HostFunction {
            /// Every function, in the order of the WIT.
            pub const ALL: &'static [HostFunction] = &[$(HostFunction::$variant),*];

            const fn row(self) -> Row {
                match self {
                    $( HostFunction::$variant => Row {
                        name: $name,
                        interface: $interface,
                        function: $function,
                        legacy: $legacy,
                        capability: $capability,
                        effect: HostEffect::$effect,
                    }, )*
                }
            }
        }
    };
}

host_functions! {
    Log = "log.log", "host-log" "log", legacy Some("log-write"), needs None, Nothing;
    Current = "context.current", "host-context" "current", legacy None, needs None, Nothing;
    CurrentUser = "context.current-user", "host-context" "current-user", legacy Some("current-user"), needs None, Reads;
    CheckPermission = "context.check-permission", "host-context" "check-permission",
        legacy Some("check-permission"), needs None, Reads;
    DataScope = "context.data-scope", "host-context" "data-scope", legacy None, needs None, Reads;
    Now = "clock.now", "host-clock" "now", legacy None, needs None, Nothing;
    MonotonicNow = "clock.monotonic-now", "host-clock" "monotonic-now", legacy None, needs None, Nothing;
    RandomBytes = "clock.random-bytes", "host-clock" "random-bytes", legacy None, needs None, Nothing;
    RandomU64 = "clock.random-u64", "host-clock" "random-u64", legacy None, needs None, Nothing;
    UuidV7 = "clock.uuid-v7", "host-clock" "uuid-v7", legacy None, needs None, Nothing;
    DbInsert = "db.insert", "host-db" "insert", legacy Some("db-insert"), needs None, Writes;
    DbGet = "db.get", "host-db" "get", legacy None, needs Some(Capability::ReadEntities), Reads;
    DbQuery = "db.query", "host-db" "query", legacy Some("db-query"), needs Some(Capability::ReadEntities), Reads;
    DbCount = "db.count", "host-db" "count", legacy None, needs Some(Capability::ReadEntities), Reads;
    DbUpdate = "db.update", "host-db" "update", legacy Some("db-update"), needs None, Writes;
    DbDelete = "db.delete", "host-db" "delete", legacy Some("db-delete"), needs None, Writes;
    DbRestore = "db.restore", "host-db" "restore", legacy None, needs None, Writes;
    DbAggregate = "db.aggregate", "host-db" "aggregate",
        legacy Some("db-aggregate"), needs Some(Capability::ReadEntities), Reads;
    DbBatch = "db.batch", "host-db" "batch", legacy None, needs None, Writes;
    DbResolveLabels = "db.resolve-labels", "host-db" "resolve-labels",
        legacy None, needs Some(Capability::ReadEntities), Reads;
    EventsPublish = "events.publish", "host-events" "publish",
        legacy Some("event-publish"), needs Some(Capability::Publish), Writes;
    ConfigGet = "config.get", "host-config" "get", legacy Some("config-get"), needs Some(Capability::Config), Reads;
    ConfigSetting = "config.setting", "host-config" "setting", legacy Some("setting-get"), needs None, Reads;
    ConfigSecret = "config.secret", "host-config" "secret", legacy None, needs Some(Capability::Secrets), Reads;
    NumberingNext = "numbering.next", "host-numbering" "next", legacy Some("numbering-generate"), needs None, Writes;
    NumberingPeek = "numbering.peek", "host-numbering" "peek", legacy None, needs None, Reads;
    KvGet = "kv.get", "host-kv" "get", legacy None, needs Some(Capability::Kv), Reads;
    KvSet = "kv.set", "host-kv" "set", legacy None, needs Some(Capability::Kv), Writes;
    KvDelete = "kv.delete", "host-kv" "delete", legacy None, needs Some(Capability::Kv), Writes;
    KvIncrement = "kv.increment", "host-kv" "increment", legacy None, needs Some(Capability::Kv), Writes;
    KvCompareAndSet = "kv.compare-and-set", "host-kv" "compare-and-set",
        legacy None, needs Some(Capability::Kv), Writes;
    ExprEval = "expr.eval", "host-expr" "eval", legacy None, needs None, Reads;
    ExprRender = "expr.render", "host-expr" "render", legacy None, needs None, Reads;
    HttpSend = "http.send", "host-http" "send", legacy None, needs Some(Capability::Http), Sends;
    BlobPut = "blob.put", "host-blob" "put", legacy None, needs Some(Capability::Blob), Writes;
    BlobGet = "blob.get", "host-blob" "get", legacy None, needs Some(Capability::Blob), Reads;
    BlobStat = "blob.stat", "host-blob" "stat", legacy None, needs Some(Capability::Blob), Reads;
    BlobDelete = "blob.delete", "host-blob" "delete", legacy None, needs Some(Capability::Blob), Writes;
    MemoryAppend = "memory.append", "host-memory" "append", legacy None, needs Some(Capability::Memory), Writes;
    MemoryRecent = "memory.recent", "host-memory" "recent", legacy None, needs Some(Capability::Memory), Reads;
    MemorySearch = "memory.search", "host-memory" "search", legacy None, needs Some(Capability::Memory), Reads;
    MemoryClear = "memory.clear", "host-memory" "clear", legacy None, needs Some(Capability::Memory), Writes;
}

impl HostFunction {
    /// The only interface of the legacy contract.
    const LEGACY_INTERFACE: &'static str = "host-api";

    /// The name in traces, scenarios and recordings, such as `db.insert`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The area: the first part of the name, such as `db`.
    pub fn area(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// The interface and the function in WIT, once for each version of the host API that has it.
    pub fn places(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let row = self.row();
        let legacy = row.legacy.map(|function| (HostFunction::LEGACY_INTERFACE, function));
        std::iter::once((row.interface, row.function)).chain(legacy)
    }

    /// The capability that it requires, if any. Calls on the plugin's own entities require none.
    pub fn capability(self) -> Option<Capability> {
        self.row().capability
    }

    /// The effect outside of the guest.
    pub fn effect(self) -> HostEffect {
        self.row().effect
    }

    /// The function of this name.
    pub fn find(name: &str) -> Option<HostFunction> {
        HostFunction::ALL.iter().copied().find(|function| function.name() == name)
    }

    /// The functions whose calls are counted and traced, and to which faults apply.
    pub fn traced() -> impl Iterator<Item = HostFunction> + Clone {
        HostFunction::ALL.iter().copied().filter(|function| function.effect() != HostEffect::Nothing)
    }
}

impl std::fmt::Display for HostFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl serde::Serialize for HostFunction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contract::{LEGACY, V1_0_0};

    /// The interface and the name of every function in the `host-` interfaces of a WIT text.
    fn functions_of(wit: &str) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        let mut interface = String::new();
        for line in wit.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("interface ") {
                interface = name.trim_end_matches(" {").to_owned();
            }
            if let Some((name, _)) = line.split_once(": func(").filter(|_| interface.starts_with("host-")) {
                found.insert((interface.clone(), name.to_owned()));
            }
        }
        found
    }

    #[test]
    fn the_table_has_the_functions_of_the_wit_and_no_others() {
        let mut declared = functions_of(V1_0_0.wit);
        declared.extend(functions_of(LEGACY.wit));
        let listed: BTreeSet<(String, String)> = HostFunction::ALL
            .iter()
            .flat_map(|function| function.places())
            .map(|(interface, function)| (interface.to_owned(), function.to_owned()))
            .collect();
        assert_eq!(listed, declared);
    }

    #[test]
    fn a_name_is_the_interface_and_the_function() {
        for function in HostFunction::ALL {
            let row = function.row();
            assert_eq!(format!("host-{}", row.name.replace('.', " ")), format!("{} {}", row.interface, row.function));
            assert_eq!(HostFunction::find(row.name), Some(*function));
        }
    }
}
