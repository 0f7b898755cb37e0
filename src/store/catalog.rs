//! The entities that are known to a database.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreError;
use crate::manifest::{Entity, Field, Manifest, OnDelete, PluginId, table_name};

/// The manifests of the installed plugins; one that was uninstalled is not among them.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    manifests: BTreeMap<PluginId, Arc<Manifest>>,
}

/// An entity of an installed plugin.
#[derive(Debug, Clone)]
pub struct EntityRef {
    manifest: Arc<Manifest>,
    index: usize,
}

/// Rows that hang on rows of an entity.
#[derive(Debug, Clone)]
pub(super) struct Dependent {
    pub(super) entity: EntityRef,
    pub(super) foreign_key: String,
    pub(super) on_delete: OnDelete,
}

impl Catalog {
    /// Adds a plugin or replaces its manifest.
    pub fn add(&mut self, manifest: Arc<Manifest>) {
        self.manifests.insert((*manifest.metadata.id).clone(), manifest);
    }

    /// Forgets a plugin.
    pub fn remove(&mut self, plugin: &PluginId) {
        self.manifests.remove(plugin);
    }

    /// The manifests, ordered by id.
    pub fn manifests(&self) -> impl Iterator<Item = &Arc<Manifest>> {
        self.manifests.values()
    }

    /// The manifest of a plugin.
    pub fn manifest(&self, plugin: &str) -> Option<&Arc<Manifest>> {
        self.manifests.iter().find(|(id, _)| id.as_str() == plugin).map(|(_, manifest)| manifest)
    }

    /// An entity by the name that the plugin `own` calls it: `item`, or `other-plugin.item`.
    ///
    /// # Errors
    /// [`StoreError::UnknownEntity`].
    pub fn entity(&self, own: &PluginId, name: &str) -> Result<EntityRef, StoreError> {
        let (plugin, entity) = name.split_once('.').unwrap_or((own.as_str(), name));
        self.manifest(plugin)
            .and_then(|manifest| {
                let index = manifest.schema.entities.iter().position(|known| known.name.as_str() == entity)?;
                Some(EntityRef { manifest: Arc::clone(manifest), index })
            })
            .ok_or_else(|| StoreError::UnknownEntity(name.to_owned()))
    }

    /// The entity that a reference of the plugin `own` leads to. Another plugin's entity can be
    /// referred to where that plugin is installed and says `is_public`; otherwise there is nothing to
    /// hold the reference against, and its label is the field's fallback.
    pub fn referable(&self, own: &PluginId, field: &Field) -> Option<EntityRef> {
        let target = field.ref_entity.as_ref()?;
        let plugin = field.ref_plugin.as_deref().unwrap_or(own);
        let found = self.entity(plugin, target.as_str()).ok()?;
        (plugin == own || found.is_public).then_some(found)
    }

    /// What hangs on the rows of an entity: its declared relations and its children.
    pub(super) fn dependents(&self, entity: &EntityRef) -> Vec<Dependent> {
        let own = entity.plugin();
        let declared = entity.relations.iter().filter_map(|relation| {
            Some(Dependent {
                entity: self.entity(own, relation.target_entity.as_str()).ok()?,
                foreign_key: relation.foreign_key.as_str().to_owned(),
                on_delete: relation.on_delete,
            })
        });
        let children = entity.manifest.schema.entities.iter().filter_map(|child| {
            child.child_of.as_ref().filter(|parent| ***parent == *entity.name)?;
            let key = child.fields.iter().find(|field| {
                field.ref_plugin.is_none() && field.ref_entity.as_ref().is_some_and(|target| **target == *entity.name)
            })?;
            Some(Dependent {
                entity: self.entity(own, child.name.as_str()).ok()?,
                foreign_key: key.name.as_str().to_owned(),
                on_delete: OnDelete::Cascade,
            })
        });
        let mut dependents: Vec<Dependent> = declared.collect();
        for child in children {
            if !dependents
                .iter()
                .any(|known| known.entity.table() == child.entity.table() && known.foreign_key == child.foreign_key)
            {
                dependents.push(child);
            }
        }
        dependents
    }
}

impl EntityRef {
    /// The entities of a manifest.
    pub(super) fn all(manifest: &Arc<Manifest>) -> impl Iterator<Item = EntityRef> {
        (0..manifest.schema.entities.len()).map(|index| EntityRef { manifest: Arc::clone(manifest), index })
    }

    /// The plugin that the entity belongs to.
    pub fn plugin(&self) -> &PluginId {
        &self.manifest.metadata.id
    }

    /// The manifest that declares it.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The name of its table.
    pub fn table(&self) -> String {
        table_name(self.plugin(), &self.name)
    }

    /// `plugin.entity`.
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", self.plugin(), *self.name)
    }
}

impl std::ops::Deref for EntityRef {
    type Target = Entity;

    fn deref(&self) -> &Entity {
        &self.manifest.schema.entities[self.index]
    }
}
