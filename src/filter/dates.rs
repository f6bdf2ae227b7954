//! Parts of dates (RFC 5260 section 4).

use super::call::{DatePart, Zone};

/// A moment and the zone it was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) seconds: i64,
    pub(super) offset_seconds: i32,
}

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Days from 1858-11-17, where the Modified Julian Day begins, to 1970-01-01.
const JULIAN_EPOCH_DAYS: i64 = 40_587;

/// `None` for times outside of the calendar's range.
pub(super) fn part(moment: Moment, zone: Zone, part: DatePart) -> Option<String> {
    let offset = match zone {
        Zone::OffsetSeconds(seconds) => seconds,
        Zone::Original => moment.offset_seconds,
        Zone::Local => 0,
    };
    let local = moment.seconds.checked_add(i64::from(offset))?;
    let time = jiff::Timestamp::from_second(local).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let weekday = usize::try_from(time.weekday().to_sunday_zero_offset()).ok()?;
    let sign = if offset < 0 { '-' } else { '+' };
    let (zone_hours, zone_minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    Some(match part {
        DatePart::Year => format!("{year:04}"),
        DatePart::Month => format!("{month:02}"),
        DatePart::Day => format!("{day:02}"),
        DatePart::Date => format!("{year:04}-{month:02}-{day:02}"),
        DatePart::Julian => (local.div_euclid(86_400) + JULIAN_EPOCH_DAYS).to_string(),
        DatePart::Hour => format!("{hour:02}"),
        DatePart::Minute => format!("{minute:02}"),
        DatePart::Second => format!("{second:02}"),
        DatePart::Time => format!("{hour:02}:{minute:02}:{second:02}"),
        DatePart::Iso8601 if offset == 0 => {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
        }
        DatePart::Iso8601 => format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{zone_hours:02}:{zone_minutes:02}"
        ),
        DatePart::Std11 => format!(
            "{}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} {sign}{zone_hours:02}{zone_minutes:02}",
            WEEKDAYS.get(weekday)?,
            MONTHS.get(usize::try_from(month).ok()?.checked_sub(1)?)?,
        ),
        DatePart::Zone => format!("{sign}{zone_hours:02}{zone_minutes:02}"),
        DatePart::Weekday => weekday.to_string(),
    })
}

/// RFC 3339, as `:bytimeabsolute` wants it.
pub(super) fn parse_rfc3339(text: &str) -> Option<crate::types::Timestamp> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    Some(crate::types::Timestamp::from_seconds(time.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_of_a_moment() {
        // 2026-11-20 03:31:42 UTC, written as 04:31:42 +0100.
        let moment = Moment { seconds: 1_795_145_502, offset_seconds: 3600 };
        let check = |zone: Zone, which: DatePart, expected: &str| {
            assert_eq!(part(moment, zone, which).as_deref(), Some(expected), "{which:?}");
        };
        check(Zone::Local, DatePart::Date, "2026-11-20");
        check(Zone::Local, DatePart::Time, "03:31:42");
        check(Zone::Original, DatePart::Time, "04:31:42");
        check(Zone::Original, DatePart::Zone, "+0100");
        check(Zone::OffsetSeconds(-5 * 3600 - 1800), DatePart::Iso8601, "2026-11-19T22:01:42-05:30");
        check(Zone::Local, DatePart::Iso8601, "2026-11-20T03:31:42Z");
        check(Zone::Local, DatePart::Std11, "Fri, 20 Nov 2026 03:31:42 +0000");
        check(Zone::Local, DatePart::Weekday, "5");
        check(Zone::Local, DatePart::Julian, "61364");
        check(Zone::Local, DatePart::Year, "2026");
        check(Zone::Local, DatePart::Month, "11");
        check(Zone::Local, DatePart::Day, "20");
        check(Zone::Local, DatePart::Hour, "03");
        check(Zone::Local, DatePart::Minute, "31");
        check(Zone::Local, DatePart::Second, "42");
        let far = Moment { seconds: i64::MAX, offset_seconds: 0 };
        assert_eq!(part(far, Zone::OffsetSeconds(60), DatePart::Year), None);
        assert_eq!(part(far, Zone::Local, DatePart::Year), None);
        assert_eq!(parse_rfc3339("2026-11-20T03:31:42Z").map(crate::types::Timestamp::seconds), Some(1_795_145_502));
        assert_eq!(parse_rfc3339("tomorrow"), None);
    }
}
