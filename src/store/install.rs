//! The tables of a plugin, for a platform that does not use our lifecycle of plugins.

use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, document, from_json};
use erp_storage::{EntityRef, StoreError};

use super::schema::EntityTables;

impl EntityTables<'_> {
    /// Creates the tables of a plugin, or upgrades those of its installed version, in a unit of work of its own; serves
    /// its entities from then on. `source` is the text of the manifest.
    ///
    /// # Errors
    /// [`StoreError::RowsAtStake`] if values would be lost, [`StoreError::InUse`] if another host uses the database,
    /// [`StoreError::BadQuery`] if a table belongs to another plugin, [`StoreError::Database`].
    pub fn install(
        &mut self,
        manifest: &Arc<Manifest>,
        source: &Arc<SourceFile>,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.database.begin()?;
        let done = self.make_tables(manifest, source, now);
        if done.is_err() {
            self.database.rollback();
        }
        done?;
        self.database.commit()?;
        self.database.serve_schema(manifest);
        Ok(())
    }

    fn make_tables(
        &mut self,
        manifest: &Arc<Manifest>,
        source: &Arc<SourceFile>,
        now: Moment,
    ) -> Result<(), StoreError> {
        let id = &manifest.metadata.id;
        for entity in EntityRef::all(manifest) {
            if let Some(owner) = self.other_owner(id, &entity.table())? {
                return Err(StoreError::BadQuery(format!("the table `{}` belongs to `{owner}`", entity.table())));
            }
        }
        let installed = self
            .database
            .installed()
            .schema_of(id)?
            .and_then(|installed| from_json("installed", &installed).0)
            .map(Arc::new);
        self.database.upgrades().upgrade(installed.as_ref(), manifest, now, |_| Ok(()))?;
        self.database.installed().put_schema(id, &document::parse(source).0.to_json())
    }
}
