//! Counts what one call uses, and enforces its limits.

use erp_manifest::codes::{Code, errors};

use super::error::ServiceError;
use super::limits::CallLimits;

/// The limits of one call, and how much it has used.
#[derive(Debug)]
pub(super) struct CallUsage {
    /// The limits.
    pub(super) limits: CallLimits,
    rows: u64,
    writes: u64,
    result_bytes: u64,
    written_bytes: u64,
    blob_bytes: u64,
    http_requests: u64,
    log_bytes: u64,
    trace_bytes: u64,
}

impl CallUsage {
    /// Creates counters at 0.
    pub(super) fn new(limits: CallLimits) -> CallUsage {
        CallUsage {
            limits,
            rows: 0,
            writes: 0,
            result_bytes: 0,
            written_bytes: 0,
            blob_bytes: 0,
            http_requests: 0,
            log_bytes: 0,
            trace_bytes: 0,
        }
    }

    /// Returns the number of rows that were read so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of rows, keys, items and files that were changed so far.
    pub(super) fn writes(&self) -> u64 {
        self.writes
    }

    pub(super) fn take_rows(&mut self, rows: usize) -> Result<(), ServiceError> {
        self.rows += rows as u64;
        within(errors::LIMIT_ROWS, self.rows, self.limits.rows(), "rows may be read")
    }

    pub(super) fn take_writes(&mut self, writes: usize) -> Result<(), ServiceError> {
        self.writes += writes as u64;
        within(errors::LIMIT_WRITES, self.writes, self.limits.writes(), "rows may be written")
    }

    /// Counts the bytes of the result of one host call.
    pub(super) fn take_result(&mut self, bytes: u64) -> Result<(), ServiceError> {
        let most = self.limits.result_bytes();
        within(errors::LIMIT_RESULT_BYTES, bytes, most, "bytes may come of one call of the host")?;
        self.result_bytes += bytes;
        let most = self.limits.bytes();
        within(errors::LIMIT_BYTES, self.result_bytes, most, "bytes may come of all calls of the host")
    }

    /// Counts bytes that are stored: of rows, keys, items and events.
    pub(super) fn take_written(&mut self, bytes: u64) -> Result<(), ServiceError> {
        self.written_bytes += bytes;
        within(errors::LIMIT_WRITTEN_BYTES, self.written_bytes, self.limits.written_bytes(), "bytes may be written")
    }

    /// Counts the bytes of a file.
    pub(super) fn take_blob(&mut self, bytes: u64) -> Result<(), ServiceError> {
        self.blob_bytes += bytes;
        within(errors::LIMIT_BLOB_BYTES, self.blob_bytes, self.limits.blob_bytes(), "bytes of files may be stored")
    }

    pub(super) fn take_http_request(&mut self) -> Result<(), ServiceError> {
        self.http_requests += 1;
        let most = self.limits.http_requests();
        within(errors::LIMIT_HTTP_REQUESTS, self.http_requests, most, "requests may be sent")
    }

    /// Counts the bytes of a log record; false if there is no room for it.
    pub(super) fn take_log(&mut self, bytes: u64) -> bool {
        let has_room = self.log_bytes + bytes <= self.limits.log_bytes();
        self.log_bytes += if has_room { bytes } else { 0 };
        has_room
    }

    /// Counts bytes of the trace; false if there is no room for them.
    pub(super) fn take_trace(&mut self, bytes: u64) -> bool {
        let has_room = self.trace_bytes + bytes <= self.limits.trace_bytes();
        self.trace_bytes += if has_room { bytes } else { 0 };
        has_room
    }
}

/// Returns an error that names the limit if `used` exceeds it.
pub(super) fn within(code: Code, used: u64, bound: u64, what: &str) -> Result<(), ServiceError> {
    if used <= bound { Ok(()) } else { Err(ServiceError::new(code, format!("only {bound} {what}"))) }
}
