//! Points in time, in the form that the store keeps.

use std::fmt;

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

/// A point in time in milliseconds, with the UTC offset of a place. The offset decides the date in numbers and in
/// `$today`; stored times are always UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: i64,
    /// Seconds east of UTC.
    pub offset_seconds: i32,
}

impl Moment {
    /// Parses an RFC 3339 date-time and keeps its offset.
    pub fn parse(text: &str) -> Option<Moment> {
        let timestamp: Timestamp = text.trim().parse().ok()?;
        let offset_seconds = match text.trim().get(text.trim().len().checked_sub(6)?..)? {
            offset if offset.starts_with(['+', '-']) => {
                let hours: i32 = offset[1..3].parse().ok()?;
                let minutes: i32 = offset[4..6].parse().ok()?;
                (hours * 60 + minutes) * 60 * if offset.starts_with('-') { -1 } else { 1 }
            }
            _ => 0,
        };
        Some(Moment { unix_ms: timestamp.as_millisecond(), offset_seconds })
    }

    /// The current time of this machine's clock, with its offset.
    #[expect(clippy::disallowed_methods, reason = "the clock that `host::Surroundings` gives to others")]
    pub fn of_system_clock() -> Moment {
        let now = Zoned::now();
        Moment { unix_ms: now.timestamp().as_millisecond(), offset_seconds: now.offset().seconds() }
    }

    /// Adds milliseconds and keeps the offset.
    #[must_use]
    pub fn plus_ms(self, milliseconds: i64) -> Moment {
        Moment { unix_ms: self.unix_ms.saturating_add(milliseconds), ..self }
    }

    /// The date at the offset, such as `2026-04-15`.
    pub fn date(self) -> String {
        self.local().strftime("%Y-%m-%d").to_string()
    }

    /// The date and the time of day at the offset.
    pub fn local(self) -> Zoned {
        let offset = Offset::from_seconds(self.offset_seconds).unwrap_or(Offset::UTC);
        self.timestamp().to_zoned(TimeZone::fixed(offset))
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.unix_ms).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Moment {
    /// Writes RFC 3339 in UTC with milliseconds, so that the order of the texts is the order in time.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_place_and_is_stored_in_utc() {
        let moment = Moment::parse("2026-04-15T07:30:00+08:00").unwrap();
        assert_eq!(moment.to_string(), "2026-04-14T23:30:00.000Z");
        assert_eq!(moment.date(), "2026-04-15");
        assert_eq!(Moment::parse("2026-04-15T07:30:00Z").unwrap().date(), "2026-04-15");
        assert_eq!(Moment::parse("yesterday"), None);
    }
}
