//! Mail carried in from Maildirs and mbox files and out into them, with the real program.

use crate::support::program::{Place, serve};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A folder's message: its file below the Maildir, what is in it, and when it came.
const MAIL: [(&str, &str, u64); 4] = [
    ("cur/1.a.host:2,FS", "Subject: one\n\nHello.\nFrom here on\n>From there\n", 1_700_000_000),
    ("new/2.b.host", "Return-Path: <x@example.net>\nSubject: two\n\nHello again.\n", 1_700_000_100),
    (".Work.Projects/cur/3.c.host:2,Ra", "Subject: three\n\nW\u{f6}rk.\n", 1_700_000_200),
    (".&AMk-t&AOk-/cur/4.d.host:2,D", "Subject: four\n\n", 1_700_000_300),
];

fn settle(place: &Place) {
    assert_eq!(place.run(&["domain", "add", "example.org"], "").code, 0);
    for name in ["jane", "john", "mary"] {
        let address = format!("{name}@example.org");
        assert_eq!(place.run(&["account", "add", &address, "--generate-password"], "").code, 0);
    }
    for folder in ["", ".Work.Projects/", ".&AMk-t&AOk-/"] {
        for below in ["cur", "new", "tmp"] {
            fs::create_dir_all(place.path(&format!("mail/{folder}{below}"))).unwrap();
        }
    }
    fs::write(place.path("mail/.Work.Projects/dovecot-keywords"), "0 $Label1\n").unwrap();
    for (name, text, seconds) in MAIL {
        write(&place.path(&format!("mail/{name}")), text, seconds);
    }
}

fn write(path: &Path, text: &str, seconds: u64) {
    fs::write(path, text).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Every message below a Maildir: its text, with its folder, its flags and its time.
fn content(maildir: &Path) -> BTreeMap<String, (String, String, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(String::new(), maildir.to_owned())];
    for entry in fs::read_dir(maildir).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            folders.push((name, entry.path()));
        }
    }
    for (folder, path) in folders {
        for file in ["cur", "new"].into_iter().flat_map(|below| fs::read_dir(path.join(below)).unwrap().flatten()) {
            let name = file.file_name().to_string_lossy().into_owned();
            let flags = name.split_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default();
            let time = file.metadata().unwrap().modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let text = fs::read_to_string(file.path()).unwrap();
            assert!(found.insert(text, (folder.clone(), flags, time.as_secs())).is_none());
        }
    }
    found
}

fn carry(place: &Place) {
    let report = |arguments: &[&str]| -> serde_json::Value {
        let outcome = place.run(&[arguments, &["--json"]].concat(), "");
        assert_eq!(outcome.code, 0, "{arguments:?}: {}", outcome.text);
        serde_json::from_str(&outcome.text).unwrap_or_else(|error| panic!("{error}: {}", outcome.text))
    };
    let counts = |report: &serde_json::Value| (report["messages"].as_u64(), report["already_there"].as_u64());

    let first = report(&["import", "jane@example.org", "--maildir", "mail"]);
    assert_eq!((counts(&first), first["folders"].as_u64()), ((Some(4), Some(0)), Some(3)), "{first}");
    // Again, and with one more: nothing comes twice.
    assert_eq!(counts(&report(&["import", "jane@example.org", "--maildir", "mail"])), (Some(0), Some(4)));
    let large = format!("Subject: five\n\n{}\n", "0123456789abcdef\n".repeat(100_000));
    write(&place.path("mail/cur/5.e.host:2,S"), &large, 1_700_000_400);
    assert_eq!(counts(&report(&["import", "jane@example.org", "--maildir", "mail"])), (Some(1), Some(4)));

    let original = content(&place.path("mail"));
    report(&["export", "jane@example.org", "--maildir", "out"]);
    assert_eq!(content(&place.path("out")), original);
    let again = report(&["export", "jane@example.org", "--maildir", "out"]);
    assert_eq!(counts(&again), (Some(5), Some(5)));
    assert_eq!(content(&place.path("out")), original);

    // By way of mbox files into another account, and by a Maildir out of that.
    report(&["export", "jane@example.org", "--mbox", "boxes"]);
    assert!(place.path("boxes/Work.sbd/Projects").is_file());
    assert_eq!(counts(&report(&["import", "john@example.org", "--mbox", "boxes"])), (Some(5), Some(0)));
    assert_eq!(counts(&report(&["import", "john@example.org", "--mbox", "boxes"])), (Some(0), Some(5)));
    report(&["export", "john@example.org", "--maildir", "johns"]);
    assert_eq!(content(&place.path("johns")), original);
    // One file alone is INBOX.
    assert_eq!(counts(&report(&["import", "mary@example.org", "--mbox", "boxes/INBOX"])), (Some(3), Some(0)));

    let refused = |arguments: &[&str], expected: &str| {
        let outcome = place.run(arguments, "");
        assert_eq!((outcome.code, outcome.text.contains(expected)), (1, true), "{arguments:?}: {}", outcome.text);
    };
    refused(&["import", "nobody@example.org", "--maildir", "mail"], "there is no account nobody@example.org");
    refused(&["import", "jane@example.org", "--maildir", "boxes"], "this is no Maildir");
    refused(&["import", "jane@example.org", "--maildir", "nowhere"], "nowhere: No such file or directory");
    refused(&["import", "jane@example.org", "--mbox", "posthouse.toml"], "this is no mbox file");
    refused(&["import", "jane@example.org", "--mbox", "out/cur"], "there is no mbox file in it");
    refused(&["export", "nobody@example.org", "--mbox", "x"], "there is no account nobody@example.org");
    refused(&["export", "jane@example.org", "--maildir", "posthouse.toml/x"], "Not a directory");
    assert_eq!(place.run(&["import", "jane@example.org"], "").code, 2);
    // A link is not written through, wherever it lies.
    let precious = place.path("precious");
    fs::write(&precious, "precious").unwrap();
    fs::create_dir_all(place.path("laid")).unwrap();
    symlink(&precious, place.path("laid/INBOX")).unwrap();
    refused(&["export", "jane@example.org", "--mbox", "laid"], "laid/INBOX: this is a symbolic link");
    fs::rename(place.path("laid/INBOX"), place.path("laid/.INBOX.part")).unwrap();
    refused(&["export", "jane@example.org", "--mbox", "laid"], "laid/.INBOX.part: this is a symbolic link");
    fs::remove_dir_all(place.path("laid")).unwrap();
    report(&["export", "jane@example.org", "--maildir", "laid"]);
    for file in fs::read_dir(place.path("laid/cur")).unwrap().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        symlink(&precious, place.path(&format!("laid/tmp/{}", name.split(':').next().unwrap()))).unwrap();
        fs::remove_file(file.path()).unwrap();
    }
    report(&["export", "jane@example.org", "--maildir", "laid"]);
    assert_eq!(content(&place.path("laid")), original);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");

    // What does not fit is told, and goes on once there is room.
    assert_eq!(place.run(&["account", "add", "ann@example.org", "--generate-password", "--quota", "1M"], "").code, 0);
    refused(
        &["import", "ann@example.org", "--maildir", "mail"],
        "the account ann@example.org has no room for all of it",
    );
    assert_eq!(place.run(&["account", "set", "ann@example.org", "--quota", "1G"], "").code, 0);
    report(&["import", "ann@example.org", "--maildir", "mail"]);
    report(&["export", "ann@example.org", "--maildir", "anns"]);
    assert_eq!(content(&place.path("anns")), original);
    assert_eq!(place.run(&["verify"], "").text, "the store is sound\n");
}

/// Directories within directories, names in UTF-8, packed mail, folders without any; and what is none of the owner's.
#[test]
fn maildirs_as_others_keep_them() {
    let place = Place::new();
    settle(&place);
    for folder in ["Work/Projects", "Entwürfe", "Kept for later", "not mail", ".Old"] {
        fs::create_dir_all(place.path(&format!("mail/{folder}/cur"))).unwrap();
    }
    fs::remove_dir(place.path("mail/not mail/cur")).unwrap();
    write(&place.path("mail/Work/Projects/cur/6.f.host:2,S"), "Subject: six\n\nx\n", 1_700_000_500);
    write(&place.path("mail/Entwürfe/cur/7.g.host:2,D"), "Subject: seven\n\nx\n", 1_700_000_600);
    let packed = zstd::encode_all("Subject: eight\n\nx\n".as_bytes(), 0).unwrap();
    fs::write(place.path("mail/.Old/cur/8.h.host,S=18:2,S"), packed).unwrap();
    // Its owner would read what only root may.
    fs::write(place.path("secret"), "Subject: secret\n\nx\n").unwrap();
    symlink(place.path("secret"), place.path("mail/cur/9.i.host:2,")).unwrap();
    symlink(place.path("mail/.Work.Projects"), place.path("mail/.Linked")).unwrap();
    nix::unistd::mkfifo(&place.path("mail/cur/10.j.host:2,"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let outcome = place.run(&["import", "jane@example.org", "--maildir", "mail"], "");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("jane@example.org got 7 messages of 7 folders"), "{}", outcome.text);
    for left_out in
        ["mail/cur/9.i.host:2,: a symbolic link", "mail/.Linked: a symbolic link", "10.j.host:2,: this is no plain"]
    {
        assert!(outcome.text.contains(left_out), "{left_out}: {}", outcome.text);
    }
    assert_eq!(place.run(&["export", "jane@example.org", "--maildir", "out"], "").code, 0);
    for there in [".Work.Projects/cur", ".Entw&APw-rfe/cur", ".Kept for later/cur", ".Old/cur"] {
        assert!(place.path(&format!("out/{there}")).is_dir(), "{there}");
    }
    let out = content(&place.path("out"));
    assert_eq!(
        out.get("Subject: eight\n\nx\n").map(|(folder, flags, _)| (folder.as_str(), flags.as_str())),
        Some((".Old", "S"))
    );
    assert_eq!(
        out.get("Subject: six\n\nx\n").map(|(folder, _, time)| (folder.as_str(), *time)),
        Some((".Work.Projects", 1_700_000_500))
    );
    assert!(!out.contains_key("Subject: secret\n\nx\n"));
}

#[test]
fn mail_is_carried_in_and_out() {
    let place = Place::new();
    settle(&place);
    carry(&place);
}

#[test]
fn mail_is_carried_while_a_server_runs() {
    let place = Place::new();
    settle(&place);
    let server = serve(&place);
    carry(&place);
    server.stop();
    place.assert_sound();
}
