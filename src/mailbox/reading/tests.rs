//! What is fetched is what was stored, in order, in pieces of bounded size.

use crate::mailbox::tests::{World, block_on, name};
use crate::mailbox::{Entry, Fetched, Needs, NewMessage, Part, PartOf, Prepared, Want, Window};
use crate::types::limits::{BODY_CHUNK_OCTETS, FETCH_BUFFER_OCTETS};
use crate::types::{Flags, Uid};

/// Neither repeated nor random: some of it compresses.
fn text(octets: usize, seed: u32) -> String {
    let mut text = format!("Subject: number {seed}\r\nX-Other: {seed}\r\n\r\n");
    let mut number = seed;
    while text.len() < octets {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("{number:x} words of message {seed}\r\n"));
    }
    text.truncate(octets);
    text
}

async fn filled(world: &World, sizes: &[usize]) -> (Vec<Entry>, Vec<String>) {
    let mut texts = Vec::new();
    let mut messages = Vec::new();
    for (seed, size) in (1..).zip(sizes) {
        let raw = text(*size, seed);
        let content: Prepared = world.mail.prepare(raw.clone().into_bytes()).await.expect("prepared");
        messages.push(NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), internal_date: None });
        texts.push(raw);
    }
    world.mail.append(world.jane, &name("INBOX"), messages).await.expect("appended");
    let (_, open) = world.mail.open(world.jane, &name("INBOX")).await.expect("opens");
    let entries = world.mail.state(&open).await.expect("readable").entries().copied().collect();
    (entries, texts)
}

#[test]
fn bodies_come_whole_and_in_order() {
    block_on(async {
        let world = World::new().await;
        let large = 3 * BODY_CHUNK_OCTETS + 17;
        let sizes: Vec<usize> = (0..400)
            .map(|number| match number % 97 {
                0 => large,
                5 => BODY_CHUNK_OCTETS,
                6 => BODY_CHUNK_OCTETS + 1,
                _ => 40 + number * 37,
            })
            .collect();
        let (mut entries, texts) = filled(&world, &sizes).await;
        // Not only in the order in which they came.
        entries[100..200].reverse();
        let mut fetch = world.mail.fetch(entries.clone(), Needs::Contents, |out, view| {
            let Part::There(octets) = view.part(&Want::whole()) else { return };
            out.extend_from_slice(format!("{} {}\n", view.entry.uid, octets.len()).as_bytes());
            out.extend_from_slice(&octets);
        });
        let mut all = Vec::new();
        while let Some(fetched) = fetch.next().await.expect("readable") {
            match fetched {
                Fetched::Replies(replies) => {
                    assert!(replies.len() < FETCH_BUFFER_OCTETS + BODY_CHUNK_OCTETS + 100);
                    all.extend(replies);
                }
                Fetched::Large { place, entry } => {
                    assert_eq!(entry, entries[place]);
                    let message = world.mail.message(&entry).await.expect("there");
                    let Part::There(mut part) = message.part(&Want::whole()).await.expect("readable") else {
                        panic!("a message has a whole")
                    };
                    all.extend(format!("{} {}\n", entry.uid, part.octets()).bytes());
                    while let Some(chunk) = part.next().await.expect("readable") {
                        assert!(chunk.len() <= BODY_CHUNK_OCTETS);
                        all.extend(chunk);
                    }
                }
            }
        }
        let mut expected = Vec::new();
        for entry in &entries {
            let text = &texts[entry.uid.0 as usize - 1];
            expected.extend(format!("{} {}\n{text}", entry.uid, text.len()).bytes());
        }
        assert!(all == expected);
    });
}

#[test]
fn records_come_in_any_order_and_what_is_gone_is_left_out() {
    block_on(async {
        let world = World::new().await;
        let (mut entries, _) = filled(&world, &vec![200; 300]).await;
        entries.reverse();
        entries[7].body = crate::types::BodyId(99_999);
        entries.push(entries[0]);
        // A long reply each, so that buffers fill up in the middle of jobs.
        let mut fetch = world.mail.fetch(entries.clone(), Needs::Records, |out, view| {
            assert!(view.envelope().starts_with(b"(NIL \"number "));
            assert!(view.body().starts_with(b"(\"TEXT\" \"PLAIN\"") || view.body().starts_with(b"(\"text\" \"plain\""));
            out.extend_from_slice(format!("{} ", view.entry.uid).as_bytes());
            out.resize(out.len() + 5000, b'.');
            out.push(b'\n');
        });
        let mut uids = Vec::new();
        while let Some(Fetched::Replies(replies)) = fetch.next().await.expect("readable") {
            let lines = replies.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
            for line in lines {
                let number = String::from_utf8_lossy(line);
                uids.push(Uid(number.split(' ').next().expect("a number").parse().expect("a number")));
            }
        }
        let expected: Vec<Uid> = entries.iter().filter(|entry| entry.body.0 != 99_999).map(|entry| entry.uid).collect();
        assert_eq!(uids, expected);
    });
}

#[test]
fn parts_of_large_messages_are_those_of_small_ones() {
    block_on(async {
        let world = World::new().await;
        let filler = text(BODY_CHUNK_OCTETS * 2, 3);
        let encoded = "aGVsbG8g\r\n".repeat(30_000);
        let raw = format!(
            "Subject: s\r\nX-Long: {}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\n\r\n{filler}\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n\
             --b\r\nContent-Transfer-Encoding: odd\r\n\r\nx\r\n\
             --b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n--b--\r\n",
            "y".repeat(300_000),
            "=C3=BC=\r\n \t \r\n".repeat(40_000),
        );
        let content = world.mail.prepare(raw.clone().into_bytes()).await.expect("prepared");
        let message = NewMessage { content, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
        world.mail.append(world.jane, &name("INBOX"), vec![message]).await.expect("appended");
        let (_, open) = world.mail.open(world.jane, &name("INBOX")).await.expect("opens");
        let entry = *world.mail.state(&open).await.expect("readable").entry(Uid(1)).expect("there");
        let message = world.mail.message(&entry).await.expect("there");
        let parsed = crate::message::Parsed::parse(raw.as_bytes());
        let fields = |name: &str| PartOf::Fields(vec![name.to_owned()]);
        let wants = [
            (vec![], PartOf::Header),
            (vec![], PartOf::Text),
            (vec![], fields("subject")),
            (vec![], fields("x-long")),
            (vec![], PartOf::FieldsNot(vec!["subject".to_owned()])),
            (vec![1], PartOf::Whole),
            (vec![2], PartOf::Mime),
            (vec![2], PartOf::Decoded),
            (vec![3], PartOf::Decoded),
            (vec![4], PartOf::Decoded),
            (vec![5], PartOf::Whole),
        ];
        let windows =
            [None, Some((0, 10)), Some((3, 300_000)), Some((262_143, 2)), Some((262_144, 1)), Some((9 << 40, 5))];
        for (path, of) in wants {
            for window in windows {
                let window = window.map(|(origin, length)| Window { origin, length });
                let want = Want { path: path.clone(), of: of.clone(), window };
                let expected = want.take(raw.as_bytes(), parsed.structure());
                let found = match message.part(&want).await.expect("readable") {
                    Part::There(mut stream) => {
                        let mut octets = Vec::new();
                        while let Some(chunk) = stream.next().await.expect("readable") {
                            octets.extend(chunk);
                        }
                        assert_eq!(stream.octets(), octets.len() as u64, "{want:?}");
                        Part::There(octets.into())
                    }
                    Part::Missing => Part::Missing,
                    Part::UnknownEncoding => Part::UnknownEncoding,
                };
                assert!(found == expected, "{want:?}");
            }
        }
        world.assert_sound();
    });
}
