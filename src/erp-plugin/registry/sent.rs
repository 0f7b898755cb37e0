//! An upload in progress: which receipt is valid for it, and the waits between attempts.

use std::time::Duration;

use erp_manifest::codes::errors;
use serde_json::Value;

use super::client::printable;
use super::{PublishError, UploadResult, retry};

/// The package that is being sent.
pub(super) struct Upload<'a> {
    pub(super) id: &'a str,
    pub(super) version: &'a str,
    pub(super) sha256: String,
}

impl Upload<'_> {
    /// Accepts a receipt only if it is for exactly this package.
    pub(super) fn accepted(
        &self,
        receipt: Value,
        already_there: bool,
        attempts: u32,
    ) -> Result<UploadResult, PublishError> {
        for (key, expected) in [("id", self.id), ("version", self.version)] {
            if let Some(found) = receipt[key].as_str().filter(|found| *found != expected) {
                let (expected, found) = (expected.to_owned(), printable(found));
                return Err(PublishError::WrongReceipt { expected, found });
            }
        }
        accepted(receipt, &self.sha256, already_there, attempts)
    }
}

/// The waits between attempts, and the time that is left for them.
pub(super) struct Waits<'a> {
    pub(super) left: Duration,
    pub(super) pause: fn(Duration),
    pub(super) retrying: &'a mut dyn FnMut(&str, Duration),
}

impl Waits<'_> {
    /// Waits; false if the wait exceeds the time that is left, or what a server may ask for.
    pub(super) fn wait(&mut self, attempt: u32, retry_after: Option<Duration>, why: &str) -> bool {
        let jitter = getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX));
        let Some(wait) = retry::wait(attempt, retry_after, jitter) else { return false };
        let Some(left) = self.left.checked_sub(wait) else { return false };
        self.left = left;
        (self.retrying)(why, wait);
        (self.pause)(wait);
        true
    }
}

fn accepted(receipt: Value, sha256: &str, already_there: bool, attempts: u32) -> Result<UploadResult, PublishError> {
    match receipt["sha256"].as_str() {
        Some(found) if found == sha256 => Ok(UploadResult { already_there, attempts, receipt }),
        Some(_) if already_there => Err(PublishError::Refused {
            status: 409,
            code: errors::PLUGIN_VERSION_TAKEN.into(),
            message: "this version was uploaded before with another content: raise the version".to_owned(),
            problems: Vec::new(),
            retry_after: None,
        }),
        found => {
            Err(PublishError::WrongReceipt { expected: sha256.to_owned(), found: printable(found.unwrap_or("none")) })
        }
    }
}
