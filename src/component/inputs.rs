//! The inputs of a build. The build writes them into the component, so that it is not taken for one of other sources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasm_encoder::{CustomSection, RawSection, Section};
use wasmparser::{Parser, Payload};

/// The custom section that holds the inputs, as JSON.
const SECTION: &str = "erp-plugin:inputs";

/// Where a component comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ComponentOrigin {
    /// A build for development: names and lines, not optimized for size.
    Debug,
    /// A build of what ships.
    Release,
    /// A file that was made elsewhere, which `build --component` took.
    File,
}

/// What a component was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BuildInputs {
    /// Where it comes from.
    pub origin: ComponentOrigin,
    /// cargo's profile; none where no cargo made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The compiler and its version; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// The version of erp-plugin that built it.
    pub tool: String,
    /// SHA-256 of the manifest as packages hold it.
    pub manifest: String,
    /// SHA-256 of what cargo's configuration and the environment add: flags, linker, profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// SHA-256 of every file of the project and of the local crates beside it, by its path relative to the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// SHA-256 of every variable of the environment that the source reads (`env!`, `option_env!`); empty where it was not
    /// set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
}

impl BuildInputs {
    /// Reads the inputs from a component; none if it has none that can be read.
    pub fn of(component: &[u8]) -> Option<BuildInputs> {
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.ok()? {
                // Sections of inner components do not count: these may have builds of their own.
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if section.name() == SECTION && depth == 0 => {
                    return serde_json::from_slice(section.data()).ok();
                }
                _ => {}
            }
        }
        None
    }

    /// Returns the component with these inputs, which replace those of an earlier build.
    #[must_use]
    pub fn written_into(&self, component: &[u8]) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut written = without_inputs(component).unwrap_or_else(|| component.to_vec());
        CustomSection { name: SECTION.into(), data: json.as_slice().into() }.append_to(&mut written);
        written
    }
}

/// Returns the component without the inputs of its build; none if it cannot be read. A changed comment in a source does
/// not change the result.
pub fn without_inputs(component: &[u8]) -> Option<Vec<u8>> {
    let mut without = wasm_encoder::Component::HEADER.to_vec();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.ok()?;
        let is_own = matches!(&payload, Payload::CustomSection(section) if section.name() == SECTION);
        if let (0, false, Some((id, range))) = (depth, is_own, payload.as_section()) {
            RawSection { id, data: &component[range] }.append_to(&mut without);
        }
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Some(without)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> BuildInputs {
        BuildInputs {
            origin: ComponentOrigin::Debug,
            profile: Some("dev".to_owned()),
            compiler: None,
            tool: "1.0.0".to_owned(),
            manifest: "aa".to_owned(),
            settings: None,
            files: BTreeMap::from([("src/lib.rs".to_owned(), "bb".to_owned())]),
            variables: BTreeMap::from([("REGION".to_owned(), "cc".to_owned())]),
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let component = wat::parse_str("(component (core module))").unwrap();
        assert_eq!(BuildInputs::of(&component), None);
        let written = inputs().written_into(&component);
        assert_eq!(BuildInputs::of(&written), Some(inputs()));
        assert_eq!(inputs().written_into(&written), written, "it is there once");
        assert!(written.starts_with(&component));
        assert!(wasmparser::Validator::new().validate_all(&written).is_ok());
    }

    #[test]
    fn a_part_says_nothing_of_the_whole() {
        let inner = inputs().written_into(&wat::parse_str("(component)").unwrap());
        let mut outer = wasm_encoder::Component::new();
        outer.section(&wasm_encoder::RawSection { id: 4, data: &inner });
        assert_eq!(BuildInputs::of(&outer.finish()), None);
    }
}
