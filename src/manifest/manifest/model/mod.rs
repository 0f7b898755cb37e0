//! The tables of `plugin.toml`. `docs/manifest.md` and the JSON Schema are generated from the doc comments here.

mod access;
mod build;
mod field;
mod migration;
mod node;
mod plugin;
mod schema;
mod ui;

pub use access::*;
pub use build::*;
pub use field::*;
pub use migration::*;
pub use node::*;
pub use plugin::*;
pub use schema::*;
pub use ui::*;
