//! The Rust names of entities, their new rows and their choices.

use std::collections::BTreeMap;

use erp_manifest::Manifest;

use super::names::{TakenNames, camel};

/// Names of `erp/entities.rs`, all different.
#[derive(Debug)]
pub(super) struct EntityNames {
    rows: BTreeMap<String, String>,
    new_rows: BTreeMap<String, String>,
    choices: BTreeMap<(String, String), String>,
}

impl EntityNames {
    /// Chooses the names for a manifest: rows first, so that later names get the suffixes.
    pub(super) fn of(manifest: &Manifest) -> EntityNames {
        let mut taken = TakenNames::default();
        let mut names = EntityNames { rows: BTreeMap::new(), new_rows: BTreeMap::new(), choices: BTreeMap::new() };
        for entity in &manifest.schema.entities {
            names.rows.insert(entity.name.to_string(), taken.take(&camel(entity.name.as_str()), "Row"));
        }
        for entity in &manifest.schema.entities {
            let row = names.row(entity.name.as_str()).to_owned();
            names.new_rows.insert(entity.name.to_string(), taken.take(&format!("New{row}"), "Row"));
        }
        for entity in &manifest.schema.entities {
            for field in
                entity.fields.iter().filter(|field| field.field_type.has_options() && !field.options.is_empty())
            {
                let wanted = format!("{}{}", camel(entity.name.as_str()), camel(field.name.as_str()));
                let key = (entity.name.to_string(), field.name.to_string());
                names.choices.insert(key, taken.take(&wanted, "Choice"));
            }
        }
        names
    }

    /// The struct of an entity's rows.
    pub(super) fn row(&self, entity: &str) -> &str {
        self.rows.get(entity).map_or("Anything", String::as_str)
    }

    /// The struct of an entity's new rows.
    pub(super) fn new_row(&self, entity: &str) -> &str {
        self.new_rows.get(entity).map_or("Anything", String::as_str)
    }

    /// The enum of a select field.
    pub(super) fn choice(&self, entity: &str, field: &str) -> &str {
        self.choices.get(&(entity.to_owned(), field.to_owned())).map_or("String", String::as_str)
    }
}
