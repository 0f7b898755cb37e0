//! The catalog: the entities of the installed plugins.

use std::collections::BTreeMap;
use std::sync::Arc;

use erp_manifest::diagnostics::Spanned;
use erp_manifest::{Entity, Field, FieldName, Manifest, OnDelete, PluginId, RelationType, table_name};

use super::StoreError;

/// The manifests of the installed plugins, without those that were uninstalled.
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

/// An entity whose rows refer to rows of another entity.
#[derive(Debug, Clone)]
pub struct Dependent {
    /// The entity of the dependent rows.
    pub entity: EntityRef,
    /// Its field that holds the id of the other row.
    pub foreign_key: String,
    /// What happens to the dependent rows when the other row is deleted.
    pub on_delete: OnDelete,
}

impl Catalog {
    /// Adds a plugin or replaces its manifest.
    pub fn add(&mut self, manifest: Arc<Manifest>) {
        self.manifests.insert((*manifest.metadata.id).clone(), manifest);
    }

    /// Removes a plugin.
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

    /// Finds an entity by the name that the plugin `own` uses for it: `item`, or `other-plugin.item`.
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

    /// Finds an entity by `plugin.entity`.
    pub fn by_qualified_name(&self, name: &str) -> Option<EntityRef> {
        let (plugin, entity) = name.split_once('.')?;
        let manifest = self.manifest(plugin)?;
        EntityRef::all(manifest).find(|known| known.name.as_str() == entity)
    }

    /// The entity that a reference field of the plugin `own` points to. An entity of another plugin can be
    /// referenced if that plugin is installed and the entity is `is_public`. Otherwise the reference cannot be
    /// checked, and its label is the field's fallback.
    pub fn referable(&self, own: &PluginId, field: &Field) -> Option<EntityRef> {
        let target = field.ref_entity.as_ref()?;
        let plugin = field.ref_plugin.as_deref().unwrap_or(own);
        let found = self.entity(plugin, target.as_str()).ok()?;
        (plugin == own || found.is_public).then_some(found)
    }

    /// The dependents of an entity: its declared relations and its children.
    pub fn dependents(&self, entity: &EntityRef) -> Vec<Dependent> {
        let own = entity.plugin();
        let mut dependents: Vec<Dependent> = Vec::new();
        let mut add = |name: &str, key: &Option<Spanned<FieldName>>, on_delete: OnDelete| {
            let (Ok(entity), Some(key)) = (self.entity(own, name), key) else { return };
            let foreign_key = key.as_str().to_owned();
            let is_known =
                |known: &Dependent| known.entity.table() == entity.table() && known.foreign_key == foreign_key;
            if !dependents.iter().any(is_known) {
                dependents.push(Dependent { entity, foreign_key, on_delete });
            }
        };
        for relation in &entity.relations {
            match (relation.r#type, &relation.through_entity) {
                (RelationType::OneToMany, _) => {
                    add(relation.target_entity.as_str(), &relation.foreign_key, relation.on_delete);
                }
                (RelationType::ManyToMany, Some(pairs)) => {
                    add(pairs.as_str(), &relation.through_source_field, relation.on_delete);
                }
                _ => {}
            }
        }
        for other in &entity.manifest.schema.entities {
            // Relations that the other entity declares.
            for relation in other.relations.iter().filter(|relation| *relation.target_entity == *entity.name) {
                match (relation.r#type, &relation.through_entity) {
                    (RelationType::ManyToOne, _) => add(other.name.as_str(), &relation.foreign_key, relation.on_delete),
                    (RelationType::ManyToMany, Some(pairs)) => {
                        add(pairs.as_str(), &relation.through_target_field, relation.on_delete);
                    }
                    _ => {}
                }
            }
            if other.child_of.as_ref().is_some_and(|parent| **parent == *entity.name) {
                let key = other.fields.iter().find(|field| {
                    field.ref_plugin.is_none()
                        && field.ref_entity.as_ref().is_some_and(|target| **target == *entity.name)
                });
                add(other.name.as_str(), &key.map(|key| key.name.clone()), OnDelete::Cascade);
            }
        }
        dependents
    }
}

impl EntityRef {
    /// The entities of a manifest.
    pub fn all(manifest: &Arc<Manifest>) -> impl Iterator<Item = EntityRef> {
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
