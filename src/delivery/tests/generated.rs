//! Worlds and messages made by dice: domains of every kind, switches in every position, scripts of people and
//! administrators, and mail of every sort that they treat differently.

use super::house::{Blueprint, House, NOW, address, alias, mail, mailbox, redirection, responder};
use crate::delivery::{Answers, Mail, Origin};
use crate::rules::check_switches;
use crate::types::{Address, Received, RedirectionSwitch, Responder, Switches, Timestamp, Window, ZoneName};

/// SplitMix64: the same numbers for the same seed, on every machine.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// Once in so many times.
    pub(super) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.below(list.len())]
    }
}

/// Addresses that may be there.
const NAMES: [&str; 11] = [
    "a@example.test",
    "b@example.test",
    "c@example.test",
    "d@example.test",
    "e@example.test",
    "f@example.test",
    "g@example.test",
    "h@example.test",
    "i@split.test",
    "j@split.test",
    "k@example.test",
];
const OUTSIDE: [&str; 4] = ["x@one.example", "y@two.example", "owner-list@three.example", "z@one.example"];

/// What people write. `@1` and `@2` stand for addresses.
const SCRIPTS: [&str; 24] = [
    "keep;\n",
    "require \"imap4flags\";\nkeep :flags [\"\\\\Seen\", \"$work\"];\n",
    "require [\"fileinto\",\"mailbox\"];\nfileinto :create \"Lists/One\";\n",
    "require \"fileinto\";\nif header :contains \"subject\" \"list\" { fileinto \"Archive\"; stop; }\n",
    "require [\"fileinto\",\"variables\"];\nset \"m\" \"No/Such\";\nfileinto \"${m}\";\n",
    "if header :contains \"subject\" \"offer\" { discard; }\n",
    "require \"copy\";\nredirect :copy \"@1\";\n",
    "redirect \"@1\";\n",
    "require \"copy\";\nredirect :copy \"@1\";\nredirect \"@2\";\n",
    "require \"vacation\";\nvacation :days 1 :addresses [\"@1\"] \"Away, by script.\";\n",
    "require [\"vacation\",\"fcc\",\"mailbox\"];\nvacation :fcc \"Answers\" :create :subject \"Gone\" \"Away.\";\ndiscard;\n",
    "require [\"reject\",\"variables\"];\nif header :contains \"subject\" \"offer\" { reject \"No offers.\"; }\n",
    "require \"ereject\";\nereject \"Nobody here.\";\n",
    "require [\"editheader\",\"copy\"];\naddheader \"X-Was\" \"here\";\nredirect :copy \"@1\";\n",
    "require [\"editheader\",\"fileinto\",\"copy\"];\nfileinto :copy \"Archive\";\ndeleteheader \"Subject\";\naddheader :last \"X-Now\" \"there\";\n",
    "require \"enotify\";\nnotify :message \"Mail\" \"mailto:@1\";\n",
    "require [\"enotify\",\"fcc\"];\nnotify :fcc \"Sent\" \"mailto:@1?to=@2\";\n",
    "require [\"duplicate\",\"fileinto\"];\nif duplicate :seconds 5000 { fileinto \"Trash\"; }\n",
    "require [\"envelope\",\"subaddress\",\"fileinto\",\"mailbox\",\"variables\"];\nif envelope :matches :detail \"to\" \"*\" { fileinto :create \"Plus/${1}\"; }\n",
    "require [\"date\",\"relational\",\"fileinto\"];\nif currentdate :value \"ge\" \"iso8601\" \"2026-09-21T20:00:00Z\" { fileinto \"Archive\"; }\n",
    "require \"variables\";\nset \"a\" \"nobody\";\nredirect \"${a}\";\n",
    "require [\"include\"];\ninclude :personal \"two\";\ninclude :personal :optional \"three\";\n",
    "require [\"extlists\",\"fileinto\",\"envelope\"];\nif envelope :list \"from\" \":addrbook:default\" { fileinto \"Archive\"; }\n",
    "require [\"special-use\",\"fileinto\",\"mailbox\"];\nif size :over 2K { fileinto :specialuse \"\\\\Junk\" :create \"Big\"; }\n",
];

const ADMIN: [&str; 6] = [
    "require \"copy\";\nredirect :copy \"@1\";\n",
    "if header :contains \"subject\" \"offer\" { discard; stop; }\n",
    "require \"reject\";\nif header :contains \"subject\" \"list\" { reject \"No lists.\"; stop; }\n",
    "require [\"fileinto\",\"mailbox\"];\nif header :contains \"subject\" \"hello\" { fileinto :create \"Admin\"; }\n",
    "require \"editheader\";\naddheader \"X-House\" \"yes\";\n",
    "require \"variables\";\nset \"a\" \"nobody\";\nredirect \"${a}\";\n",
];

pub(super) fn blueprint(dice: &mut Dice) -> Blueprint {
    let mut plan = Blueprint::new(&[]);
    for name in NAMES {
        // Circles of switches are refused when they are saved; what is stored already may still have one.
        for _ in 0..4 {
            let switches = switches(dice, name);
            let mut next = plan.clone();
            next.addresses.insert(address(name), switches);
            if next.graph().prove().is_ok() || dice.one_in(20) {
                plan = next;
                break;
            }
        }
    }
    match dice.below(3) {
        0 => plan = plan.catch_all(dice.pick(&NAMES)),
        1 => plan = plan.catch_all(dice.pick(&OUTSIDE)),
        _ => {}
    }
    let people: Vec<Address> =
        plan.addresses.iter().filter(|(_, switches)| switches.mailbox).map(|(address, _)| address.clone()).collect();
    for person in people {
        if dice.one_in(8) {
            plan.quotas.insert(person.clone(), 300 + dice.below(4000) as u64);
        }
        if dice.one_in(10) {
            plan.suspended.insert(person.clone());
        }
        for name in ["one", "two"].iter().take(dice.below(3)) {
            let script = dice.pick(&SCRIPTS);
            plan = plan.script(&person.to_string(), name, &filled(dice, script));
        }
    }
    for (domain, place) in [(None, "before"), (Some("example.test"), "before"), (None, "after")] {
        if dice.one_in(5) {
            let script = dice.pick(&ADMIN);
            plan = plan.admin(domain, place, &filled(dice, script));
        }
    }
    plan
}

fn anybody(dice: &mut Dice) -> String {
    let name = if dice.one_in(3) { dice.pick(&OUTSIDE) } else { dice.pick(&NAMES) };
    variant(dice, name)
}

/// The same address as others write it.
fn variant(dice: &mut Dice, name: &str) -> String {
    match dice.below(10) {
        0 => name.replace('@', "+tag@"),
        1 => name.replace("@example.test", "@other.test"),
        2 => name.to_uppercase().replace("EXAMPLE", "example"),
        3 => name.replace("@example.test", "+More@other.test"),
        _ => name.to_owned(),
    }
}

fn filled(dice: &mut Dice, script: &str) -> String {
    let (one, two) = (anybody(dice), anybody(dice));
    script.replace("@1", &one).replace("@2", &two)
}

fn switches(dice: &mut Dice, own: &str) -> Switches {
    loop {
        let mut switches = match dice.below(7) {
            0 => alias(dice.pick(&NAMES)),
            1 | 2 => Switches { redirection: Some(targets(dice)), ..Switches::default() },
            3 => Switches { redirection: Some(targets(dice)), ..mailbox() },
            _ => mailbox(),
        };
        if let Some(alias) = &mut switches.alias {
            alias.paused = dice.one_in(10);
        }
        if dice.one_in(3) {
            switches.responder = Some(some_responder(dice));
        }
        let to_itself = switches.alias.as_ref().is_some_and(|alias| alias.owner == address(own));
        if !to_itself && check_switches(&switches, &crate::rules::Limits::default()).is_empty() {
            return switches;
        }
    }
}

fn targets(dice: &mut Dice) -> RedirectionSwitch {
    let mut chosen: Vec<String> = (0..=dice.below(3)).map(|_| anybody(dice)).collect();
    chosen.sort_by_key(|target| target.to_lowercase());
    chosen.dedup_by_key(|target| target.to_lowercase());
    let names: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let mut switch = redirection(&names, dice.one_in(2));
    switch.paused = dice.one_in(10);
    for target in &mut switch.targets {
        target.paused = dice.one_in(12);
    }
    switch
}

fn some_responder(dice: &mut Dice) -> Responder {
    let received = match dice.below(4) {
        0 => Received::Drop,
        1 => Received::CopyTo(address(&anybody(dice))),
        _ => Received::Keep,
    };
    let bound = |dice: &mut Dice| (!dice.one_in(3)).then(|| NOW.plus_seconds(dice.below(4) as i64 * 5000 - 7000));
    let window = dice.one_in(2).then(|| Window { from: bound(dice), until: bound(dice), zone: ZoneName::utc() });
    Responder { window, paused: dice.one_in(8), every_seconds: 86_400, ..responder(received) }
}

/// A message and how it comes.
pub(super) struct Sent {
    pub(super) mail: Mail,
    pub(super) answers: Answers,
    pub(super) message: String,
}

pub(super) async fn message(dice: &mut Dice, house: &House, plan: &Blueprint, now: Timestamp) -> Sent {
    let sender = match dice.below(8) {
        0 => String::new(),
        1 | 2 => dice.pick(&NAMES).to_string(),
        _ => dice.pick(&OUTSIDE).to_string(),
    };
    let mut to: Vec<String> = Vec::new();
    for _ in 0..=dice.below(3) {
        let name = if dice.one_in(12) { "unknown@example.test" } else { dice.pick(&NAMES) };
        to.push(variant(dice, name));
    }
    if dice.one_in(12) {
        to.push(dice.pick(&OUTSIDE).to_string());
    }
    let mut headers = String::new();
    if dice.one_in(10) {
        let count = 45 + dice.below(10);
        headers.push_str(&"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\n".repeat(count));
    }
    if dice.one_in(12) {
        let name = address(dice.pick(&NAMES));
        headers.push_str(&house.delivery.0.marks.field(&name).replace('\r', ""));
    }
    headers.push_str(&format!("From: {}\n", if sender.is_empty() { "daemon@one.example" } else { &sender }));
    let written = if dice.one_in(4) { dice.pick(&NAMES).to_string() } else { to[0].clone() };
    headers.push_str(&format!("To: {written}\n"));
    headers.push_str(&format!("Subject: {}\n", dice.pick(&["hello", "a list", "an offer"])));
    headers.push_str(&format!("Message-ID: <{}@one.example>\n", dice.below(200)));
    let odd = ["List-Id: <x.three.example>\n", "Auto-Submitted: auto-replied\n", "X-Spam-Status: Yes, score=9\n"];
    for header in odd.into_iter().chain(["Precedence: bulk\n", "Return-Path: <forged@one.example>\n"]) {
        if dice.one_in(10) {
            headers.push_str(header);
        }
    }
    let body = "Some text.\n".repeat(1 + dice.below(5) * dice.below(100));
    let recipients: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut mail = Mail { now, ..mail(&sender, &recipients) };
    let has_mailbox = plan.addresses.get(&address(NAMES[0])).is_some_and(|switches| switches.mailbox);
    mail.origin = match dice.below(6) {
        0 => Origin::Lmtp,
        1 if has_mailbox => Origin::Submission { account: house.account(NAMES[0]).await, address: address(NAMES[0]) },
        _ => Origin::Mx,
    };
    if dice.one_in(15) {
        mail.not_forwarded = Some("its author's domain would have it refused there".to_owned());
    }
    let answers = if mail.origin == Origin::Lmtp { Answers::Each } else { Answers::One };
    Sent { mail, answers, message: format!("{headers}\n{body}") }
}
