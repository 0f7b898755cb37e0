//! What a plugin may ask of the host: the keys of `[capabilities]` that open functions.

use super::HostFunction;

/// A key of `[capabilities]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Events that the plugin may publish.
    Publish,
    /// Keys of the platform's configuration.
    Config,
    /// Keys and values of its own.
    Kv,
    /// Secrets that an administrator sets.
    Secrets,
    /// Addresses that requests may go to.
    Http,
    /// Files.
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

    /// How to grant it.
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

    /// Whether it is granted as a whole, with `true`.
    pub fn is_switch(self) -> bool {
        matches!(self, Capability::Kv | Capability::Blob | Capability::Memory)
    }

    /// Whether a call of its functions shows that it is needed. Rows of the plugin's own entities need no grant, and
    /// whose rows a query is about cannot be seen from outside.
    pub fn is_needed_by_every_call(self) -> bool {
        self != Capability::ReadEntities
    }

    /// The functions that it opens.
    pub fn functions(self) -> impl Iterator<Item = HostFunction> {
        HostFunction::ALL.iter().copied().filter(move |function| function.capability() == Some(self))
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}
