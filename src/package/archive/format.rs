//! What the entries of a package are called.

use crate::strict_zip::LEADING;

/// The entry that says what the file is.
pub(super) const MIME_TYPE_ENTRY: &str = LEADING[0];
/// Its content.
pub const MIME_TYPE: &str = "application/vnd.erpx.v1+zip";
/// The entry with the signed statement.
pub(super) const ENVELOPE: &str = LEADING[1];
/// The folder of what is said about the package; nothing else lies in it.
pub(super) const META: &str = "META/";
/// The entry with the manifest.
pub const MANIFEST: &str = LEADING[2];
/// The entry with the component.
pub const COMPONENT: &str = "component.wasm";
/// The entry with the WIT that the component was built for.
pub(super) const WIT: &str = "wit/world.wit";
/// The entry with the bill of materials: `CycloneDX` JSON.
pub const SBOM: &str = "META/sbom.cdx.json";
/// The entry that says how the component was built: an in-toto statement with SLSA's provenance.
pub const PROVENANCE: &str = "META/provenance.json";
