//! Calls of a plugin's processor: bytes in, bytes out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use wasmtime::Store;
use wasmtime::component::{ComponentType, Lift, Lower};

use super::call_state::CallState;
use super::error::CallError;
use super::guest::{Guest, V1Result};

/// A call of a processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessCall {
    /// The input bytes; base64 in recordings.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub input: Vec<u8>,
    /// The media type of the input.
    pub content_type: String,
    /// A JSON object whose keys the plugin defines.
    pub options: Value,
    /// True to call `processor.validate` instead of `processor.process`.
    pub only_validate: bool,
}

/// The result of a processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessedBytes {
    /// The output bytes; base64 in JSON.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub output: Vec<u8>,
    /// The media type of the output.
    pub content_type: String,
    /// The number of processed items, as the plugin counted them.
    pub items_processed: u32,
    /// Messages for the caller although the call succeeded.
    pub warnings: Vec<String>,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct ProcessRequest {
    input: Vec<u8>,
    #[component(name = "content-type")]
    content_type: String,
    options: String,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct ProcessResponse {
    output: Vec<u8>,
    #[component(name = "content-type")]
    content_type: String,
    #[component(name = "items-processed")]
    items_processed: u32,
    warnings: Vec<String>,
}

impl Guest<'_> {
    /// Returns a [`ProcessedBytes`] as JSON, or null if the call only validates.
    pub(super) fn process(&self, store: &mut Store<CallState>, call: &ProcessCall) -> Result<Value, CallError> {
        let context = store.data().services.context.to_v1(&self.plugin.manifest);
        let request = ProcessRequest {
            input: call.input.clone(),
            content_type: call.content_type.clone(),
            options: call.options.to_string(),
        };
        let exports = &self.plugin.exports;
        if call.only_validate {
            let (result,): V1Result<()> =
                self.call(store, "processor.validate", exports.validate, (context, request))?;
            return result.map(|()| Value::Null).map_err(|error| CallError::Guest(error.into()));
        }
        let (result,): V1Result<ProcessResponse> =
            self.call(store, "processor.process", exports.process, (context, request))?;
        let ProcessResponse { output, content_type, items_processed, warnings } =
            result.map_err(|error| CallError::Guest(error.into()))?;
        Ok(json!(ProcessedBytes { output, content_type, items_processed, warnings }))
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}
