//! What the rules promise about ten thousand addresses: a verdict on a change in under 50 ms, and all their scripts written
//! anew in under 2 s. `cargo bench --bench rules`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod telling;

use posthouse::rules::{Change, Context, DomainKind, Graph, Limits, MailboxState, compile};
use posthouse::types::{Address, AliasSwitch, Domain, Received, RedirectionSwitch, Responder, Switches, Target};
use std::time::{Duration, Instant};
use telling::say;

const ADDRESSES: usize = 10_000;
const ROUNDS: usize = 9;

fn main() {
    let (graph, addresses) = house();
    let changed = address(ADDRESSES / 2);
    let set = |switches| [Change::SetAddress { address: changed.clone(), switches, mailbox: MailboxState::Open }];
    let accepted = set(redirection(&[0, 4]));
    let refused = set(redirection(&[ADDRESSES / 2 + 1]));
    report("a change accepted", 50, || assert!(graph.prove_change(&accepted).is_ok()));
    report("a change refused", 50, || assert!(graph.prove_change(&refused).is_err()));
    report("all rules proved", 50, || assert!(graph.prove().is_ok()));
    let context = Context { personal: vec!["lists".into(), "family".into()], ..Context::default() };
    report("all scripts written", 2000, || {
        let octets: usize = addresses.iter().map(|(name, switches)| compile(name, switches, &context).text.len()).sum();
        assert!(octets > 1000 * ADDRESSES);
    });
}

fn report(what: &str, promised_milliseconds: u64, mut work: impl FnMut()) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (median, promised) = (times[ROUNDS / 2], Duration::from_millis(promised_milliseconds));
    say(format_args!("{what:<20} {median:>12.2?}  of {promised:?}"));
    assert!(median < promised, "{what}: slower than promised");
}

fn address(number: usize) -> Address {
    Address::parse(&format!("user{number}@example.org")).expect("well formed")
}

fn redirection(numbers: &[usize]) -> Switches {
    let mut targets: Vec<Target> =
        numbers.iter().map(|&number| Target { address: address(number), paused: false }).collect();
    let outside = Address::parse(&format!("out{}@elsewhere.example", numbers[0])).expect("well formed");
    targets.push(Target { address: outside, paused: false });
    Switches { redirection: Some(RedirectionSwitch { targets, keep: true, paused: false }), ..Switches::default() }
}

/// One mailbox, one alias, one virtual address and one mailbox that is redirected too, again and again; each address leads
/// to its neighbours, and each tenth answers.
fn house() -> (Graph, Vec<(Address, Switches)>) {
    let mut graph = Graph::new(Limits::default());
    let domain = |name| Domain::parse(name).expect("well formed");
    graph.set_domain(domain("example.org"), DomainKind::Authoritative { catch_all: None });
    graph.set_domain(domain("example.net"), DomainKind::AliasOf(domain("example.org")));
    let addresses: Vec<(Address, Switches)> = (0..ADDRESSES)
        .map(|number| {
            let mut switches = match number % 4 {
                0 => Switches { mailbox: true, ..Switches::default() },
                1 => Switches {
                    alias: Some(AliasSwitch { owner: address(number - 1), paused: false }),
                    ..Switches::default()
                },
                2 => redirection(&[number - 1, number - 2, number / 8 * 4]),
                _ => Switches { mailbox: true, ..redirection(&[number - 1, number - 2, number - 3]) },
            };
            switches.responder = (number % 10 == 0).then(|| Responder {
                text: "I am away.\n".repeat(20),
                subject: None,
                window: None,
                every_seconds: 604_800,
                received: Received::Keep,
                paused: false,
            });
            (address(number), switches)
        })
        .collect();
    for (name, switches) in &addresses {
        graph.set_address(name, switches, MailboxState::Open);
    }
    (graph, addresses)
}
