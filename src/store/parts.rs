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
    /// Rows that are written, each held to what the manifest demands.
    pub fn writer(&mut self) -> RowWriter<'_> {
        RowWriter { database: self }
    }

    /// Rows that are read.
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

    /// Events, and their deliveries.
    pub fn events(&mut self) -> EventLog<'_> {
        EventLog { database: self }
    }

    /// Secrets of plugins, and what was denied.
    pub fn secrets(&mut self) -> Secrets<'_> {
        Secrets { database: self }
    }

    /// What plugins remember of sessions.
    pub fn sessions(&mut self) -> SessionMemory<'_> {
        SessionMemory { database: self }
    }

    /// Receipts, pinned keys and statements of the registry.
    pub fn receipts(&mut self) -> Receipts<'_> {
        Receipts { database: self }
    }

    /// What is known of plugins and their packages.
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

    /// Numbers that are given out in a row.
    pub fn numbers(&mut self) -> Numbers<'_> {
        Numbers { database: self }
    }

    /// Many rows at once.
    pub fn loader(&mut self) -> Loader<'_> {
        Loader { database: self }
    }

    /// Rows that come with a plugin.
    pub fn fixtures(&mut self) -> Fixtures<'_> {
        Fixtures { database: self }
    }

    /// Upgrades of tables, and the way back.
    pub fn upgrades(&mut self) -> Upgrades<'_> {
        Upgrades { database: self }
    }
}
