//! The host API that plugins of the ERP platform are compiled against, as WIT: one package per version.
//!
//! ```
//! assert!(erp_wit::V1_0_0.contains("package erp:plugin@1.0.0"));
//! ```
//!
//! A released version never changes.

#[cfg(feature = "host")]
pub mod host;

/// `erp:plugin@1.0.0`.
pub const V1_0_0: &str = include_str!("1.0.0/plugin.wit");

/// The host API before versioning, which the first plugins were compiled against.
pub const LEGACY: &str = include_str!("legacy/plugin.wit");
