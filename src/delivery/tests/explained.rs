//! What `explain` says is what delivery does: on worlds and messages made by dice, the explanation is compared with the
//! ledger, and both with what is in the store afterwards and was not there before.
//!
//! `POSTHOUSE_EXPLAINED_PAIRS` says on how many pairs of a world and a message; a test run takes a few hundred.

use super::generated::{Dice, Sent, blueprint, message};
use super::house::{Blueprint, House, run};
use crate::delivery::explain::reason;
use crate::delivery::{Explanation, Fate};
use crate::store::{LedgerFilter, SendKind};
use crate::types::{Address, Clock, Flags};
use std::collections::BTreeMap;

const MESSAGES_PER_WORLD: usize = 10;

/// An account, a mailbox of it, and the flags a message has there.
type Lying = (String, String, Vec<String>);

#[derive(Debug, PartialEq)]
struct State {
    filed: Vec<Lying>,
    /// What goes out by itself, and to whom.
    sends: Vec<(String, String)>,
    ledger: Vec<(i64, String)>,
}

async fn state(house: &House, plan: &Blueprint) -> State {
    let mut filed = Vec::new();
    for (address, _) in plan.addresses.iter().filter(|(_, switches)| switches.mailbox) {
        let account = house.account(&address.to_string()).await;
        for mailbox in house.store.mailboxes(account).await.expect("readable") {
            let (_, entries) = house.store.entries(mailbox.id).await.expect("readable");
            for entry in entries.iter() {
                let system = Flags::SYSTEM.iter().filter(|(flag, _)| entry.flags.contains(*flag));
                let mut flags: Vec<String> = system.map(|(_, name)| (*name).to_owned()).collect();
                let keywords = mailbox.keywords.iter().enumerate();
                let set = keywords.filter(|(number, _)| entry.flags.contains(Flags::keyword(*number)));
                flags.extend(set.map(|(_, name)| name.clone()));
                flags.sort();
                filed.push((address.to_string(), mailbox.name.to_string(), flags));
            }
        }
    }
    let sends = house.sends().await.into_iter().map(|send| (kind(send.send.kind), send.send.recipient.to_string()));
    let mut sends: Vec<_> = sends.collect();
    let ledger = house.store.ledger(LedgerFilter::All, 1000).await.expect("readable");
    filed.sort();
    sends.sort();
    State { filed, sends, ledger: ledger.into_iter().map(|record| (record.id, record.entry.detail)).collect() }
}

fn kind(kind: SendKind) -> String {
    match kind {
        SendKind::Submission | SendKind::Redirection | SendKind::Handover => "message".to_owned(),
        own => format!("{own:?}"),
    }
}

/// What is in `after` and was not in `before`; all of `before` must still be there.
fn added<T: Ord + Clone + std::fmt::Debug>(before: &[T], after: &[T]) -> Vec<T> {
    let mut counts: BTreeMap<&T, isize> = BTreeMap::new();
    after.iter().for_each(|one| *counts.entry(one).or_default() += 1);
    before.iter().for_each(|one| *counts.entry(one).or_default() -= 1);
    let mut added = Vec::new();
    for (one, count) in counts {
        assert!(count >= 0, "{one:?} is gone");
        added.extend(std::iter::repeat_n(one.clone(), count.unsigned_abs()));
    }
    added
}

/// What explanations promise.
#[derive(Debug, Default)]
struct Promised {
    filed: Vec<Lying>,
    sends: Vec<(String, String)>,
    /// Mail of the house to addresses of ours, which gets an explanation of its own.
    inside: usize,
}

impl Promised {
    fn add(&mut self, plan: &Blueprint, explanation: &Explanation) {
        for stop in explanation.path.iter().filter(|stop| stop.done) {
            for action in &stop.actions {
                let target = || action.target.clone().expect("a target");
                match action.action.as_str() {
                    "file" => {
                        let mut flags = action.flags.clone();
                        flags.sort();
                        self.filed.push((stop.address.clone(), target(), flags));
                    }
                    "send" => self.sends.push(("message".to_owned(), target())),
                    "reply" => self.own(plan, SendKind::Reply, &target()),
                    "notify" => target().split(", ").for_each(|to| self.own(plan, SendKind::Notice, to)),
                    "follow" | "reject" | "discard" | "none" => {}
                    other => panic!("what is {other}?"),
                }
                if let Some(copy) = &action.copy {
                    self.filed.push((stop.address.clone(), copy.clone(), Vec::new()));
                }
            }
        }
        if let Some(report) = &explanation.report {
            self.own(plan, SendKind::Bounce, &report.to);
        }
    }

    fn own(&mut self, plan: &Blueprint, what: SendKind, to: &str) {
        let address: Address = to.parse().expect("an address");
        if plan.domains.iter().any(|(name, ..)| name == address.domain()) {
            self.inside += 1;
        } else {
            self.sends.push((kind(what), to.to_owned()));
        }
    }
}

fn verdict(explanation: &Explanation) -> Vec<(String, Option<String>)> {
    explanation.recipients.iter().map(|recipient| (recipient.outcome.clone(), recipient.why.clone())).collect()
}

fn said(fates: &[Fate]) -> Vec<(String, Option<String>)> {
    let word = |fate: &Fate| match fate {
        Fate::Accepted => "accepted",
        fate if fate.is_temporary() => "deferred",
        _ => "refused",
    };
    fates.iter().map(|fate| (word(fate).to_owned(), reason(fate))).collect()
}

async fn check_pair(house: &House, plan: &Blueprint, sent: Sent, case: &str) -> Explanation {
    let Sent { mail, answers, message } = sent;
    let octets = message.replace('\n', "\r\n").into_bytes();
    let before = state(house, plan).await;
    let explained = house.delivery.explain(mail.clone(), answers, octets.clone()).await.expect("explained");
    assert_eq!(state(house, plan).await, before, "{case}: explaining changed something");
    let delivered =
        house.delivery.deliver(mail.clone(), answers, octets.len(), move |before| Ok([before, octets].concat())).await;
    let fates = delivered.expect("decided");
    let after = state(house, plan).await;
    let case = format!("{case}\n{}\n{mail:#?}\n{message}\n{plan:#?}", explained.lines().join("\n"));
    assert_eq!(verdict(&explained), said(&fates), "{case}");

    let entries: Vec<Explanation> = added(&before.ledger, &after.ledger)
        .iter()
        .map(|(_, detail)| {
            let detail: serde_json::Value = serde_json::from_str(detail).expect("JSON");
            serde_json::from_value(detail["plan"].clone()).expect("an explanation")
        })
        .collect();
    let Some((first, own)) = entries.split_first() else {
        assert!(explained.path.is_empty() && after == before, "{case}: nothing was remembered");
        return explained;
    };
    assert_eq!(*first, explained, "{case}: the ledger tells otherwise");
    let mut promised = Promised::default();
    promised.add(plan, first);
    assert_eq!(promised.inside, own.len(), "{case}: {own:#?}");
    for entry in own {
        promised.add(plan, entry);
        assert_eq!(promised.inside, own.len(), "{case}: the house answers itself: {entry:#?}");
    }
    promised.filed.sort();
    promised.sends.sort();
    assert_eq!(added(&before.filed, &after.filed), promised.filed, "{case}");
    assert_eq!(added(&before.sends, &after.sends), promised.sends, "{case}");
    explained
}

#[test]
fn explaining_says_what_delivery_does() {
    let pairs: usize =
        std::env::var("POSTHOUSE_EXPLAINED_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let seed: Option<u64> = std::env::var("POSTHOUSE_EXPLAINED_WORLD").ok().and_then(|text| text.parse().ok());
    let worlds = match seed {
        Some(world) => world..world + 1,
        None => 0..pairs.div_ceil(MESSAGES_PER_WORLD) as u64,
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for world in worlds {
        run(async {
            let mut dice = Dice::new(world);
            let plan = blueprint(&mut dice);
            let house = plan.clone().build().await;
            for number in 0..MESSAGES_PER_WORLD {
                if dice.one_in(3) {
                    house.clock.advance_seconds(4000);
                }
                let sent = message(&mut dice, &house, &plan, house.clock.now()).await;
                let case = format!("world {world}, message {number}");
                let explained = check_pair(&house, &plan, sent, &case).await;
                for action in explained.path.iter().flat_map(|stop| &stop.actions) {
                    *seen.entry(action.action.clone()).or_default() += 1;
                }
                for suppressed in explained.path.iter().flat_map(|stop| &stop.suppressed) {
                    *seen.entry(format!("no {}", suppressed.what)).or_default() += 1;
                }
                for recipient in &explained.recipients {
                    *seen.entry(recipient.outcome.clone()).or_default() += 1;
                }
                *seen.entry("report".to_owned()).or_default() += usize::from(explained.report.is_some());
            }
            house.assert_sound();
        });
    }
    if seed.is_none() && pairs >= 120 {
        let all = ["accepted", "deferred", "discard", "file", "follow", "no reply", "none", "notify", "refused"];
        for what in all.iter().chain(&["reject", "reply", "report", "send"]) {
            assert!(seen.get(*what).is_some_and(|count| *count > 0), "never seen: {what}; {seen:#?}");
        }
    }
}
