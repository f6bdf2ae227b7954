//! Writes what the server says (RFC 5804 section 4): typed values in, octets appended to one buffer out.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    /// The session ends with it.
    Bye,
}

/// RFC 5804 section 1.3. AUTH-TOO-WEAK and TRANSITION-NEEDED are absent, since every account can use every mechanism that is
/// offered, and section 5 warns of telling strangers more; REFERRAL, since there is no other server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    EncryptNeeded,
    QuotaMaxScripts,
    QuotaMaxSize,
    /// The last message of the SASL exchange, in base64.
    Sasl(String),
    TryLater,
    Active,
    NonExistent,
    AlreadyExists,
    Tag(Vec<u8>),
    Warnings,
}

/// Longer strings are literals.
const QUOTED_OCTETS_MAX: usize = 1024;

/// The line that ends a command.
pub(super) fn end(out: &mut Vec<u8>, status: Status, code: Option<&Code>, text: &str) {
    out.extend_from_slice(match status {
        Status::Ok => b"OK",
        Status::No => b"NO",
        Status::Bye => b"BYE",
    });
    if let Some(code) = code {
        out.extend_from_slice(b" (");
        write_code(out, code);
        out.push(b')');
    }
    if !text.is_empty() {
        out.push(b' ');
        string(out, text.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn write_code(out: &mut Vec<u8>, code: &Code) {
    let word = match code {
        Code::EncryptNeeded => "ENCRYPT-NEEDED",
        Code::QuotaMaxScripts => "QUOTA/MAXSCRIPTS",
        Code::QuotaMaxSize => "QUOTA/MAXSIZE",
        Code::Sasl(_) => "SASL ",
        Code::TryLater => "TRYLATER",
        Code::Active => "ACTIVE",
        Code::NonExistent => "NONEXISTENT",
        Code::AlreadyExists => "ALREADYEXISTS",
        Code::Tag(_) => "TAG ",
        Code::Warnings => "WARNINGS",
    };
    out.extend_from_slice(word.as_bytes());
    match code {
        Code::Sasl(message) => string(out, message.as_bytes()),
        Code::Tag(tag) => string(out, tag),
        _ => {}
    }
}

/// A capability, with its value if it has one.
pub(super) fn capability(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    string(out, name.as_bytes());
    if let Some(value) = value {
        out.push(b' ');
        string(out, value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// A line of LISTSCRIPTS.
pub(super) fn listed(out: &mut Vec<u8>, name: &str, is_active: bool) {
    string(out, name.as_bytes());
    out.extend_from_slice(if is_active { b" ACTIVE\r\n" } else { b"\r\n" });
}

/// A script, or a SASL challenge in base64: a string on a line of its own.
pub(super) fn line(out: &mut Vec<u8>, octets: &[u8]) {
    string(out, octets);
    out.extend_from_slice(b"\r\n");
}

/// What would need an escape goes out as a literal: RFC 5804 section 2.7 shows it that way, and more clients read that right.
fn string(out: &mut Vec<u8>, octets: &[u8]) {
    let is_plain = |octet: &u8| !matches!(octet, 0 | b'\r' | b'\n' | b'"' | b'\\');
    if octets.len() <= QUOTED_OCTETS_MAX && octets.iter().all(is_plain) && std::str::from_utf8(octets).is_ok() {
        out.push(b'"');
        out.extend_from_slice(octets);
        out.push(b'"');
    } else {
        out.extend_from_slice(format!("{{{}}}\r\n", octets.len()).as_bytes());
        out.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        let check = |status, code: Option<Code>, text: &str, expected: &[u8]| {
            let mut out = Vec::new();
            end(&mut out, status, code.as_ref(), text);
            assert_eq!(out, expected, "{}", String::from_utf8_lossy(&out));
        };
        check(Status::Ok, None, "", b"OK\r\n");
        check(Status::No, None, "Not now", b"NO \"Not now\"\r\n");
        check(Status::Bye, Some(Code::TryLater), "Later", b"BYE (TRYLATER) \"Later\"\r\n");
        check(Status::No, Some(Code::QuotaMaxSize), "say \"x\"", b"NO (QUOTA/MAXSIZE) {7}\r\nsay \"x\"\r\n");
        check(Status::Ok, Some(Code::Sasl("dj0=".to_owned())), "", b"OK (SASL \"dj0=\")\r\n");
        check(Status::Ok, Some(Code::Tag(b"a\"b".to_vec())), "Done", b"OK (TAG {3}\r\na\"b) \"Done\"\r\n");
        check(Status::Ok, Some(Code::Tag(b"\xff".to_vec())), "", b"OK (TAG {1}\r\n\xff)\r\n");
        check(Status::Ok, Some(Code::Warnings), "a\r\nb", b"OK (WARNINGS) {4}\r\na\r\nb\r\n");
    }

    #[test]
    fn lines() {
        let mut out = Vec::new();
        capability(&mut out, "STARTTLS", None);
        capability(&mut out, "SASL", Some(""));
        listed(&mut out, "é", true);
        listed(&mut out, "a\\b", false);
        line(&mut out, b"");
        line(&mut out, &[b'x'; 1025]);
        let start = "\"STARTTLS\"\r\n\"SASL\" \"\"\r\n\"é\" ACTIVE\r\n{3}\r\na\\b\r\n\"\"\r\n{1025}\r\nxxx";
        assert!(out.starts_with(start.as_bytes()), "{}", String::from_utf8_lossy(&out));
    }
}
