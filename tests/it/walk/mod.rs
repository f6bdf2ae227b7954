//! The walk of a new user: text files of commands and what they print, run with the real program.
//!
//! A line `$ posthouse …` is a command; what follows it, up to the next, is its standard output and its standard error,
//! in this order, and `? 1` at the end its exit code unless that is 0. `< text` behind a command is its standard input.
//! A line `+ name: text` makes a file. Lines with `##` in front say what comes. Times, made-up passwords and column widths
//! are not compared. With POSTHOUSE_WALK=write the files are written anew from what happens: read the difference.

use crate::support::program::{Place, serve};
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
    let directory = demo.stop();
    assert!(!directory.exists());
}
