//! One behaviour each, in the smallest house that shows it.

use super::house::{House, PLAIN, address, alias, mailbox, redirection, responder, run};
use crate::delivery::{Answers, Fate};
use crate::store::{DirectoryChange, LedgerFilter, Names};
use crate::types::{MailboxName, Received, SendId, Switches};

#[test]
fn a_message_is_filed_with_its_return_path_and_told_in_the_ledger() {
    run(async {
        let house = House::with(&[("jane@example.test", mailbox())]).await;
        let fates = house.deliver("a@one.example", &["Jane@example.test"], PLAIN).await;
        assert_eq!(fates, [Fate::Accepted]);
        assert_eq!(house.filed("jane@example.test").await, "INBOX 1");
        let inbox = house.account("jane@example.test").await;
        let inbox = house.store.mailbox(inbox, &MailboxName::inbox()).await.expect("readable").expect("there");
        let (_, entries) = house.store.entries(inbox.id).await.expect("readable");
        let octets = house.store.body_octets(entries[0].body).await.expect("readable");
        assert!(octets.starts_with(b"Return-Path: <a@one.example>\r\nFrom:"), "{}", String::from_utf8_lossy(&octets));
        let ledger = house.store.ledger(LedgerFilter::Address("jane@example.test".to_owned()), 10).await;
        let ledger = ledger.expect("readable");
        assert_eq!((ledger.len(), ledger[0].entry.message_id.as_str()), (1, "1@one.example"));
    });
}

#[test]
fn an_alias_leads_to_its_owner_and_a_redirection_on_within_one_plan() {
    run(async {
        let team = redirection(&["jane@example.test", "john@example.test", "out@two.example"], true);
        let house = House::with(&[
            ("jane@example.test", mailbox()),
            (
                "john@example.test",
                Switches { redirection: Some(redirection(&["x@three.example"], false)), ..mailbox() },
            ),
            ("info@example.test", alias("team@example.test")),
            ("team@example.test", Switches { redirection: Some(team), ..Switches::default() }),
        ])
        .await;
        let to = ["info@example.test", "jane+tag@example.test"];
        assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, [Fate::Accepted, Fate::Accepted]);
        assert_eq!(house.filed("jane@example.test").await, "INBOX 1");
        assert_eq!(house.filed("john@example.test").await, "");
        let expected = ["Redirection a@one.example>out@two.example", "Redirection a@one.example>x@three.example"];
        assert_eq!(house.queued().await, expected);
    });
}

#[test]
fn unknown_addresses_are_refused_and_the_rest_gets_a_report() {
    run(async {
        let house = House::with(&[("jane@example.test", mailbox())]).await;
        let fates = house.deliver("a@one.example", &["nobody@example.test"], PLAIN).await;
        assert_eq!((fates, house.queued().await.len()), (vec![Fate::Unknown], 0));
        let to = ["jane@example.test", "nobody@example.test"];
        assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, [Fate::Accepted, Fate::Unknown]);
        assert_eq!(house.queued().await, ["Bounce >a@one.example"]);
        house.deliver("", &to, PLAIN).await;
        house.deliver_as(Answers::Each, "a@one.example", &to, PLAIN).await;
        assert_eq!(house.queued().await.len(), 1);
        let fates = house.deliver("a@one.example", &["x@elsewhere.example"], PLAIN).await;
        assert_eq!(fates, [Fate::NotOurs]);
    });
}

#[test]
fn a_responder_answers_once_from_the_address_that_was_written_to() {
    run(async {
        let mut info = alias("jane@example.test");
        info.responder = Some(responder(Received::Keep));
        let house = House::with(&[("jane@example.test", mailbox()), ("info@example.test", info)]).await;
        let message = PLAIN.replace("jane@", "info@");
        house.deliver("a@one.example", &["info@example.test"], &message).await;
        house.deliver("a@one.example", &["info@example.test"], &message).await;
        assert_eq!(house.queued().await, ["Reply >a@one.example"]);
        assert_eq!(house.filed("jane@example.test").await, "INBOX 2");
        let send = house.store.sends(SendId(0), 1).await.expect("readable").remove(0);
        let answer = house.store.body_octets(send.body).await.expect("readable");
        let answer = String::from_utf8(answer[send.send.details.skip_octets as usize..].to_vec()).expect("text");
        assert!(answer.contains("From: info@example.test") || answer.contains("From: <info@example.test>"), "{answer}");
        assert!(!answer.contains("jane"), "{answer}");
        assert!(answer.contains("In-Reply-To: <1@one.example>"), "{answer}");
        house.deliver("", &["info@example.test"], &message).await;
        assert_eq!(house.queued().await.len(), 1);
    });
}

#[test]
fn an_answer_to_an_address_of_ours_arrives_in_the_same_commit() {
    run(async {
        let jane = Switches { responder: Some(responder(Received::Keep)), ..mailbox() };
        let house = House::with(&[("jane@example.test", jane), ("john@example.test", mailbox())]).await;
        house.deliver("john@example.test", &["jane@example.test"], PLAIN).await;
        assert_eq!(house.filed("john@example.test").await, "INBOX 1");
        assert!(house.queued().await.is_empty());
    });
}

#[test]
fn what_goes_out_comes_back_once_and_is_stopped() {
    run(async {
        let team = Switches { redirection: Some(redirection(&["x@two.example"], false)), ..Switches::default() };
        let house = House::with(&[("team@example.test", team)]).await;
        house.deliver("a@one.example", &["team@example.test"], PLAIN).await;
        let send = house.store.sends(SendId(0), 1).await.expect("readable").remove(0).send;
        let back = format!("{}{PLAIN}", send.details.prepend.replace("\r\n", "\n"));
        assert_eq!(house.deliver("a@one.example", &["team@example.test"], &back).await, [Fate::Loop]);
    });
}

#[test]
fn personal_scripts_file_reject_and_fail_without_loss() {
    run(async {
        let house = House::with(&[("jane@example.test", mailbox())]).await;
        let to = ["jane@example.test"];
        house.script("jane@example.test", "require [\"fileinto\",\"mailbox\",\"imap4flags\"];\nfileinto :create :flags [\"\\\\Seen\",\"$x\"] \"Lists/Rust\";\n").await;
        assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, [Fate::Accepted]);
        assert_eq!(house.filed("jane@example.test").await, "Lists/Rust 1");
        house.script("jane@example.test", "require \"reject\";\nreject \"Not today.\";\n").await;
        assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, [Fate::Rejected("Not today.".into())]);
        house
            .script(
                "jane@example.test",
                "require [\"variables\",\"fileinto\"];\nset \"x\" \"No/Such\";\nfileinto \"${x}\";\n",
            )
            .await;
        assert_eq!(house.deliver("a@one.example", &to, PLAIN).await, [Fate::Accepted]);
        assert_eq!(house.filed("jane@example.test").await, "INBOX 1, Lists/Rust 1");
    });
}

#[test]
fn scripts_read_the_annotations_that_clients_set() {
    use crate::store::{Annotated, Audience, NewAnnotation};
    run(async {
        let house = House::with(&[("jane@example.test", mailbox())]).await;
        let account = house.account("jane@example.test").await;
        let mailboxes = house.store.mailboxes(account).await.expect("readable");
        let inbox = mailboxes.iter().find(|mailbox| mailbox.name.is_inbox()).expect("made with the account").id;
        let note = |entry: &str, audience, value: &str| NewAnnotation {
            audience,
            entry: entry.to_owned(),
            value: Some(value.as_bytes().to_vec()),
        };
        let own = vec![note("/private/comment", Audience::Private(account), "to do")];
        house.store.set_annotations(account, Annotated::Mailbox(inbox), own).await.expect("written");
        let shared = vec![note("/shared/admin", Audience::Shared, "mailto:admin@example.test")];
        house.store.set_annotations(account, Annotated::Server, shared).await.expect("written");
        let script = "require [\"mboxmetadata\", \"servermetadata\", \"fileinto\", \"mailbox\"];\n\
            if allof (metadata \"INBOX\" \"/Private/Comment\" \"to do\",\n\
            servermetadata :matches \"/shared/admin\" \"mailto:*\", not metadataexists \"INBOX\" \"/private/none\")\n\
            { fileinto :create \"Noted\"; }\n";
        house.script("jane@example.test", script).await;
        house.deliver("a@one.example", &["jane@example.test"], PLAIN).await;
        assert_eq!(house.filed("jane@example.test").await, "Noted 1");
    });
}

#[test]
fn an_edited_copy_is_a_body_of_its_own() {
    run(async {
        let house = House::with(&[("jane@example.test", mailbox())]).await;
        house
            .script(
                "jane@example.test",
                "require [\"editheader\",\"copy\",\"fileinto\"];\nfileinto :copy \"Archive\";\naddheader \"X-Seen\" \"yes\";\n",
            )
            .await;
        house.deliver("a@one.example", &["jane@example.test"], PLAIN).await;
        assert_eq!(house.filed("jane@example.test").await, "Archive 1, INBOX 1");
    });
}

#[test]
fn a_full_mailbox_is_said_and_others_get_theirs() {
    run(async {
        let house = House::with(&[("jane@example.test", mailbox()), ("john@example.test", mailbox())]).await;
        let generation = house.store.directory_generation().await.expect("readable");
        let full = DirectoryChange::SetAccount {
            address: address("jane@example.test"),
            names: Names::default(),
            administrator: false,
            quota_octets: Some(10),
        };
        house.store.change_directory(generation, vec![full]).await.expect("changed");
        assert_eq!(house.deliver("a@one.example", &["jane@example.test"], PLAIN).await, [Fate::OverQuota]);
        let both = ["jane@example.test", "john@example.test"];
        assert_eq!(house.deliver("a@one.example", &both, PLAIN).await, [Fate::OverQuota, Fate::Accepted]);
        assert_eq!(house.filed("john@example.test").await, "INBOX 1");
        assert_eq!(house.queued().await, ["Bounce >a@one.example"]);
    });
}

#[test]
fn a_large_message_is_stored_ahead_and_filed_whole() {
    run(async {
        let house = House::with(&[("jane@example.test", mailbox())]).await;
        let message = format!("{PLAIN}{}", "0123456789abcdef\n".repeat(100_000));
        assert_eq!(house.deliver("a@one.example", &["jane@example.test"], &message).await, [Fate::Accepted]);
        assert_eq!(house.filed("jane@example.test").await, "INBOX 1");
    });
}

#[test]
fn explaining_changes_nothing_and_says_what_delivery_does() {
    run(async {
        let jane = Switches { redirection: Some(redirection(&["x@two.example"], true)), ..mailbox() };
        let house =
            House::with(&[("jane@example.test", jane), ("info@example.test", alias("jane@example.test"))]).await;
        let lines = house.explain("a@one.example", &["info@example.test"], PLAIN).await.lines().join("\n");
        assert!(lines.contains("is sent to x@two.example (redirections, line"), "{lines}");
        assert!(lines.contains("is filed in INBOX"), "{lines}");
        assert!(lines.contains("info@example.test is accepted"), "{lines}");
        assert_eq!((house.filed("jane@example.test").await, house.queued().await.len()), (String::new(), 0));
    });
}
