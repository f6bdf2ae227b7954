use super::*;
use crate::imap::replies::Replies;
use proptest::prelude::*;

/// A message as a line: identifier, references, subject (`Re: ` counts), time.
fn facts<'a>(lines: &[(&'a str, &[&'a str], &'a str, i64)]) -> Vec<ThreadFacts<'a>> {
    lines
        .iter()
        .map(|(id, references, subject, sent_seconds)| {
            let base = subject.strip_prefix("Re: ");
            ThreadFacts {
                message_id: (!id.is_empty()).then_some(*id),
                references: references.to_vec(),
                base_subject: base.unwrap_or(subject),
                is_reply_or_forward: base.is_some(),
                sent_seconds: *sent_seconds,
            }
        })
        .collect()
}

fn shown(algorithm: ThreadAlgorithm, facts: &[ThreadFacts<'_>]) -> String {
    let mut replies = Replies::default();
    replies.thread(&thread(algorithm, facts), |message| message + 1);
    let text = String::from_utf8(replies.out).expect("ASCII");
    text.trim_end().trim_start_matches("* THREAD").trim_start().to_owned()
}

#[test]
fn by_references() {
    let check = |lines: &[(&str, &[&str], &str, i64)], expected: &str| {
        assert_eq!(shown(ThreadAlgorithm::References, &facts(lines)), expected, "{lines:?}");
    };
    check(&[], "");
    check(&[("a", &[], "x", 1)], "(1)");
    check(&[("a", &[], "x", 1), ("b", &["a"], "Re: x", 2), ("c", &["a", "b"], "Re: x", 3)], "(1 2 3)");
    check(&[("a", &[], "x", 1), ("b", &["a"], "y", 3), ("c", &["a"], "z", 2)], "(1 (3)(2))");
    // A reply whose start is missing; two of them share a gap.
    check(&[("b", &["a"], "x", 1)], "(1)");
    check(&[("b", &["a"], "x", 1), ("c", &["a"], "y", 2)], "((1)(2))");
    check(&[("d", &["a", "b"], "x", 1), ("e", &["a", "c"], "y", 2)], "((1)(2))");
    // The gap in the middle goes, the message above stays.
    check(&[("a", &[], "x", 1), ("c", &["a", "b"], "y", 2)], "(1 2)");
    check(&[("a", &[], "x", 1), ("c", &["a", "b"], "y", 2), ("d", &["a", "b"], "z", 3)], "(1 (2)(3))");
    // The order of arrival does not matter.
    check(&[("c", &["a", "b"], "x", 3), ("b", &["a"], "y", 2), ("a", &[], "z", 1)], "(3 2 1)");
    // What a message says of itself counts more than what was said of it before.
    check(&[("c", &["b", "a"], "y", 3), ("a", &[], "x", 1), ("b", &[], "z", 2)], "(2 1)(3)");
    check(&[("a", &[], "x", 1), ("c", &["b", "a"], "y", 3), ("b", &[], "z", 2)], "(3 1 2)");
    // Loops are not closed.
    check(&[("a", &["b"], "x", 1), ("b", &["a"], "y", 2)], "(2 1)");
    check(&[("a", &["a"], "x", 1)], "(1)");
    check(&[("a", &["b", "c"], "x", 1), ("b", &["c", "a"], "y", 2), ("c", &["a", "b"], "z", 3)], "(2 3 1)");
    check(&[("a", &[], "x", 1), ("b", &["a", "c"], "y", 2), ("c", &["b"], "z", 3)], "(1)(3 2)");
    check(&[("a", &[], "x", 1), ("b", &["a", "b"], "y", 2)], "(1 2)");
    // The same identifier twice, and none at all.
    check(&[("a", &[], "x", 1), ("a", &[], "y", 2), ("", &["a"], "z", 3)], "(1 3)(2)");
}

#[test]
fn by_references_and_subject() {
    let check = |lines: &[(&str, &[&str], &str, i64)], expected: &str| {
        assert_eq!(shown(ThreadAlgorithm::References, &facts(lines)), expected, "{lines:?}");
    };
    // A reply without references goes below what it replies to.
    check(&[("a", &[], "x", 1), ("b", &[], "Re: x", 2)], "(1 2)");
    check(&[("b", &[], "Re: x", 1), ("a", &[], "x", 2)], "(2 1)");
    // Two that are no reply are siblings, and so are two replies.
    check(&[("a", &[], "x", 1), ("b", &[], "x", 2)], "((1)(2))");
    check(&[("a", &[], "Re: x", 1), ("b", &[], "Re: x", 2), ("c", &[], "Re: x", 3)], "((1)(2)(3))");
    check(&[("a", &[], "x", 1), ("b", &[], "x", 2), ("c", &[], "Re: x", 3)], "((1)(2)(3))");
    // No subject is no common subject.
    check(&[("a", &[], "", 1), ("b", &[], "", 2)], "(1)(2)");
    // Two gaps become one; a message joins a gap.
    check(
        &[("b", &["a"], "x", 1), ("c", &["a"], "x", 2), ("e", &["d"], "x", 3), ("f", &["d"], "x", 4)],
        "((1)(2)(3)(4))",
    );
    check(&[("b", &["a"], "x", 1), ("c", &["a"], "x", 2), ("e", &[], "Re: x", 3)], "((1)(2)(3))");
    check(&[("e", &[], "x", 0), ("b", &["a"], "x", 1), ("c", &["a"], "x", 2)], "((1)(2)(3))");
    // The whole thread moves, not only its first message.
    check(&[("a", &[], "x", 1), ("b", &[], "Re: x", 2), ("c", &["b"], "y", 3), ("d", &["b"], "z", 4)], "(1 2 (3)(4))");
}

#[test]
fn by_subject() {
    let check = |lines: &[(&str, &[&str], &str, i64)], expected: &str| {
        assert_eq!(shown(ThreadAlgorithm::OrderedSubject, &facts(lines)), expected, "{lines:?}");
    };
    check(&[("", &[], "x", 1), ("", &[], "y", 2), ("", &[], "Re: x", 3)], "(1 3)(2)");
    check(&[("", &[], "x", 9), ("", &[], "y", 2), ("", &[], "x", 3), ("", &[], "x", 5)], "(2)(3 (4)(1))");
    check(&[("", &[], "", 1), ("", &[], "", 2)], "(1 2)");
}

/// A thread as deep as it has messages, from either end and from the middle.
#[test]
fn depth_costs_no_stack() {
    let ids: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let chain = |order: &[usize]| {
        let facts: Vec<ThreadFacts<'_>> = order
            .iter()
            .map(|&at| ThreadFacts {
                message_id: Some(&ids[at]),
                references: at.checked_sub(1).map(|before| &*ids[before]).into_iter().collect(),
                base_subject: "x",
                is_reply_or_forward: at > 0,
                sent_seconds: at as i64,
            })
            .collect();
        shown(ThreadAlgorithm::References, &facts)
    };
    let forward: Vec<usize> = (0..ids.len()).collect();
    let backward: Vec<usize> = (0..ids.len()).rev().collect();
    assert!(chain(&forward).starts_with("(1 2 3 "));
    assert!(chain(&backward).starts_with("(20000 19999 "));
    // Ruling out a loop would take too many steps here: two threads, which their subject joins.
    let mixed: Vec<usize> = (0..10_000).chain((10_000..20_000).rev()).collect();
    let shown = chain(&mixed);
    assert!(shown.starts_with("(1 (2 3 "), "{}", &shown[..20]);
    assert_eq!(shown.split(['(', ')', ' ']).filter(|number| !number.is_empty()).count(), ids.len());
}

fn mailbox() -> impl Strategy<Value = Vec<(u8, Vec<u8>, u8, bool, i64)>> {
    proptest::collection::vec(
        (0_u8..12, proptest::collection::vec(0_u8..12, 0..4), 0_u8..4, any::<bool>(), 0_i64..8),
        0..14,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Every message is shown once, no gap is idle, and siblings are in order.
    #[test]
    fn forests_are_whole(mailbox in mailbox(), references: bool) {
        let names: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        let facts: Vec<ThreadFacts<'_>> = mailbox
            .iter()
            .map(|(id, references, subject, is_reply, sent)| ThreadFacts {
                message_id: (*id > 1).then(|| &*names[*id as usize]),
                references: references.iter().map(|id| &*names[*id as usize]).collect(),
                base_subject: ["", "x", "y", "z"][*subject as usize],
                is_reply_or_forward: *is_reply,
                sent_seconds: *sent,
            })
            .collect();
        let algorithm = if references { ThreadAlgorithm::References } else { ThreadAlgorithm::OrderedSubject };
        let forest = thread(algorithm, &facts);
        let key = |node: &NodeId| {
            let first = forest.message(*node).or_else(|| forest.message(forest.children(*node)[0]));
            first.map(|message| (facts[message as usize].sent_seconds, message))
        };
        let mut shown = Vec::new();
        let mut left: Vec<NodeId> = forest.roots().to_vec();
        prop_assert!(forest.roots().is_sorted_by_key(key));
        while let Some(node) = left.pop() {
            let children = forest.children(node);
            prop_assert!(children.is_sorted_by_key(key));
            match forest.message(node) {
                Some(message) => shown.push(message),
                None => prop_assert!(children.len() > 1 && forest.roots().contains(&node)),
            }
            prop_assert!(children.iter().all(|child| forest.message(*child).is_some()));
            left.extend(children);
        }
        shown.sort_unstable();
        prop_assert_eq!(shown, (0..facts.len() as u32).collect::<Vec<_>>());
    }
}
