//! How far two words are apart: to ask whether the other one was meant.

/// A name longer than this is near to nothing; without a bound a hostile file would cost quadratic time.
const COMPARED_CHARACTERS_MAX: usize = 80;

/// Levenshtein's distance.
pub fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, left) in left.chars().take(COMPARED_CHARACTERS_MAX).enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let check =
            |left: &str, right: &str, expected: usize| assert_eq!(edits(left, right), expected, "{left} {right}");
        check("", "", 0);
        check("smtp", "smtp", 0);
        check("smpt", "smtp", 2);
        check("imap", "imaps", 1);
        check("", "data", 4);
        check("hostnme", "hostname", 1);
    }
}
