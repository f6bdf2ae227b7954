//! A responder's dates, from what its owner writes to UTC and back.
//!
//! The owner writes dates and times of his own zone. A bare date as the begin means the start of that day; as the end it
//! means that the day still counts, so the window closes at the start of the next. A time is the exact moment: from then
//! on, or until just before it. Where clocks jump over the time written, the moment the same number of minutes after the
//! jump is meant; where they pass it twice, a window begins at the first and ends at the second, so that it covers
//! whatever its owner can have meant.

use crate::types::{Timestamp, Window, ZoneName};
use jiff::civil::{Date, DateTime};
use jiff::tz::Disambiguation;
use std::fmt;

/// 9999-12-30T00:00:00Z: dates compare as text only up to the year 9999, and its last moments are not shown in every zone.
pub(super) const SECONDS_END: i64 = 253_402_128_000;

/// What no date is longer than.
const DATE_OCTETS_MAX: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DateError {
    Unreadable(String),
    BeyondCalendar(String),
}

impl fmt::Display for DateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => {
                write!(formatter, "“{text}” is no date: write 2026-11-01, or 2026-11-01T08:00 with a time")
            }
            Self::BeyondCalendar(text) => write!(formatter, "“{text}” is out of range: use years from 1970 to 9999"),
        }
    }
}

impl std::error::Error for DateError {}

/// The window a person means by two dates of a zone. That it isn't empty is for `check_switches` to say.
pub fn window_from_local(from: Option<&str>, until: Option<&str>, zone: &ZoneName) -> Result<Window, DateError> {
    Ok(Window {
        from: from.map(|text| parse_from(text, zone)).transpose()?,
        until: until.map(|text| parse_until(text, zone)).transpose()?,
        zone: zone.clone(),
    })
}

/// The first moment of the window.
pub fn parse_from(text: &str, zone: &ZoneName) -> Result<Timestamp, DateError> {
    match read(text)? {
        Written::Moment(time) => in_calendar(time, text),
        Written::Day(date) => moment(date.at(0, 0, 0, 0), Disambiguation::Compatible, zone, text),
        Written::Local(time) => moment(time, Disambiguation::Compatible, zone, text),
    }
}

/// The first moment after the window.
pub fn parse_until(text: &str, zone: &ZoneName) -> Result<Timestamp, DateError> {
    match read(text)? {
        Written::Moment(time) => in_calendar(time, text),
        Written::Day(date) => {
            let next = date.tomorrow().map_err(|_| DateError::BeyondCalendar(text.to_owned()))?;
            moment(next.at(0, 0, 0, 0), Disambiguation::Compatible, zone, text)
        }
        Written::Local(time) => moment(time, Disambiguation::Later, zone, text),
    }
}

/// What [`parse_from`] reads as the same moment, as short as it can be.
pub fn format_from(time: Timestamp, zone: &ZoneName) -> String {
    shortest(time, zone, parse_from, Some)
}

/// What [`parse_until`] reads as the same moment: the last day that counts if the window ends with a day.
pub fn format_until(time: Timestamp, zone: &ZoneName) -> String {
    shortest(time, zone, parse_until, |date| date.yesterday().ok())
}

enum Written {
    Day(Date),
    Local(DateTime),
    /// With an offset or a Z, which leaves nothing to the zone.
    Moment(jiff::Timestamp),
}

fn read(text: &str) -> Result<Written, DateError> {
    let unreadable = || DateError::Unreadable(text.chars().take(DATE_OCTETS_MAX).collect());
    // A zone in brackets would quietly win over the zone that was asked for.
    if text.len() > DATE_OCTETS_MAX || text.contains('[') || !text.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(unreadable());
    }
    if text.len() == "2026-11-01".len() {
        return text.parse().map(Written::Day).map_err(|_| unreadable());
    }
    if let Ok(time) = text.parse() {
        return Ok(Written::Moment(time));
    }
    text.parse().map(Written::Local).map_err(|_| unreadable())
}

fn moment(time: DateTime, at_doubt: Disambiguation, zone: &ZoneName, text: &str) -> Result<Timestamp, DateError> {
    let rules = zone.rules();
    let ambiguous = rules.to_ambiguous_timestamp(time);
    // `Later` at a gap would be the same as `Compatible`; at a fold they differ.
    let time = ambiguous.disambiguate(at_doubt).map_err(|_| DateError::BeyondCalendar(text.to_owned()))?;
    in_calendar(time, text)
}

fn in_calendar(time: jiff::Timestamp, text: &str) -> Result<Timestamp, DateError> {
    let seconds = time.as_second();
    if (0..SECONDS_END).contains(&seconds) {
        Ok(Timestamp::from_seconds(seconds))
    } else {
        Err(DateError::BeyondCalendar(text.to_owned()))
    }
}

/// Tries the forms from the shortest on and takes the first that reads back as the same moment. Asking the reader is
/// simpler than knowing all that clocks do.
fn shortest(
    time: Timestamp,
    zone: &ZoneName,
    parse: fn(&str, &ZoneName) -> Result<Timestamp, DateError>,
    day: fn(Date) -> Option<Date>,
) -> String {
    let Ok(moment) = jiff::Timestamp::from_second(time.seconds()) else { return time.rfc3339() };
    let local = moment.to_zoned(zone.rules());
    let forms = [
        day(local.date()).map(|date| date.to_string()),
        Some(local.strftime("%Y-%m-%dT%H:%M").to_string()),
        Some(local.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
        Some(local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()),
    ];
    let whole = Timestamp::from_seconds(time.seconds());
    let fitting = forms.into_iter().flatten().find(|form| parse(form, zone) == Ok(whole));
    fitting.unwrap_or_else(|| time.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> ZoneName {
        ZoneName::parse(name).expect("a known zone")
    }

    #[test]
    fn what_owners_write() {
        let check = |name: &str, from: &str, until: &str, expected: [&str; 2]| {
            let window = window_from_local(Some(from), Some(until), &zone(name)).expect("readable");
            let times = [window.from, window.until].map(|time| time.expect("given").rfc3339());
            assert_eq!(times, expected, "{from} – {until} {name}");
        };
        // A bare date as the end still counts as a whole.
        check("UTC", "2026-11-01", "2026-11-14", ["2026-11-01T00:00:00Z", "2026-11-15T00:00:00Z"]);
        check("Europe/Berlin", "2026-11-01", "2026-11-14", ["2026-10-31T23:00:00Z", "2026-11-14T23:00:00Z"]);
        check(
            "Europe/Berlin",
            "2026-11-01T08:00",
            "2026-11-14 17:30",
            ["2026-11-01T07:00:00Z", "2026-11-14T16:30:00Z"],
        );
        // Over the end of daylight saving: both ends in local time.
        check("Europe/Berlin", "2026-10-24", "2026-10-25", ["2026-10-23T22:00:00Z", "2026-10-25T23:00:00Z"]);
        // Clocks pass 02:30 twice: begin at the first, end at the second.
        check(
            "Europe/Berlin",
            "2026-10-25T02:30",
            "2026-10-25T02:30",
            ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        );
        // Clocks jump over 02:30: as many minutes after the jump.
        check(
            "Europe/Berlin",
            "2026-03-29T02:30",
            "2026-03-29T02:30",
            ["2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"],
        );
        // Midnight itself is jumped over; the day begins at one.
        check("America/Santiago", "2026-09-06", "2026-09-05", ["2026-09-06T04:00:00Z", "2026-09-06T04:00:00Z"]);
        // A day that its zone never had.
        check("Pacific/Apia", "2011-12-30", "2011-12-29", ["2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"]);
        // An offset leaves nothing to the zone.
        check(
            "Asia/Tokyo",
            "2026-11-01T00:00:00Z",
            "2026-11-01T08:00+02:00",
            ["2026-11-01T00:00:00Z", "2026-11-01T06:00:00Z"],
        );
    }

    #[test]
    fn what_no_date_is() {
        let long = "2".repeat(1000);
        for text in
            ["", "tomorrow", "2026-13-01", "2026-02-30", "2026-11-01T25:00", "2026-11-01T08:00[Asia/Tokyo]", "١", &long]
        {
            assert!(matches!(parse_from(text, &zone("UTC")), Err(DateError::Unreadable(_))), "{text}");
            assert!(matches!(parse_until(text, &zone("UTC")), Err(DateError::Unreadable(_))), "{text}");
        }
        assert_eq!(parse_until("9999-12-31", &zone("UTC")), Err(DateError::BeyondCalendar("9999-12-31".into())));
        assert_eq!(parse_from("1969-12-31", &zone("UTC")), Err(DateError::BeyondCalendar("1969-12-31".into())));
        assert!(window_from_local(None, Some("x"), &zone("UTC")).is_err());
    }

    #[test]
    fn shown_as_written() {
        let berlin = zone("Europe/Berlin");
        for text in ["2026-11-01", "2026-11-01T08:00", "2026-11-01T08:00:07", "2026-10-25", "2026-03-29"] {
            let from = parse_from(text, &berlin).expect("readable");
            assert_eq!(format_from(from, &berlin), text);
            let until = parse_until(text, &berlin).expect("readable");
            assert_eq!(format_until(until, &berlin), text);
        }
    }

    proptest! {
        #[test]
        fn every_moment_reads_back(
            seconds in 0..SECONDS_END,
            near in prop::sample::select(vec![1_761_440_400_i64, 1_774_746_000, 1_572_746_400, 1_325_239_200]),
            offset in -90_000..90_000_i64,
            name in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]),
        ) {
            let zone = zone(name);
            for time in [Timestamp::from_seconds(seconds), Timestamp::from_seconds(near + offset)] {
                prop_assert_eq!(parse_from(&format_from(time, &zone), &zone), Ok(time));
                prop_assert_eq!(parse_until(&format_until(time, &zone), &zone), Ok(time));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,50}") {
            let _ = parse_from(&text, &zone("Europe/Berlin"));
            let _ = parse_until(&text, &zone("Europe/Berlin"));
        }
    }
}
