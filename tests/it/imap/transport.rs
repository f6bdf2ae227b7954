//! What lies below the conversation: compression, and a client that waits for news for long.

use super::client::Client;
use crate::imap_clients::Served;
use crate::support::running::{PASSWORD, Running};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// RFC 4978: raw DEFLATE, both ways, one stream each for the rest of the connection.
struct Deflated {
    stream: TcpStream,
    out: Compress,
    inside: Decompress,
    text: String,
}

impl Deflated {
    async fn say(&mut self, text: &str) {
        let mut packed = Vec::with_capacity(text.len() + 1024);
        self.out.compress_vec(text.as_bytes(), &mut packed, FlushCompress::Sync).unwrap();
        self.stream.write_all(&packed).await.unwrap();
    }

    async fn hear(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            let mut packed = [0; 4096];
            let count = self.stream.read(&mut packed).await.unwrap();
            assert!(count > 0, "hung up after {}", self.text);
            let mut plain = Vec::with_capacity(1 << 20);
            self.inside.decompress_vec(&packed[..count], &mut plain, FlushDecompress::Sync).unwrap();
            self.text.push_str(&String::from_utf8_lossy(&plain));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_compressed_from_there_on() {
    let served = Served::new().await;
    let mut stream = TcpStream::connect(served.address()).await.unwrap();
    stream
        .write_all(b"a LOGIN jane@example.org Secret123\r\nb COMPRESS BOGUS\r\nc COMPRESS DEFLATE\r\n")
        .await
        .unwrap();
    let mut plain = Vec::new();
    while !String::from_utf8_lossy(&plain).contains("c OK Done\r\n") {
        let mut octets = [0; 4096];
        let count = stream.read(&mut octets).await.unwrap();
        assert!(count > 0);
        plain.extend_from_slice(&octets[..count]);
    }
    assert!(String::from_utf8_lossy(&plain).contains("b BAD "));
    let out = Compress::new(Compression::fast(), false);
    let mut client = Deflated { stream, out, inside: Decompress::new(false), text: String::new() };
    // It is offered no more, and can't be had twice.
    client.say("d CAPABILITY\r\ne COMPRESS DEFLATE\r\n").await;
    client.hear("e NO [COMPRESSIONACTIVE] ").await;
    assert!(!client.text.contains("COMPRESS=DEFLATE"));
    let body = "the same words again and again\r\n".repeat(3000);
    client.say(&format!("f APPEND INBOX {{{}+}}\r\n{body}\r\ng SELECT INBOX\r\n", body.len())).await;
    client.hear("g OK ").await;
    client.say("h FETCH 1 BODY.PEEK[]\r\n").await;
    client.hear("h OK ").await;
    assert!(client.text.contains(&body));
    client.say("i LOGOUT\r\n").await;
    client.hear("i OK ").await;
    drop(client);
    served.end().await;
}

/// RFC 9585: the two numbers of a note, which is about the command.
fn progress(line: &str, tag: &str) -> Option<Option<(u64, u64)>> {
    let rest = line.strip_prefix("* OK [INPROGRESS (\"")?.strip_prefix(tag)?.strip_prefix("\" ")?;
    let (numbers, _) = rest.split_once(")] ").expect("the end of the code");
    let (done, of) = numbers.split_once(' ').expect("two of them");
    match (done, of) {
        ("NIL", "NIL") => Some(None),
        _ => Some(Some((done.parse().expect("a number"), of.parse().expect("a number")))),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_long_is_told_how_far_it_is() {
    let served = Served::furnished(|house| house.progress = Duration::from_millis(1)).await;
    let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
    // Every three letters of what is looked for are in the text, but never all of them: so each text has to be read.
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let windows = |length: usize| (0..=letters.len() - length).map(move |at| &letters[at..at + length]);
    let line = windows(6).collect::<Vec<_>>().join(" ");
    let body = format!("{line}\r\n").repeat(40);
    let message = format!(" {{{}+}}\r\na: b\r\n\r\n{body}", body.len() + 8);
    for _ in 0..6 {
        let answer = client.command(&format!("APPEND INBOX{}", message.repeat(300))).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
    assert!(client.command("SELECT INBOX").await.is_ok());
    let keys: Vec<String> = windows(9).map(|letters| format!("NOT BODY {letters}")).collect();
    let keys = keys.join(" ");
    for (tag, command) in [("t9", format!("SEARCH {keys}")), ("t10", format!("UID SORT (SUBJECT) UTF-8 {keys}"))] {
        let answer = client.command(&command).await;
        assert!(answer.is_ok(), "{answer:?}");
        let notes: Vec<_> = answer.texts().filter_map(|line| progress(&line, tag)).collect();
        assert!(!notes.is_empty(), "{command}: {answer:?}");
        let counted: Vec<(u64, u64)> = notes.into_iter().flatten().collect();
        assert!(counted.iter().all(|(done, of)| done <= of), "{counted:?}");
    }
    // What says something all the time is not talked into.
    let answer = client.command("UID FETCH 1:* (FLAGS)").await;
    assert!(answer.texts().all(|line| !line.contains("INPROGRESS")), "{answer:?}");
    drop(client);
    served.end().await;
}

/// Between two deliveries nothing is asked of the database, and every one of them is told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_of_every_delivery() {
    let served = Served::new().await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut client = Client::login(served.address(), "jane@example.org", "Secret123").await;
        assert!(client.command("SELECT INBOX").await.is_ok());
        client.say(b"w IDLE\r\n").await;
        assert!(client.line().await.expect("an answer").starts_with(b"+ "));
        waiting.push(client);
    }
    for number in 1..=5 {
        served.house.append("jane", "INBOX", format!("Subject: {number}\r\n\r\n").into_bytes()).await;
        for client in &mut waiting {
            let line = client.line().await.expect("news");
            assert_eq!(String::from_utf8_lossy(&line), format!("* {number} EXISTS"));
        }
    }
    for client in &mut waiting {
        client.say(b"DONE\r\n").await;
        assert!(client.answer("w").await.expect("an answer").is_ok());
    }
    drop(waiting);
    served.end().await;
}

/// RFC 6785 section 2.1: nobody is sent to a place where nothing listens.
#[tokio::test]
async fn scripts_are_put_where_the_capability_says() {
    let places = async |services: &[&str]| {
        let house = Running::open(services, "[auth]\nplaintext_networks = [\"127.0.0.0/8\"]\n").await;
        house.domain("example.org").await;
        house.account("jane@example.org", None).await;
        let mut client = Client::login(house.port("imap"), "jane@example.org", PASSWORD).await;
        let answer = client.command("CAPABILITY").await;
        let names: Vec<String> =
            answer.texts().flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
        let told = names.into_iter().find(|name| name.starts_with("IMAPSIEVE"));
        let port = services.contains(&"managesieve").then(|| house.port("managesieve").port());
        drop(client);
        house.close().await;
        (told, port)
    };
    assert_eq!(places(&["imap"]).await, (None, None));
    let (told, port) = places(&["imap", "managesieve"]).await;
    assert_eq!(told, Some(format!("IMAPSIEVE=sieve://mail.example.org:{}", port.expect("it listens"))));
}
