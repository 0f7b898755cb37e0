//! What one call may use.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::manifest::Manifest;

/// The bounds of one call.
#[derive(Debug, Clone)]
pub struct CallLimits {
    /// WebAssembly instructions, roughly.
    pub fuel: u64,
    /// Wall-clock time, host calls included.
    pub time: Duration,
    /// Bytes of linear memory, all memories summed.
    pub memory: u64,
    /// Elements of tables, all tables summed.
    pub table_elements: usize,
    /// Calls of the host API.
    pub host_calls: u32,
    /// Rows that the host gives.
    pub rows: u64,
    /// Rows that the guest writes.
    pub writes: u32,
    /// Log records; the rest is counted and dropped.
    pub log_records: u32,
    /// Events that the guest tells.
    pub events: u32,
    /// How many events may lead to one another.
    pub event_depth: u32,
}

impl CallLimits {
    /// The bounds of a plugin: fuel, time and memory are its manifest's.
    pub fn of(manifest: &Manifest) -> CallLimits {
        CallLimits {
            fuel: *manifest.runtime.fuel,
            time: manifest.runtime.timeout.0,
            memory: manifest.runtime.memory.0,
            table_elements: 20_000,
            host_calls: 1_000,
            rows: 10_000,
            writes: 1_000,
            log_records: 256,
            events: 64,
            event_depth: 8,
        }
    }
}

/// Holds a store to its bounds and remembers what it used.
#[derive(Debug)]
pub(super) struct MemoryLimiter {
    allowed: u64,
    allowed_elements: usize,
    used: u64,
    elements: usize,
    pub(super) peak: u64,
    pub(super) refused: bool,
}

impl MemoryLimiter {
    pub(super) fn new(limits: &CallLimits) -> MemoryLimiter {
        MemoryLimiter {
            allowed: limits.memory,
            allowed_elements: limits.table_elements,
            used: 0,
            elements: 0,
            peak: 0,
            refused: false,
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
        let wanted = self.elements + desired.saturating_sub(current);
        let fits = wanted <= self.allowed_elements;
        if fits {
            self.elements = wanted;
        }
        Ok(fits)
    }
}
