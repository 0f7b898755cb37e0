//! The limits of one call: every limit, its default and its unit in one table.

use std::time::Duration;

use erp_manifest::{ByteSize, Manifest, Timeout};
use wasmtime::ResourceLimiter;

/// How a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitUnit {
    /// A number.
    Count,
    /// Bytes, such as `4MB`.
    Bytes,
    /// Time, such as `30s`.
    Time,
}

/// A limit of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct CallLimit {
    /// The name that `--limit`, `budget` and errors use.
    pub name: &'static str,
    /// How its value is written.
    pub unit: LimitUnit,
    /// The default: a number, bytes or milliseconds. For fuel, memory and time the manifest's value applies instead.
    pub default: u64,
    /// What it limits.
    pub meaning: &'static str,
}

const fn limit(name: &'static str, unit: LimitUnit, default: u64, meaning: &'static str) -> CallLimit {
    CallLimit { name, unit, default, meaning }
}

/// Every limit of a call. The index of a limit in this table is its index in [`CallLimits`].
pub const LIMITS: [CallLimit; 20] = [
    limit("fuel", LimitUnit::Count, erp_manifest::DEFAULT_FUEL, "WebAssembly instructions, roughly"),
    limit("time", LimitUnit::Time, erp_manifest::DEFAULT_TIME.as_secs() * 1_000, "time, host calls included"),
    limit("memory", LimitUnit::Bytes, erp_manifest::DEFAULT_MEMORY, "linear memory, all memories together"),
    limit("tables", LimitUnit::Count, 20_000, "elements of tables, all tables together"),
    limit("host_calls", LimitUnit::Count, 1_000, "calls of the host"),
    limit("rows", LimitUnit::Count, 10_000, "rows that the host gives"),
    limit("result_bytes", LimitUnit::Bytes, 4 << 20, "bytes that one call of the host gives"),
    limit("bytes", LimitUnit::Bytes, 32 << 20, "bytes that all calls of the host give together"),
    limit("border_bytes", LimitUnit::Bytes, 8 << 20, "bytes that the guest hands over at once"),
    limit(
        "argument_bytes",
        LimitUnit::Bytes,
        4 << 20,
        "bytes that one JSON value of the guest takes in the host's memory",
    ),
    limit("writes", LimitUnit::Count, 1_000, "rows that change"),
    limit(
        "written_bytes",
        LimitUnit::Bytes,
        8 << 20,
        "bytes that are written: rows before and after, keys, items and events",
    ),
    limit("trace_bytes", LimitUnit::Bytes, 4 << 20, "bytes that a full trace keeps; the rest is left out of it"),
    limit("log_records", LimitUnit::Count, 256, "log records; the rest is counted and dropped"),
    limit("log_bytes", LimitUnit::Bytes, 64 << 10, "text in log records; the rest is counted and dropped"),
    limit("events", LimitUnit::Count, 64, "events that are told"),
    limit("event_depth", LimitUnit::Count, 8, "events that lead to one another"),
    limit("http_requests", LimitUnit::Count, 32, "outgoing HTTP requests"),
    limit("blob_bytes", LimitUnit::Bytes, 16 << 20, "bytes of files that are stored"),
    limit("handles", LimitUnit::Count, 4_096, "resources that the guest holds"),
];

/// The limits of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallLimits {
    values: [u64; LIMITS.len()],
}

/// Limits that replace those of a manifest; a later one of the same name wins.
#[derive(Debug, Clone, Default)]
pub struct LimitOverrides(Vec<(usize, u64)>);

/// A limit that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// No limit has this name.
    #[error("there is no limit `{0}`")]
    Unknown(String),
    /// The value is not written in the unit of the limit.
    #[error("`{text}` is no bound for {name}; write it like {example}")]
    Value {
        /// The name of the limit.
        name: &'static str,
        /// The invalid value.
        text: String,
        /// An example of a valid value.
        example: &'static str,
    },
}

impl LimitUnit {
    fn parse(self, text: &str) -> Option<u64> {
        match self {
            LimitUnit::Count => text.replace('_', "").parse().ok(),
            LimitUnit::Bytes => ByteSize::parse(text).map(|size| size.0),
            LimitUnit::Time => Timeout::parse(text).map(|time| u64::try_from(time.0.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    fn example(self) -> &'static str {
        match self {
            LimitUnit::Count => "60_000",
            LimitUnit::Bytes => "8MB",
            LimitUnit::Time => "50ms",
        }
    }
}

impl LimitOverrides {
    /// Returns the value of a limit; none if it was not set.
    pub fn value(&self, name: &str) -> Option<u64> {
        self.0.iter().rev().find(|(index, _)| LIMITS[*index].name == name).map(|(_, value)| *value)
    }

    /// Parses one more limit; a later one of the same name wins.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), LimitError> {
        let index = LIMITS.iter().position(|limit| limit.name == name);
        let index = index.ok_or_else(|| LimitError::Unknown(name.to_owned()))?;
        let CallLimit { name, unit, .. } = LIMITS[index];
        let value = unit.parse(text.trim());
        let value = value.ok_or_else(|| LimitError::Value { name, text: text.to_owned(), example: unit.example() })?;
        self.0.push((index, value));
        Ok(())
    }
}

macro_rules! bounds {
    ($($name:ident)*) => {
        impl CallLimits {
            $(
                #[doc = concat!("The bound `", stringify!($name), "`; [`LIMITS`] says what it bounds.")]
                pub fn $name(&self) -> u64 {
                    const PLACE: usize = place(stringify!($name));
                    self.values[PLACE]
                }
            )*
        }
    };
}

bounds!(fuel memory tables host_calls rows result_bytes bytes border_bytes argument_bytes writes written_bytes trace_bytes
    log_records log_bytes events event_depth http_requests blob_bytes handles);

/// Returns the index of a limit in the table; an unknown name does not compile.
const fn place(name: &str) -> usize {
    let mut index = 0;
    while index < LIMITS.len() {
        let (left, right) = (LIMITS[index].name.as_bytes(), name.as_bytes());
        let mut same = left.len() == right.len();
        let mut at = 0;
        while same && at < left.len() {
            same = left[at] == right[at];
            at += 1;
        }
        if same {
            return index;
        }
        index += 1;
    }
    LIMITS.len()
}

impl CallLimits {
    /// Returns the limits of a plugin: fuel, time and memory from its manifest, the rest from the table.
    pub fn of(manifest: &Manifest) -> CallLimits {
        let mut values = LIMITS.map(|limit| limit.default);
        values[const { place("fuel") }] = *manifest.runtime.fuel;
        let time = manifest.runtime.timeout.0.as_millis();
        values[const { place("time") }] = u64::try_from(time).unwrap_or(u64::MAX);
        values[const { place("memory") }] = manifest.runtime.memory.0;
        CallLimits { values }
    }

    /// Replaces some of the limits.
    #[must_use]
    pub fn with(mut self, overrides: &LimitOverrides) -> CallLimits {
        for (index, value) in &overrides.0 {
            self.values[*index] = *value;
        }
        self
    }

    /// Returns every limit by name: a number, bytes or milliseconds.
    pub(super) fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LIMITS.iter().map(|limit| limit.name).zip(self.values)
    }

    /// Replaces some of the limits by name; unknown names are ignored.
    #[must_use]
    pub(super) fn with_values(mut self, values: &std::collections::BTreeMap<String, u64>) -> CallLimits {
        for (value, limit) in self.values.iter_mut().zip(&LIMITS) {
            if let Some(own) = values.get(limit.name) {
                *value = *own;
            }
        }
        self
    }

    /// The limit `time`.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.values[const { place("time") }])
    }
}

/// Enforces the memory and table limits of a store, and records its peak of memory.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    allowed: u64,
    allowed_elements: u64,
    used: u64,
    elements: u64,
    pub(super) peak: u64,
    pub(super) refused: bool,
    pub(super) refused_elements: bool,
}

impl MemoryLimiter {
    pub(super) fn new(limits: &CallLimits) -> MemoryLimiter {
        MemoryLimiter {
            allowed: limits.memory(),
            allowed_elements: limits.tables(),
            used: 0,
            elements: 0,
            peak: 0,
            refused: false,
            refused_elements: false,
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.used + desired.saturating_sub(current) as u64;
        if wanted > self.allowed {
            self.refused = true;
            return Ok(false);
        }
        self.used = wanted;
        self.peak = self.peak.max(wanted);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.elements + desired.saturating_sub(current) as u64;
        let fits = wanted <= self.allowed_elements;
        if fits {
            self.elements = wanted;
        } else {
            self.refused_elements = true;
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_by_their_units() {
        let mut overrides = LimitOverrides::default();
        overrides.add("fuel", "60_000").unwrap();
        overrides.add("memory", "8MB").unwrap();
        overrides.add("time", "50ms").unwrap();
        let limits = CallLimits { values: LIMITS.map(|limit| limit.default) }.with(&overrides);
        assert_eq!((limits.fuel(), limits.memory()), (60_000, 8 << 20));
        assert_eq!(limits.time(), Duration::from_millis(50));
        assert_eq!(limits.rows(), 10_000);
        assert_eq!(overrides.add("feul", "1"), Err(LimitError::Unknown("feul".to_owned())));
        assert!(overrides.add("fuel", "much").unwrap_err().to_string().contains("60_000"));
    }
}
