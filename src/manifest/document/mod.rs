//! Reads TOML and JSON documents into typed values. Every value keeps its place, and all findings are reported at once.
//!
//! A model (the manifest, a scenario, a trust file) declares its tables with [`table!`] and its closed sets of words
//! with [`words!`]. The parser, the "did you mean" and the JSON Schema for editors come from that one declaration, so
//! they cannot drift apart.

pub mod codes;
mod examples;
mod json;
mod node;
mod read;
mod strict_json;
mod suggest;
mod table;
mod weight;

pub use examples::add_examples;
pub use node::{Entry, Node, NodeValue, parse};
pub use read::{FromToml, Reader};
pub use strict_json::parse as parse_strict_json;
pub use suggest::{closest, did_you_mean, obvious};
pub use table::{table, words};
pub use weight::{weight, weight_of_fields, weight_of_text};
