//! A UID under one UIDVALIDITY means one message for ever: over restarts, restores of old backups, and addresses that stop
//! and begin again to have a mailbox.

use super::client::Client;
use crate::support::program::{Place, Server, serve};
use std::collections::BTreeMap;

/// The octets every pair of UIDVALIDITY and UID was ever shown with.
#[derive(Default)]
struct Known(BTreeMap<(u64, u64), String>);

struct House {
    place: Place,
    server: Option<Server>,
    known: Known,
    appended: u32,
}

impl House {
    fn serve(&mut self) {
        self.server = Some(serve(&self.place));
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }

    fn run(&self, arguments: &[&str], input: &str) {
        let outcome = self.place.run(arguments, input);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.text);
    }

    async fn login(&self) -> Client {
        let address = self.server.as_ref().expect("it runs").address("imap");
        Client::login(address, "jane@example.org", "Correct9Horse").await
    }

    /// Appends messages to two mailboxes, and looks at everything there is.
    async fn go_on(&mut self) {
        let mut client = self.login().await;
        for mailbox in ["INBOX", "Work"] {
            // There already, but for the first time.
            client.command(&format!("CREATE {mailbox}")).await;
            for _ in 0..2 {
                self.appended += 1;
                let text = format!("Subject: {}\r\n\r\n", self.appended);
                let append = format!("APPEND {mailbox} {{{}+}}\r\n{text}", text.len());
                assert!(client.command(&append).await.is_ok());
            }
        }
        for mailbox in ["INBOX", "Work"] {
            let selected = client.command(&format!("SELECT {mailbox}")).await;
            assert!(selected.is_ok(), "{selected:?}");
            let validity = selected.texts().find_map(|line| number(&line, "[UIDVALIDITY ")).expect("a UIDVALIDITY");
            let fetched = client.command("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").await;
            for line in fetched.texts() {
                let uid = number(&line, "UID ").expect("a UID");
                let subject = line.split_once("Subject: ").expect("a subject").1.split('\r').next().unwrap().to_owned();
                let known = self.known.0.entry((validity, uid)).or_insert_with(|| subject.clone());
                assert_eq!(*known, subject, "UID {uid} of {mailbox} under {validity} is another message");
            }
        }
    }
}

fn number(line: &str, after: &str) -> Option<u64> {
    let rest = line.split_once(after)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_uid_ever_means_another_message() {
    let place = Place::new();
    place.configure("imap = []", "imap = [\"127.0.0.1:0\"]");
    place.configure("[auth]\n", "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n");
    let mut house = House { place, server: None, known: Known::default(), appended: 0 };
    house.run(&["domain", "add", "example.org"], "");
    house.run(&["account", "add", "jane@example.org", "--password-stdin"], "Correct9Horse\n");
    house.serve();
    house.go_on().await;
    house.run(&["backup", "then.db"], "");
    house.go_on().await;
    // What came after the backup is gone, and its UIDs with it.
    house.stop();
    house.run(&["restore", "then.db"], "");
    house.serve();
    house.go_on().await;
    // A mailbox of the same name is another mailbox.
    let mut client = house.login().await;
    assert!(client.command("DELETE Work").await.is_ok());
    drop(client);
    house.go_on().await;
    // No mailbox for a while.
    house.run(&["convert", "jane@example.org", "--to-redirect", "far@elsewhere.example", "--yes"], "");
    house.run(&["convert", "jane@example.org", "--to-mailbox"], "");
    house.go_on().await;
    house.stop();
    house.serve();
    house.go_on().await;
    house.stop();
    house.place.assert_sound();
    assert!(house.known.0.len() > 20, "{:?}", house.known.0);
}
