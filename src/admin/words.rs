//! Numbers and times as people read them.

use crate::types::Timestamp;

/// `1.4 MiB`; octets below a thousand as they are.
pub fn size(octets: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (octets as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => count(octets, "byte", "bytes"),
        _ if value < 10.0 && value.fract() != 0.0 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// In the largest unit up to a day that fits evenly: `7 days`, `36 hours`.
pub fn interval(seconds: u32) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let fits = |(size, _): &(u32, &str)| seconds >= *size && seconds.is_multiple_of(*size);
    let (size, unit) = units.into_iter().find(fits).unwrap_or((1, "second"));
    count(u64::from(seconds / size), unit, &format!("{unit}s"))
}

pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `3 messages (12 KiB)`.
pub fn mail(messages: u64, octets: u64) -> String {
    format!("{} ({})", count(messages, "message", "messages"), size(octets))
}

/// `2026-12-20`, in UTC.
pub fn day(time: Timestamp) -> String {
    time.rfc3339().chars().take("2026-12-20".len()).collect()
}

/// `2026-12-20 03:31`, in UTC.
pub fn minute(time: Timestamp) -> String {
    time.rfc3339().chars().take("2026-12-20T03:31".len()).collect::<String>().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |octets, expected: &str| assert_eq!(size(octets), expected);
        check(0, "0 bytes");
        check(1, "1 byte");
        check(999, "999 bytes");
        check(1000, "1.0 KiB");
        check(1024, "1 KiB");
        check(1536, "1.5 KiB");
        check(12_345, "12 KiB");
        check(5 << 30, "5 GiB");
        check(u64::MAX, "16777216 TiB");
        assert_eq!(interval(604_800), "7 days");
        assert_eq!(interval(86_400), "1 day");
        assert_eq!(interval(129_600), "36 hours");
        assert_eq!(interval(1), "1 second");
        assert_eq!(mail(1, 2048), "1 message (2 KiB)");
        assert_eq!(day(Timestamp(0)), "1970-01-01");
    }
}
