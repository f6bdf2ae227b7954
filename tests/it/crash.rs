//! The server is killed again and again while several clients change the directory at random: each time the store is
//! sound, every acknowledged change is there, and what was under way is there whole or not at all.
//!
//! 20 times in the normal run; POSTHOUSE_CRASHES=200 kills 200 times, POSTHOUSE_SEED repeats a run's choices.

use crate::support::dice::{Dice, number};
use crate::support::program::{Place, serve};
use posthouse::admin::{
    AccountAdd, AccountChanges, AccountList, AccountRemove, AccountRestore, AccountSet, Act, AliasAdd, AliasList,
    AliasPause, AliasRemove, AliasResume, Caller, Check, DomainAdd, Hosting, NewPassword, Progress, ReceivedChoice,
    RedirectAdd, RedirectList, RedirectPause, RedirectRemove, RedirectResume, ResponderList, ResponderRemove,
    ResponderSet, ScriptGet, ScriptPut, ScriptWhere, Verify,
};
use posthouse::config::Config;
use posthouse::server::{CallError, Client, House};
use posthouse::telemetry::Secret;
use posthouse::types::{Address, Domain};
use std::collections::BTreeMap;
use std::path::Path;
use tokio::sync::mpsc;

const CLIENTS: u64 = 4;
/// Addresses of each kind that one client plays with.
const NAMES: u64 = 4;
/// Changes acknowledged before a kill, at most.
const CHANGES_MAX: u64 = 40;

/// What is known of the things one client plays with: their name and their state, as the lists show it.
type Known = BTreeMap<String, String>;

fn address(text: &str) -> Address {
    Address::parse(text).expect("well formed")
}

/// The name and the state that were asked for when the server went away.
type UnderWay = (String, Option<String>);

/// One change: what it is about, what is so afterwards (nothing: it is gone), and the change itself.
struct Change {
    name: String,
    after: Option<String>,
    act: Box<dyn AnyAct>,
}

/// Any act whose answer does not matter.
trait AnyAct: Send {
    fn call<'c>(
        self: Box<Self>,
        client: &'c mut Client,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), CallError>> + Send + 'c>>;
}

impl<A: Act + Sync> AnyAct for A {
    fn call<'c>(
        self: Box<Self>,
        client: &'c mut Client,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), CallError>> + Send + 'c>> {
        Box::pin(async move { client.call(&*self, |_, _| {}).await.map(|_| ()) })
    }
}

fn change(name: &str, after: Option<&str>, act: impl Act + Sync) -> Change {
    Change { name: name.to_owned(), after: after.map(str::to_owned), act: Box::new(act) }
}

fn random_change(client: u64, known: &Known, dice: &mut Dice) -> Change {
    let which = dice.below(NAMES);
    let kind = ["alias", "redirect", "responder", "account", "script"][dice.below(5) as usize];
    let name = format!("{kind}.{client}.{which}@example.test");
    let state = known.get(&name).map(String::as_str);
    let coin = dice.below(2) == 0;
    match kind {
        "alias" => alias_change(&name, state, coin),
        "redirect" => redirect_change(&name, state, dice),
        "responder" => responder_change(&name, state, dice),
        "account" => account_change(&name, state, dice),
        _ => {
            let text = format!("# {}\nkeep;\n", dice.below(1_000_000));
            let place = ScriptWhere::Address(address("jane@example.test"));
            change(&name, Some(&text), ScriptPut { place, name: name.clone(), text: text.clone(), activate: coin })
        }
    }
}

fn alias_change(name: &str, state: Option<&str>, coin: bool) -> Change {
    let alias = address(name);
    match state {
        None => change(name, Some("active"), AliasAdd { alias, owner: address("jane@example.test") }),
        Some(_) if coin => change(name, None, AliasRemove { alias }),
        Some("active") => change(name, Some("paused"), AliasPause { alias }),
        Some(_) => change(name, Some("active"), AliasResume { alias }),
    }
}

fn redirect_change(name: &str, state: Option<&str>, dice: &mut Dice) -> Change {
    let at = address(name);
    let Some(state) = state else {
        let target = address("jane@example.test");
        let act = RedirectAdd { address: at, targets: vec![target], keep: None };
        return change(name, Some("active: jane@example.test"), act);
    };
    let (paused, targets) = state.split_once(": ").expect("state: targets");
    match dice.below(4) {
        0 => change(name, None, RedirectRemove { address: at, targets: vec![] }),
        1 if paused == "active" => {
            change(name, Some(&format!("paused: {targets}")), RedirectPause { address: at, targets: Vec::new() })
        }
        1 => change(name, Some(&format!("active: {targets}")), RedirectResume { address: at }),
        _ => {
            let target = format!("t{}@outside.test", dice.any());
            let act = RedirectAdd { address: at, targets: vec![address(&target)], keep: None };
            change(name, Some(&format!("{paused}: {targets} {target}")), act)
        }
    }
}

fn responder_change(name: &str, state: Option<&str>, dice: &mut Dice) -> Change {
    let at = address(name);
    if state.is_some() && dice.below(3) == 0 {
        return change(name, None, ResponderRemove { address: at });
    }
    let text = format!("Away {}.", dice.below(1_000_000));
    let act = ResponderSet {
        address: at,
        text: text.clone(),
        subject: None,
        from: None,
        until: None,
        zone: None,
        every_seconds: None,
        received: ReceivedChoice::CopyTo(address("jane@example.test")),
    };
    change(name, Some(&text), act)
}

fn account_change(name: &str, state: Option<&str>, dice: &mut Dice) -> Change {
    let at = address(name);
    let called = format!("Name {}", dice.below(1_000_000));
    match state {
        None => {
            let act = AccountAdd {
                address: at,
                name: called.clone(),
                first_name: String::new(),
                last_name: String::new(),
                quota_octets: None,
                administrator: false,
                password: NewPassword::Given(Secret::new("Correct9Horse".to_owned())),
            };
            change(name, Some(&called), act)
        }
        Some(state) => match state.strip_prefix("parked ") {
            Some(called) => change(name, Some(called), AccountRestore { address: at }),
            None if dice.below(2) == 0 => {
                change(name, Some(&format!("parked {state}")), AccountRemove { address: at, yes: true })
            }
            None => {
                let changes = AccountChanges { name: Some(called.clone()), ..AccountChanges::default() };
                change(name, Some(&called), AccountSet { address: at, changes })
            }
        },
    }
}

/// Changes one thing after the other until the server is gone. Returns what it knows, and what was under way.
async fn play(data: &Path, client: u64, mut known: Known, mut dice: Dice, told: mpsc::Sender<()>) -> (Known, UnderWay) {
    let mut connection = Client::connect(data).await.expect("connects").expect("a server");
    loop {
        let Change { name, after, act } = random_change(client, &known, &mut dice);
        match act.call(&mut connection).await {
            Ok(()) => {
                match after {
                    Some(after) => known.insert(name, after),
                    None => known.remove(&name),
                };
                // Full when nobody counts any more; that is no reason to stop before the server does.
                let _ = told.try_send(());
            }
            Err(CallError::Broken(_)) => return (known, (name, after)),
            Err(CallError::Refused(problem)) => panic!("{name}: {problem:?}"),
        }
    }
}

async fn here<A: Act>(house: &House, act: A) -> A::Answer {
    let caller = Caller { author: "test".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
    Box::pin(act.run(&house.admin, &caller)).await.unwrap_or_else(|refused| panic!("{}: {refused}", A::NAME))
}

/// Everything the clients play with, as it is stored; and that all of it is sound.
async fn stored(data: &Path) -> Known {
    let house = House::open(Config::without_file(data.to_owned())).await.expect("the directory is free and opens");
    assert_eq!(here(&house, Verify {}).await.findings, Vec::<String>::new());
    assert_eq!(here(&house, Check {}).await.findings, Vec::<String>::new());
    let mut found = Known::new();
    for one in here(&house, AliasList { domain: None }).await {
        found.insert(one.alias.to_string(), one.state);
    }
    for one in here(&house, RedirectList { domain: None }).await {
        let targets: Vec<String> = one.targets.iter().map(|target| target.target.to_string()).collect();
        found.insert(one.address.to_string(), format!("{}: {}", one.state, targets.join(" ")));
    }
    for one in here(&house, ResponderList { domain: None }).await {
        found.insert(one.address.to_string(), one.text);
    }
    for one in here(&house, AccountList { domain: None, parked: true }).await {
        found.insert(one.address.to_string(), format!("parked {}", one.name));
    }
    for one in here(&house, AccountList { domain: None, parked: false }).await {
        found.insert(one.address.to_string(), one.name);
    }
    let place = ScriptWhere::Address(address("jane@example.test"));
    for client in 0..CLIENTS {
        for which in 0..NAMES {
            let name = format!("script.{client}.{which}@example.test");
            let get = ScriptGet { place: place.clone(), name: name.clone(), version: None };
            let caller =
                Caller { author: "test".to_owned(), origin: "local".to_owned(), progress: Progress::default() };
            if let Ok(script) = get.run(&house.admin, &caller).await {
                found.insert(name, script.text);
            }
        }
    }
    found
}

async fn settle(place: &Place) {
    let data = place.path("posthouse-data");
    let house = House::open(Config::without_file(data)).await.expect("opens");
    let domain = Domain::parse("example.test").expect("a name");
    here(&house, DomainAdd { domain, hosting: Hosting::Authoritative }).await;
    here(
        &house,
        AccountAdd {
            address: address("jane@example.test"),
            name: "Jane Doe".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            quota_octets: None,
            administrator: true,
            password: NewPassword::Generate,
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let crashes = number("POSTHOUSE_CRASHES", 20);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let seed = number("POSTHOUSE_SEED", clock as u64);
    println!("POSTHOUSE_SEED={seed}");
    let mut dice = Dice(seed);
    let place = Place::new();
    let data = place.path("posthouse-data");
    settle(&place).await;
    let mut all: Vec<Known> = vec![Known::new(); CLIENTS as usize];
    for crash in 1..=crashes {
        let server = serve(&place);
        let changes = 1 + dice.below(CHANGES_MAX);
        let (told, mut counted) = mpsc::channel(CHANGES_MAX as usize);
        let mut clients = Vec::new();
        for (client, known) in (0..).zip(std::mem::take(&mut all)) {
            let (data, told) = (data.clone(), told.clone());
            let dice = Dice(dice.any());
            clients.push(tokio::spawn(async move { play(&data, client, known, dice, told).await }));
        }
        for _ in 0..changes {
            counted.recv().await.expect("somebody plays");
        }
        server.kill();
        let mut played = Vec::new();
        for client in clients {
            played.push(client.await.expect("a client does not fail"));
        }
        let found = stored(&data).await;
        for (client, (mut known, (name, after))) in (0..CLIENTS).zip(played) {
            let mine = |name: &str| name.split('.').nth(1) == Some(client.to_string().as_str());
            let found: Known =
                found.iter().filter(|(name, _)| mine(name)).map(|(n, s)| (n.clone(), s.clone())).collect();
            if found != known {
                // Not acknowledged, and done all the same: whole, and nothing else with it.
                match after {
                    Some(after) => known.insert(name, after),
                    None => known.remove(&name),
                };
            }
            assert_eq!(found, known, "crash {crash}, client {client}");
            all.push(known);
        }
    }
}
