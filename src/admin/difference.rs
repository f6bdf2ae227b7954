//! The difference between two texts, line by line, in the unified form that `patch` reads.

use crate::types::limits::DIFFERENCE_LINES_MAX;
use std::fmt::Write as _;

/// Unchanged lines around each change.
const CONTEXT: usize = 3;

/// One line of either text, or of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Same { old: usize, new: usize },
    Removed { old: usize },
    Added { new: usize },
}

/// Empty when the texts are the same. The headings name the two.
pub(super) fn unified(old_name: &str, old: &str, new_name: &str, new: &str) -> String {
    let (old_lines, new_lines) = (split(old), split(new));
    let edits = edits(&old_lines, &new_lines);
    let changed: Vec<usize> =
        edits.iter().enumerate().filter(|(_, edit)| !matches!(edit, Edit::Same { .. })).map(|(at, _)| at).collect();
    let mut text = String::new();
    let Some(&first) = changed.first() else { return text };
    _ = write!(text, "--- {old_name}\n+++ {new_name}\n");
    let mut start = first.saturating_sub(CONTEXT);
    for (index, &at) in changed.iter().enumerate() {
        let next = changed.get(index + 1).copied();
        // Changes whose surroundings would meet are told together.
        if next.is_some_and(|next| next <= at + 2 * CONTEXT + 1) {
            continue;
        }
        let end = (at + CONTEXT + 1).min(edits.len());
        hunk(&edits[start..end], &old_lines, &new_lines, &mut text);
        start = next.map_or(end, |next| next.saturating_sub(CONTEXT));
    }
    text
}

/// Lines with their ends: one that lacks its end is another line than one that has it.
fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn hunk(edits: &[Edit], old: &[&str], new: &[&str], text: &mut String) {
    let (mut old_first, mut new_first) = (None, None);
    let (mut old_count, mut new_count) = (0, 0);
    for edit in edits {
        if let Edit::Same { old, .. } | Edit::Removed { old } = edit {
            old_first.get_or_insert(*old);
            old_count += 1;
        }
        if let Edit::Same { new, .. } | Edit::Added { new } = edit {
            new_first.get_or_insert(*new);
            new_count += 1;
        }
    }
    // Of no lines, the one before is named; a whole side without lines begins at 0.
    let range = |first: Option<usize>, count: usize| match (first, count) {
        (Some(first), 1) => (first + 1).to_string(),
        (Some(first), count) => format!("{},{count}", first + 1),
        (None, _) => "0,0".to_owned(),
    };
    _ = writeln!(text, "@@ -{} +{} @@", range(old_first, old_count), range(new_first, new_count));
    for edit in edits {
        let (sign, line) = match edit {
            Edit::Same { old: at, .. } => (' ', old[*at]),
            Edit::Removed { old: at } => ('-', old[*at]),
            Edit::Added { new: at } => ('+', new[*at]),
        };
        text.push(sign);
        text.push_str(line);
        if !line.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    }
}

fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let before = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let rest = (&old[before..], &new[before..]);
    let after = rest.0.iter().rev().zip(rest.1.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old_middle, new_middle) = (&rest.0[..rest.0.len() - after], &rest.1[..rest.1.len() - after]);
    let mut edits: Vec<Edit> = (0..before).map(|at| Edit::Same { old: at, new: at }).collect();
    edits.extend(middle(old_middle, new_middle).into_iter().map(|edit| match edit {
        Edit::Same { old, new } => Edit::Same { old: old + before, new: new + before },
        Edit::Removed { old } => Edit::Removed { old: old + before },
        Edit::Added { new } => Edit::Added { new: new + before },
    }));
    edits.extend((0..after).map(|at| Edit::Same { old: old.len() - after + at, new: new.len() - after + at }));
    edits
}

/// Myers' shortest way from one text to the other, up to a number of changed lines; beyond it, all of the one for all of
/// the other.
fn middle(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let most = (old.len() + new.len()).min(DIFFERENCE_LINES_MAX);
    let offset = most + 1;
    let mut furthest = vec![0_usize; 2 * offset + 1];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    for changes in 0..=most {
        trace.push(furthest[offset - changes..=offset + changes].to_vec());
        for step in 0..=changes {
            // The diagonal is `old − new`, from −changes to changes.
            let diagonal = offset + 2 * step - changes;
            let down = step == 0 || (step != changes && furthest[diagonal - 1] < furthest[diagonal + 1]);
            let mut x = if down { furthest[diagonal + 1] } else { furthest[diagonal - 1] + 1 };
            let mut y = x + offset - diagonal;
            while x < old.len() && y < new.len() && old[x] == new[y] {
                x += 1;
                y += 1;
            }
            furthest[diagonal] = x;
            if x >= old.len() && y >= new.len() {
                return way_back(&trace, old.len(), new.len());
            }
        }
    }
    let removed = (0..old.len()).map(|old| Edit::Removed { old });
    removed.chain((0..new.len()).map(|new| Edit::Added { new })).collect()
}

/// The way that `middle` has found, from its end.
fn way_back(trace: &[Vec<usize>], old: usize, new: usize) -> Vec<Edit> {
    let (mut x, mut y) = (old, new);
    let mut edits = Vec::new();
    for (changes, furthest) in trace.iter().enumerate().rev() {
        // In this row, the diagonal d stands at place d + changes.
        let place = x + changes - y;
        let at = |place: usize| furthest.get(place).copied().unwrap_or(0);
        let down = place == 0 || (place != 2 * changes && at(place - 1) < at(place + 1));
        let (from_x, from_y) = if changes == 0 {
            (0, 0)
        } else if down {
            (at(place + 1), at(place + 1) + changes - place - 1)
        } else {
            (at(place - 1), at(place - 1) + changes + 1 - place)
        };
        let (start_x, start_y) = match (changes, down) {
            (0, _) => (0, 0),
            (_, true) => (from_x, from_y + 1),
            (_, false) => (from_x + 1, from_y),
        };
        while x > start_x && y > start_y {
            (x, y) = (x - 1, y - 1);
            edits.push(Edit::Same { old: x, new: y });
        }
        if changes > 0 {
            edits.push(if down { Edit::Added { new: from_y } } else { Edit::Removed { old: from_x } });
        }
        (x, y) = (from_x, from_y);
    }
    edits.reverse();
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn differences_are_told_as_patch_reads_them() {
        let check = |old: &str, new: &str, expected: &str| assert_eq!(unified("a", old, "b", new), expected);
        check("x\n", "x\n", "");
        check("", "x\ny\n", "--- a\n+++ b\n@@ -0,0 +1,2 @@\n+x\n+y\n");
        check("x\n", "", "--- a\n+++ b\n@@ -1 +0,0 @@\n-x\n");
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n",
            "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
            "--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
        );
        check("x", "x\n", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n");
        // Two changes, told together or apart.
        let lines = |count: usize| (1..=count).map(|number| format!("{number}\n")).collect::<String>();
        let near = unified("a", &lines(20), "b", &lines(20).replace("5\n6\n", "5\n").replace("12\n", "zwölf\n"));
        assert_eq!(near.matches("@@ -").count(), 1, "{near}");
        let far = unified("a", &lines(20), "b", &lines(20).replace("5\n6\n", "5\n").replace("14\n", "x\n"));
        assert_eq!(far.matches("@@ -").count(), 2, "{far}");
        assert!(far.contains("@@ -3,7 +3,6 @@\n") && far.contains("@@ -11,7 +10,7 @@\n"), "{far}");
    }

    #[test]
    fn what_has_nothing_in_common_is_told_whole() {
        let side = |word: &str| (0..5_000).map(|number| format!("{word}{number}\n")).collect::<String>();
        let text = unified("a", &side("x"), "b", &side("y"));
        assert_eq!(text.lines().count(), 3 + 10_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn each_side_can_be_read_off(old in "[abc\n]{0,40}", new in "[abc\n]{0,40}") {
            let (old_lines, new_lines) = (split(&old), split(&new));
            let edits = edits(&old_lines, &new_lines);
            let mut sides = (String::new(), String::new());
            for edit in &edits {
                match edit {
                    Edit::Same { old, new } => {
                        prop_assert_eq!(old_lines[*old], new_lines[*new]);
                        sides.0.push_str(old_lines[*old]);
                        sides.1.push_str(new_lines[*new]);
                    }
                    Edit::Removed { old } => sides.0.push_str(old_lines[*old]),
                    Edit::Added { new } => sides.1.push_str(new_lines[*new]),
                }
            }
            prop_assert_eq!(sides, (old, new));
        }
    }
}
