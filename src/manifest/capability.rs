//! What a plugin may ask of the host, and which functions each capability is about.

use super::Manifest;
use crate::diagnostics::{Span, Spanned};

/// A capability: the functions that need it, and what the manifest says of it.
pub struct Capability {
    /// The key in `[capabilities]`.
    pub key: &'static str,
    /// The interface and the functions; those of the first contract stand in `host-api`.
    pub functions: &'static [(&'static str, &'static str)],
    /// True where the manifest grants any of it.
    pub is_granted: bool,
    /// Where the manifest does.
    pub place: Option<Span>,
    /// How to grant it.
    pub example: &'static str,
}

/// Every capability that the manifest can grant.
pub fn capabilities(manifest: &Manifest) -> [Capability; 8] {
    let granted = &manifest.capabilities;
    let list = |items: &[Spanned<String>]| items.first().map(Spanned::span);
    [
        Capability {
            key: "publish",
            functions: &[("host-events", "publish"), ("host-api", "event-publish")],
            is_granted: !granted.publish.is_empty(),
            place: list(&granted.publish),
            example: "publish = [\"<event>\"]",
        },
        Capability {
            key: "config",
            functions: &[("host-config", "get"), ("host-api", "config-get")],
            is_granted: !granted.config.is_empty(),
            place: list(&granted.config),
            example: "config = [\"<key>\"]",
        },
        Capability {
            key: "kv",
            functions: &[
                ("host-kv", "get"),
                ("host-kv", "set"),
                ("host-kv", "delete"),
                ("host-kv", "increment"),
                ("host-kv", "compare-and-set"),
            ],
            is_granted: *granted.kv,
            place: Some(granted.kv.span()),
            example: "kv = true",
        },
        Capability {
            key: "secrets",
            functions: &[("host-config", "secret")],
            is_granted: !granted.secrets.is_empty(),
            place: list(&granted.secrets),
            example: "secrets = [\"<key>\"]",
        },
        Capability {
            key: "http",
            functions: &[("host-http", "send")],
            is_granted: !granted.http.is_empty(),
            place: list(&granted.http),
            example: "http = [\"https://<host>/<path>/*\"]",
        },
        Capability {
            key: "blob",
            functions: &[("host-blob", "put"), ("host-blob", "get"), ("host-blob", "stat"), ("host-blob", "delete")],
            is_granted: *granted.blob,
            place: Some(granted.blob.span()),
            example: "blob = true",
        },
        Capability {
            key: "memory",
            functions: &[
                ("host-memory", "append"),
                ("host-memory", "recent"),
                ("host-memory", "search"),
                ("host-memory", "clear"),
            ],
            is_granted: *granted.memory,
            place: Some(granted.memory.span()),
            example: "memory = true",
        },
        Capability {
            key: "read_entities",
            functions: &[
                ("host-db", "get"),
                ("host-db", "query"),
                ("host-db", "count"),
                ("host-db", "aggregate"),
                ("host-db", "resolve-labels"),
                ("host-api", "db-query"),
            ],
            is_granted: !granted.read_entities.is_empty(),
            place: list(&granted.read_entities),
            example: "read_entities = [\"<plugin>.<entity>\"]",
        },
    ]
}

/// Functions of the host that a manifest does not grant: the interface and the function. Those of other plugins' tables are
/// not among them, which cannot be told from the plugin's own.
pub fn not_granted(manifest: &Manifest) -> Vec<(&'static str, &'static str)> {
    let closed = capabilities(manifest).into_iter().filter(|one| !one.is_granted && one.key != "read_entities");
    closed.flat_map(|capability| capability.functions.iter().copied()).collect()
}
