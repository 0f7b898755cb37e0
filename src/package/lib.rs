//! Writes, signs, reads and verifies `.erpx` packages.
//!
//! ```text
//! bytes ──► strict_zip ──► archive ──► Package
//!                             │           │
//!                          signing ──► verification ──► Verdict: may it be used, and which check says no
//! ```
//!
//! ```
//! use erp_package::{signing::TrustStore, verification::{Policy, verify}};
//!
//! # fn now() -> jiff::Timestamp { "2026-04-15T08:00:00Z".parse().unwrap() }
//! let trust = TrustStore::default();
//! let verdict = verify(b"not a package", &Policy::new(&trust, now()));
//! assert!(verdict.package.is_none());
//! assert_eq!(verdict.problems().next().unwrap().code.name(), "archive/too-short");
//! ```
//!
//! The crate has no hidden inputs: the current time and the trusted keys are arguments. The format of a package
//! (`docs/erpx-format.md`), the names of [`verification::Stage`]s and their order are stable.

pub mod archive;
pub mod signing;
pub mod strict_zip;
pub mod verification;

use erp_manifest::codes::Code;

/// Returns every code that a refused package, key or signature can have.
pub fn codes() -> impl Iterator<Item = Code> + Clone {
    [archive::codes::CODES, signing::codes::CODES, strict_zip::codes::CODES, verification::codes::CODES]
        .into_iter()
        .flatten()
        .copied()
}
