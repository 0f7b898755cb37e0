//! `plugin.toml` as a value.
//!
//! [`parse`] does not stop at the first problem: it returns a report and, where possible, the manifest. Nothing here
//! touches a disk or a terminal; only [`Moment::of_system_clock`] reads the clock. The crate `erp-check` finds problems
//! between several parts, such as a page that names an unknown entity.

mod capability;
mod child_rows;
mod edit;
mod events;
mod field_type;
mod file_name;
mod fixture_rows;
mod foreign;
mod labels;
mod legacy;
mod model;
mod moment;
mod names;
mod parse;
mod permission;
mod reserved;
mod size;
mod values;

pub use capability::{CapabilityGrant, capability_grants, forbidden_functions};
pub use child_rows::{ChildRows, ChildRowsError};
pub use edit::ManifestText;
pub use events::{EventType, event_matches, is_event_name, may_trigger, trigger_name};
pub use field_type::{BaseType, DisplayKind, FieldType, InputKind, TextFormat, ValueShape};
pub use file_name::name_problem;
pub use fixture_rows::UnreadableFixture;
pub use labels::label_keys;
pub use model::*;
pub use moment::Moment;
pub use names::{
    EntityName, FieldName, MAX_NAME_BYTES, PluginId, RESERVED_ENTITIES, RESERVED_FIELDS, TenantId, table_name,
};
pub use parse::{from_json, nodes_from_toml, parse};
pub use permission::{CODES as PERMISSION_CODES, INVALID_PERMISSION, LIST, MANAGE, PermissionCode, PermissionGrant};
pub use reserved::RESERVED_KEYS;
pub use size::{ByteSize, Timeout};
pub use values::{
    MAX_ORDERED_BYTES, comparable, converted, decimal_of, normal_computed, normal_value, of_base_type, restore_stored,
};

use crate::codes::Code;

/// A manifest that uses every key of the model. The examples of its JSON Schema come from it.
pub const EXAMPLES: &str = include_str!("model/examples.toml");

/// The codes of this module that reading a manifest can report.
pub(crate) const CODES: &[&[Code]] = &[names::CODES, parse::CODES, permission::CODES, reserved::CODES];
