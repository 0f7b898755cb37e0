//! Days, times of day and moments: text in JSON, as the host writes them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde_json::Value;

use super::error::{Error, Result, refuse};
use super::host::host_clock;
use super::value::JsonValue;

const DAY_MS: i64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// Days of 400 years: the calendar repeats after them.
const ERA: i64 = 146_097;

/// A day of the calendar: `2026-04-15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day.
    ///
    /// # Errors
    /// `plugin.bad_value`, where the calendar has no such day between the years 0 and 9999.
    pub fn new(year: i16, month: u8, day: u8) -> Result<Date> {
        if (0..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day) {
            return Ok(Date { year, month, day });
        }
        Err(refuse("plugin.bad_value", format!("{year:04}-{month:02}-{day:02} is no day")))
    }

    pub fn year(self) -> i16 {
        self.year
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }

    /// 1 for Monday to 7 for Sunday.
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        ((self.number() + 3).rem_euclid(7) + 1) as u8
    }

    /// The day so many days later, or earlier.
    ///
    /// # Errors
    /// `plugin.bad_value`, where it is outside the years 0 to 9999; so for the other steps.
    pub fn plus_days(self, days: i32) -> Result<Date> {
        Date::of_number(self.number() + i64::from(days))
    }

    /// The same day so many months later, or the last one of a month that is shorter.
    ///
    /// # Errors
    /// As [`Date::plus_days`].
    pub fn plus_months(self, months: i32) -> Result<Date> {
        let months = i64::from(self.year) * 12 + i64::from(self.month) - 1 + i64::from(months);
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u8 + 1);
        let year = i16::try_from(year).map_err(|_| out_of_range())?;
        Date::new(year, month, self.day.min(days_of(year, month))).map_err(|_| out_of_range())
    }

    /// # Errors
    /// As [`Date::plus_days`].
    pub fn plus_years(self, years: i32) -> Result<Date> {
        self.plus_months(years.saturating_mul(12))
    }

    /// The last day of its month.
    pub fn month_end(self) -> Date {
        Date { day: days_of(self.year, self.month), ..self }
    }

    /// Days from another one to this one.
    pub fn days_since(self, other: Date) -> i64 {
        self.number() - other.number()
    }

    /// Days since 1970-01-01. Years begin in March here, so that the odd day of a leap year is their last one.
    fn number(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - EPOCH
    }

    fn of_number(number: i64) -> Result<Date> {
        let days = number + EPOCH;
        let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let year = i16::try_from(year).map_err(|_| out_of_range())?;
        Date::new(year, month as u8, day as u8).map_err(|_| out_of_range())
    }
}

fn out_of_range() -> Error {
    refuse("plugin.bad_value", "the day is outside the years 0 to 9999")
}

fn days_of(year: i16, month: u8) -> u8 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u8::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = Error;

    fn from_str(text: &str) -> Result<Date> {
        let read = || {
            let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
            let year = number(&[*y1, *y2, *y3, *y4])?;
            Date::new(year as i16, number(&[*m1, *m2])? as u8, number(&[*d1, *d2])? as u8).ok()
        };
        read().ok_or_else(|| refuse("plugin.bad_value", format!("`{text}` is no day such as 2026-04-15")))
    }
}

/// A time of day, to the second: `08:30:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    hour: u8,
    minute: u8,
    second: u8,
}

impl Time {
    /// The time.
    ///
    /// # Errors
    /// `plugin.bad_value`, where no clock shows it.
    pub fn new(hour: u8, minute: u8, second: u8) -> Result<Time> {
        if hour < 24 && minute < 60 && second < 60 {
            return Ok(Time { hour, minute, second });
        }
        Err(refuse("plugin.bad_value", format!("{hour:02}:{minute:02}:{second:02} is no time of day")))
    }

    pub fn hour(self) -> u8 {
        self.hour
    }

    pub fn minute(self) -> u8 {
        self.minute
    }

    pub fn second(self) -> u8 {
        self.second
    }

    /// Seconds since midnight.
    pub fn seconds(self) -> u32 {
        (u32::from(self.hour) * 60 + u32::from(self.minute)) * 60 + u32::from(self.second)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

impl FromStr for Time {
    type Err = Error;

    fn from_str(text: &str) -> Result<Time> {
        let read = || {
            let (time, rest) = time_of(text.as_bytes())?;
            rest.is_empty().then_some(time)
        };
        read().ok_or_else(|| refuse("plugin.bad_value", format!("`{text}` is no time such as 08:30:00")))
    }
}

/// A moment, to the millisecond, and how far the clocks at its place are from UTC: `2026-04-15T08:00:00+08:00`. Two are
/// the same where they are at once, wherever their clocks stand.
#[derive(Debug, Clone, Copy)]
pub struct DateTime {
    unix_ms: i64,
    offset_minutes: i16,
}

impl DateTime {
    /// The host's clock, in UTC.
    pub fn now() -> DateTime {
        DateTime::from_unix_ms((host_clock::now() / 1_000_000) as i64)
    }

    /// So many milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_unix_ms(unix_ms: i64) -> DateTime {
        DateTime { unix_ms, offset_minutes: 0 }
    }

    /// A day and a time, where the clocks are so many minutes before UTC: 480 in China.
    pub fn at(date: Date, time: Time, offset_minutes: i16) -> DateTime {
        let local = date.number() * DAY_MS + i64::from(time.seconds()) * 1_000;
        DateTime { unix_ms: local - i64::from(offset_minutes) * 60_000, offset_minutes }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// The same moment where the clocks are so many minutes before UTC.
    pub fn in_offset(self, offset_minutes: i16) -> DateTime {
        DateTime { offset_minutes, ..self }
    }

    pub fn plus_ms(self, milliseconds: i64) -> DateTime {
        DateTime { unix_ms: self.unix_ms.saturating_add(milliseconds), ..self }
    }

    /// The day at its place.
    ///
    /// # Errors
    /// `plugin.bad_value`, where it is outside the years 0 to 9999.
    pub fn date(self) -> Result<Date> {
        Date::of_number(self.local_ms().div_euclid(DAY_MS))
    }

    /// The time at its place, whole seconds.
    pub fn time(self) -> Time {
        let seconds = self.local_ms().rem_euclid(DAY_MS) / 1_000;
        Time { hour: (seconds / 3_600) as u8, minute: (seconds / 60 % 60) as u8, second: (seconds % 60) as u8 }
    }

    fn local_ms(self) -> i64 {
        self.unix_ms.saturating_add(i64::from(self.offset_minutes) * 60_000)
    }
}

impl PartialEq for DateTime {
    fn eq(&self, other: &DateTime) -> bool {
        self.unix_ms == other.unix_ms
    }
}

impl Eq for DateTime {}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &DateTime) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DateTime {
    fn cmp(&self, other: &DateTime) -> Ordering {
        self.unix_ms.cmp(&other.unix_ms)
    }
}

impl Hash for DateTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.unix_ms.hash(state);
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date().map_err(|_| fmt::Error)?;
        write!(f, "{date}T{}", self.time())?;
        let milliseconds = self.local_ms().rem_euclid(1_000);
        if milliseconds != 0 {
            write!(f, ".{milliseconds:03}")?;
        }
        let minutes = self.offset_minutes.unsigned_abs();
        match self.offset_minutes {
            0 => f.write_str("Z"),
            offset => write!(f, "{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
        }
    }
}

impl FromStr for DateTime {
    type Err = Error;

    fn from_str(text: &str) -> Result<DateTime> {
        let read = || {
            let (date, rest) = text.split_at_checked(10)?;
            let date: Date = date.parse().ok()?;
            let (time, rest) = time_of(rest.strip_prefix(['T', 't', ' '])?.as_bytes())?;
            let (milliseconds, rest) = fraction_of(rest)?;
            let offset = offset_of(rest)?;
            Some(DateTime::at(date, time, offset).plus_ms(milliseconds))
        };
        let wrong = || refuse("plugin.bad_value", format!("`{text}` is no moment such as 2026-04-15T08:00:00+08:00"));
        read().ok_or_else(wrong)
    }
}

/// A whole number of digits alone.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// A time at the beginning, and what follows.
fn time_of(text: &[u8]) -> Option<(Time, &[u8])> {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else { return None };
    let time = Time::new(number(&[*h1, *h2])? as u8, number(&[*m1, *m2])? as u8, number(&[*s1, *s2])? as u8).ok()?;
    Some((time, rest))
}

/// Milliseconds behind the point, where there is one, and what follows; further digits are cut.
fn fraction_of(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = text else { return Some((0, text)) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, rest) = rest.split_at(digits);
    let milliseconds = (0..3).try_fold(0, |sum, at| Some(sum * 10 + number(&[*fraction.get(at).unwrap_or(&b'0')])?))?;
    (digits > 0).then_some((milliseconds, rest))
}

fn offset_of(text: &[u8]) -> Option<i16> {
    match text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let offset = (hours * 60 + minutes) as i16;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

/// A text in JSON.
macro_rules! text {
    ($($kind:ident)*) => {$(
        impl JsonValue for $kind {
            fn from_json(json: &Value) -> Option<$kind> {
                json.as_str()?.parse().ok()
            }

            fn to_json(&self) -> Value {
                Value::String(self.to_string())
            }
        }
    )*};
}

text!(Date Time DateTime);
