//! When to retry, and how long to wait.

use std::time::{Duration, SystemTime};

/// The most attempts of an upload.
pub(super) const MAX_ATTEMPTS: u32 = 4;
/// The most time that all waits of an upload take together.
pub(super) const MAX_TOTAL_WAIT: Duration = Duration::from_mins(5);
/// The longest wait that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(1);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const MAX_WAIT: Duration = Duration::from_secs(10);

/// True for a status after which the same request may succeed.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// How long a `Retry-After` header asks to wait, as seconds or until a moment. None for any other text.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = httpdate::parse_http_date(header).ok()?;
    Some(moment.duration_since(now).unwrap_or_default())
}

/// How long to wait after attempt number `attempt`, counted from 1. None if the server asks for more than
/// `MAX_RETRY_AFTER`. `retry_after` is what the server asked for; `jitter` is between 0 and 1.
pub(super) fn wait(attempt: u32, retry_after: Option<Duration>, jitter: f64) -> Option<Duration> {
    if let Some(asked) = retry_after {
        return (asked <= MAX_RETRY_AFTER).then_some(asked);
    }
    let longest = FIRST_WAIT.saturating_mul(3_u32.saturating_pow(attempt - 1)).min(MAX_WAIT);
    Some(longest.mul_f64(0.5 + jitter / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_the_server_is_heard_within_bounds() {
        assert_eq!(wait(1, None, 1.0), Some(Duration::from_millis(500)));
        assert_eq!(wait(2, None, 0.0), Some(Duration::from_millis(750)));
        assert_eq!(wait(9, None, 1.0), Some(Duration::from_secs(10)));
        assert_eq!(wait(1, Some(Duration::from_secs(3)), 0.0), Some(Duration::from_secs(3)));
        assert_eq!(wait(1, Some(Duration::from_hours(24)), 0.0), None);
    }

    #[test]
    fn a_server_may_name_seconds_or_a_moment() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let asked = |header| retry_after(header, now).map(|wait| wait.as_secs());
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a moment that is over");
        assert_eq!(asked("-5"), None);
        assert_eq!(asked("soon"), None);
    }
}
