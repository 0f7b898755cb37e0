//! Quantities with a unit in a manifest: `"64MB"`, `"30s"`.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::document::codes::{INVALID_VALUE, TOML_WRONG_TYPE};
use crate::document::{FromToml, Node, Reader};

/// A number of bytes. `KB`, `MB` and `GB` are powers of 1024, as on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Parses `"64MB"`, `"64 MiB"`, `"512"`.
    pub fn parse(text: &str) -> Option<ByteSize> {
        let (number, unit) = split_unit(text)?;
        let factor: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" | "kib" => 1 << 10,
            "mb" | "mib" => 1 << 20,
            "gb" | "gib" => 1 << 30,
            _ => return None,
        };
        number.checked_mul(factor).map(ByteSize)
    }

    /// The form for a manifest: as displayed, but without the space and without `.0`.
    fn written(self) -> String {
        self.to_string().replace(".0", "").replace(' ', "")
    }
}

impl fmt::Display for ByteSize {
    /// Writes a few digits and the unit: `312 B`, `148 KB`, `2.0 MB`. [`ByteSize::parse`] does not read fractions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_024 => write!(f, "{} B", self.0),
            1_024..10_240 => write!(f, "{:.1} KB", self.0 as f64 / 1024.0),
            10_240..1_048_576 => write!(f, "{} KB", self.0.div_ceil(1_024)),
            1_048_576..1_073_741_824 => write!(f, "{:.1} MB", self.0 as f64 / 1_048_576.0),
            _ => write!(f, "{:.1} GB", self.0 as f64 / 1_073_741_824.0),
        }
    }
}

/// A time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(pub Duration);

impl Timeout {
    /// Parses `"30s"`, `"500ms"`, `"30m"`, `"2h"`, `"1d"`.
    pub fn parse(text: &str) -> Option<Timeout> {
        let (number, unit) = split_unit(text)?;
        let milliseconds: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        number.checked_mul(milliseconds).map(Duration::from_millis).map(Timeout)
    }

    /// The form for a manifest: in seconds, or in milliseconds if it is not a whole number of seconds.
    fn written(self) -> String {
        match self.0.subsec_millis() {
            0 => format!("{}s", self.0.as_secs()),
            _ => format!("{}ms", self.0.as_millis()),
        }
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let number = text[..digits].replace('_', "").parse().ok()?;
    Some((number, text[digits..].trim()))
}

macro_rules! quantity {
    ($name:ident, $example:literal) => {
        impl FromToml for $name {
            fn from_toml(node: &Node, reader: &mut Reader) -> Option<$name> {
                let example = concat!("write it like ", $example);
                let Some(text) = node.as_str() else {
                    reader.find(
                        TOML_WRONG_TYPE,
                        node.span.clone(),
                        format!("expected a text with a unit, found {}", node.kind()),
                        "no unit",
                        Some(example.to_owned()),
                    );
                    return None;
                };
                let found = $name::parse(text);
                if found.is_none() {
                    reader.find(
                        INVALID_VALUE,
                        node.span.clone(),
                        format!("`{text}` is not a number with a unit"),
                        "cannot be read",
                        Some(example.to_owned()),
                    );
                }
                found
            }

            fn default_json(&self) -> Option<Value> {
                Some(json!(self.written()))
            }

            fn json_schema() -> Value {
                json!({ "type": "string", "examples": [$example.trim_matches('"')] })
            }
        }
    };
}

quantity!(ByteSize, "\"64MB\"");
quantity!(Timeout, "\"30s\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        assert_eq!(ByteSize::parse("64MB"), Some(ByteSize(64 << 20)));
        assert_eq!(ByteSize::parse("1 MiB"), Some(ByteSize(1 << 20)));
        assert_eq!(ByteSize::parse("64 apples"), None);
        assert_eq!(ByteSize::parse("99999999999GB"), None);
        assert_eq!(Timeout::parse("30s"), Some(Timeout(Duration::from_secs(30))));
        assert_eq!(Timeout::parse("30"), None);
    }

    #[test]
    fn sizes_are_shown_in_three_digits() {
        assert_eq!(ByteSize(999).to_string(), "999 B");
        assert_eq!(ByteSize(1_536).to_string(), "1.5 KB");
        assert_eq!(ByteSize(116_583).to_string(), "114 KB");
        for text in ["150KB", "64MB"] {
            assert_eq!(ByteSize::parse(text).unwrap().written(), text);
        }
    }
}
