//! Dates and times of SEARCH and APPEND (RFC 9051 section 9: date, date-time).

use super::input::{Input, Parsed};

/// Days since 1970-01-01, in whatever zone the date was meant: SEARCH disregards time and zone (RFC 9051 section 6.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// East of Greenwich, as the client wrote it; the zone is kept.
    pub zone_minutes: i16,
}

pub(super) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) fn date(input: &mut Input<'_>) -> Parsed<Day> {
    let quoted = input.eat(b'"');
    let digits = input.take_while(|octet| octet.is_ascii_digit());
    let day = match digits {
        [one] => u32::from(one - b'0'),
        [ten, one] => u32::from(ten - b'0') * 10 + u32::from(one - b'0'),
        _ => return input.fail("a day of one or two digits"),
    };
    let date = month_and_year(input, day)?;
    if quoted {
        input.expect(b'"', "a closing quotation mark")?;
    }
    Ok(date)
}

pub(super) fn date_time(input: &mut Input<'_>) -> Parsed<DateTime> {
    input.expect(b'"', "a quoted date and time")?;
    // RFC 9051 section 9 wants two places, the first of them a blank for a small day. Some leave the blank out, and what
    // they mean is clear.
    let is_small = input.eat(b' ') || input.rest().get(1) == Some(&b'-');
    let day = digits(input, if is_small { 1 } else { 2 })?;
    let date = month_and_year(input, day)?;
    input.space()?;
    let hour = digits(input, 2)?;
    input.expect(b':', "a colon")?;
    let minute = digits(input, 2)?;
    input.expect(b':', "a colon")?;
    let second = digits(input, 2)?;
    // A leap second is the first of the next minute.
    if hour > 23 || minute > 59 || second > 60 {
        return input.fail("a time of day");
    }
    input.space()?;
    let east = match input.peek() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return input.fail("a zone"),
    };
    input.eat(b'+');
    input.eat(b'-');
    let (zone_hours, zone_minutes) = (digits(input, 2)?, digits(input, 2)?);
    if zone_hours > 23 || zone_minutes > 59 {
        return input.fail("a zone");
    }
    input.expect(b'"', "a closing quotation mark")?;
    let zone = east * i64::from(zone_hours * 60 + zone_minutes);
    let seconds = date.0 * 86_400 + i64::from(hour * 3600 + minute * 60 + second) - zone * 60;
    Ok(DateTime { seconds, zone_minutes: i16::try_from(zone).unwrap_or(0) })
}

fn month_and_year(input: &mut Input<'_>, day: u32) -> Parsed<Day> {
    input.expect(b'-', "a hyphen")?;
    let name = input.take_while(|octet| octet.is_ascii_alphabetic());
    let Some(month) = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name)) else {
        return input.fail("a month of three letters");
    };
    input.expect(b'-', "a hyphen")?;
    let year = digits(input, 4)?;
    match day_number(i64::from(year), month as u32 + 1, day) {
        Some(day) => Ok(day),
        None => input.fail("a day of the calendar"),
    }
}

/// Exactly `count` of them.
fn digits(input: &mut Input<'_>, count: usize) -> Parsed<u32> {
    match input.rest().get(..count) {
        Some(digits) if digits.iter().all(u8::is_ascii_digit) => {
            let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
            input.back_to(input.position() + count);
            Ok(number)
        }
        _ => input.fail("digits"),
    }
}

/// The Gregorian calendar, also before it was invented. `None` for a day the month does not have.
pub fn day_number(year: i64, month: u32, day: u32) -> Option<Day> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if day == 0 || day > length {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month < 3 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(Day(era * 146_097 + day_of_era - 719_468))
}

/// The inverse: year, month and day of the month.
pub fn date_of(day: Day) -> (i64, u32, u32) {
    let from_march_0 = day.0 + 719_468;
    let era = from_march_0.div_euclid(146_097);
    let day_of_era = from_march_0.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month < 3);
    // Both fit: a month has at most 31 days, a year 12 months.
    (year, month as u32, day as u32)
}

/// `Jan` for 1.
pub(in crate::imap) fn month_name(month: u32) -> &'static str {
    month.checked_sub(1).and_then(|index| MONTHS.get(index as usize)).copied().unwrap_or("Jan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::grammar::Mode;

    #[test]
    fn days_count_as_the_calendar_does() {
        for (index, date) in jiff::civil::date(1, 1, 1).series(jiff::Span::new().days(97)).take(38_000).enumerate() {
            let expected = date.since(jiff::civil::date(1970, 1, 1)).map(|span| span.get_days());
            let ours = day_number(i64::from(date.year()), date.month() as u32, date.day() as u32);
            assert_eq!(ours.map(|day| day.0), expected.ok().map(i64::from), "{index}");
            let back = ours.map(date_of);
            assert_eq!(back, Some((i64::from(date.year()), date.month() as u32, date.day() as u32)), "{index}");
        }
        assert_eq!(day_number(2023, 2, 29), None);
        assert_eq!(day_number(1900, 2, 29), None);
        assert_eq!(day_number(2024, 13, 1), None);
        assert_eq!(day_number(2024, 1, 0), None);
    }

    #[test]
    fn times_with_zones() {
        let check = |text: &str, expected: Option<(i64, i16)>| {
            let mut input = Input::new(text.as_bytes(), &[], Mode::default());
            let found = date_time(&mut input).and_then(|time| input.end().map(|()| time));
            assert_eq!(found.ok().map(|time| (time.seconds, time.zone_minutes)), expected, "{text}");
        };
        check("\" 1-Jan-1970 00:00:00 +0000\"", Some((0, 0)));
        check("\"17-Jul-1996 02:44:25 -0700\"", Some((837_596_665, -420)));
        check("\"17-jUL-1996 02:44:25 +0530\"", Some((837_596_665 - (420 + 330) * 60, 330)));
        check("\"31-Dec-2016 23:59:60 +0000\"", Some((1_483_228_800, 0)));
        check("\"1-Jan-1970 00:00:00 +0000\"", Some((0, 0)));
        check("\"001-Jan-1970 00:00:00 +0000\"", None);
        check("\"30-Feb-1970 00:00:00 +0000\"", None);
        check("\"01-Jan-1970 24:00:00 +0000\"", None);
        check("\"01-Jan-1970 00:00:00 +2400\"", None);
        check("\"01-Jan-1970 00:00:00 0000\"", None);
        check("\"01-Jan-1970 00:00:00 +0000", None);
        check("\"01-Jan-70 00:00:00 +0000\"", None);
    }
}
