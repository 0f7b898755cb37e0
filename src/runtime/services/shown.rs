//! Results of host calls: how their bytes are counted, and how a trace shows them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use erp_manifest::outgoing::HttpResponse;
use erp_storage::BlobInfo;
use serde_json::{Value, json};

/// JSON for a guest: the guest receives the text, and a trace takes the value.
#[derive(Debug, Clone)]
pub(super) struct Json {
    pub(super) text: String,
    value: Value,
}

impl From<Value> for Json {
    fn from(value: Value) -> Json {
        Json { text: value.to_string(), value }
    }
}

/// A secret for a guest: no trace ever shows it.
pub(super) struct Secret(pub(super) String);

/// A page of rows for a guest.
pub(super) struct FlatPage {
    pub(super) rows: Vec<Json>,
    pub(super) next_cursor: Option<String>,
    pub(super) total: Option<u64>,
}

/// A result of a host call.
pub(super) trait HostResult {
    /// Returns the value that a trace shows. Called at most once, before the guest receives the result.
    fn shown(&mut self) -> Value;

    /// Restores a result from the value that a trace shows; none if the value has another form.
    fn read(shown: &Value) -> Option<Self>
    where
        Self: Sized;

    /// Returns the bytes that cross the border to the guest; results of small fixed size count as 0.
    fn bytes(&self) -> u64 {
        0
    }
}

impl HostResult for () {
    fn shown(&mut self) -> Value {
        Value::Null
    }

    fn read(shown: &Value) -> Option<Self> {
        shown.is_null().then_some(())
    }
}

impl HostResult for bool {
    fn shown(&mut self) -> Value {
        json!(self)
    }

    fn read(shown: &Value) -> Option<Self> {
        shown.as_bool()
    }
}

impl HostResult for u64 {
    fn shown(&mut self) -> Value {
        json!(self)
    }

    fn read(shown: &Value) -> Option<Self> {
        shown.as_u64()
    }
}

impl HostResult for i64 {
    fn shown(&mut self) -> Value {
        json!(self)
    }

    fn read(shown: &Value) -> Option<Self> {
        shown.as_i64()
    }
}

impl HostResult for String {
    fn shown(&mut self) -> Value {
        json!(self)
    }

    fn read(shown: &Value) -> Option<Self> {
        shown.as_str().map(str::to_owned)
    }

    fn bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl HostResult for Json {
    fn shown(&mut self) -> Value {
        std::mem::take(&mut self.value)
    }

    fn read(shown: &Value) -> Option<Self> {
        Some(Json::from(shown.clone()))
    }

    fn bytes(&self) -> u64 {
        self.text.len() as u64
    }
}

impl HostResult for Secret {
    fn shown(&mut self) -> Value {
        json!("***")
    }

    fn read(shown: &Value) -> Option<Self> {
        // A trace does not hold the secret, so a replay returns the placeholder instead.
        shown.as_str().map(|text| Secret(text.to_owned()))
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

impl<T: HostResult> HostResult for Option<T> {
    fn shown(&mut self) -> Value {
        self.as_mut().map_or(Value::Null, HostResult::shown)
    }

    fn read(shown: &Value) -> Option<Self> {
        if shown.is_null() { Some(None) } else { T::read(shown).map(Some) }
    }

    fn bytes(&self) -> u64 {
        self.as_ref().map_or(0, HostResult::bytes)
    }
}

impl<T: HostResult> HostResult for Vec<T> {
    fn shown(&mut self) -> Value {
        self.iter_mut().map(HostResult::shown).collect()
    }

    fn read(shown: &Value) -> Option<Self> {
        shown.as_array()?.iter().map(T::read).collect()
    }

    fn bytes(&self) -> u64 {
        self.iter().map(HostResult::bytes).sum()
    }
}

/// Bytes of a file or a body.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl HostResult for Bytes {
    fn shown(&mut self) -> Value {
        json!({ "bytes": self.0.len(), "base64": STANDARD.encode(&self.0) })
    }

    fn read(shown: &Value) -> Option<Self> {
        STANDARD.decode(shown["base64"].as_str()?).ok().map(Bytes)
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

impl HostResult for FlatPage {
    fn shown(&mut self) -> Value {
        json!({ "rows": self.rows.shown(), "next_cursor": self.next_cursor, "total": self.total })
    }

    fn read(shown: &Value) -> Option<Self> {
        Some(FlatPage {
            rows: Vec::read(&shown["rows"])?,
            next_cursor: shown["next_cursor"].as_str().map(str::to_owned),
            total: shown["total"].as_u64(),
        })
    }

    fn bytes(&self) -> u64 {
        self.rows.bytes()
    }
}

impl HostResult for BlobInfo {
    fn shown(&mut self) -> Value {
        json!({ "id": self.id, "name": self.name, "mime": self.mime, "size": self.size, "sha256": self.sha256 })
    }

    fn read(shown: &Value) -> Option<Self> {
        let text = |key: &str| shown[key].as_str().map(str::to_owned);
        let (id, name, mime, sha256) = (text("id")?, text("name")?, text("mime")?, text("sha256")?);
        Some(BlobInfo { id, name, mime, size: shown["size"].as_u64()?, sha256 })
    }
}

impl HostResult for HttpResponse {
    fn shown(&mut self) -> Value {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => json!(text),
            Err(_) => Bytes(self.body.clone()).shown(),
        };
        json!({ "status": self.status, "headers": self.headers, "body": body })
    }

    fn read(shown: &Value) -> Option<Self> {
        Some(HttpResponse {
            status: u16::try_from(shown["status"].as_u64()?).ok()?,
            headers: serde_json::from_value(shown["headers"].clone()).ok()?,
            body: match &shown["body"] {
                Value::String(text) => text.clone().into_bytes(),
                bytes => Bytes::read(bytes)?.0,
            },
        })
    }

    fn bytes(&self) -> u64 {
        self.body.len() as u64
    }
}
