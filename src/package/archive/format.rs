//! Names of the entries of a package.

use crate::strict_zip::LEADING;

/// The entry that holds the media type of the file.
pub(super) const MIME_TYPE_ENTRY: &str = LEADING[0];
/// The content of the entry `mimetype`.
pub const MIME_TYPE: &str = "application/vnd.erpx.v1+zip";
/// The entry with the signed statement.
pub(super) const ENVELOPE: &str = LEADING[1];
/// The folder of the statements about the package; it holds no other file.
pub(super) const META: &str = "META/";
/// The entry with the manifest.
pub const MANIFEST: &str = LEADING[2];
/// The entry with the component.
pub const COMPONENT: &str = "component.wasm";
/// The entry with the WIT that the component was built for.
pub(super) const WIT: &str = "wit/world.wit";
/// The entry with the bill of materials: `CycloneDX` JSON.
pub const SBOM: &str = "META/sbom.cdx.json";
/// The entry that describes how the component was built: an in-toto statement with SLSA provenance.
pub const PROVENANCE: &str = "META/provenance.json";
