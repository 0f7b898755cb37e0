//! The description of a component: name, version, licence and revision in custom sections, as the tools of the
//! Bytecode Alliance read them.

use thiserror::Error;
use wasm_metadata::{AddMetadata, AddMetadataField, Payload};

/// The description in the custom sections of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// The plugin's id.
    pub name: Option<String>,
    /// The plugin's version.
    pub version: Option<String>,
    /// The licence, an SPDX expression.
    pub license: Option<String>,
    /// The revision of the source.
    pub revision: Option<String>,
    /// The address of the source.
    pub source: Option<String>,
    /// The address of the home page.
    pub homepage: Option<String>,
}

/// A description that cannot be written.
#[derive(Debug, Error)]
#[error("the component's description cannot be written: {0}")]
pub struct DescriptionError(String);

/// Returns the component with this description, and with `erp-plugin` among its producers.
///
/// # Errors
/// [`DescriptionError`] for a licence that is not an SPDX expression, or an invalid address.
pub fn describe(component: &[u8], description: &Description, tool_version: &str) -> Result<Vec<u8>, DescriptionError> {
    fn set<T: std::fmt::Debug + Clone>(
        text: Option<&String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<AddMetadataField<T>, DescriptionError> {
        text.map_or(Ok(AddMetadataField::Keep), |text| parse(text).map(AddMetadataField::Set)).map_err(DescriptionError)
    }
    let mut metadata = AddMetadata::default();
    metadata.name = set(description.name.as_ref(), |text| Ok(text.to_owned()))?;
    metadata.version = set(description.version.as_ref(), |text| Ok(wasm_metadata::Version::new(text.to_owned())))?;
    metadata.revision = set(description.revision.as_ref(), |text| Ok(wasm_metadata::Revision::new(text.to_owned())))?;
    let license = |text: &str| wasm_metadata::Licenses::new(text).map_err(|error| format!("`{text}`: {error}"));
    metadata.licenses = set(description.license.as_ref(), license)?;
    let source = |text: &str| text.parse::<wasm_metadata::Source>().map_err(|error| format!("`{text}`: {error}"));
    metadata.source = set(description.source.as_ref(), source)?;
    let homepage = |text: &str| text.parse::<wasm_metadata::Homepage>().map_err(|error| format!("`{text}`: {error}"));
    metadata.homepage = set(description.homepage.as_ref(), homepage)?;
    metadata.processed_by = vec![("erp-plugin".to_owned(), tool_version.to_owned())];
    metadata.to_wasm(component).map_err(|error| DescriptionError(error.to_string()))
}

/// Reads the description of a component; empty for a file that cannot be read.
pub fn description(component: &[u8]) -> Description {
    let Ok(payload) = Payload::from_binary(component) else { return Description::default() };
    let metadata = payload.metadata();
    Description {
        name: metadata.name.clone(),
        version: metadata.version.as_ref().map(ToString::to_string),
        license: metadata.licenses.as_ref().map(ToString::to_string),
        revision: metadata.revision.as_ref().map(ToString::to_string),
        source: metadata.source.as_ref().map(ToString::to_string),
        homepage: metadata.homepage.as_ref().map(ToString::to_string),
    }
}
