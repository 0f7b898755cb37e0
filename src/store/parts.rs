//! The parts of a database.

use super::Database;
use super::blobs::Blobs;
use super::events::EventLog;
use super::fixtures::Fixtures;
use super::key_values::KeyValues;
use super::load::Loader;
use super::lookup::RowReader;
use super::memory::SessionMemory;
use super::numbering::Numbers;
use super::plugins::PluginRecords;
use super::receipts::Receipts;
use super::records::RowWriter;
use super::schema::EntityTables;
use super::secrets::Secrets;
use super::settings::Configuration;
use super::texts::TextIndexes;
use super::upgrade::Upgrades;

impl Database {
    /// Writes rows, and checks each against the manifest.
    pub fn writer(&mut self) -> RowWriter<'_> {
        RowWriter { database: self }
    }

    /// Reads rows.
    pub fn reader(&self) -> RowReader<'_> {
        RowReader { database: self }
    }

    /// The indexes of texts in SQLite.
    pub(crate) fn texts(&mut self) -> TextIndexes<'_> {
        TextIndexes { database: self }
    }

    /// The key-value store of a plugin.
    pub fn keys(&mut self) -> KeyValues<'_> {
        KeyValues { database: self }
    }

    /// Files of plugins.
    pub fn blobs(&mut self) -> Blobs<'_> {
        Blobs { database: self }
    }

    /// Events and their deliveries.
    pub fn events(&mut self) -> EventLog<'_> {
        EventLog { database: self }
    }

    /// Secrets of plugins, and calls of the host that were denied.
    pub fn secrets(&mut self) -> Secrets<'_> {
        Secrets { database: self }
    }

    /// The session memory of plugins.
    pub fn sessions(&mut self) -> SessionMemory<'_> {
        SessionMemory { database: self }
    }

    /// Receipts, pinned keys and statements of the registry.
    pub fn receipts(&mut self) -> Receipts<'_> {
        Receipts { database: self }
    }

    /// The records of plugins and their packages.
    pub fn installed(&mut self) -> PluginRecords<'_> {
        PluginRecords { database: self }
    }

    /// The tables of plugins.
    pub fn schema(&mut self) -> EntityTables<'_> {
        EntityTables { database: self }
    }

    /// Settings of plugins, and the configuration of the platform.
    pub fn configuration(&mut self) -> Configuration<'_> {
        Configuration { database: self }
    }

    /// Numbers of sequences, by the rules of manifests.
    pub fn numbers(&mut self) -> Numbers<'_> {
        Numbers { database: self }
    }

    /// Loads many rows at once.
    pub fn loader(&mut self) -> Loader<'_> {
        Loader { database: self }
    }

    /// Fixtures: rows that come with a plugin.
    pub fn fixtures(&mut self) -> Fixtures<'_> {
        Fixtures { database: self }
    }

    /// Upgrades of tables, and their rollback.
    pub fn upgrades(&mut self) -> Upgrades<'_> {
        Upgrades { database: self }
    }
}
