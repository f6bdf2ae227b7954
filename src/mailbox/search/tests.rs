//! Searches against a naive reading of the same messages.

use crate::mailbox::tests::{NOW, World, block_on, name};
use crate::mailbox::{DateIs, DateOf, Day, NewMessage, OpenMailbox, Query, TextPlace};
use crate::message::casemap;
use crate::types::{BodyId, Flags, ModSeq, ThreadId, Timestamp, Uid, UidSet};
use proptest::prelude::*;
use std::sync::Arc;

fn text(place: TextPlace, text: &str) -> Query {
    Query::Text(place, text.to_owned())
}

fn header(field: &str, value: &str) -> Query {
    text(TextPlace::Header(field.to_owned()), value)
}

fn not(query: Query) -> Query {
    Query::Not(Box::new(query))
}

async fn append(world: &World, raw: &str, flags: Flags, date: (Timestamp, i16)) {
    let content = world.mail.prepare(raw.as_bytes().to_vec()).await.expect("prepared");
    let keywords = if flags == Flags::NONE { vec!["$Work".to_owned()] } else { Vec::new() };
    let message = NewMessage { content, flags, keywords, internal_date: Some(date) };
    world.mail.append(world.jane, &name("INBOX"), vec![message]).await.expect("appended");
}

async fn opened(world: &World) -> Arc<OpenMailbox> {
    world.mail.open(world.jane, &name("INBOX")).await.expect("opens").1
}

async fn found(world: &World, open: &OpenMailbox, query: &Query) -> String {
    let all = UidSet::from_ranges([(1, u32::MAX)]);
    let state = world.mail.state(open).await.expect("readable");
    world.mail.search(&state, query, all, &mut |_, _| {}).await.expect("searched").to_string()
}

const DAY: i64 = 86_400;
const START: Timestamp = Timestamp(20_000 * DAY * 1000);

async fn three_messages() -> (World, Arc<OpenMailbox>) {
    let world = World::new().await;
    append(
        &world,
        "From: =?utf-8?Q?J=C3=BCrgen?= <j@x.example>\r\nSubject: Urgent\r\nDate: Fri, 4 Oct 2024 23:30:00 -0200\r\n\
         Message-ID: <one@x>\r\nX-Long: value\r\n\r\nStraße nach Wien\r\n",
        Flags::SEEN,
        (START, 0),
    )
    .await;
    append(
        &world,
        "From: b@y.example\r\nTo: jane@example.test\r\nSubject: two\r\n\r\nurgent, she said",
        Flags::NONE,
        (START.plus_seconds(-1), 60),
    )
    .await;
    append(&world, "Subject: three\r\n\r\nno", Flags::FLAGGED, (START.plus_seconds(-1), 0)).await;
    let open = opened(&world).await;
    (world, open)
}

/// The query finds these of the three messages, and its opposite the others.
async fn check_query(world: &World, open: &OpenMailbox, query: Query, expected: &str) {
    assert_eq!(found(world, open, &query).await, expected, "{query:?}");
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let ranges = expected.split(',').filter(|range| !range.is_empty()).map(|range| {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        (number(first), number(last))
    });
    let others = UidSet::from_ranges([(1, 3)]).difference(&UidSet::from_ranges(ranges));
    assert_eq!(found(world, open, &not(query.clone())).await, others.to_string(), "NOT {query:?}");
}

#[test]
fn every_key_finds_what_it_means() {
    block_on(async {
        let (world, open) = three_messages().await;
        let check = async |query, expected| check_query(&world, &open, query, expected).await;
        let day_of = |is, day| Query::Date(DateOf::Arrival, is, Day(day));
        check(Query::All, "1:3").await;
        check(Query::Uids(UidSet::from_ranges([(2, 9)])), "2:3").await;
        check(Query::Flags(Flags::SEEN), "1").await;
        check(Query::Keyword("$work".into()), "2").await;
        check(Query::Keyword("$none".into()), "").await;
        check(text(TextPlace::Text, "URGENT"), "1:2").await;
        check(text(TextPlace::Body, "urgent"), "2").await;
        check(text(TextPlace::Body, "STRASSE"), "").await;
        check(text(TextPlace::Body, "straße NACH w"), "1").await;
        check(text(TextPlace::Body, "n"), "1:3").await;
        check(text(TextPlace::Body, ""), "1:3").await;
        check(header("subject", "urgent"), "1").await;
        check(header("From", "jürgen"), "1").await;
        check(header("message-id", "one@"), "1").await;
        check(header("x-long", "alu"), "1").await;
        check(header("x-long", ""), "1").await;
        check(header("to", ""), "2").await;
        check(header("bcc", ""), "").await;
        check(day_of(DateIs::On, 20_000), "1:2").await;
        check(day_of(DateIs::Before, 20_000), "3").await;
        check(day_of(DateIs::Since, 20_000), "1:2").await;
        check(Query::Date(DateOf::Sent, DateIs::On, Day(20_000)), "1").await;
        check(Query::Date(DateOf::Sent, DateIs::Before, Day(30_000)), "1").await;
        check(Query::Date(DateOf::Saved, DateIs::On, Day(NOW.seconds() / DAY)), "1:3").await;
        check(Query::SaveDateSupported, "1:3").await;
        check(Query::LargerThan(100), "1").await;
        check(Query::SmallerThan(30), "3").await;
        let age = u32::try_from(NOW.seconds() - START.seconds()).expect("some years");
        check(Query::Older(age), "1:3").await;
        check(Query::Older(age + 1), "2:3").await;
        check(Query::Younger(age), "1").await;
        check(Query::Younger(age + 1), "1:3").await;
        let state = world.mail.state(&open).await.expect("readable");
        let (second, last) = (*state.entry(Uid(2)).expect("there"), state.highest_modseq());
        check(Query::ModSeq(last), "3").await;
        check(Query::ModSeq(ModSeq(last.0 + 1)), "").await;
        check(Query::EmailId(second.body), "2").await;
        check(Query::EmailId(BodyId(0)), "").await;
        check(Query::ThreadId(ThreadId(0)), "1:3").await;
        let urgent = || text(TextPlace::Text, "urgent");
        check(Query::And(vec![urgent(), not(Query::Flags(Flags::SEEN))]), "2").await;
        check(Query::Or(vec![header("subject", "three"), text(TextPlace::Body, "wien")]), "1,3").await;
        check(Query::Or(vec![Query::Date(DateOf::Sent, DateIs::Since, Day(1)), urgent()]), "1:2").await;
        check(Query::And(Vec::new()), "1:3").await;
        check(Query::Or(Vec::new()), "").await;
    });
}

#[test]
fn only_what_the_client_knows_is_searched() {
    block_on(async {
        let world = World::new().await;
        world.deliver_many(5).await;
        let open = opened(&world).await;
        let among = UidSet::from_ranges([(2, 3), (5, 5)]);
        let mut steps = Vec::new();
        let query = text(TextPlace::Body, "man");
        let state = world.mail.state(&open).await.expect("readable");
        let looked = &mut |done, all| steps.push((done, all));
        let found = world.mail.search(&state, &query, among.clone(), looked).await;
        assert_eq!((found, steps), (Ok(among), vec![(3, 3)]));
    });
}

const WORDS: [&str; 8] = ["alpha", "Beta", "Ärger", "gam", "ma", "de lta", "x", "été"];

fn words() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..6).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn texts_are_found_as_a_plain_reading_finds_them(
        mails in proptest::collection::vec((words(), words()), 1..20),
        needles in proptest::collection::vec((0..3_u8, "[a-eäé ]{1,4}|gamma|alpha beta|x x"), 1..4),
        any in any::<bool>(),
    ) {
        block_on(async {
            let world = World::new().await;
            for (subject, body) in &mails {
                append(&world, &format!("Subject: {subject}\r\n\r\n{body}"), Flags::NONE, (NOW, 0)).await;
            }
            let keys: Vec<Query> = needles
                .iter()
                .map(|(place, needle)| match place {
                    0 => header("subject", needle),
                    1 => text(TextPlace::Body, needle),
                    _ => text(TextPlace::Text, needle),
                })
                .collect();
            let matches = |(subject, body): &(String, String), (place, needle): &(u8, String)| {
                // Blanks at the ends of a field are not part of it.
                let (subject, body) = (casemap(subject.trim()).into_owned(), casemap(body).into_owned());
                let needle = casemap(needle);
                // In a field one blank is as good as several.
                let single = needle.split("  ").collect::<Vec<_>>().join(" ").replace("  ", " ");
                let (in_subject, in_body) =
                    (format!("SUBJECT: {subject}").contains(&single), body.contains(&*needle));
                match place {
                    0 => subject.contains(&single),
                    1 => in_body,
                    _ => in_subject || in_body,
                }
            };
            let expected: UidSet = (1..)
                .zip(&mails)
                .filter(|(_, mail)| {
                    let mut all = needles.iter().map(|needle| matches(mail, needle));
                    if any { all.any(|is| is) } else { all.all(|is| is) }
                })
                .map(|(uid, _)| Uid(uid))
                .collect();
            let query = if any { Query::Or(keys) } else { Query::And(keys) };
            let open = opened(&world).await;
            assert_eq!(found(&world, &open, &query).await, expected.to_string(), "{query:?}");
        });
    }
}
