//! The host API that plugins of the ERP platform are compiled against, as WIT: one package a version.
//!
//! ```
//! assert!(erp_wit::V1_0_0.contains("package erp:plugin@1.0.0"));
//! ```
//!
//! A version that was released never changes.

#[cfg(feature = "host")]
pub mod host;

/// `erp:plugin@1.0.0`.
pub const V1_0_0: &str = include_str!("1.0.0/plugin.wit");

/// The host API before versions: what plugins were compiled against at first.
pub const LEGACY: &str = include_str!("legacy/plugin.wit");
