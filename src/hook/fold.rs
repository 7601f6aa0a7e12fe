//! Equality of texts under simple case folding, as Go compares event names and JSON field names.
//!
//! One character folds to one character: `ß` is not `ss`.

/// Whether two texts are equal when case is ignored.
pub(super) fn equal_fold(left: &str, right: &str) -> bool {
    left.chars().map(fold).eq(right.chars().map(fold))
}

fn fold(character: char) -> char {
    let upper = single(character.to_uppercase()).unwrap_or(character);
    single(upper.to_lowercase()).unwrap_or(upper)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_case() {
        for (left, right, equal) in [
            ("push", "Push", true),
            ("Push Hook", "push hook", true),
            ("\u{212a}", "k", true),
            ("\u{17f}", "S", true),
            ("ß", "ss", false),
            ("ÄÖ", "äö", true),
            ("push", "pus", false),
            ("push", "pull", false),
            ("", "", true),
            ("", "push", false),
        ] {
            assert_eq!(equal_fold(left, right), equal, "{left:?} {right:?}");
        }
    }
}
