//! The child rows of a row: rows of another entity that refer to it.

use super::{Entity, Field, Manifest, RelationType};

/// Rows of one entity that refer to rows of another one.
#[derive(Debug, Clone, Copy)]
pub struct ChildRows<'m> {
    /// The entity of the child rows.
    pub entity: &'m Entity,
    /// The field that refers to the parent row.
    pub key: &'m Field,
}

/// The reason why a name does not identify child rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildRowsError {
    /// The name is neither a complete `one_to_many` relation nor an entity that refers to this one.
    Unknown,
    /// The entity refers to this one by several fields, which are listed.
    SeveralKeys(Vec<String>),
}

impl Manifest {
    /// Returns the child rows of a name: those of a `one_to_many` relation of `parent`, or those of the entity with
    /// this name, if exactly one of its fields refers to `parent`.
    ///
    /// # Errors
    /// [`ChildRowsError`].
    pub fn child_rows(&self, parent: &Entity, name: &str) -> Result<ChildRows<'_>, ChildRowsError> {
        let entity = |name: &str| self.schema.entities.iter().find(|entity| entity.name.as_str() == name);
        let relation = parent
            .relations
            .iter()
            .find(|relation| relation.name.as_str() == name && relation.r#type == RelationType::OneToMany);
        if let Some(relation) = relation {
            let child = entity(relation.target_entity.as_str());
            let key = relation.foreign_key.as_ref().and_then(|key| child?.field(key.as_str()));
            return child.zip(key).map(|(entity, key)| ChildRows { entity, key }).ok_or(ChildRowsError::Unknown);
        }
        let child = entity(name).ok_or(ChildRowsError::Unknown)?;
        match keys(child, parent).collect::<Vec<_>>()[..] {
            [] => Err(ChildRowsError::Unknown),
            [key] => Ok(ChildRows { entity: child, key }),
            ref several => Err(ChildRowsError::SeveralKeys(several.iter().map(|key| key.name.to_string()).collect())),
        }
    }

    /// Every name that identifies child rows of an entity.
    pub fn child_names<'m>(&'m self, parent: &'m Entity) -> impl Iterator<Item = &'m str> {
        let relations = parent.relations.iter().filter(|relation| relation.r#type == RelationType::OneToMany);
        let entities = self.schema.entities.iter().filter(|entity| keys(entity, parent).count() == 1);
        relations.map(|relation| relation.name.as_str()).chain(entities.map(|entity| entity.name.as_str()))
    }
}

/// The fields of `child` that refer to `parent` in the same plugin.
fn keys<'m>(child: &'m Entity, parent: &Entity) -> impl Iterator<Item = &'m Field> {
    let parent = parent.name.to_string();
    child.fields.iter().filter(move |field| {
        field.ref_plugin.is_none() && field.ref_entity.as_ref().is_some_and(|target| target.as_str() == parent)
    })
}
