//! Cuts what a client sends into commands, without reading their meaning: lines, and the literals inside them.
//!
//! A short literal stays with its command. A long one is announced, and whoever knows the grammar decides whether its
//! octets are a message on its way to the store (then they pass through and are never held) or are refused. No I/O
//! happens here: octets are fed in, events come out, and the driver writes what the session answers.
//!
//! Invariants: at most one event is open; memory is bounded by `Sizes` plus what was fed at once; the end of a command
//! is found in exactly one way, so the octets of a literal are never read as a command.

use crate::types::limits::{
    IMAP_BEFORE_LOGIN_OCTETS_MAX, IMAP_COMMAND_OCTETS_MAX, IMAP_DISCARDED_OCTETS_MAX, IMAP_IDLE_BUFFER_OCTETS,
    IMAP_LINE_OCTETS_MAX, IMAP_LITERAL_KEPT_OCTETS_MAX,
};

#[cfg(test)]
mod tests;

/// How much one command may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub line_octets_max: usize,
    /// A longer literal is announced.
    pub literal_octets_max: usize,
    pub command_octets_max: usize,
}

impl Sizes {
    pub const BEFORE_LOGIN: Self = Self {
        line_octets_max: IMAP_BEFORE_LOGIN_OCTETS_MAX,
        literal_octets_max: IMAP_BEFORE_LOGIN_OCTETS_MAX,
        command_octets_max: 2 * IMAP_BEFORE_LOGIN_OCTETS_MAX,
    };
    pub const AFTER_LOGIN: Self = Self {
        line_octets_max: IMAP_LINE_OCTETS_MAX,
        literal_octets_max: IMAP_LITERAL_KEPT_OCTETS_MAX,
        command_octets_max: IMAP_COMMAND_OCTETS_MAX,
    };
}

/// What happened next in the stream of octets.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole command, without its last CRLF.
    Command(Framed<'a>),
    /// The line that was asked for with `expect_line`, without its CRLF.
    Line(&'a [u8]),
    /// A literal too long to be kept. Comes again until `stream_literal` or `refuse_literal` is called.
    Announced(Announced<'a>),
    /// The client waits for `+` before it sends the literal.
    ContinuationDue,
    /// Octets of a literal that is streamed.
    Data(&'a [u8]),
    /// The streamed literal is complete; its command goes on.
    DataEnd,
    /// A command that is over and was not kept: answer NO or BAD with its tag.
    Refused { so_far: &'a [u8], cause: Refusal },
    /// The stream can't be understood any further: say BYE and close. Nothing else comes after it.
    Fatal(Fatal),
}

/// The octets of a command. A literal that was kept stands inside, after its `{n}` and CRLF; of a streamed one only
/// `{n}` and CRLF are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed<'a> {
    pub octets: &'a [u8],
    pub streamed: &'a [Streamed],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Where the literal's octets would start in the command.
    pub at: usize,
    pub octets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// The command up to and with the CRLF after `{n}`.
    pub so_far: &'a [u8],
    pub streamed: &'a [Streamed],
    pub octets: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    LineTooLong,
    CommandTooLong,
    /// Longer than a message may be, or no message at all.
    LiteralTooBig,
    /// Refused by the session, which knows why.
    BySession,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// RFC 9051 section 2.2.1: lines end with CRLF. A lone LF may be an attempt to have a line read in two ways.
    BareLineFeed,
    /// A literal that is sent without waiting and whose length can't be skipped.
    LiteralLength,
    /// More was sent to be thrown away than we read past.
    TooMuchDiscarded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Undecided { octets: u64, waits: bool },
    Granted { octets: u64 },
    Keeping { left: usize },
    Streaming { left: u64 },
    Discarding { left: u64 },
    Dead(Fatal),
}

#[derive(Debug)]
pub struct Framer {
    sizes: Sizes,
    input: Vec<u8>,
    /// Octets of `input` that are used up.
    start: usize,
    /// Octets after `start` that are known to hold no LF.
    scanned: usize,
    command: Vec<u8>,
    streamed: Vec<Streamed>,
    state: State,
    refused: Option<Refusal>,
    discarded: u64,
    /// The last event ended a command: its octets are cleared when the next is asked for.
    finished: bool,
    line_expected: bool,
    /// An over-long line is being read past.
    skipping: bool,
}

impl Framer {
    pub fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            input: Vec::new(),
            start: 0,
            scanned: 0,
            command: Vec::new(),
            streamed: Vec::new(),
            state: State::Text,
            refused: None,
            discarded: 0,
            finished: false,
            line_expected: false,
            skipping: false,
        }
    }

    /// For the commands from now on.
    pub fn resize(&mut self, sizes: Sizes) {
        self.sizes = sizes;
    }

    /// Where the driver appends what it reads, once `next` has answered `None`.
    pub fn input(&mut self) -> &mut Vec<u8> {
        if self.start == self.input.len() {
            self.input.clear();
            self.input.shrink_to(IMAP_IDLE_BUFFER_OCTETS);
        } else {
            self.input.drain(..self.start);
        }
        self.start = 0;
        &mut self.input
    }

    /// The next line is an answer to us (SASL, DONE) and no command; it has no literals.
    pub fn expect_line(&mut self) {
        self.line_expected = true;
    }

    /// Octets that came after the last event. After STARTTLS there must be none (RFC 9051 section 6.2.1): they came
    /// without protection and would be taken for protected.
    pub fn has_input(&self) -> bool {
        self.start < self.input.len()
    }

    /// Takes what came after the last event, for the layer that COMPRESS puts below.
    pub fn take_input(&mut self) -> Vec<u8> {
        let rest = self.input.split_off(self.start);
        self.input.clear();
        self.start = 0;
        self.scanned = 0;
        rest
    }

    /// Gives memory back while a client idles. Costs nothing when nothing is held.
    pub fn release(&mut self) {
        if self.finished {
            self.clear_command();
        }
        if !self.has_input() {
            self.input = Vec::new();
            self.start = 0;
        }
        if self.command.is_empty() {
            self.command = Vec::new();
            self.streamed = Vec::new();
        }
    }

    /// The announced literal is wanted: its octets come as `Data`.
    pub fn stream_literal(&mut self) {
        if let State::Undecided { octets, waits } = self.state {
            self.streamed.push(Streamed { at: self.command.len(), octets });
            self.state = if waits { State::Granted { octets } } else { State::Streaming { left: octets } };
        }
    }

    /// The announced literal is not wanted, and its command with it.
    pub fn refuse_literal(&mut self, cause: Refusal) {
        if let State::Undecided { octets, waits } = self.state {
            self.refused = Some(cause);
            // A client that waits sends nothing: the command is over with our NO (RFC 9051 section 4.3).
            self.state = if waits { State::Text } else { State::Discarding { left: octets } };
            self.finished = waits;
        }
    }

    fn clear_command(&mut self) {
        self.command.clear();
        self.command.shrink_to(IMAP_IDLE_BUFFER_OCTETS);
        self.streamed.clear();
        self.refused = None;
        self.discarded = 0;
        self.finished = false;
    }

    /// The next event, or `None` until more octets are fed.
    // The name says what it does; an Iterator can't lend.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Event<'_>> {
        // A literal refused while its client waited: the command ends without any more octets.
        if self.finished
            && let Some(cause) = self.refused.take()
        {
            return Some(Event::Refused { so_far: &self.command, cause });
        }
        if self.finished {
            self.clear_command();
        }
        loop {
            match self.state {
                State::Dead(cause) => return Some(Event::Fatal(cause)),
                State::Undecided { octets, .. } => {
                    return Some(Event::Announced(Announced {
                        so_far: &self.command,
                        streamed: &self.streamed,
                        octets,
                    }));
                }
                State::Granted { octets } => {
                    self.state = State::Streaming { left: octets };
                    return Some(Event::ContinuationDue);
                }
                State::Streaming { left: 0 } => {
                    self.state = State::Text;
                    return Some(Event::DataEnd);
                }
                State::Streaming { left } => {
                    let taken = self.take(left)?;
                    self.state = State::Streaming { left: left - taken.len() as u64 };
                    return Some(Event::Data(&self.input[taken]));
                }
                State::Discarding { left: 0 } | State::Keeping { left: 0 } => self.state = State::Text,
                State::Discarding { left } => {
                    let taken = self.take(left)?;
                    let octets = taken.len() as u64;
                    self.state = State::Discarding { left: left - octets };
                    self.discard(octets);
                }
                State::Keeping { left } => {
                    let taken = self.take(left as u64)?;
                    self.state = State::Keeping { left: left - taken.len() };
                    self.command.extend_from_slice(&self.input[taken]);
                }
                State::Text => match self.line()? {
                    LineEnd::Plain => {
                        self.finished = true;
                        let line_expected = std::mem::take(&mut self.line_expected);
                        return Some(match self.refused.take() {
                            Some(cause) => Event::Refused { so_far: &self.command, cause },
                            None if line_expected => Event::Line(&self.command),
                            None => Event::Command(Framed { octets: &self.command, streamed: &self.streamed }),
                        });
                    }
                    LineEnd::Literal(mark) => {
                        if let Some(cause) = self.literal(mark) {
                            self.finished = true;
                            return Some(Event::Refused { so_far: &self.command, cause });
                        }
                        if mark.waits && matches!(self.state, State::Keeping { .. }) {
                            return Some(Event::ContinuationDue);
                        }
                    }
                    LineEnd::Broken => {}
                },
            }
        }
    }

    /// Up to `left` octets that are there, marked as used.
    fn take(&mut self, left: u64) -> Option<std::ops::Range<usize>> {
        let there = self.input.len() - self.start;
        if there == 0 {
            return None;
        }
        let count = usize::try_from(left).map_or(there, |left| left.min(there));
        let taken = self.start..self.start + count;
        self.start += count;
        Some(taken)
    }

    fn discard(&mut self, octets: u64) {
        self.discarded = self.discarded.saturating_add(octets);
        if self.discarded > IMAP_DISCARDED_OCTETS_MAX {
            self.state = State::Dead(Fatal::TooMuchDiscarded);
        }
    }

    /// Moves one line into the command.
    fn line(&mut self) -> Option<LineEnd> {
        let unused = &self.input[self.start..];
        let Some(found) = memchr::memchr(b'\n', &unused[self.scanned..]) else {
            self.scanned = unused.len();
            // One more, because the last octet may be the CR of a line that just fits.
            if self.scanned > self.sizes.line_octets_max + 1 {
                // Of what is read past only the tail is kept: it may end in a literal that must be read past too.
                self.refused.get_or_insert(Refusal::LineTooLong);
                self.skipping = true;
                if self.command.is_empty() {
                    self.command.extend_from_slice(&unused[..TAG_KEPT_OCTETS]);
                }
                let dropped = self.scanned - LITERAL_MARK_OCTETS_MAX;
                self.start += dropped;
                self.scanned -= dropped;
                self.discard(dropped as u64);
                if matches!(self.state, State::Dead(_)) {
                    return Some(LineEnd::Broken);
                }
            }
            return None;
        };
        let end = self.scanned + found;
        self.scanned = 0;
        if end == 0 || unused[end - 1] != b'\r' {
            self.state = State::Dead(Fatal::BareLineFeed);
            return Some(LineEnd::Broken);
        }
        let line = &unused[..end - 1];
        let mark = if self.line_expected { None } else { literal_mark(line) };
        let skipping = std::mem::take(&mut self.skipping);
        if skipping || line.len() > self.sizes.line_octets_max {
            self.refused.get_or_insert(Refusal::LineTooLong);
            let tail = &line[line.len().saturating_sub(LITERAL_MARK_OCTETS_MAX)..];
            if tail.ends_with(b"}") && !self.line_expected && literal_mark(tail).is_none() {
                // Longer than the tail that is kept: whether octets of a literal follow is not known.
                self.state = State::Dead(Fatal::LiteralLength);
                return Some(LineEnd::Broken);
            }
        } else if self.command.len() + line.len() > self.sizes.command_octets_max {
            self.refused.get_or_insert(Refusal::CommandTooLong);
        }
        if self.refused.is_none() {
            self.command.extend_from_slice(line);
            if mark.is_some() {
                self.command.extend_from_slice(b"\r\n");
            }
        } else if self.command.is_empty() {
            self.command.extend_from_slice(&line[..line.len().min(TAG_KEPT_OCTETS)]);
        }
        self.start += end + 1;
        Some(mark.map_or(LineEnd::Plain, LineEnd::Literal))
    }

    /// What becomes of a literal; `Some` when its command is over.
    fn literal(&mut self, mark: LiteralMark) -> Option<Refusal> {
        let waits = mark.waits;
        let Some(octets) = mark.octets else {
            if waits {
                self.refused = None;
                return Some(Refusal::LiteralTooBig);
            }
            self.state = State::Dead(Fatal::LiteralLength);
            return None;
        };
        if let Some(cause) = self.refused {
            if waits {
                self.refused = None;
                return Some(cause);
            }
            self.state = State::Discarding { left: octets };
            return None;
        }
        let kept = usize::try_from(octets).ok().filter(|octets| {
            *octets <= self.sizes.literal_octets_max && self.command.len() + octets <= self.sizes.command_octets_max
        });
        self.state = match kept {
            Some(left) => State::Keeping { left },
            None => State::Undecided { octets, waits },
        };
        None
    }
}

enum LineEnd {
    Plain,
    Literal(LiteralMark),
    /// The state says what is wrong.
    Broken,
}

/// What is kept of a line that is too long: its tag is all that is needed for an answer.
const TAG_KEPT_OCTETS: usize = 64;

/// What is kept of the end of such a line: `{18446744073709551615+}` with its tilde, and room for a few leading zeros.
const LITERAL_MARK_OCTETS_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LiteralMark {
    /// `None` when the number does not fit.
    octets: Option<u64>,
    waits: bool,
}

/// `{n}` or `{n+}` at the end of a line (RFC 9051 section 4.3, RFC 7888). A tilde before it (RFC 3516 section 4.2) is
/// for the grammar. Whatever else ends in `}` is no literal, and no rule of the grammar will take it for one.
fn literal_mark(line: &[u8]) -> Option<LiteralMark> {
    let inside = line.strip_suffix(b"}")?;
    let (inside, waits) = match inside.strip_suffix(b"+") {
        Some(inside) => (inside, false),
        None => (inside, true),
    };
    let digits = inside.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let (before, digits) = inside.split_at(inside.len() - digits);
    if digits.is_empty() || before.last() != Some(&b'{') {
        return None;
    }
    let octets =
        digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Some(LiteralMark { octets, waits })
}
