//! What the host gives to a guest: how it is counted, and how a trace shows it.

use serde_json::{Value, json};

use crate::outgoing::HttpResponse;
use crate::store::BlobInfo;

/// JSON text on its way to a guest.
#[derive(Debug, Clone)]
pub(super) struct Json(pub(super) String);

impl From<&Value> for Json {
    fn from(value: &Value) -> Json {
        Json(value.to_string())
    }
}

/// A secret on its way to a guest: no trace ever shows it.
pub(super) struct Secret(pub(super) String);

/// A page of rows as a guest gets it.
pub(super) struct FlatPage {
    pub(super) rows: Vec<Json>,
    pub(super) next_cursor: Option<String>,
    pub(super) total: Option<u64>,
}

/// Something that a call of the host gives.
pub(super) trait Given {
    /// As a trace shows it.
    fn shown(&self) -> Value;

    /// Bytes that cross the border, those of small things aside.
    fn bytes(&self) -> u64 {
        0
    }
}

impl Given for () {
    fn shown(&self) -> Value {
        Value::Null
    }
}

impl Given for bool {
    fn shown(&self) -> Value {
        json!(self)
    }
}

impl Given for u64 {
    fn shown(&self) -> Value {
        json!(self)
    }
}

impl Given for i64 {
    fn shown(&self) -> Value {
        json!(self)
    }
}

impl Given for String {
    fn shown(&self) -> Value {
        json!(self)
    }

    fn bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl Given for Json {
    fn shown(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Given for Secret {
    fn shown(&self) -> Value {
        json!("***")
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

impl<T: Given> Given for Option<T> {
    fn shown(&self) -> Value {
        self.as_ref().map_or(Value::Null, Given::shown)
    }

    fn bytes(&self) -> u64 {
        self.as_ref().map_or(0, Given::bytes)
    }
}

impl<T: Given> Given for Vec<T> {
    fn shown(&self) -> Value {
        self.iter().map(Given::shown).collect()
    }

    fn bytes(&self) -> u64 {
        self.iter().map(Given::bytes).sum()
    }
}

/// Bytes of a file or a body.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Given for Bytes {
    fn shown(&self) -> Value {
        json!({ "bytes": self.0.len() })
    }

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Given for FlatPage {
    fn shown(&self) -> Value {
        json!({ "rows": self.rows.shown(), "next_cursor": self.next_cursor, "total": self.total })
    }

    fn bytes(&self) -> u64 {
        self.rows.bytes()
    }
}

impl Given for BlobInfo {
    fn shown(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "mime": self.mime, "size": self.size, "sha256": self.sha256 })
    }
}

impl Given for HttpResponse {
    fn shown(&self) -> Value {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) => json!(text),
            Err(_) => json!({ "bytes": self.body.len() }),
        };
        json!({ "status": self.status, "headers": self.headers, "body": body })
    }

    fn bytes(&self) -> u64 {
        self.body.len() as u64
    }
}
