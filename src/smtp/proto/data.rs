//! Message data between DATA and the final dot: dot-stuffing (RFC 5321 section 4.5.2) both ways, in a stream.
//!
//! Invariants of the decoder, against smuggled commands:
//! - nothing but CR LF . CR LF ends the data, wherever the input happens to be cut;
//! - a dot is taken away only after CR LF, and a bare CR or LF is never a line end: it is reported, and either left
//!   where it is (for a message that will be refused) or made a CR LF, which no dot rule has looked at.
//!
//! Invariant of the encoder: whatever goes in, what comes out has no CR or LF but in pairs, and no line that is a lone
//! dot but the last.

use memchr::{memchr2, memchr3};

/// What becomes of a CR or LF that stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// It stays; whoever sees the fault refuses the message.
    Kept,
    /// It becomes CR LF.
    Normalised,
}

/// What RFC 5321 section 2.3.8 and section 4.5.2 forbid in data, and was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Faults {
    pub bare_cr: bool,
    pub bare_lf: bool,
    pub nul: bool,
}

impl Faults {
    pub fn line_ends(self) -> bool {
        self.bare_cr || self.bare_lf
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    LineStart,
    Inside,
    /// After a CR that has not been written.
    Cr,
    /// After a dot at the start of a line, which is taken away whatever follows.
    Dot,
    /// After a dot and a CR at the start of a line; neither has been written.
    DotCr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// DATA.
    Dotted,
    /// BDAT: text in chunks of known size, where a dot means nothing.
    Counted,
}

/// Takes the dots away, finds the end.
#[derive(Clone, Debug)]
pub struct DataDecoder {
    state: State,
    framing: Framing,
    line_ends: LineEnds,
    faults: Faults,
    eight_bit: bool,
}

impl DataDecoder {
    pub fn dotted(line_ends: LineEnds) -> Self {
        Self::new(Framing::Dotted, line_ends)
    }

    /// For the text of BDAT, to which the same rules on line ends apply unless it was declared binary.
    pub fn counted(line_ends: LineEnds) -> Self {
        Self::new(Framing::Counted, line_ends)
    }

    fn new(framing: Framing, line_ends: LineEnds) -> Self {
        Self { state: State::LineStart, framing, line_ends, faults: Faults::default(), eight_bit: false }
    }

    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Something outside US-ASCII was there.
    pub fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    /// Appends the message's next octets to `output`. `Some(n)`: the data ended, and `n` octets of the input belonged to
    /// it. `None`: all input was taken and more must come.
    pub fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0;
        let mut end = None;
        while let (Some(byte), None) = (input.get(at).copied(), end) {
            match (self.state, byte) {
                (State::LineStart, b'.') if self.framing == Framing::Dotted => {
                    at += 1;
                    self.state = State::Dot;
                }
                (State::Dot, b'\r') => {
                    at += 1;
                    self.state = State::DotCr;
                }
                (State::DotCr, b'\n') => {
                    at += 1;
                    end = Some(at);
                }
                (State::Cr, b'\n') => {
                    at += 1;
                    output.extend_from_slice(b"\r\n");
                    self.state = State::LineStart;
                }
                (State::Cr | State::DotCr, _) => {
                    self.bare_cr(output);
                    self.state = State::Inside;
                }
                (State::LineStart | State::Dot, _) => self.state = State::Inside,
                (State::Inside, _) => at += self.inside(&input[at..], output),
            }
        }
        self.eight_bit |= !input[..at].is_ascii();
        end
    }

    /// The end of counted text: a CR that waited for its LF has waited in vain.
    pub fn finish(&mut self, output: &mut Vec<u8>) {
        if self.state == State::Cr {
            self.bare_cr(output);
            self.state = State::Inside;
        }
    }

    fn bare_cr(&mut self, output: &mut Vec<u8>) {
        self.faults.bare_cr = true;
        output.extend_from_slice(match self.line_ends {
            LineEnds::Kept => b"\r".as_slice(),
            LineEnds::Normalised => b"\r\n",
        });
    }

    /// Within lines: copies as many whole lines as possible at once, up to a place where the state changes.
    fn inside(&mut self, input: &[u8], output: &mut Vec<u8>) -> usize {
        let (mut copied, mut from) = (0, 0);
        while let Some(found) = memchr3(b'\r', b'\n', 0, &input[from..]) {
            let at = from + found;
            match (input[at], input.get(at + 1), input.get(at + 2)) {
                (b'\r', Some(b'\n'), Some(next)) if *next != b'.' => from = at + 2,
                (b'\r', Some(b'\n'), _) => {
                    output.extend_from_slice(&input[copied..at + 2]);
                    self.state = State::LineStart;
                    return at + 2;
                }
                (b'\r', _, _) => {
                    output.extend_from_slice(&input[copied..at]);
                    self.state = State::Cr;
                    return at + 1;
                }
                (b'\n', _, _) => {
                    self.faults.bare_lf = true;
                    if self.line_ends == LineEnds::Normalised {
                        output.extend_from_slice(&input[copied..at]);
                        output.extend_from_slice(b"\r\n");
                        copied = at + 1;
                    }
                    from = at + 1;
                }
                _ => {
                    self.faults.nul = true;
                    from = at + 1;
                }
            }
        }
        output.extend_from_slice(&input[copied..]);
        input.len()
    }
}

/// Adds the dots, and the end.
#[derive(Clone, Debug)]
pub struct DataEncoder {
    state: State,
}

impl Default for DataEncoder {
    fn default() -> Self {
        Self { state: State::LineStart }
    }
}

impl DataEncoder {
    /// Appends the message's next octets to `output` as they go over the wire. Bare CR and LF become CR LF: a receiver
    /// with laxer eyes than ours would take them for line ends behind which no dot was doubled.
    pub fn encode(&mut self, input: &[u8], output: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(byte) = input.get(at).copied() {
            match (self.state, byte) {
                (State::LineStart, b'.') => {
                    output.push(b'.');
                    self.state = State::Inside;
                }
                (State::Cr, _) => {
                    output.extend_from_slice(b"\r\n");
                    self.state = State::LineStart;
                    at += usize::from(byte == b'\n');
                }
                (State::Inside, _) => at += self.inside(&input[at..], output),
                _ => self.state = State::Inside,
            }
        }
    }

    /// The final dot, after a line end if the message had none.
    pub fn finish(self, output: &mut Vec<u8>) {
        if self.state != State::LineStart {
            output.extend_from_slice(b"\r\n");
        }
        output.extend_from_slice(b".\r\n");
    }

    fn inside(&mut self, input: &[u8], output: &mut Vec<u8>) -> usize {
        let mut from = 0;
        while let Some(found) = memchr2(b'\r', b'\n', &input[from..]) {
            let at = from + found;
            match (input[at], input.get(at + 1), input.get(at + 2)) {
                (b'\r', Some(b'\n'), Some(next)) if *next != b'.' => from = at + 2,
                (b'\r', _, _) => {
                    output.extend_from_slice(&input[..at]);
                    self.state = State::Cr;
                    return at + 1;
                }
                _ => {
                    output.extend_from_slice(&input[..at]);
                    output.extend_from_slice(b"\r\n");
                    self.state = State::LineStart;
                    return at + 1;
                }
            }
        }
        output.extend_from_slice(input);
        input.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_cut(line_ends: LineEnds, pieces: &[&[u8]]) -> (Option<usize>, Vec<u8>, Faults) {
        let mut decoder = DataDecoder::dotted(line_ends);
        let (mut output, mut before) = (Vec::new(), 0);
        for piece in pieces {
            if let Some(taken) = decoder.decode(piece, &mut output) {
                return (Some(before + taken), output, decoder.faults());
            }
            before += piece.len();
        }
        (None, output, decoder.faults())
    }

    /// The rules said once more, slowly, on the whole input.
    fn model(input: &[u8]) -> Option<(usize, Vec<u8>)> {
        let mut wire = b"\r\n".to_vec();
        wire.extend_from_slice(input);
        let end = wire.windows(5).position(|window| window == b"\r\n.\r\n")?;
        let body = &wire[2.min(end + 2)..end + 2];
        let mut message = Vec::new();
        let mut rest = body;
        while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
            let line = &rest[..at];
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            message.extend_from_slice(b"\r\n");
            rest = &rest[at + 2..];
        }
        Some((end + 5 - 2, message))
    }

    #[test]
    fn ends_only_at_the_real_end() {
        let check = |input: &[u8], expected: Option<(usize, &[u8])>| {
            let (end, output, _) = decode_cut(LineEnds::Kept, &[input]);
            let got = end.map(|end| (end, output.as_slice()));
            assert_eq!(got, expected, "{:?}", String::from_utf8_lossy(input));
        };
        check(b".\r\n", Some((3, b"")));
        check(b"a\r\n.\r\nQUIT\r\n", Some((6, b"a\r\n")));
        check(b"..\r\n.a\r\n.\r\n", Some((11, b".\r\na\r\n")));
        check(b"a\r\n..\r\n.\r\n", Some((10, b"a\r\n.\r\n")));
        // Every way to say "end of data" that some server has believed.
        for smuggled in [
            b"a\n.\nMAIL".as_slice(),
            b"a\n.\r\nMAIL",
            b"a\r\n.\nMAIL",
            b"a\r.\rMAIL",
            b"a\r.\r\nMAIL",
            b"a\r\n.\rMAIL",
            b"a\n.\rMAIL",
            b"a\r.\nMAIL",
            b"a\r\n\0.\r\nMAIL",
            b"a\r\n.\0\r\nMAIL",
            b"a\r\n. \r\nMAIL",
            b"a\r\n.\r\r\nMAIL",
            b"a\r\r\n.\rMAIL",
            b"a\n\r.\r\nMAIL",
            b"a\r\n\x85.\r\nMAIL",
        ] {
            check(smuggled, None);
        }
    }

    #[test]
    fn faults_are_seen_and_mended() {
        let check = |input: &[u8], mended: &[u8], faults: (bool, bool, bool)| {
            let (_, output, seen) = decode_cut(LineEnds::Normalised, &[input]);
            assert_eq!(output, mended, "{:?}", String::from_utf8_lossy(input));
            assert_eq!((seen.bare_cr, seen.bare_lf, seen.nul), faults, "{:?}", String::from_utf8_lossy(input));
        };
        check(b"a\r\nb\r\n.\r\n", b"a\r\nb\r\n", (false, false, false));
        check(b"a\nb\r\n.\r\n", b"a\r\nb\r\n", (false, true, false));
        check(b"a\rb\r\n.\r\n", b"a\r\nb\r\n", (true, false, false));
        check(b"a\r\rb\r\n.\r\n", b"a\r\n\r\nb\r\n", (true, false, false));
        check(b"a\r\r\nb\r\n.\r\n", b"a\r\n\r\nb\r\n", (true, false, false));
        check(b"a\0b\r\n.\r\n", b"a\0b\r\n", (false, false, true));
        check(b"a\n.\nb\r\n.\r\n", b"a\r\n.\r\nb\r\n", (false, true, false));
        check(b"a\r\n.\rb\r\n.\r\n", b"a\r\n\r\nb\r\n", (true, false, false));
        check(b"a\r\n.\nb\r\n.\r\n", b"a\r\n\r\nb\r\n", (false, true, false));
    }

    #[test]
    fn counted_text_knows_no_dots() {
        let mut decoder = DataDecoder::counted(LineEnds::Normalised);
        let mut output = Vec::new();
        assert_eq!(decoder.decode(b".a\r\n.\r\n\xc3\xa4\r", &mut output), None);
        decoder.finish(&mut output);
        assert_eq!(output, b".a\r\n.\r\n\xc3\xa4\r\n");
        assert_eq!((decoder.faults().bare_cr, decoder.eight_bit()), (true, true));
    }

    #[test]
    fn wire_form() {
        let check = |message: &[u8], wire: &[u8]| {
            let (mut encoder, mut output) = (DataEncoder::default(), Vec::new());
            encoder.encode(message, &mut output);
            encoder.finish(&mut output);
            assert_eq!(output, wire, "{:?}", String::from_utf8_lossy(message));
        };
        check(b"", b".\r\n");
        check(b"a", b"a\r\n.\r\n");
        check(b"a\r\n", b"a\r\n.\r\n");
        check(b".\r\n..\r\n.a", b"..\r\n...\r\n..a\r\n.\r\n");
        check(b"a\n.\nb", b"a\r\n..\r\nb\r\n.\r\n");
        check(b"a\r.\rb\r", b"a\r\n..\r\nb\r\n.\r\n");
        check(b"a\r\r\n.b", b"a\r\n\r\n..b\r\n.\r\n");
    }

    fn wire() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(b"\r\n..a\0\r\n".to_vec()), 0..40)
    }

    fn cut<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
        places.sort_unstable();
        places.push(input.len());
        let mut from = 0;
        places.into_iter().map(|to| &input[std::mem::replace(&mut from, to)..to]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn decoder_is_its_model(input in wire(), cuts in proptest::collection::vec(0usize..64, 0..5)) {
            let mut input = input;
            input.extend_from_slice(b"\r\n.\r\nafter");
            let (end, output, _) = decode_cut(LineEnds::Kept, &cut(&input, &cuts));
            let (model_end, model_output) = model(&input).expect("the end was appended");
            prop_assert_eq!((end, output), (Some(model_end), model_output));
        }

        #[test]
        fn decoding_undoes_encoding(input in wire(), cuts in proptest::collection::vec(0usize..64, 0..5)) {
            let (mut encoder, mut on_wire) = (DataEncoder::default(), Vec::new());
            for piece in cut(&input, &cuts) {
                encoder.encode(piece, &mut on_wire);
            }
            encoder.finish(&mut on_wire);
            let (end, output, faults) = decode_cut(LineEnds::Kept, &cut(&on_wire, &cuts));
            prop_assert_eq!(end, Some(on_wire.len()));
            prop_assert!(!faults.line_ends());
            let mut expected = Vec::new();
            let mut counted = DataDecoder::counted(LineEnds::Normalised);
            counted.decode(&input, &mut expected);
            counted.finish(&mut expected);
            if !expected.is_empty() && !expected.ends_with(b"\r\n") {
                expected.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(output, expected);
        }

        #[test]
        fn normalised_text_has_no_bare_line_end(input in wire(), cuts in proptest::collection::vec(0usize..64, 0..5)) {
            let (_, output, _) = decode_cut(LineEnds::Normalised, &cut(&input, &cuts));
            let bare = output.iter().enumerate().any(|(at, byte)| match byte {
                b'\n' => at == 0 || output[at - 1] != b'\r',
                b'\r' => output.get(at + 1) != Some(&b'\n'),
                _ => false,
            });
            prop_assert!(!bare, "{:?}", output);
        }
    }
}
