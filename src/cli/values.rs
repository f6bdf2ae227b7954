//! How values are written on the command line: sizes, times between answers, passwords, texts.

use super::failure::Failure;
use crate::admin::{NewPassword, Quota};
use crate::telemetry::Secret;
use crate::types::limits::PASSWORD_OCTETS_MAX;
use crate::types::{Address, Domain};
use std::io::{BufRead, Read};
use std::path::Path;

pub(super) fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

pub(super) fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).map_err(|error| error.to_string())
}

/// `5G`, `500M`, `1.5T`, `123456`, or `none`. Units count in 1024.
pub(super) fn quota(text: &str) -> Result<Quota, String> {
    if text == "none" {
        return Ok(Quota::None);
    }
    size(text).map(Quota::Octets)
}

fn size(text: &str) -> Result<u64, String> {
    let wrong = || "write a size such as 5G, 500M or 1.5T, or none".to_owned();
    let bare = text.strip_suffix('B').or_else(|| text.strip_suffix("iB")).unwrap_or(text);
    let bare = bare.strip_suffix('i').unwrap_or(bare);
    let (digits, power) = match bare.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => {
            let power = "KMGT".find(unit.to_ascii_uppercase()).ok_or_else(wrong)?;
            (&bare[..at], power as u32 + 1)
        }
        _ => (bare, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(wrong());
    }
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let octets = number * 1024_f64.powi(power as i32);
    // Beyond this a float no longer counts single octets, and no disk is that large.
    if octets < 9e15 { Ok(octets as u64) } else { Err(wrong()) }
}

/// `7d`, `2w`, `36h`.
pub(super) fn interval(text: &str) -> Result<u32, String> {
    let wrong = || "write a number with its unit: 7d or 2w".to_owned();
    let (at, unit) = text.char_indices().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        'w' => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let digits = &text[..at];
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number = digits.parse().ok().and_then(|number: u32| number.checked_mul(seconds));
    number.ok_or_else(|| "that is longer than anybody waits".to_owned())
}

/// An envelope's sender: an address, with or without angle brackets; empty or `<>` for none.
pub(super) fn sender(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    if !bare.is_empty() {
        address(bare)?;
    }
    Ok(text.to_owned())
}

/// A message's number in the queue.
pub(super) fn send_id(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "it is a number, which posthouse queue list shows".to_owned())
}

/// The first line of standard input.
pub(super) fn password_from_stdin() -> Result<NewPassword, Failure> {
    let mut line = String::new();
    let most = PASSWORD_OCTETS_MAX as u64 + 2;
    let unreadable = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::InvalidData => Some("a password is text in UTF-8"),
            _ => None,
        };
        Failure::refused("input", format!("standard input: {error}"), hint)
    };
    std::io::stdin().lock().take(most).read_line(&mut line).map_err(unreadable)?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        let hint = "write it there in one line, or let one be made: --generate-password";
        return Err(Failure::refused("input", "there is no password on standard input", Some(hint)));
    }
    Ok(NewPassword::Given(Secret::new(password.to_owned())))
}

/// A text file, or standard input for `-`.
pub(super) fn text_of(path: &Path, octets_max: u64) -> Result<String, Failure> {
    String::from_utf8(octets_of(path, octets_max)?).map_err(|_| {
        let message = format!("{}: it is no text in UTF-8", path.display());
        Failure::refused("file", message, Some("save it as UTF-8 and try again"))
    })
}

/// A file, or standard input for `-`.
pub(super) fn octets_of(path: &Path, octets_max: u64) -> Result<Vec<u8>, Failure> {
    let mut octets = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(octets_max + 1).read_to_end(&mut octets)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(octets_max + 1).read_to_end(&mut octets))
    };
    read.map_err(|error| Failure::file(path, &error))?;
    if octets.len() as u64 > octets_max {
        let message = format!("{}: it is longer than {octets_max} octets", path.display());
        return Err(Failure::refused("file", message, None));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(size(text).ok(), expected, "{text}");
        check("0", Some(0));
        check("123456", Some(123_456));
        check("5G", Some(5 << 30));
        check("5g", Some(5 << 30));
        check("5GiB", Some(5 << 30));
        check("500MB", Some(500 << 20));
        check("1.5K", Some(1536));
        check("2T", Some(2 << 40));
        for wrong in ["", "G", "-5G", "5X", "1e5", "9999999T", "5 G", "inf", "nan"] {
            check(wrong, None);
        }
        assert_eq!(quota("none"), Ok(Quota::None));
    }

    #[test]
    fn intervals() {
        let check = |text: &str, expected: Option<u32>| assert_eq!(interval(text).ok(), expected, "{text}");
        check("7d", Some(604_800));
        check("2w", Some(1_209_600));
        check("36h", Some(129_600));
        for wrong in ["", "d", "7", "7y", "-1d", "99999999w", "7 d"] {
            check(wrong, None);
        }
        assert_eq!(interval("99999d"), Err("that is longer than anybody waits".to_owned()));
    }
}
