//! Sessions without sockets: whatever a server answers, and whenever it hangs up, each recipient has one fate.

use super::parameters::Framing;
use super::session::{Session, StartTls, Step};
use crate::auth::Security;
use crate::queue::{FailureCause, Fate, Protocol};
use crate::smtp::proto::{ForwardPath, Mail, Rcpt, Reply};
use proptest::prelude::*;

fn reply(code: u16, lines: &[&str]) -> Reply {
    Reply { code, enhanced: None, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
}

fn open(protocol: Protocol, extensions: &[&str]) -> Session {
    let mut session = Session::new("us.example".to_owned(), protocol, StartTls::No, None, Security::Plain);
    let mut out = Vec::new();
    session.reply(&reply(220, &["far"]), &mut out);
    let mut lines = vec!["far"];
    lines.extend(extensions);
    assert_eq!(session.reply(&reply(250, &lines), &mut out), Step::Ready);
    session
}

fn recipients(count: usize) -> Vec<Rcpt> {
    let address = "paul@far.example".parse().expect("an address");
    let rcpt = Rcpt { path: ForwardPath::Mailbox(address), written_in_utf8: false, notify: None, original: None };
    vec![rcpt; count]
}

fn code() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(250_u16), 2 => Just(354), 1 => Just(450), 1 => Just(550), 1 => Just(421)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_recipient_has_a_fate_in_the_end(
        codes in proptest::collection::vec(code(), 0..24),
        count in 1_usize..5,
        lmtp: bool,
        pipelining: bool,
        framing in prop_oneof![Just(Framing::Dots), Just(Framing::Chunk), Just(Framing::InlineChunk)],
    ) {
        let protocol = if lmtp { Protocol::Lmtp } else { Protocol::Smtp };
        let framing = if pipelining || framing != Framing::InlineChunk { framing } else { Framing::Chunk };
        let mut session = open(protocol, if pipelining { &["PIPELINING"] } else { &[] });
        let mut out = Vec::new();
        let mut codes = codes.into_iter();
        for _ in 0..3 {
            out.clear();
            let mut step = session.begin(Mail::default(), recipients(count), framing, 10, &mut out);
            let mut taken_without_a_yes = true;
            let sent = loop {
                step = match step {
                    Step::Done(sent) => break sent,
                    Step::Content(_) => session.content_sent(),
                    Step::Read(_) => match codes.next() {
                        Some(code) => {
                            taken_without_a_yes &= code != 250;
                            session.reply(&reply(code, &["x"]), &mut out)
                        }
                        None => session.broken(FailureCause::Lost),
                    },
                    other => panic!("{other:?}"),
                };
            };
            prop_assert_eq!(sent.fates.len(), count);
            let is_taken = sent.fates.iter().any(|fate| matches!(fate, Fate::Taken { .. }));
            prop_assert!(!is_taken || !taken_without_a_yes);
            if !sent.reusable {
                break;
            }
        }
    }
}
