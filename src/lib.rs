//! wip
pub mod archive;
pub mod check;
pub mod component;
pub mod contract;
pub mod diagnostics;
pub mod document;
pub mod exit_code;
pub mod files;
pub mod generate;
pub mod host;
pub mod manifest;
pub mod platform;
pub mod scenario;
pub mod signing;
pub mod store;
