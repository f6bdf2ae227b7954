//! The server driven by async-imap: what another reader of our answers makes of them.

use crate::imap_clients::Served;
use async_imap::extensions::idle::IdleResponse;
use async_imap::imap_proto::{BodyStructure, NameAttribute, Response};
use async_imap::types::{Fetch, Flag};
use async_imap::{Client, Session};
use futures_util::TryStreamExt;
use std::fmt::Debug;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

const MESSAGES: usize = 40;

fn message(number: usize) -> Vec<u8> {
    let line = format!("line of message {number}, caf\u{e9}\r\n");
    let head = format!("Subject: number {number}\r\nMessage-ID: <{number}@x>\r\nFrom: Jane <jane@example.org>\r\n\r\n");
    [head.into_bytes(), line.repeat(number * 10).into_bytes()].concat()
}

async fn login(served: &Served) -> Session<TcpStream> {
    let mut client = Client::new(TcpStream::connect(served.address()).await.unwrap());
    client.read_response().await.unwrap().expect("a greeting");
    client.login("jane@example.org", "Secret123").await.map_err(|(error, _)| error).unwrap()
}

async fn fetched<S>(session: &mut Session<S>, uids: &str, items: &str) -> Vec<Fetch>
where
    S: AsyncRead + AsyncWrite + Unpin + Debug + Send,
{
    session.uid_fetch(uids, items).await.unwrap().try_collect().await.unwrap()
}

fn flags(one: &Fetch) -> Vec<Flag<'_>> {
    one.flags().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_imap_finds_everything_as_it_was() {
    let served = Served::new().await;
    let mut session = login(&served).await;
    let capabilities = session.capabilities().await.unwrap();
    assert!(["IMAP4rev1", "IDLE", "MOVE", "CONDSTORE", "QUOTA"].iter().all(|name| capabilities.has_str(name)));
    session.create("Work/&ZeVnLIqe-").await.unwrap();
    session.subscribe("Work/&ZeVnLIqe-").await.unwrap();
    let names: Vec<_> = session.list(Some(""), Some("*")).await.unwrap().try_collect().await.unwrap();
    assert!(names.iter().any(|name| name.name() == "Work/&ZeVnLIqe-" && name.delimiter() == Some("/")));
    assert!(names.iter().any(|name| name.name() == "Sent" && name.attributes().contains(&NameAttribute::Sent)));

    for number in 0..MESSAGES {
        let flags = if number % 2 == 0 { "(\\Seen)" } else { "($x)" };
        session.append("Archive", Some(flags), Some("\"04-Mar-2026 05:06:07 +0100\""), message(number)).await.unwrap();
    }
    let mailbox = session.select_condstore("Archive").await.unwrap();
    assert_eq!((mailbox.exists as usize, mailbox.uid_next), (MESSAGES, Some(41)));
    assert!(mailbox.highest_modseq.is_some() && mailbox.uid_validity.is_some());
    let items = "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])";
    let all = fetched(&mut session, "1:*", items).await;
    assert_eq!(all.len(), MESSAGES);
    for (number, one) in all.iter().enumerate() {
        let expected = message(number);
        assert_eq!((one.uid, one.size), (Some(number as u32 + 1), Some(expected.len() as u32)));
        assert!(one.body() == Some(&expected[..]), "message {number}");
        assert_eq!(flags(one), [if number % 2 == 0 { Flag::Seen } else { Flag::Custom("$x".into()) }]);
        assert_eq!(one.internal_date().unwrap().to_rfc3339(), "2026-03-04T05:06:07+01:00");
        let envelope = one.envelope().unwrap();
        assert_eq!(envelope.subject.as_deref(), Some(format!("number {number}").as_bytes()));
        assert_eq!(envelope.from.as_ref().unwrap()[0].mailbox.as_deref(), Some(&b"jane"[..]));
        let Some(BodyStructure::Text { other, lines, .. }) = one.bodystructure() else { panic!("{one:?}") };
        assert_eq!((other.octets as usize, *lines as usize), (expected.len() - head_octets(&expected), number * 10));
    }

    let changed: Vec<_> = session.uid_store("1:4", "+FLAGS (\\Flagged)").await.unwrap().try_collect().await.unwrap();
    assert!(changed.len() == 4 && changed.iter().all(|one| flags(one).contains(&Flag::Flagged)));
    session.uid_mv("1:10", "Junk").await.unwrap();
    session.uid_copy("11:12", "Junk").await.unwrap();
    session.uid_store("20", "+FLAGS.SILENT (\\Deleted)").await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    let gone: Vec<u32> = session.expunge().await.unwrap().try_collect().await.unwrap();
    assert_eq!(gone, [10]);
    assert_eq!(session.status("Junk", "(MESSAGES UNSEEN)").await.unwrap().exists, 12);
    assert_eq!(session.uid_search("SUBJECT \"number 3\" UNSEEN").await.unwrap(), [32, 34, 36, 38, 40].into());
    let (roots, quotas) = session.get_quota_root("INBOX").await.unwrap();
    assert_eq!((roots.len(), quotas.len()), (1, 1));
    session.select("Junk").await.unwrap();
    let moved = fetched(&mut session, "1:*", "(FLAGS BODY.PEEK[])").await;
    let originals = (0..12).map(message);
    assert!(moved.iter().map(|one| one.body().unwrap().to_vec()).eq(originals));
    assert!(moved[..4].iter().all(|one| flags(one).contains(&Flag::Flagged)));

    waits_for_news(&served, session).await;
    compresses(&served).await;
    served.end().await;
}

fn head_octets(message: &[u8]) -> usize {
    message.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4
}

async fn waits_for_news(served: &Served, session: Session<TcpStream>) {
    let mut idle = session.idle();
    idle.init().await.unwrap();
    let (news, _stop) = idle.wait();
    served.house.append("jane", "Junk", message(99)).await;
    let IdleResponse::NewData(news) = news.await.unwrap() else { panic!("no news") };
    let parsed = format!("{:?}", news.parsed());
    assert!(matches!(news.parsed(), Response::MailboxData(_)) && parsed.contains("Exists(13)"), "{parsed}");
    let mut session = idle.done().await.unwrap();
    session.logout().await.unwrap();
}

async fn compresses(served: &Served) {
    let mut session = login(served).await.compress(|stream| stream).await.unwrap();
    session.select("Archive").await.unwrap();
    let all = fetched(&mut session, "1:*", "(BODY.PEEK[])").await;
    let originals = (10..MESSAGES).filter(|number| *number != 19).map(message);
    assert!(all.iter().map(|one| one.body().unwrap().to_vec()).eq(originals));
    session.logout().await.unwrap();
}
