//! Copies of a database at one moment: to start from repeatedly, and to keep in a file.

use std::path::Path;
use std::sync::Arc;

use erp_manifest::Manifest;
use erp_storage::StoreError;

use super::Database;
use super::sql::{ColumnShape, Connection, ConnectionImage, Dialect, PostgresUrl, SqlError, SqlRow, SqlValue};
use crate::error::failed;

/// A copy of a database at one moment.
#[derive(Debug)]
pub struct DatabaseImage(ImageValue);

#[derive(Debug)]
enum ImageValue {
    Sqlite(Vec<u8>),
    /// The rows; the tables are created again from the manifests.
    Postgres {
        url: PostgresUrl,
        manifests: Vec<Arc<Manifest>>,
        tables: Vec<TableRows>,
    },
}

#[derive(Debug)]
struct TableRows {
    table: String,
    columns: Vec<String>,
    rows: Vec<Vec<SqlValue>>,
}

impl Database {
    /// Copies the whole database; must run outside of a unit of work.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn image(&mut self) -> Result<DatabaseImage, StoreError> {
        let image = self.connection_mut().image().map_err(failed("copy the database"))?;
        let url = match image {
            ConnectionImage::Bytes(bytes) => return Ok(DatabaseImage(ImageValue::Sqlite(bytes))),
            ConnectionImage::At(url) => url,
        };
        let manifests = self.catalog().manifests().cloned().collect();
        Ok(DatabaseImage(ImageValue::Postgres { url, manifests, tables: self.all_rows_of_all_tables()? }))
    }

    /// Creates a database with the content of an image, which shares nothing with it: in memory, or in a schema of its
    /// own. The caller must serve the entities again.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn of_image(image: &DatabaseImage) -> Result<Database, StoreError> {
        match &image.0 {
            ImageValue::Sqlite(bytes) => {
                let connection = Connection::of_image(bytes).map_err(failed("copy the database"))?;
                Ok(Database::over(connection))
            }
            ImageValue::Postgres { url, manifests, tables } => {
                let mut database = Database::scratch(url)?;
                database.begin()?;
                manifests.iter().try_for_each(|manifest| database.schema().install_schema(manifest))?;
                database.put_rows(tables)?;
                database.commit()?;
                Ok(database)
            }
        }
    }

    /// Copies the whole database into a new SQLite file, which must not exist.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            let name = file.to_string_lossy().into_owned();
            return self.execute("copy the database", "vacuum into ?", [SqlValue::Text(name)]).map(|_| ());
        }
        let mut copy = Database::open(file)?;
        copy.begin()?;
        // Indexes are created after the rows.
        self.catalog().manifests().try_for_each(|manifest| copy.schema().install_bare_tables(manifest))?;
        copy.put_rows(&self.all_rows_of_all_tables()?)?;
        self.catalog().manifests().try_for_each(|manifest| copy.schema().install_schema(manifest))?;
        copy.commit()?;
        Ok(())
    }

    fn all_rows_of_all_tables(&self) -> Result<Vec<TableRows>, StoreError> {
        let text = |row: &SqlRow<'_>| row.get::<String>(0);
        let tables = "select tablename::text from pg_catalog.pg_tables where schemaname = current_schema() order by 1";
        let mut all = Vec::new();
        for table in self.rows("list tables", tables, [], text)? {
            let columns = self.rows(
                "list columns",
                "select column_name::text, data_type::text from information_schema.columns where table_schema = \
                 current_schema() and table_name = ? and is_generated = 'NEVER' order by ordinal_position",
                [SqlValue::text(&table)],
                |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
            )?;
            let shown = columns.iter().map(|(name, kind)| match kind.as_str() {
                "timestamp with time zone" => self.dialect().shown(&format!("\"{name}\""), ColumnShape::Moment),
                _ => format!("\"{name}\""),
            });
            let sql = format!("select {} from \"{table}\"", shown.collect::<Vec<_>>().join(", "));
            let values = |row: &SqlRow<'_>| -> Result<Vec<SqlValue>, SqlError> {
                (0..columns.len()).map(|index| Ok(row.cell(index)?.to_value())).collect()
            };
            let rows = self.rows("copy rows", &sql, [], values)?;
            if !rows.is_empty() {
                let columns = columns.into_iter().map(|(name, _)| name).collect();
                all.push(TableRows { table, columns, rows });
            }
        }
        Ok(all)
    }

    fn put_rows(&self, tables: &[TableRows]) -> Result<(), StoreError> {
        for TableRows { table, columns, rows } in tables {
            if !self.has_table(table)? {
                continue;
            }
            let marks = vec!["?"; columns.len()].join(", ");
            let sql = format!("insert into \"{table}\" (\"{}\") values ({marks})", columns.join("\", \""));
            for row in rows {
                self.execute("copy a row", &sql, row)?;
            }
            if self.dialect() == Dialect::Postgres && columns.iter().any(|column| column == "seq") {
                let next =
                    format!("select setval(pg_get_serial_sequence('{table}', 'seq'), max(seq)) from \"{table}\"");
                self.rows("count on", &next, [], |_| Ok(()))?;
            }
        }
        Ok(())
    }
}
