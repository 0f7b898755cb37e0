//! Error codes that come from a plugin or another server as text.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::code::area_of;
use super::{Code, errors};

/// The code of an error: a declared code, or the text of a plugin or another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    /// A code that is declared in this program.
    Declared(Code),
    /// A plugin's own code, or one of another program.
    Foreign(Box<str>),
}

impl ErrorCode {
    /// Converts a text: to one of [`errors`], or to a foreign code.
    pub fn of_text(text: &str) -> ErrorCode {
        errors::find(text).map_or_else(|| ErrorCode::Foreign(text.into()), ErrorCode::Declared)
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        match self {
            ErrorCode::Declared(code) => code.name(),
            ErrorCode::Foreign(text) => text,
        }
    }

    /// The area: the part before `/` or `.`, also for a code from a newer server.
    pub fn area(&self) -> &str {
        area_of(self.as_str())
    }

    /// The declared code; `None` for a foreign one.
    pub fn declared(&self) -> Option<Code> {
        match self {
            ErrorCode::Declared(code) => Some(*code),
            ErrorCode::Foreign(_) => None,
        }
    }

    /// The HTTP status of a response with the code. A foreign code has 422, because a plugin's own codes refuse the
    /// request.
    pub fn status(&self) -> u16 {
        self.declared().map_or(422, Code::status)
    }

    /// Returns whether the code means that a limit of a call was reached.
    pub fn is_limit(&self) -> bool {
        self.declared().is_some_and(Code::is_limit)
    }
}

impl From<Code> for ErrorCode {
    fn from(code: Code) -> ErrorCode {
        ErrorCode::Declared(code)
    }
}

impl PartialEq<Code> for ErrorCode {
    fn eq(&self, code: &Code) -> bool {
        self.declared() == Some(*code)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
