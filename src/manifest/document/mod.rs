//! TOML and JSON documents read into typed values, with the place of every value and with all findings at
//! once.
//!
//! A model (the manifest, a scenario, a trust file) declares its tables with [`table!`] and its
//! closed sets of words with [`words!`]. From that one declaration come the parser, the "did you
//! mean", and the JSON Schema that editors use, so they cannot drift apart.

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
