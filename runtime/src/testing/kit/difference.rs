//! What differs between two values.

use std::fmt::{Debug, Write as _};

/// Shows two values by `Debug`. In values of several lines, the lines that differ are marked.
pub(super) fn difference<E: Debug, R: Debug>(expected: &E, received: &R) -> String {
    let (expected, received) = (format!("{expected:#?}"), format!("{received:#?}"));
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), received.lines().collect());
    let mut text = String::from("  - expected\n  + received\n");
    for (mark, line) in marked(&old, &new) {
        let _ = writeln!(text, "  {mark} {line}");
    }
    text
}

/// Returns how many lines differ.
pub(super) fn distance<E: Debug, R: Debug>(expected: &E, received: &R) -> usize {
    let (expected, received) = (format!("{expected:#?}"), format!("{received:#?}"));
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), received.lines().collect());
    let lines = marked(&old, &new);
    lines.iter().filter(|(mark, _)| *mark != ' ').count()
}

/// Marks the lines that are in one of the texts only: the rest is their longest common subsequence.
fn marked<'l>(old: &[&'l str], new: &[&'l str]) -> Vec<(char, &'l str)> {
    /// For longer texts, the table would be too large. They are shown one after the other.
    const MOST: usize = 500;
    if old.len() > MOST || new.len() > MOST {
        let old = old.iter().map(|line| ('-', *line));
        return old.chain(new.iter().map(|line| ('+', *line))).collect();
    }
    // The length of the longest common subsequence of the rests from here on.
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            common[i][j] = if line == other {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::with_capacity(old.len().max(new.len()));
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_marked() {
        let (one, other) = (Some((1, "a", 2)), Some((1, "b", 2)));
        assert_eq!(
            difference(&one, &other),
            "  - expected\n  + received\n    Some(\n        (\n            1,\n  -         \"a\",\n  +         \
             \"b\",\n            2,\n        ),\n    )\n"
        );
        assert_eq!(distance(&one, &other), 2);
        assert_eq!(distance(&one, &one), 0);
        assert_eq!(distance(&vec![1, 2, 3], &vec![1, 3]), 1);
    }
}
