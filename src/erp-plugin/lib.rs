//! `erp-plugin`: scaffold, build, check, test, pack, sign and publish WebAssembly-component plugins for
//! a multi-tenant ERP platform.
//!
//! The modules, from the lowest floor to the highest. Each may use those of lower floors: see `docs/architecture.md`.
//!
//! | floor | rooms |
//! |---|---|
//! | words | [`settings`], [`ui`] |
//! | nouns | [`network`], [`project`] |
//! | engines | [`build`], [`generate`], [`link`], [`registry`], [`scaffold`], [`seed`] |
//! | surfaces | [`scenario`], [`dev_host`] |
//! | program | `commands`, `context`, `command_error`, `explanations`, `cli` |

pub mod build;
mod cli;
mod command_error;
mod commands;
mod context;
pub mod dev_host;
mod explanations;
pub mod generate;
pub mod link;
pub mod network;
pub mod project;
pub mod registry;
pub mod scaffold;
pub mod scenario;
pub mod seed;
pub mod settings;
pub mod ui;

pub use cli::run;
