//! What the host of unit tests holds.

// With JSON:
use std::collections::BTreeMap;

use serde_json::{Map, Value};

// End.
/// A host for unit tests; all of it can be looked at and prepared.
#[derive(Debug, Clone, Default)]
pub struct Mock {
    /// Who calls; nobody where it is none.
    pub user: Option<String>,
    /// Permissions of who calls.
    pub permissions: Vec<String>,
    /// The clock, in nanoseconds since 1970.
    pub now_ns: u64,
    /// Where the next random number comes from.
    pub random: u64,
    /// Levels and texts of the log.
    pub logs: Vec<(String, String)>,
    // With JSON:
    /// The platform's configuration.
    pub config: BTreeMap<String, Value>,
    /// Settings of the plugin.
    pub settings: BTreeMap<String, Value>,
    /// Secrets of the plugin.
    pub secrets: BTreeMap<String, String>,
    /// Rows by entity.
    pub tables: BTreeMap<String, Vec<Map<String, Value>>>,
    /// Events that were told.
    pub events: Vec<(String, Value)>,
    /// How many numbers each rule has given.
    pub numbers: BTreeMap<String, u64>,
    /// The key-value store.
    pub keys: BTreeMap<String, String>,
    /// What expressions give: unit tests compute none.
    pub expressions: BTreeMap<String, Value>,
    /// Method, address and body of requests that were sent.
    pub requests: Vec<(String, String, Vec<u8>)>,
    /// Status and body of the answers to come.
    pub responses: Vec<(u16, String)>,
    /// Name, media type and bytes of files.
    pub blobs: BTreeMap<String, (String, String, Vec<u8>)>,
    /// Items by session.
    pub memories: BTreeMap<String, Vec<String>>,
    // End.
    ids: u64,
}

impl Mock {
    /// An id that nothing has yet.
    pub fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-7000-8000-{:012}", self.ids)
    }
}
