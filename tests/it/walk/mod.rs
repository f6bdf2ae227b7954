//! The walk of a new user: text files of commands and what they print, run with the real program.
//!
//! A line `$ posthouse …` is a command; what follows it, up to the next, is its standard output and its standard error,
//! in this order, and `? 1` at the end its exit code unless that is 0. `< text` behind a command is its standard input.
//! A line `+ name: text` makes a file. Lines with `##` in front say what comes. Times, made-up passwords and column widths
//! are not compared. With POSTHOUSE_WALK=write the files are written anew from what happens: read the difference.

use crate::support::program::{Place, serve};
use crate::support::running::Running;
use crate::support::smtp::Sender;
use posthouse::admin::{ScriptPut, Status};
use posthouse::dns::{FakeResolver, FakeServer};
use posthouse::store::SendState;
use std::process::Command;
use std::sync::mpsc;

/// With nobody else there: each command opens the directory itself.
fn alone(walk: &str) {
    Place::new().check(walk);
}

/// The same words, through the socket of a running server.
fn served(walk: &str) {
    let place = Place::new();
    let server = serve(&place);
    place.check(walk);
    server.stop();
    place.assert_sound();
}

#[test]
fn first_steps() {
    alone("first-steps");
}

#[test]
fn domains() {
    alone("domains");
    served("domains");
}

#[test]
fn accounts() {
    alone("accounts");
    served("accounts");
}

#[test]
fn aliases() {
    alone("aliases");
    served("aliases");
}

#[test]
fn redirections() {
    alone("redirections");
    served("redirections");
}

#[test]
fn responders() {
    alone("responders");
    served("responders");
}

#[test]
fn conversions() {
    alone("conversions");
    served("conversions");
}

#[test]
fn scripts() {
    alone("scripts");
    served("scripts");
}

#[test]
fn explaining() {
    alone("explaining");
    served("explaining");
}

#[test]
fn refusals() {
    alone("refusals");
}

#[test]
fn keeping() {
    alone("keeping");
}

#[test]
fn while_a_server_runs() {
    served("serving");
}

#[test]
fn json() {
    alone("json");
    served("json");
}

#[test]
fn wrong_configurations() {
    alone("configuration");
}

/// What switches were made into can be read, with its versions and who made each.
#[test]
fn compiled_scripts() {
    let place = Place::new();
    place.run(&["domain", "add", "example.org"], "");
    place.run(&["account", "add", "jane@example.org", "--generate-password"], "");
    place.run(&["redirect", "add", "jane@example.org", "x@outside.example"], "");
    let compiled = place.run(&["script", "compiled", "jane@example.org"], "");
    assert!(compiled.text.contains("redirect :copy \"x@outside.example\";"), "{}", compiled.text);
    std::fs::write(place.path("compiled.sieve"), &compiled.text).unwrap();
    assert_eq!(place.run(&["script", "check", "compiled.sieve"], "").code, 0);
    assert_eq!(place.run(&["script", "get", "jane@example.org", "compiled"], "").text, compiled.text);
    let history = place.run(&["script", "history", "jane@example.org", "compiled"], "");
    assert!(history.text.contains("redirect add") && history.text.contains("account add"), "{}", history.text);
}

/// Twelve programs at once, with and without a server: each change is made once, none is lost.
#[test]
fn commands_at_the_same_time() {
    let at_once = |place: &Place| {
        let (told, outcomes) = mpsc::channel();
        std::thread::scope(|scope| {
            for number in 0..12 {
                let told = told.clone();
                scope.spawn(move || {
                    let alias = format!("alias{number}@example.org");
                    told.send(place.run(&["alias", "add", &alias, "jane@example.org"], "")).unwrap();
                });
            }
        });
        drop(told);
        for outcome in outcomes {
            assert_eq!(outcome.code, 0, "{}", outcome.text);
        }
        let list = place.run(&["alias", "list", "--json"], "");
        assert_eq!(list.text.matches("\"alias\":").count(), 14, "{}", list.text);
        for number in 0..12 {
            assert_eq!(place.run(&["alias", "remove", &format!("alias{number}@example.org")], "").code, 0);
        }
    };
    let place = Place::new();
    place.run(&["domain", "add", "example.org"], "");
    place.run(&["account", "add", "jane@example.org", "--generate-password"], "");
    at_once(&place);
    let server = serve(&place);
    at_once(&place);
    server.stop();
    place.assert_sound();
}

/// A second signal ends it at once, a first one in order: the socket is gone, the directory free.
#[test]
fn a_server_stops_in_order() {
    let place = Place::new();
    let server = serve(&place);
    assert!(place.path("posthouse-data/control.sock").exists());
    assert!(place.path("posthouse-data/cert.pem").exists());
    server.stop();
    assert!(!place.path("posthouse-data/control.sock").exists());
    let mut server = serve(&place);
    server.reload();
    server.stop();
}

/// What `check` and `status` know of the world: where DNS sends a domain's mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_whose_mail_goes_elsewhere() {
    let zone = "example.net MX 10 mail.example.org\nexample.org MX 10 mx.provider.net\nmx.provider.net A 192.0.2.9\n";
    let dns = FakeServer::start(FakeResolver::new(zone).unwrap()).await.unwrap();
    let place = Place::new();
    for domain in ["example.org", "example.net", "example.com", "nowhere.test"] {
        assert_eq!(place.run(&["domain", "add", domain], "").code, 0);
    }
    let notes = |command: &str| {
        let outcome = place.run(&[command], "");
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        let notes: Vec<String> =
            outcome.text.lines().filter(|line| line.starts_with("note: ")).map(str::to_owned).collect();
        notes
    };
    // Nobody answers: nothing is known, and nothing said.
    assert_eq!(notes("check"), Vec::<String>::new());
    place.configure("127.0.0.1:9", &dns.address().to_string());
    let expected = [
        "note: example.com does not exist in DNS: no mail comes to it",
        "note: the MX of example.org points to mx.provider.net, not to mail.example.org: its mail does not come here",
    ];
    assert_eq!(notes("check"), expected);
    assert_eq!(notes("status")[1..], expected);
}

/// What went wrong is in `status`: scripts that failed, mail that can't go out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_is_told() {
    let house = Running::open(&["smtp"], "").await;
    house.domain("example.org").await;
    house.account("jane@example.org", None).await;
    let script = ScriptPut {
        place: "jane@example.org".parse().unwrap(),
        name: "broken".to_owned(),
        text: "require [\"include\"];\ninclude :personal \"missing\";\n".to_owned(),
        activate: true,
    };
    house.act(script).await;
    house.redirect("jane@example.org", &["far@outside.test"], Some(true)).await;
    let mut sender = Sender::connect(house.port("smtp"), "EHLO client.example").await.unwrap();
    let message = b"From: a@outside.test\r\nSubject: hello\r\n\r\nHello.\r\n";
    for _ in 0..2 {
        let reply = sender.send("a@outside.test", &["jane@example.org"], message).await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
    }
    let store = &house.server.house.store;
    let held = house.sends().await[0].id;
    // It may be on its way just now; that ends soon, since nobody listens where it goes.
    let mut is_held = false;
    for _ in 0..10_000 {
        is_held = store.set_send_state(held, SendState::Held, None).await.unwrap();
        if is_held {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(is_held);
    let attention = house.act(Status {}).await.attention;
    let failed = "script broken of jane@example.org, line 2: the included script \"missing\" does not exist (2 times, ";
    assert!(attention.iter().any(|line| line.starts_with(failed)), "{attention:#?}");
    assert!(attention.contains(&"the queue holds 1 message back".to_owned()), "{attention:#?}");
    house.close().await;
}

/// The demonstration comes up, can be administered, and leaves nothing behind.
#[test]
fn the_demonstration() {
    let place = Place::new();
    let demo = place.demo();
    let data = demo.data.clone();
    let data = data.to_str().unwrap();
    let list = place.run(&["account", "list", "--data", data, "--json"], "");
    assert!(list.text.contains("jane@example.test") && list.text.contains("john@example.test"), "{}", list.text);
    let loops = place.run(&["redirect", "add", "jane@example.test", "john@example.test", "--data", data], "");
    assert_eq!(loops.code, 1);
    assert!(loops.text.contains("mail would go in circles"), "{}", loops.text);
    assert!(place.run(&["responder", "list", "--data", data], "").text.contains("info@example.test"));
    // Whatever it tells people to paste works, but for the one that shows a refusal.
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    let mut tried = 0;
    for command in &demo.commands {
        if command.contains("curl ") && !has_curl {
            continue;
        }
        let output = Command::new("sh").args(["-c", command]).env_remove("POSTHOUSE_CONFIG").output().unwrap();
        let refused = command.ends_with("redirect add jane@example.test john@example.test");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(refused)), "{command}: {told}");
        tried += 1;
    }
    assert!(tried >= 7, "{:?}", demo.commands);
    let directory = demo.stop();
    assert!(!directory.exists());
}
