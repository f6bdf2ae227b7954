//! The proof against a simulator that knows nothing of graphs: it follows one message at a time, by the rules as they are
//! written at the top of the module, with lists and string comparisons.

use super::*;
use crate::types::{AliasSwitch, RedirectionSwitch, Responder, Target};
use std::collections::BTreeSet;

fn address(text: &str) -> Address {
    Address::parse(text).expect("well formed")
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).expect("well formed")
}

fn alias(owner: &str) -> Switches {
    Switches { alias: Some(AliasSwitch { owner: address(owner), paused: false }), ..Switches::default() }
}

fn mailbox() -> Switches {
    Switches { mailbox: true, ..Switches::default() }
}

fn redirect(targets: &[&str]) -> Switches {
    let targets = targets.iter().map(|target| Target { address: address(target), paused: false }).collect();
    Switches { redirection: Some(RedirectionSwitch { targets, keep: true, paused: false }), ..Switches::default() }
}

fn answering(received: Received) -> Responder {
    Responder { text: "x".into(), subject: None, window: None, every_seconds: 604_800, received, paused: false }
}

fn authoritative() -> DomainKind {
    DomainKind::Authoritative { catch_all: None }
}

fn graph(domains: &[(&str, DomainKind)], addresses: &[(&str, Switches)]) -> Graph {
    let mut graph = Graph::new(Limits::default());
    for (name, kind) in domains {
        graph.set_domain(domain(name), kind.clone());
    }
    for (name, switches) in addresses {
        graph.set_address(&address(name), switches, MailboxState::Open);
    }
    graph
}

fn set(name: &str, switches: Switches) -> Change {
    Change::SetAddress { address: address(name), switches, mailbox: MailboxState::Open }
}

fn refusals(graph: &Graph, changes: &[Change]) -> Vec<String> {
    match graph.prove_change(changes) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.iter().map(ToString::to_string).collect(),
    }
}

/// A small house: Jane with two aliases, a team that is redirected to Jane and to somebody outside.
fn house() -> Graph {
    graph(
        &[
            ("example.org", authoritative()),
            ("example.net", DomainKind::AliasOf(domain("example.org"))),
            ("split.example", DomainKind::Split { host: "other.example:25".into() }),
        ],
        &[
            ("jane@example.org", mailbox()),
            ("sales@example.org", alias("jane@example.org")),
            ("info@example.org", alias("sales@example.org")),
            ("team@example.org", redirect(&["Jane@Example.org", "Bob@elsewhere.example"])),
            ("here@split.example", mailbox()),
        ],
    )
}

#[test]
fn each_refusal_names_the_way() {
    let house = house();
    assert_eq!(house.prove(), Ok(()));
    let check = |changes: &[Change], expected: &[&str]| assert_eq!(refusals(&house, changes), expected);
    check(&[set("new@example.org", redirect(&["jane@example.org"]))], &[]);
    check(
        &[set("jane@example.org", redirect(&["info@example.org"]))],
        &["mail would go in circles: info@example.org → sales@example.org → jane@example.org → info@example.org"],
    );
    check(
        &[set("jane@example.org", redirect(&["INFO+x@example.net"]))],
        &["mail would go in circles: info@example.org → sales@example.org → jane@example.org → INFO+x@example.net → \
           info@example.org"],
    );
    check(
        &[set("jane@example.org", Switches { mailbox: true, ..redirect(&["Jane@example.org"]) })],
        &["jane@example.org would redirect to itself"],
    );
    check(
        &[set("jane@example.org", redirect(&["jane+x@example.net"]))],
        &["jane@example.org would redirect to jane+x@example.net, which is jane@example.org itself"],
    );
    check(
        &[set("x@example.org", redirect(&["nobody@example.org"]))],
        &["x@example.org → nobody@example.org: nobody@example.org would be an address here that does not exist"],
    );
    check(
        &[Change::RemoveAddress(address("jane@example.org"))],
        &[
            "sales@example.org → jane@example.org: jane@example.org would be an address here that does not exist",
            "team@example.org → Jane@example.org: jane@example.org would be an address here that does not exist",
        ],
    );
    let mut paused = alias("jane@example.org");
    paused.alias.iter_mut().for_each(|alias| alias.paused = true);
    check(
        &[set("sales@example.org", paused)],
        &["info@example.org → sales@example.org: sales@example.org would be paused and take no mail"],
    );
    let only_answers = Switches { responder: Some(answering(Received::Keep)), ..Switches::default() };
    check(
        &[set("free@example.org", only_answers)],
        &[
            "mail for free@example.org would be accepted and kept nowhere: give it a mailbox, a redirection, or a place for \
           the copy",
        ],
    );
    for received in [Received::Drop, Received::CopyTo(address("jane@example.org"))] {
        check(
            &[set("free@example.org", Switches { responder: Some(answering(received)), ..Switches::default() })],
            &[],
        );
    }
    let back = Switches {
        responder: Some(answering(Received::CopyTo(address("info@example.org")))),
        ..alias("jane@example.org")
    };
    check(
        &[set("sales@example.org", back)],
        &["mail would go in circles: info@example.org → sales@example.org → info@example.org"],
    );
}

#[test]
fn domains_have_refusals_of_their_own() {
    let house = house();
    let check = |changes: &[Change], expected: &[&str]| assert_eq!(refusals(&house, changes), expected);
    let add = |name: &str, kind| Change::AddDomain { domain: domain(name), kind };
    let change = |name: &str, kind| Change::SetDomain { domain: domain(name), kind };
    let catch_all = |name: &str| DomainKind::Authoritative { catch_all: Some(address(name)) };
    check(&[add("new.example", authoritative())], &[]);
    check(
        &[set("x@new.example", mailbox())],
        &["x@new.example: the domain new.example is not hosted here; add it first"],
    );
    check(&[set("x@new.example", mailbox()), add("new.example", authoritative())], &[]);
    check(
        &[add("Example.org", authoritative())],
        &[
            "authoritative domain detected: example.org is already hosted here, as an authoritative domain with 4 addresses",
        ],
    );
    check(
        &[add("example.net", DomainKind::Split { host: "x.example".into() })],
        &["authoritative domain detected: example.net is already hosted here, as an alias of example.org"],
    );
    check(
        &[add("split.example", authoritative())],
        &[
            "authoritative domain detected: split.example is already hosted here, as a split domain with 1 address, whose \
           others are handed to other.example:25",
        ],
    );
    check(&[change("example.org", catch_all("Jane@example.org"))], &[]);
    check(&[change("example.org", catch_all("any@elsewhere.example"))], &[]);
    check(&[change("example.org", catch_all("unknown@split.example"))], &[]);
    check(
        &[change("example.org", catch_all("nobody@example.net"))],
        &[
            "the catch-all of example.org → nobody@example.net: nobody@example.net would be an address here that does not \
           exist",
        ],
    );
    check(
        &[
            change("example.org", catch_all("jane@example.org")),
            set("jane@example.org", redirect(&["nobody@example.org"])),
        ],
        &["jane@example.org would redirect to nobody@example.org, which is jane@example.org itself"],
    );
    check(
        &[add("new.example", DomainKind::AliasOf(domain("elsewhere.example")))],
        &["new.example would be an alias of elsewhere.example, which is not hosted here"],
    );
    check(
        &[change("example.org", DomainKind::AliasOf(domain("example.net")))],
        &["domains would be aliases of each other in a circle: example.net → example.org → example.net"],
    );
    check(
        &[Change::RemoveDomain(domain("example.org"))],
        &["example.net would be an alias of example.org, which is not hosted here"],
    );
    // Those who send to an outside domain send to ours once it is here.
    check(
        &[add("elsewhere.example", authoritative())],
        &[
            "team@example.org → Bob@elsewhere.example: bob@elsewhere.example would be an address here that does not exist",
        ],
    );
    check(&[add("elsewhere.example", authoritative()), set("bob@elsewhere.example", mailbox())], &[]);
    check(&[add("elsewhere.example", DomainKind::Split { host: "x.example".into() })], &[]);
}

#[test]
fn what_was_wrong_before_is_not_held_against_a_change() {
    let broken = graph(
        &[("example.org", authoritative())],
        &[
            ("a@example.org", redirect(&["gone@example.org", "lost@example.org"])),
            ("b@example.org", redirect(&["c@example.org"])),
            ("c@example.org", redirect(&["b@example.org"])),
        ],
    );
    assert!(broken.prove().is_err());
    let check = |changes: &[Change], expected: &[&str]| assert_eq!(refusals(&broken, changes), expected);
    check(&[set("new@example.org", mailbox())], &[]);
    check(&[set("a@example.org", redirect(&["gone@example.org"]))], &[]);
    check(&[set("gone@example.org", mailbox())], &[]);
    check(
        &[Change::RemoveAddress(address("c@example.org"))],
        &["b@example.org → c@example.org: c@example.org would be an address here that does not exist"],
    );
    check(
        &[set("new@example.org", redirect(&["gone@example.org"]))],
        &["new@example.org → gone@example.org: gone@example.org would be an address here that does not exist"],
    );
}

#[test]
fn too_many_too_deep_too_wide() {
    let limits =
        Limits { redirection_targets_max: 3, address_hops_max: 3, expanded_recipients_max: 4, ..Limits::default() };
    let mut graph = Graph::new(limits);
    graph.set_domain(domain("example.org"), authoritative());
    let mut put = |name: &str, switches: Switches| graph.set_address(&address(name), &switches, MailboxState::Open);
    put("a@example.org", mailbox());
    put("b@example.org", alias("a@example.org"));
    put("c@example.org", alias("b@example.org"));
    put("two@example.org", redirect(&["x1@else.example", "x2@else.example"]));
    put("two-more@example.org", redirect(&["x3@else.example", "X2@else.example"]));
    let check = |changes: &[Change], expected: &[&str]| assert_eq!(refusals(&graph, changes), expected);
    check(
        &[set("d@example.org", redirect(&["c@example.org"]))],
        &[
            "mail would pass through 4 addresses one after the other, and 3 are allowed: d@example.org → c@example.org → \
           b@example.org → a@example.org",
        ],
    );
    check(
        &[set("a@example.org", redirect(&["two@example.org"]))],
        &[
            "mail would pass through 4 addresses one after the other, and 3 are allowed: c@example.org → b@example.org → \
           a@example.org → two@example.org",
        ],
    );
    check(
        &[set("d@example.org", redirect(&["1@else.example", "2@else.example", "3@else.example", "4@else.example"]))],
        &["d@example.org would redirect to 4 targets, and 3 are allowed"],
    );
    // Five ways, four recipients.
    let four = Switches { mailbox: true, ..redirect(&["two@example.org", "two-more@example.org"]) };
    check(&[set("all@example.org", four)], &[]);
    let five = Switches { mailbox: true, ..redirect(&["two@example.org", "two-more@example.org", "x5@else.example"]) };
    check(
        &[set("all@example.org", five)],
        &[
            "a message to all@example.org would reach more than 4 recipients through its redirections, and 4 are allowed",
        ],
    );
}

#[test]
fn effects_in_words() {
    let house = house();
    let check = |name: &str, expected: &[&str]| assert_eq!(house.effects(&address(name)).lines(), expected);
    check("jane@example.org", &["kept in the mailbox jane@example.org"]);
    check("Jane+x@example.net", &["kept in the mailbox jane@example.org"]);
    check("info@example.org", &["kept in the mailbox jane@example.org, by way of sales@example.org"]);
    check("team@example.org", &["sent to Bob@elsewhere.example", "kept in the mailbox jane@example.org"]);
    check("nobody@example.org", &["refused: there is no nobody@example.org here"]);
    check("any@split.example", &["handed to other.example:25"]);
    check("here@split.example", &["kept in the mailbox here@split.example"]);
    check("any@elsewhere.example", &["sent to any@elsewhere.example"]);
    let caught = Change::SetDomain {
        domain: domain("example.org"),
        kind: DomainKind::Authoritative { catch_all: Some(address("info@example.org")) },
    };
    let consequences = house.prove_change(std::slice::from_ref(&caught)).expect("a good change");
    assert_eq!(consequences, Consequences { effects: Vec::new(), also_affected: Vec::new() });
    let mut house = house.clone();
    house.apply(&caught);
    assert_eq!(
        house.effects(&address("nobody@example.org")).lines(),
        ["kept in the mailbox jane@example.org, by way of info@example.org, sales@example.org"]
    );
}

#[test]
fn a_change_tells_what_mail_will_do() {
    let house = house();
    let busy = Switches {
        mailbox: true,
        responder: Some(answering(Received::Drop)),
        redirection: redirect(&["phone@elsewhere.example"]).redirection.map(|mut all| {
            all.keep = false;
            all
        }),
        ..Switches::default()
    };
    let consequences = house.prove_change(&[set("jane@example.org", busy)]).expect("a good change");
    let lines: Vec<_> = consequences.effects.iter().map(Effects::lines).collect();
    assert_eq!(
        lines,
        [[
            "answered from jane@example.org once in a week for each sender, and then not kept",
            "not kept in the mailbox jane@example.org, unless it is spam",
            "sent to phone@elsewhere.example",
        ]]
    );
    let named = ["info@example.org", "sales@example.org", "team@example.org"].map(address);
    assert_eq!(consequences.also_affected, named);
    let gone = house.prove_change(&[
        Change::RemoveAddress(address("info@example.org")),
        Change::SetAddress {
            address: address("jane@example.org"),
            switches: mailbox(),
            mailbox: MailboxState::Suspended,
        },
    ]);
    let lines: Vec<_> = gone.expect("nobody needs it").effects.iter().flat_map(Effects::lines).collect();
    assert_eq!(
        lines,
        [
            "refused: there is no info@example.org here",
            "put off (450) as the account jane@example.org is suspended; what is redirected to it is kept"
        ]
    );
}

/// The world as the simulator has it.
#[derive(Clone, Debug, Default)]
struct Lists {
    domains: Vec<(Domain, DomainKind)>,
    addresses: Vec<(Address, Switches)>,
}

/// What went wrong with one message, or with any of many.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wrong {
    circle: bool,
    dead: bool,
    hole: bool,
    deep: bool,
    wide: bool,
    targets: bool,
    domains: bool,
}

enum Found {
    Here(Address, Box<Switches>),
    Away(String),
    Not,
    /// As `Not`, for domains that lead nowhere.
    NoDomain,
}

const SMALL: Limits = Limits {
    redirection_targets_max: 3,
    responder_text_octets_max: 100,
    address_hops_max: 4,
    expanded_recipients_max: 4,
};

impl Lists {
    fn graph(&self) -> Graph {
        let mut graph = Graph::new(SMALL);
        for (name, kind) in &self.domains {
            graph.set_domain(name.clone(), kind.clone());
        }
        for (name, switches) in &self.addresses {
            graph.set_address(name, switches, MailboxState::Open);
        }
        graph
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::SetAddress { address, switches, .. } => {
                self.addresses.retain(|(name, _)| name != address);
                self.addresses.push((address.clone(), switches.clone()));
            }
            Change::RemoveAddress(address) => self.addresses.retain(|(name, _)| name != address),
            Change::AddDomain { domain, kind } | Change::SetDomain { domain, kind } => {
                self.domains.retain(|(name, _)| name != domain);
                self.domains.push((domain.clone(), kind.clone()));
            }
            Change::RemoveDomain(domain) => {
                self.domains.retain(|(name, _)| name != domain);
                self.addresses.retain(|(name, _)| name.domain() != domain);
            }
        }
    }

    fn kind(&self, name: &str) -> Option<&DomainKind> {
        self.domains.iter().find(|(domain, _)| domain.as_str() == name).map(|(_, kind)| kind)
    }

    fn find(&self, written: &str, may_catch: bool) -> Found {
        let lower = written.to_lowercase();
        let (local, mut host) = lower.split_once('@').map(|(l, h)| (l.to_owned(), h.to_owned())).expect("an @");
        for turn in 0.. {
            let Some(kind) = self.kind(&host) else {
                return if turn == 0 { Found::Away(lower) } else { Found::NoDomain };
            };
            let base = local.split('+').next().unwrap_or_default();
            for candidate in [format!("{local}@{host}"), format!("{base}@{host}")] {
                let here = self.addresses.iter().find(|(name, _)| name.to_string() == candidate);
                if let Some((name, switches)) = here.filter(|(_, switches)| *switches != Switches::default()) {
                    return if ways(switches).is_empty() && !switches.mailbox && !answers(switches) {
                        Found::Not
                    } else {
                        Found::Here(name.clone(), Box::new(switches.clone()))
                    };
                }
            }
            match kind {
                DomainKind::Authoritative { catch_all: Some(catch_all) } if may_catch => {
                    return self.find(&catch_all.to_string(), false);
                }
                DomainKind::Authoritative { .. } => return Found::Not,
                DomainKind::Split { .. } => return Found::Away(format!("{local}@{host}")),
                DomainKind::AliasOf(other) => host = other.to_string(),
            }
            if turn > 8 {
                return Found::NoDomain;
            }
        }
        Found::Not
    }

    /// One message; `path` are the addresses it has been through.
    fn send(&self, written: &str, path: &mut Vec<Address>, got: &mut BTreeSet<String>, wrong: &mut Wrong) {
        match self.find(written, true) {
            Found::Away(to) => {
                got.insert(to);
            }
            Found::Not | Found::NoDomain => wrong.dead = true,
            Found::Here(name, switches) => {
                if path.contains(&name) {
                    wrong.circle = true;
                    return;
                }
                path.push(name.clone());
                wrong.deep |= path.len() > SMALL.address_hops_max;
                let ways = ways(&switches);
                if switches.mailbox {
                    got.insert(name.to_string());
                }
                let drops = switches.responder.as_ref().is_some_and(|r| !r.paused && r.received == Received::Drop);
                wrong.hole |= !switches.mailbox && ways.is_empty() && !drops;
                for way in ways {
                    self.send(&way.to_string(), path, got, wrong);
                }
                path.pop();
            }
        }
    }

    /// Mail to everybody, and to nobody in particular in each domain.
    fn simulate(&self) -> Wrong {
        let mut all = Wrong::default();
        for (name, switches) in &self.addresses {
            let too_many = |all: &RedirectionSwitch| all.targets.len() > SMALL.redirection_targets_max;
            all.targets |= switches.redirection.as_ref().is_some_and(too_many);
            if !matches!(self.find(&name.to_string(), true), Found::Here(..)) {
                continue;
            }
            let (mut got, mut wrong) = (BTreeSet::new(), Wrong::default());
            self.send(&name.to_string(), &mut Vec::new(), &mut got, &mut wrong);
            all.circle |= wrong.circle;
            all.dead |= wrong.dead;
            all.hole |= wrong.hole;
            // A message in circles has no depth, and no end of recipients to count.
            if !wrong.circle {
                all.deep |= wrong.deep;
                all.wide |= got.len() > SMALL.expanded_recipients_max;
            }
        }
        for (name, kind) in &self.domains {
            let found = self.find(&format!("zz9@{name}"), true);
            let catches = matches!(kind, DomainKind::Authoritative { catch_all: Some(_) });
            all.domains |= matches!(found, Found::NoDomain) || (catches && matches!(found, Found::Not));
        }
        all
    }
}

fn answers(switches: &Switches) -> bool {
    switches.responder.as_ref().is_some_and(|responder| !responder.paused)
}

/// Where an address sends what it gets, in its own list's order.
fn ways(switches: &Switches) -> Vec<Address> {
    let mut ways = Vec::new();
    if let Some(alias) = switches.alias.as_ref().filter(|alias| !alias.paused) {
        ways.push(alias.owner.clone());
    }
    if let Some(redirection) = switches.redirection.as_ref().filter(|redirection| !redirection.paused) {
        ways.extend(redirection.targets.iter().filter(|target| !target.paused).map(|target| target.address.clone()));
    }
    if let Some(Responder { received: Received::CopyTo(to), paused: false, .. }) = &switches.responder
        && !switches.mailbox
    {
        ways.push(to.clone());
    }
    ways
}

fn wrong_by_proof(graph: &Graph) -> Wrong {
    let mut wrong = Wrong::default();
    for refusal in graph.prove().err().unwrap_or_default() {
        match refusal {
            Refusal::ToItself { .. } | Refusal::Loop { .. } => wrong.circle = true,
            Refusal::DeadTarget { .. } => wrong.dead = true,
            Refusal::BlackHole { .. } => wrong.hole = true,
            Refusal::TooDeep { .. } => wrong.deep = true,
            Refusal::TooManyRecipients { .. } => wrong.wide = true,
            Refusal::TooManyTargets { .. } => wrong.targets = true,
            Refusal::DeadCatchAll { .. } | Refusal::DeadDomainAlias { .. } | Refusal::DomainLoop { .. } => {
                wrong.domains = true;
            }
            Refusal::AlreadyHosted { .. } | Refusal::NotHosted { .. } => panic!("nothing was added"),
        }
    }
    wrong
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % count
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const LOCALS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
const HOSTS: [&str; 4] = ["one.example", "two.example", "three.example", "four.example"];

/// Mostly a later address, so that sound worlds are not rare; now and then any, another spelling, or somebody outside.
fn some_target(dice: &mut Dice, own: usize) -> Address {
    let later = LOCALS.len() * 2 - 1 - own;
    let number = if later > 0 && !dice.one_in(12) { own + 1 + dice.below(later) } else { dice.below(LOCALS.len() * 2) };
    let (local, host) = (LOCALS[number % LOCALS.len()], HOSTS[number / LOCALS.len()]);
    let text = match dice.below(14) {
        0 => format!("out{}@elsewhere.example", dice.below(3)),
        1 => format!("{local}+x@{host}"),
        2 => format!("{}@{host}", local.to_uppercase()),
        3 => format!("{local}@{}", HOSTS[dice.below(HOSTS.len())]),
        4 => format!("zz@{}", HOSTS[dice.below(HOSTS.len())]),
        5 | 6 => "out@elsewhere.example".to_owned(),
        _ => format!("{local}@{host}"),
    };
    address(&text)
}

fn some_switches(dice: &mut Dice, own: usize) -> Switches {
    let mut switches = Switches::default();
    match dice.below(5) {
        0 => switches.alias = Some(AliasSwitch { owner: some_target(dice, own), paused: dice.one_in(10) }),
        1 | 2 => {}
        _ => {
            let count = if dice.one_in(30) { 4 } else { 1 + dice.below(3) };
            let targets =
                (0..count).map(|_| Target { address: some_target(dice, own), paused: dice.one_in(10) }).collect();
            switches.redirection = Some(RedirectionSwitch { targets, keep: dice.one_in(2), paused: dice.one_in(10) });
        }
    }
    switches.mailbox =
        switches.alias.is_none() && (switches.redirection.is_none() || dice.one_in(2)) && !dice.one_in(15);
    if dice.one_in(6) {
        let received = match dice.below(3) {
            0 => Received::Keep,
            1 => Received::Drop,
            _ => Received::CopyTo(some_target(dice, own)),
        };
        switches.responder = Some(Responder { paused: dice.one_in(10), ..answering(received) });
    }
    switches
}

fn some_kind(dice: &mut Dice, own: usize) -> DomainKind {
    match dice.below(6) {
        0 => DomainKind::Split { host: "other.example".into() },
        1 => DomainKind::Authoritative { catch_all: Some(some_target(dice, 0)) },
        2 if !dice.one_in(4) => DomainKind::AliasOf(domain(HOSTS[(own + 1) % HOSTS.len()])),
        2 => DomainKind::AliasOf(domain(HOSTS[dice.below(HOSTS.len())])),
        _ => authoritative(),
    }
}

fn some_world(dice: &mut Dice) -> Lists {
    let mut world = Lists::default();
    for (own, host) in HOSTS.iter().enumerate().take(2 + dice.below(3)) {
        world.domains.push((domain(host), some_kind(dice, own)));
    }
    for own in 0..LOCALS.len() * 2 {
        let name = format!("{}@{}", LOCALS[own % LOCALS.len()], HOSTS[own / LOCALS.len()]);
        if own < LOCALS.len() && !dice.one_in(12) || dice.one_in(3) {
            world.addresses.push((address(&name), some_switches(dice, own)));
        }
    }
    world
}

fn some_change(dice: &mut Dice) -> Change {
    let own = dice.below(LOCALS.len() * 2);
    let name = address(&format!("{}@{}", LOCALS[own % LOCALS.len()], HOSTS[own / LOCALS.len()]));
    let host = dice.below(HOSTS.len());
    match dice.below(8) {
        0 | 1 => Change::RemoveAddress(name),
        2 => Change::SetDomain { domain: domain(HOSTS[host]), kind: some_kind(dice, host) },
        3 if dice.one_in(3) => Change::RemoveDomain(domain(HOSTS[host])),
        _ => Change::SetAddress { address: name, switches: some_switches(dice, own), mailbox: MailboxState::Open },
    }
}

#[test]
fn the_proof_and_the_simulator_agree() {
    let mut dice = Dice(7);
    let (mut sound, mut seen) = (0, Wrong::default());
    for number in 0..4000 {
        let world = some_world(&mut dice);
        let simulated = world.simulate();
        let proved = wrong_by_proof(&world.graph());
        assert_eq!(simulated, proved, "world {number}: {world:?}\n{:?}", world.graph().prove());
        sound += usize::from(proved == Wrong::default());
        seen.circle |= proved.circle;
        seen.dead |= proved.dead;
        seen.hole |= proved.hole;
        seen.deep |= proved.deep;
        seen.wide |= proved.wide;
        seen.targets |= proved.targets;
        seen.domains |= proved.domains;
    }
    // The agreement is worth something only if there was both to agree about.
    assert!(sound > 200, "{sound} sound worlds");
    let all = Wrong { circle: true, dead: true, hole: true, deep: true, wide: true, targets: true, domains: true };
    assert_eq!(seen, all);
}

#[test]
fn changes_are_judged_by_what_they_leave_behind() {
    let mut dice = Dice(11);
    let (mut accepted, mut refused) = (0, 0);
    for number in 0..1500 {
        let mut world = some_world(&mut dice);
        let mut graph = world.graph();
        let was_sound = world.simulate() == Wrong::default();
        let before = graph.prove().err().unwrap_or_default();
        let changes: Vec<Change> = (0..=dice.below(2)).map(|_| some_change(&mut dice)).collect();
        let verdict = graph.prove_change(&changes);
        let mut left = world.clone();
        changes.iter().for_each(|change| left.apply(change));
        let homeless = |change: &Change| match change {
            Change::SetAddress { address, .. } => left.kind(address.domain().as_str()).is_none(),
            _ => false,
        };
        if changes.iter().any(homeless) {
            assert!(verdict.is_err_and(|refusals| matches!(refusals[0], Refusal::NotHosted { .. })));
            continue;
        }
        for change in &changes {
            world.apply(change);
            graph.apply(change);
        }
        let after = graph.prove().err().unwrap_or_default();
        assert_eq!(after, world.graph().prove().err().unwrap_or_default(), "world {number}");
        let new: Vec<Refusal> = after.into_iter().filter(|refusal| !before.contains(refusal)).collect();
        match verdict {
            Ok(consequences) => {
                assert_eq!(new, [], "world {number}: {changes:?}");
                for effects in consequences.effects {
                    assert_eq!(effects, graph.effects(&effects.address));
                }
                accepted += 1;
            }
            Err(refusals) => {
                assert_eq!(refusals, new, "world {number}");
                refused += 1;
            }
        }
        if was_sound {
            assert_eq!(new.is_empty(), world.simulate() == Wrong::default(), "world {number}: {changes:?} {world:?}");
        }
    }
    assert!(accepted > 200 && refused > 200, "{accepted} accepted, {refused} refused");
}

#[test]
fn effects_are_where_the_message_ends() {
    let mut dice = Dice(13);
    for number in 0..1000 {
        let world = some_world(&mut dice);
        let graph = world.graph();
        for (name, _) in &world.addresses {
            let (mut got, mut wrong) = (BTreeSet::new(), Wrong::default());
            world.send(&name.to_string(), &mut Vec::new(), &mut got, &mut wrong);
            let mut ends = BTreeSet::new();
            let (mut circle, mut dead) = (false, false);
            for effect in graph.effects(name).list {
                assert_eq!(effect.via.first(), Some(name));
                match effect.end {
                    End::Stored { mailbox: at, .. } | End::Passed { mailbox: at } | End::Sent(at) => {
                        ends.insert(at.canonical().to_string());
                    }
                    End::Handed { address: at, .. } => {
                        ends.insert(at.to_string());
                    }
                    End::Refused { .. } => dead = true,
                    End::Circle(_) => circle = true,
                    End::TooFar(_) => panic!("the worlds are smaller"),
                    End::Answered { .. } => {}
                }
            }
            assert_eq!((ends, dead), (got, wrong.dead), "world {number}, {name}: {world:?}");
            assert!(wrong.circle || !circle, "world {number}, {name}");
        }
    }
}

#[test]
fn the_view_costs_no_more_than_its_size() {
    // A chain and a circle as long as the world: walks must not grow the stack with either.
    let name = |number: usize| format!("n{number}@example.org");
    for last in [mailbox(), redirect(&["n0@example.org"])] {
        let mut graph = Graph::new(Limits::default());
        graph.set_domain(domain("example.org"), authoritative());
        for number in 0..10_000 {
            graph.set_address(&address(&name(number)), &alias(&name(number + 1)), MailboxState::Open);
        }
        graph.set_address(&address(&name(10_000)), &last, MailboxState::Open);
        let refusals = graph.prove().expect_err("too deep, or in circles");
        assert!(refusals.iter().all(|refusal| refusal.to_string().len() < 2000));
        match &refusals[..] {
            [Refusal::TooDeep { path, max: 20 }] => assert!(last.mailbox && path.len() == 10_001),
            [Refusal::Loop { path }] => assert!(!last.mailbox && path.len() == 10_002),
            other => panic!("{other:?}"),
        }
        let effects = graph.effects(&address(&name(0)));
        assert!(matches!(&effects.list[..], [Effect { end: End::TooFar(_), .. }]), "{effects:?}");
    }
}
