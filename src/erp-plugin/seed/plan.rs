//! How many rows of each entity, and in which order.

use std::collections::BTreeSet;

use erp_manifest::{Entity, FieldType, Manifest};
use serde::Serialize;

/// How many rows an entity has for each row of an entity that it refers to.
const ROWS_PER_ROW: u64 = 4;

/// Which rows are made.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct SeedPlan {
    /// Entities in an order in which each comes after those that its rows name.
    pub shares: Vec<Share>,
}

/// The rows of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Share {
    /// The entity.
    pub entity: String,
    /// How many rows.
    pub rows: u64,
}

impl SeedPlan {
    /// Distributes `rows` over the entities: there are more lines than orders, and more orders than customers.
    pub fn of(manifest: &Manifest, rows: u64) -> SeedPlan {
        let entities = &manifest.schema.entities;
        let levels: Vec<u32> = entities.iter().map(|entity| level(manifest, entity, &mut BTreeSet::new())).collect();
        let weights: Vec<u64> = levels.iter().map(|level| ROWS_PER_ROW.pow((*level).min(6))).collect();
        let all: u64 = weights.iter().sum::<u64>().max(1);
        let mut order: Vec<usize> = (0..entities.len()).collect();
        order.sort_by_key(|index| levels[*index]);
        let mut left = rows;
        let mut shares: Vec<Share> = Vec::new();
        for (position, index) in order.iter().enumerate() {
            let is_last = position + 1 == order.len();
            let share = if is_last { left } else { (rows * weights[*index] / all).max(1).min(left) };
            left -= share;
            shares.push(Share { entity: entities[*index].name.to_string(), rows: share });
        }
        SeedPlan { shares }
    }
}

/// The length of the longest chain of references from this entity to other entities of the plugin.
fn level(manifest: &Manifest, entity: &Entity, above: &mut BTreeSet<String>) -> u32 {
    if !above.insert(entity.name.to_string()) {
        return 0;
    }
    let named = entity.fields.iter().filter(|field| *field.field_type == FieldType::Ref && field.ref_plugin.is_none());
    let named = named.filter_map(|field| field.ref_entity.as_ref()).filter(|target| ***target != *entity.name);
    let targets = named.filter_map(|target| manifest.schema.entities.iter().find(|known| *known.name == **target));
    let highest = targets.map(|target| level(manifest, target, above) + 1).max().unwrap_or(0);
    above.remove(entity.name.as_str());
    highest
}
