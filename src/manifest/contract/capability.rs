//! Capabilities: the keys of `[capabilities]` that permit calls of host functions.

use super::HostFunction;

/// A key of `[capabilities]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Events that the plugin may publish.
    Publish,
    /// Keys of the platform's configuration.
    Config,
    /// The plugin's own keys and values.
    Kv,
    /// Secrets that an administrator sets.
    Secrets,
    /// Addresses that the plugin may send requests to.
    Http,
    /// Files that the plugin keeps.
    Blob,
    /// The memory of conversations.
    Memory,
    /// Public entities of other plugins.
    ReadEntities,
}

impl Capability {
    /// Every capability, in the order of the documentation.
    pub const ALL: [Capability; 8] = [
        Capability::Publish,
        Capability::Config,
        Capability::Kv,
        Capability::Secrets,
        Capability::Http,
        Capability::Blob,
        Capability::Memory,
        Capability::ReadEntities,
    ];

    /// The key in `[capabilities]`.
    pub fn key(self) -> &'static str {
        match self {
            Capability::Publish => "publish",
            Capability::Config => "config",
            Capability::Kv => "kv",
            Capability::Secrets => "secrets",
            Capability::Http => "http",
            Capability::Blob => "blob",
            Capability::Memory => "memory",
            Capability::ReadEntities => "read_entities",
        }
    }

    /// An example of the grant in `[capabilities]`.
    pub fn example(self) -> &'static str {
        match self {
            Capability::Publish => "publish = [\"<event>\"]",
            Capability::Config => "config = [\"<key>\"]",
            Capability::Kv => "kv = true",
            Capability::Secrets => "secrets = [\"<key>\"]",
            Capability::Http => "http = [\"https://<host>/<path>/*\"]",
            Capability::Blob => "blob = true",
            Capability::Memory => "memory = true",
            Capability::ReadEntities => "read_entities = [\"<plugin>.<entity>\"]",
        }
    }

    /// Whether the grant is a switch, with `true`, and not a list.
    pub fn is_switch(self) -> bool {
        matches!(self, Capability::Kv | Capability::Blob | Capability::Memory)
    }

    /// Returns whether every call of its functions requires the grant. Queries on the plugin's own entities require
    /// none, and the imports of a component do not show which entities it queries.
    pub fn is_needed_by_every_call(self) -> bool {
        self != Capability::ReadEntities
    }

    /// The host functions that it permits.
    pub fn functions(self) -> impl Iterator<Item = HostFunction> {
        HostFunction::ALL.iter().copied().filter(move |function| function.capability() == Some(self))
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}
