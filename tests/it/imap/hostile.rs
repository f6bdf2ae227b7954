//! Clients that mean harm, or don't know what they do: they get an answer or are hung up on, and everybody else is served.

use super::client::Client;
use crate::imap_clients::Served;
use std::time::{Duration, Instant};

/// What somebody else waits for at most while all this goes on.
const SERVED_WITHIN: Duration = Duration::from_secs(5);

/// A person who is served all the while.
async fn others_are_served(served: &Served, until: tokio::sync::oneshot::Receiver<()>) -> Duration {
    let mut client = Client::login(served.address(), "mary@example.org", "Secret123").await;
    assert!(client.command("SELECT INBOX").await.is_ok());
    let mut slowest = Duration::ZERO;
    tokio::pin!(until);
    loop {
        let begun = Instant::now();
        assert!(client.command("NOOP").await.is_ok());
        slowest = slowest.max(begun.elapsed());
        tokio::select! {
            _ = &mut until => return slowest,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
}

/// Says something, and sees that the server answers it or hangs up, and what comes next is answered as ever.
async fn insult(served: &Served, octets: &[u8], shown: &str) {
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    client.say(octets).await;
    client.say(b"\r\nlast NOOP\r\n").await;
    // Literals that were begun may have eaten it.
    client.say(&b" ".repeat(70)).await;
    client.say(b"\r\nlast NOOP\r\nlast LOGOUT\r\n").await;
    client.finish().await;
    while client.line().await.is_some() {}
    let mut fresh = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(fresh.command("NOOP").await.is_ok(), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_said_others_are_served() {
    let served = Served::new().await;
    let (done, until) = tokio::sync::oneshot::channel();
    let attacks = async {
        let cases: Vec<(&str, Vec<u8>)> = vec![
            (
                "nested keys",
                [b"a SEARCH ".to_vec(), b"(".repeat(10_000), b"ALL".to_vec(), b")".repeat(10_000)].concat(),
            ),
            ("nested lists", [b"a FETCH 1 ".to_vec(), b"(".repeat(10_000)].concat()),
            ("negations", [b"a SEARCH ".to_vec(), b"NOT ".repeat(10_000), b"ALL".to_vec()].concat()),
            ("alternatives", [b"a SEARCH ".to_vec(), b"OR ALL ".repeat(8_000), b"ALL".to_vec()].concat()),
            ("part numbers", [b"a FETCH 1 BODY[".to_vec(), b"1.".repeat(20_000), b"1]".to_vec()].concat()),
            ("a long line", b"x".repeat(300_000)),
            ("a long tag", [b"y".repeat(60_000), b" NOOP".to_vec()].concat()),
            ("nothing but zeros", vec![0; 5000]),
            ("zeros in a command", b"a LIST \"\" \"\0\"".to_vec()),
            ("all octets", (0..=255).cycle().take(10_000).collect()),
            ("no UTF-8", b"a SELECT \"\xff\xfe\xc3\x28\"".to_vec()),
            ("modified UTF-7", b"a SELECT \"&AAA-&&&--&ZZZ\"\r\nb CREATE \"&\"\r\nc CREATE \"&2D0-\"".to_vec()),
            ("a bare line feed", b"a NOOP\nb NOOP\n".to_vec()),
            ("a huge literal", b"a APPEND INBOX {18446744073709551615}".to_vec()),
            ("a huge literal that does not wait", b"a APPEND INBOX {18446744073709551615+}".to_vec()),
            ("a literal beyond all numbers", b"a LOGIN {99999999999999999999999999999999}".to_vec()),
            ("a set", [b"a FETCH ".to_vec(), b"1,".repeat(30_000), b"1 UID".to_vec()].concat()),
            ("a set backwards", b"a FETCH 4294967295:1,*:1,1:* (FLAGS)".to_vec()),
            ("flags", [b"a STORE 1 FLAGS (".to_vec(), b"f ".repeat(20_000), b"f)".to_vec()].concat()),
            ("patterns", [b"a LIST \"\" \"".to_vec(), b"%*".repeat(20_000), b"\"".to_vec()].concat()),
            ("TLS to a port without it", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ];
        for (shown, octets) in &cases {
            insult(&served, octets, shown).await;
        }
        let _ = done.send(());
    };
    let (slowest, ()) = tokio::join!(others_are_served(&served, until), attacks);
    assert!(slowest < SERVED_WITHIN, "{slowest:?}");
    served.end().await;
}

/// Commands that are nearly right, some thousand of them, each with one octet changed, left out or doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_broken_commands() {
    let served = Served::new().await;
    let commands = [
        "SELECT INBOX (CONDSTORE)",
        "LIST (SUBSCRIBED) \"\" (% \"Sent\") RETURN (STATUS (MESSAGES UIDNEXT))",
        "FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.10> BINARY.SIZE[1])",
        "UID STORE 1,2:4 (UNCHANGEDSINCE 12) +FLAGS.SILENT (\\Seen $x)",
        "GETMETADATA (DEPTH 1 MAXSIZE 10) INBOX (/private/comment)",
        "SETMETADATA INBOX (/private/comment {3+}\r\nabc)",
        "APPEND INBOX (\\Seen) \"01-Jan-2020 00:00:00 +0000\" {5+}\r\nhello",
        "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)",
        "UID SEARCH RETURN (MIN MAX COUNT) OR (SUBJECT \"x\") NOT SINCE 1-Feb-2020",
        "SETACL INBOX paul@example.org +lr",
    ];
    let (done, until) = tokio::sync::oneshot::channel();
    let attacks = async {
        let begun = Instant::now();
        for (number, command) in commands.iter().enumerate() {
            let octets = command.as_bytes();
            for at in 0..octets.len() {
                let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
                for change in 0..4 {
                    let mut broken = octets.to_vec();
                    match change {
                        0 => drop(broken.remove(at)),
                        1 => broken.insert(at, octets[at]),
                        2 => broken[at] = b"\0\xff(){}[]\"\\*%\r& 0"[(at + number) % 16],
                        _ => broken.truncate(at),
                    }
                    // Whatever it is taken for, what follows shows that the session is still there, or it was ended in order.
                    client.say(&[format!("x{change} ").as_bytes(), &broken, b"\r\n"].concat()).await;
                }
                client.say(b"0123456789\r\n\r\n\r\nlast NOOP\r\nlast LOGOUT\r\n").await;
                client.finish().await;
                while client.line().await.is_some() {}
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "{command}");
        }
        let _ = done.send(());
    };
    let (slowest, ()) = tokio::join!(others_are_served(&served, until), attacks);
    assert!(slowest < SERVED_WITHIN, "{slowest:?}");
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(client.command("NOOP").await.is_ok());
    drop(client);
    served.end().await;
}

/// A client that asks for much and reads nothing: the server waits with it, and keeps little.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_holds_nobody_up() {
    let served = Served::new().await;
    let line = "All work and no play makes a long message.\r\n".repeat(5000);
    for _ in 0..20 {
        served.house.append("jane", "INBOX", format!("Subject: x\r\n\r\n{line}").into_bytes()).await;
    }
    let mut lazy = Vec::new();
    for _ in 0..8 {
        let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
        assert!(client.command("SELECT INBOX").await.is_ok());
        for number in 0..50 {
            client.say(format!("f{number} FETCH 1:* BODY[]\r\n").as_bytes()).await;
        }
        lazy.push(client);
    }
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    assert!(client.command("SELECT INBOX").await.is_ok());
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(client.command("FETCH 1:* (UID FLAGS)").await.is_ok());
        assert!(client.command("STORE 1 +FLAGS (\\Flagged)").await.is_ok());
        assert!(client.command("STORE 1 -FLAGS (\\Flagged)").await.is_ok());
    }
    assert!(begun.elapsed() < SERVED_WITHIN * 4, "{:?}", begun.elapsed());
    drop((lazy, client));
    served.end().await;
}
