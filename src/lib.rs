//! `erp-plugin`: scaffold, build, check, test, pack, sign and publish WebAssembly-component plugins for
//! a multi-tenant ERP platform.
//!
//! The rooms, from the ground up; each may use those below, and `docs/architecture.md` says more:
//!
//! | floor | rooms |
//! |---|---|
//! | words | [`codes`], [`containment`], [`diagnostics`], [`digest`], [`document`], [`exit_code`], [`files`], [`pattern`], [`random`], [`settings`], [`strict_zip`], [`ui`] |
//! | nouns | [`expression`], [`manifest`], [`contract`], [`component`], [`network`], [`outgoing`], [`signing`], [`archive`], [`evolution`], [`store`], [`project`] |
//! | engines | [`check`], [`verification`], [`seed`], [`generate`], [`scaffold`], [`build`], [`host`], [`http_api`], [`registry`] |
//! | platform | [`platform`] |
//! | surfaces | [`scenario`], [`dev_host`] |
//! | program | `commands`, `context`, `command_error`, `explanations`, `cli` |

pub mod archive;
pub mod build;
pub mod check;
mod cli;
pub mod codes;
mod command_error;
mod commands;
pub mod component;
pub mod containment;
mod context;
pub mod contract;
pub mod dev_host;
pub mod diagnostics;
pub mod digest;
pub mod document;
pub mod evolution;
pub mod exit_code;
mod explanations;
pub mod expression;
pub mod files;
pub mod generate;
pub mod host;
pub mod http_api;
pub mod link;
pub mod manifest;
pub mod network;
pub mod outgoing;
pub mod pattern;
pub mod platform;
pub mod project;
pub mod random;
pub mod registry;
pub mod scaffold;
pub mod scenario;
pub mod seed;
pub mod settings;
pub mod signing;
pub mod store;
pub mod strict_zip;
pub mod ui;
pub mod verification;

pub use cli::run;
