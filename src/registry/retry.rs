//! When to try again, and how long to wait.

use std::time::Duration;

/// Attempts of an upload at the most.
pub(super) const MAX_ATTEMPTS: u32 = 4;
/// The longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const MAX_WAIT: Duration = Duration::from_secs(10);

/// True for a status after which the same request may succeed.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long to wait after the attempt of this number (from 1). `retry_after` is what the server
/// asked for, in seconds; `jitter` is between 0 and 1.
pub(super) fn wait(attempt: u32, retry_after: Option<u64>, jitter: f64) -> Duration {
    if let Some(seconds) = retry_after {
        return Duration::from_secs(seconds).min(MAX_RETRY_AFTER);
    }
    let longest = FIRST_WAIT.saturating_mul(3_u32.saturating_pow(attempt - 1)).min(MAX_WAIT);
    longest.mul_f64(0.5 + jitter / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_the_server_is_heard_within_bounds() {
        assert_eq!(wait(1, None, 1.0), Duration::from_millis(500));
        assert_eq!(wait(2, None, 0.0), Duration::from_millis(750));
        assert_eq!(wait(9, None, 1.0), Duration::from_secs(10));
        assert_eq!(wait(1, Some(3), 0.0), Duration::from_secs(3));
        assert_eq!(wait(1, Some(86_400), 0.0), Duration::from_mins(1));
    }
}
