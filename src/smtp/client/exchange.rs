//! One message within a session: MAIL to the last answer, pipelined or not, in SMTP's way or LMTP's.

use super::parameters::Framing;
use super::session::{Sending, Wait, answer, write};
use crate::queue::{Answer, Failure, FailureCause, Fate, Protocol, Sent, Stage};
use crate::smtp::proto::{Chunk, Command, Extensions, Mail, Rcpt, Reply};
use std::collections::VecDeque;

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Read(Wait),
    Content(Sending),
    Over,
}

pub(super) struct Exchange {
    protocol: Protocol,
    pipelining: bool,
    reports: bool,
    framing: Framing,
    octets: u64,
    /// `None`: not answered yet, or taken so far.
    fates: Vec<Option<Fate>>,
    /// Taken at RCPT.
    accepted: Vec<bool>,
    /// What the next replies are about.
    expected: VecDeque<Expected>,
    /// What is written once those are answered.
    unwritten: VecDeque<(Command<'static>, Expected)>,
    mail: MailState,
    /// The message, its end included, has been written.
    sent_content: bool,
    /// LMTP's answers to an inline message, which are expected once it is known who was accepted.
    ends_expected: bool,
    reusable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// Of the message, for all of its recipients.
    End,
    /// Of the message, for this recipient (RFC 2033 section 4.2).
    EndFor(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum MailState {
    Unanswered,
    Taken,
    Refused(Failure),
}

impl Exchange {
    pub(super) fn new(
        protocol: Protocol,
        offered: &Extensions,
        recipients: usize,
        framing: Framing,
        octets: u64,
    ) -> Self {
        Self {
            protocol,
            pipelining: offered.pipelining,
            reports: offered.dsn,
            framing,
            octets,
            fates: vec![None; recipients],
            accepted: vec![false; recipients],
            expected: VecDeque::new(),
            unwritten: VecDeque::new(),
            mail: MailState::Unanswered,
            sent_content: false,
            ends_expected: false,
            reusable: true,
        }
    }

    /// The transaction before was left open.
    pub(super) fn reset(&mut self) {
        self.unwritten.push_back((Command::Rset, Expected::Reset));
    }

    pub(super) fn begin(&mut self, mail: Mail, recipients: Vec<Rcpt>, out: &mut Vec<u8>) -> Progress {
        self.unwritten.push_back((Command::Mail(mail), Expected::Mail));
        for (index, rcpt) in recipients.into_iter().enumerate() {
            self.unwritten.push_back((Command::Rcpt(rcpt), Expected::Rcpt(index)));
        }
        if self.pipelining && self.framing == Framing::Dots {
            self.unwritten.push_back((Command::Data, Expected::Data));
        }
        self.write_next(out);
        if self.framing == Framing::InlineChunk {
            write(out, &Command::Bdat(Chunk { octets: self.octets, last: true }));
            return Progress::Content(Sending::Octets);
        }
        Progress::Read(self.wait())
    }

    pub(super) fn content_sent(&mut self) -> Progress {
        self.sent_content = true;
        match self.protocol {
            Protocol::Smtp => self.expected.push_back(Expected::End),
            // Inline, nobody knows yet who will have been accepted.
            Protocol::Lmtp if self.framing == Framing::InlineChunk => {}
            Protocol::Lmtp => self.expect_each_end(),
        }
        if self.expected.is_empty() { Progress::Over } else { Progress::Read(self.wait()) }
    }

    pub(super) fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Progress {
        let Some(expected) = self.expected.pop_front() else {
            self.reusable = false;
            return Progress::Over;
        };
        // RFC 5321 section 3.8: whatever it was about, the server says goodbye. Not so to LMTP's and SMTP's last answers,
        // which are about a message.
        if reply.code == 421 {
            let cause = FailureCause::Answer(answer(reply));
            self.expected.push_front(expected);
            self.fail_rest(&cause);
            return Progress::Over;
        }
        match expected {
            Expected::Reset => {}
            Expected::Mail if reply.is_positive() => self.mail = MailState::Taken,
            Expected::Mail => {
                self.not_now(reply);
                self.mail = MailState::Refused(self.refusal(Stage::Mail, reply));
            }
            Expected::Rcpt(index) => self.rcpt_answered(index, reply),
            Expected::Data => return self.data_answered(reply),
            Expected::End => self.ended(reply),
            Expected::EndFor(index) => self.ended_for(index, reply),
        }
        self.go_on(out)
    }

    /// The connection is gone: what had no answer has failed.
    pub(super) fn broken(mut self, cause: &FailureCause) -> Sent {
        self.fail_rest(cause);
        self.into_sent()
    }

    /// Whether the server still has a transaction open that must be taken back before the next. DATA ends one whatever
    /// its answer is; a refused BDAT does not (RFC 3030 section 2).
    pub(super) fn is_unfinished(&self) -> bool {
        let is_taken = self.fates.iter().any(|fate| matches!(fate, Some(Fate::Taken { .. })));
        let is_ended = self.sent_content && (self.framing == Framing::Dots || is_taken);
        self.mail == MailState::Taken && !is_ended
    }

    pub(super) fn into_sent(self) -> Sent {
        let open = Failure::new(Stage::Message, FailureCause::Lost);
        let fates = self.fates.into_iter().map(|fate| fate.unwrap_or_else(|| Fate::Failed(open.clone()))).collect();
        Sent { fates, reusable: self.reusable }
    }

    /// All that may go out now: everything with PIPELINING, one command without.
    fn write_next(&mut self, out: &mut Vec<u8>) {
        let many = if self.pipelining { self.unwritten.len() } else { 1 };
        for _ in 0..many {
            let Some((command, expected)) = self.unwritten.pop_front() else { break };
            write(out, &command);
            self.expected.push_back(expected);
        }
    }

    fn go_on(&mut self, out: &mut Vec<u8>) -> Progress {
        // Without PIPELINING nothing more has been said after a refused MAIL, and nothing needs to be.
        if let (MailState::Refused(failure), false) = (&self.mail, self.pipelining) {
            let failure = failure.clone();
            self.unwritten.clear();
            self.fail_open(&failure);
        }
        if self.expected.is_empty() && !self.unwritten.is_empty() {
            self.write_next(out);
        }
        if !self.expected.is_empty() {
            return Progress::Read(self.wait());
        }
        if self.sent_content || !self.has_accepted() {
            return self.over();
        }
        // All recipients are answered for; now the message.
        match self.framing {
            Framing::Dots => {
                write(out, &Command::Data);
                self.expected.push_back(Expected::Data);
                Progress::Read(Wait::DataStart)
            }
            Framing::Chunk | Framing::InlineChunk => {
                write(out, &Command::Bdat(Chunk { octets: self.octets, last: true }));
                Progress::Content(Sending::Octets)
            }
            Framing::Nothing => self.over(),
        }
    }

    /// LMTP's inline chunk is the one case in which answers are still to come when nothing is expected.
    fn over(&mut self) -> Progress {
        let is_inline_lmtp = self.protocol == Protocol::Lmtp && self.framing == Framing::InlineChunk;
        if is_inline_lmtp && self.sent_content && !self.ends_expected {
            self.ends_expected = true;
            if self.has_accepted() {
                self.expect_each_end();
            } else {
                // For nobody there is one answer, and it is a refusal.
                self.expected.push_back(Expected::End);
            }
            return Progress::Read(self.wait());
        }
        Progress::Over
    }

    fn wait(&self) -> Wait {
        match self.expected.front() {
            Some(Expected::Data) => Wait::DataStart,
            Some(Expected::End | Expected::EndFor(_)) => Wait::DataEnd,
            _ => Wait::Command,
        }
    }

    fn has_accepted(&self) -> bool {
        self.accepted.iter().zip(&self.fates).any(|(accepted, fate)| *accepted && fate.is_none())
    }

    fn expect_each_end(&mut self) {
        let open = self.accepted.iter().zip(&self.fates).enumerate();
        let open = open.filter(|(_, (accepted, fate))| **accepted && fate.is_none());
        self.expected.extend(open.map(|(index, _)| Expected::EndFor(index)));
    }

    fn rcpt_answered(&mut self, index: usize, reply: &Reply) {
        match &self.mail {
            MailState::Refused(failure) => self.fates[index] = Some(Fate::Failed(failure.clone())),
            _ if reply.is_positive() && self.framing == Framing::Nothing => {
                self.fates[index] = Some(Fate::Taken { answer: answer(reply), reports: self.reports });
            }
            _ if reply.is_positive() => self.accepted[index] = true,
            _ => self.fates[index] = Some(Fate::Failed(self.refusal(Stage::Rcpt, reply))),
        }
    }

    fn data_answered(&mut self, reply: &Reply) -> Progress {
        if reply.is_intermediate() {
            let sending = if self.has_accepted() { Sending::Dots } else { Sending::Nothing };
            return Progress::Content(sending);
        }
        self.not_now(reply);
        let failure = self.refusal(Stage::Data, reply);
        self.fail_open(&failure);
        Progress::Over
    }

    fn ended(&mut self, reply: &Reply) {
        self.not_now(reply);
        let fate = self.fate_of_message(reply);
        for (fate_of_one, accepted) in self.fates.iter_mut().zip(&self.accepted) {
            if *accepted && fate_of_one.is_none() {
                *fate_of_one = Some(fate.clone());
            }
        }
    }

    fn ended_for(&mut self, index: usize, reply: &Reply) {
        self.fates[index] = Some(self.fate_of_message(reply));
    }

    fn fate_of_message(&mut self, reply: &Reply) -> Fate {
        if reply.is_positive() {
            Fate::Taken { answer: answer(reply), reports: self.reports }
        } else {
            Fate::Failed(self.refusal(Stage::Message, reply))
        }
    }

    /// A server that can't now, whoever the recipient is, may only be one of several behind the name, or have had enough of
    /// this connection: the next message gets a new one. Kept in use, a sick one would hold up all mail that goes there.
    fn not_now(&mut self, reply: &Reply) {
        self.reusable &= !reply.is_transient();
    }

    /// For those without a fate.
    fn fail_open(&mut self, failure: &Failure) {
        for fate in self.fates.iter_mut().filter(|fate| fate.is_none()) {
            *fate = Some(Fate::Failed(failure.clone()));
        }
    }

    fn fail_rest(&mut self, cause: &FailureCause) {
        let stage = match self.expected.front() {
            // What was written may have been taken, whatever was to be answered first.
            _ if self.sent_content && !matches!(cause, FailureCause::Answer(_)) => Stage::Message,
            Some(Expected::Reset | Expected::Mail) => Stage::Mail,
            Some(Expected::Rcpt(_)) => Stage::Rcpt,
            Some(Expected::Data) => Stage::Data,
            Some(Expected::End | Expected::EndFor(_)) => Stage::Message,
            // Between two answers: the message was about to go, or under way and not whole.
            None => Stage::Data,
        };
        // At RCPT it was about one recipient; for the others it is as if nothing had been said yet, and the queue may go on
        // with them.
        if let (Stage::Rcpt, Some(Expected::Rcpt(index))) = (stage, self.expected.front()) {
            self.fates[*index].get_or_insert(Fate::Failed(Failure::new(stage, cause.clone())));
            self.fail_open(&Failure::new(Stage::Mail, cause.clone()));
        } else {
            self.fail_open(&Failure::new(stage, cause.clone()));
        }
        self.reusable = false;
    }

    /// A reply that is neither yes nor no where one of both belongs is none of the protocol's, and nothing more is said to
    /// who gives it.
    fn refusal(&mut self, stage: Stage, reply: &Reply) -> Failure {
        if reply.is_transient() || reply.is_permanent() {
            return Failure::new(stage, FailureCause::Answer(answer(reply)));
        }
        self.reusable = false;
        let Answer { code, text, .. } = answer(reply);
        Failure::new(stage, FailureCause::Protocol(format!("the server answers {code} {text}")))
    }
}
