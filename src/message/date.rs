//! Dates of mail (RFC 5322 section 3.3), written as they should be and read as they come.

use super::content_type::skip_comment;
use crate::types::Timestamp;
use jiff::civil;
use jiff::tz::Offset;
use std::borrow::Cow;
use std::fmt::Write;

/// A moment and the clock it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentDate {
    pub time: Timestamp,
    /// East of Greenwich.
    pub offset_seconds: i32,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `Fri, 20 Nov 2026 03:31:42 +0100`. A time outside the calendar shows as its beginning.
pub fn format_date(time: Timestamp, offset_seconds: i32) -> String {
    let offset = Offset::from_seconds(offset_seconds).unwrap_or(Offset::UTC);
    let moment = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default();
    let local = offset.to_datetime(moment);
    let minutes = offset.seconds() / 60;
    let mut out = String::with_capacity(31);
    // Writing to a String can't fail.
    let _ = write!(
        out,
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}",
        DAYS[usize::from(local.weekday().to_monday_zero_offset().unsigned_abs()) % 7],
        local.day(),
        MONTHS[usize::from(local.month().unsigned_abs().saturating_sub(1)) % 12],
        local.year(),
        local.hour(),
        local.minute(),
        local.second(),
        if minutes < 0 { '-' } else { '+' },
        minutes.abs() / 60,
        minutes.abs() % 60,
    );
    out
}

impl SentDate {
    /// Takes the obsolete forms of RFC 5322 section 4.3, the order of `ctime`, and comments anywhere. RFC 5256 section 2.2: a
    /// zone that can't be read is UTC, and a time that can't be read is 00:00:00. `None` when there is no day.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let words = words(value)?;
        let mut draft = Draft::default();
        for word in &words {
            draft.take(word)?;
        }
        draft.finish()
    }

    /// The calendar day as its sender saw it, as days since 1970-01-01: what SENTON compares (RFC 9051 section 6.4.4).
    pub fn local_day(self) -> i64 {
        (self.time.seconds() + i64::from(self.offset_seconds)).div_euclid(86_400)
    }
}

/// Words without comments, commas and blanks; `None` for more than any date has. RFC 5322 section 4.3 has blanks and
/// comments around the colons of a time too, which is one word here all the same.
fn words(value: &[u8]) -> Option<Vec<Cow<'_, str>>> {
    const WORDS_MAX: usize = 16;
    let (mut words, mut rest) = (Vec::<Cow<'_, str>>::new(), value);
    while let Some(&byte) = rest.first() {
        if byte == b'(' {
            rest = skip_comment(rest).1;
        } else if byte.is_ascii_whitespace() || byte == b',' {
            rest = &rest[1..];
        } else {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'(');
            let end = rest.iter().position(ends).unwrap_or(rest.len());
            let word = std::str::from_utf8(&rest[..end]).ok()?;
            match words.last_mut() {
                Some(last) if word.starts_with(':') || last.ends_with(':') => last.to_mut().push_str(word),
                _ => words.push(word.into()),
            }
            rest = &rest[end..];
            if words.len() > WORDS_MAX {
                return None;
            }
        }
    }
    Some(words)
}

#[derive(Default)]
struct Draft {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    clock: Option<(i8, i8, i8)>,
    offset_seconds: Option<i32>,
}

impl Draft {
    /// `None` when the word has no place in a date.
    fn take(&mut self, word: &str) -> Option<()> {
        // `20-Nov-26`, as RFC 850 had it.
        if word.matches('-').count() == 2 && word.starts_with(|first: char| first.is_ascii_digit()) {
            return word.split('-').try_for_each(|piece| self.take(piece));
        }
        if self.clock.is_none() && (word.contains(':') || word.matches('.').count() == 2) {
            self.clock = Some(clock(word).unwrap_or_default());
        } else if let Some(month) = month(word).filter(|_| self.month.is_none()) {
            self.month = Some(month);
        } else if word.starts_with(['+', '-']) {
            // The first zone counts: `+0100 (CET)`, `-0700 PDT`.
            self.offset_seconds.get_or_insert(numeric_zone(word).unwrap_or(0));
        } else if !self.has_day() && word.bytes().all(|byte| byte.is_ascii_digit()) {
            self.number(word)?;
        } else if self.clock.is_some() || self.has_day() {
            self.offset_seconds.get_or_insert(named_zone(word));
        } else if self.day.is_some() || self.month.is_some() {
            // Before them stands the day of the week, in whatever language.
            is_day_name(word).then_some(())?;
        }
        Some(())
    }

    /// Whatever comes behind that, but a time, is a zone or says nothing.
    fn has_day(&self) -> bool {
        self.day.is_some() && self.month.is_some() && self.year.is_some()
    }

    /// The day comes before the year in every order there is.
    fn number(&mut self, word: &str) -> Option<()> {
        let number: i16 = word.parse().ok()?;
        if self.day.is_none() && word.len() <= 2 {
            self.day = i8::try_from(number).ok();
        } else if self.year.is_none() {
            // RFC 5322 section 4.3: two digits below 50 are 20xx; other two and three digits count from 1900.
            self.year = Some(match (word.len(), number) {
                (2, 0..=49) => 2000 + number,
                (2 | 3, _) => 1900 + number,
                _ => number,
            });
        } else {
            return None;
        }
        Some(())
    }

    fn finish(self) -> Option<SentDate> {
        // RFC 5322 section 4.3: a zone nobody knows is -0000, as is one that is missing.
        let offset = Offset::from_seconds(self.offset_seconds.unwrap_or(0)).unwrap_or(Offset::UTC);
        let (hour, minute, second) = self.clock.unwrap_or_default();
        let date = civil::Date::new(self.year?, self.month?, self.day?).ok()?;
        let time = civil::Time::new(hour, minute, second, 0).unwrap_or_default();
        let moment = offset.to_timestamp(date.to_datetime(time)).ok()?;
        Some(SentDate { time: Timestamp::from_seconds(moment.as_second()), offset_seconds: offset.seconds() })
    }
}

/// `10:00`, `10:00:00`, and `10.00.00` as some write it.
fn clock(word: &str) -> Option<(i8, i8, i8)> {
    let mut pieces = word.split([':', '.']).map(|piece| {
        let digits = (1..=2).contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| piece.parse::<i8>().ok())?
    });
    let (hour, minute) = (pieces.next()??, pieces.next()??);
    let second = match pieces.next() {
        Some(second) => second?,
        None => 0,
    };
    // A leap second has no place in a timestamp.
    pieces.next().is_none().then_some((hour, minute, second.min(if second == 60 { 59 } else { second })))
}

fn month(word: &str) -> Option<i8> {
    let start = word.get(..3).filter(|_| word.bytes().all(|byte| byte.is_ascii_alphabetic()))?;
    let place = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(start))?;
    i8::try_from(place + 1).ok()
}

fn is_day_name(word: &str) -> bool {
    word.get(..3).is_some_and(|start| DAYS.iter().any(|day| day.eq_ignore_ascii_case(start)))
}

/// `+0100`, and what is written instead of it: `+01:00`, `+01`, `+1`.
fn numeric_zone(word: &str) -> Option<i32> {
    let digits = &word[1..];
    let (hours, minutes) = match digits.split_once(':') {
        Some(pieces) => pieces,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let number = |piece: &str, places: std::ops::RangeInclusive<usize>| {
        let plain = places.contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| piece.parse::<i32>().ok())?
    };
    let seconds = (number(hours, 1..=2)? * 60 + number(minutes, 2..=2)?) * 60;
    Some(if word.starts_with('-') { -seconds } else { seconds })
}

/// RFC 5322 section 4.3: the named zones of old; the military letters were used both ways, so they mean nothing.
fn named_zone(word: &str) -> i32 {
    let word = word.to_ascii_uppercase();
    // `GMT+0100`, as programs in browsers write it.
    if let Some(numeric) = ["GMT", "UTC"].iter().find_map(|name| word.strip_prefix(name))
        && numeric.starts_with(['+', '-'])
    {
        return numeric_zone(numeric).unwrap_or(0);
    }
    let hours = match word.as_str() {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => 0,
    };
    hours * 3600
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_of_all_ages() {
        let check = |value: &str, expected: Option<&str>| {
            let parsed = SentDate::parse(value.as_bytes());
            let shown = parsed.map(|date| format_date(date.time, date.offset_seconds));
            assert_eq!(shown.as_deref(), expected, "{value}");
        };
        check("Fri, 20 Nov 2026 03:31:42 +0100", Some("Fri, 20 Nov 2026 03:31:42 +0100"));
        check("20 Nov 2026 03:31 -0330", Some("Fri, 20 Nov 2026 03:31:00 -0330"));
        check("Fri (day),\r\n 20\tNOV 26 3:31:42 EST (cold)", Some("Fri, 20 Nov 2026 03:31:42 -0500"));
        check("1 Jan 70 00:00:00 GMT", Some("Thu, 01 Jan 1970 00:00:00 +0000"));
        check("1 Jan 103 00:00:00 UT", Some("Wed, 01 Jan 2003 00:00:00 +0000"));
        check("Thu Jan  1 00:00:00 1970", Some("Thu, 01 Jan 1970 00:00:00 +0000"));
        check("Thursday, 01-Jan-70 00:00:00 Z", Some("Thu, 01 Jan 1970 00:00:00 +0000"));
        check("1 January 2020 10:00:60 +0000 (UTC)", Some("Wed, 01 Jan 2020 10:00:59 +0000"));
        check("Tue, 1 Dec 2020 10:00:00 -0700 PDT", Some("Tue, 01 Dec 2020 10:00:00 -0700"));
        check("1 Jan 2020 10:00:00 XYZ", Some("Wed, 01 Jan 2020 10:00:00 +0000"));
        check("1 Jan 2020 10:00:00", Some("Wed, 01 Jan 2020 10:00:00 +0000"));
        check("30 Feb 2020 10:00:00 +0000", None);
        check("tomorrow", None);
        check("", None);
        check("Jan 2020 10:00:00 +0000", None);
        check("1 Jan 99999 10:00:00 +0000", None);
        check("(a) Wed (b), 1 (c) Jan 2020 10 (d) : 00 :(e)01 (f) +0100", Some("Wed, 01 Jan 2020 10:00:01 +0100"));
    }

    #[test]
    fn a_day_is_enough() {
        let check = |value: &str, expected: &str| {
            let shown = SentDate::parse(value.as_bytes()).map(|date| format_date(date.time, date.offset_seconds));
            assert_eq!(shown.as_deref(), Some(expected), "{value}");
        };
        for zone in ["+9999", "+000", "--0000", "0000", "GMT+x", "\"GMT\"", "+0000 or so", "+0000 2021 10:00"] {
            check(&format!("1 Jan 2020 10:00:00 {zone}"), "Wed, 01 Jan 2020 10:00:00 +0000");
        }
        for zone in ["+01", "+1", "+01:00", "GMT+1", "UTC+0100", "gmt+01:00"] {
            check(&format!("1 Jan 2020 10:00:00 {zone}"), "Wed, 01 Jan 2020 10:00:00 +0100");
        }
        check("ven. 3 Jan 2020 10:00:00 +0000", "Fri, 03 Jan 2020 10:00:00 +0000");
        check("1 Jan 2020 EST", "Wed, 01 Jan 2020 00:00:00 -0500");
        check("1 Jan 2020 10.00.01 -0100", "Wed, 01 Jan 2020 10:00:01 -0100");
        for time in ["", "25:00:00", "24:00:00 +0000", "10:60", "1:"] {
            check(&format!("1 Jan 2020 {time}"), "Wed, 01 Jan 2020 00:00:00 +0000");
        }
    }

    #[test]
    fn the_day_is_the_senders() {
        let check = |value: &str, day: i64| {
            assert_eq!(SentDate::parse(value.as_bytes()).map(SentDate::local_day), Some(day), "{value}");
        };
        check("1 Jan 1970 00:30:00 +0200", 0);
        check("1 Jan 1970 23:30:00 -0200", 0);
        check("31 Dec 1969 23:59:59 +0000", -1);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(seconds in -2_000_000_000_i64..100_000_000_000, minutes in -1439_i32..1440) {
            let time = Timestamp::from_seconds(seconds);
            let date = SentDate { time, offset_seconds: minutes * 60 };
            prop_assert_eq!(SentDate::parse(format_date(time, minutes * 60).as_bytes()), Some(date));
        }

        #[test]
        fn anything_is_read_or_refused(value: Vec<u8>, text in "[0-9A-Za-z:+, ()-]{0,40}") {
            SentDate::parse(&value);
            SentDate::parse(text.as_bytes());
        }
    }
}
