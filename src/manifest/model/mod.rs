//! The tables of `plugin.toml`. `docs/manifest.md` and the JSON Schema are made from the doc
//! comments here.

mod access;
mod field;
mod migration;
mod plugin;
mod schema;
mod ui;

pub use access::*;
pub use field::*;
pub use migration::*;
pub use plugin::*;
pub use schema::*;
pub use ui::*;
