//! How what we know of a message is written to octets and read back: variable-length numbers and counted texts.

/// Why octets are not what we stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredError {
    /// Written by another version; the message has to be analysed again.
    Version,
    Truncated,
    /// Out of range, out of order, or an unknown code.
    Inconsistent,
    TrailingOctets,
}

impl std::fmt::Display for StoredError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Version => "what is stored about the message has an unknown version",
            Self::Truncated => "what is stored about the message ends too soon",
            Self::Inconsistent => "what is stored about the message contradicts itself",
            Self::TrailingOctets => "what is stored about the message goes on behind its end",
        })
    }
}

impl std::error::Error for StoredError {}

pub(super) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Numbers near zero stay short, whatever their sign.
pub(super) fn push_signed(out: &mut Vec<u8>, number: i64) {
    push_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Absent is not the same as empty.
pub(super) fn push_optional(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => push_number(out, 0),
        Some(text) => {
            push_number(out, text.len() as u64 + 1);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Behind the version, which must be `version`.
    pub(super) fn new(bytes: &'a [u8], version: u8) -> Result<Self, StoredError> {
        let (&found, rest) = bytes.split_first().ok_or(StoredError::Truncated)?;
        if found == version { Ok(Self { rest }) } else { Err(StoredError::Version) }
    }

    pub(super) fn octet(&mut self) -> Result<u8, StoredError> {
        let (&first, rest) = self.rest.split_first().ok_or(StoredError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    fn long(&mut self) -> Result<u64, StoredError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            number |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Ok(number);
            }
        }
        Err(StoredError::Inconsistent)
    }

    pub(super) fn signed(&mut self) -> Result<i64, StoredError> {
        let number = self.long()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn number(&mut self) -> Result<u32, StoredError> {
        u32::try_from(self.long()?).map_err(|_| StoredError::Inconsistent)
    }

    fn text_of(&mut self, len: usize) -> Result<&'a str, StoredError> {
        let (text, rest) = self.rest.split_at_checked(len).ok_or(StoredError::Truncated)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| StoredError::Inconsistent)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, StoredError> {
        let len = self.number()? as usize;
        self.text_of(len)
    }

    pub(super) fn optional(&mut self) -> Result<Option<&'a str>, StoredError> {
        match self.number()? {
            0 => Ok(None),
            len => self.text_of(len as usize - 1).map(Some),
        }
    }

    pub(super) fn end(&self) -> Result<(), StoredError> {
        if self.rest.is_empty() { Ok(()) } else { Err(StoredError::TrailingOctets) }
    }
}
