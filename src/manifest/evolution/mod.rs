//! Comparison of two versions of a plugin: the changes of its tables, their effect on stored rows, and the version
//! number that the new version must have. This module compares manifests and reads no rows.

mod change;
mod diff;
mod fit;
mod version;

pub use change::{ChangeEffect, ChangeKind, SchemaChange};
pub use diff::{EntityPair, SchemaDiff};
pub use fit::Fit;
pub use version::{Bump, BumpReason, required_bump};

use crate::manifest::{Manifest, Migration, MigrationPhase, MigrationStep};

/// The migrations that lead from one schema version to that of a manifest, in order.
pub fn migrations_from(version: u64, manifest: &Manifest) -> Vec<&Migration> {
    let mut path: Vec<&Migration> = manifest
        .migrations
        .iter()
        .filter(|migration| *migration.from >= version && *migration.to <= manifest.schema.schema_version)
        .collect();
    path.sort_by_key(|migration| (*migration.from, *migration.to, migration.phase as u8));
    path
}

/// The steps of a phase, in order.
pub fn steps_of<'m>(path: &[&'m Migration], phase: MigrationPhase) -> Vec<&'m MigrationStep> {
    path.iter().filter(|migration| migration.phase == phase).flat_map(|migration| &migration.steps).collect()
}
