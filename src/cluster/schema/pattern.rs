//! Regular expressions as Go reads them, which is how the API server does.
//!
//! Where the `regex` crate reads the same text otherwise, it is rewritten; errors show the text as written.

use regex::Regex;

/// A regular expression in Go's dialect; it matches anywhere unless it is anchored.
#[derive(Debug)]
pub(super) struct Pattern {
    written: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles an expression.
    pub(super) fn compile(written: &str) -> Result<Self, regex::Error> {
        Ok(Self {
            written: written.to_owned(),
            regex: Regex::new(&translate(written))?,
        })
    }

    /// Whether it matches some part of a text.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The expression as written.
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }
}

/// Makes Perl classes ASCII, and takes from brackets what only the `regex` crate gives a meaning.
fn translate(written: &str) -> String {
    let mut text = String::with_capacity(written.len());
    let mut letters = written.chars().peekable();
    let mut is_class = false;
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied();
        match (letter, next) {
            ('\\', Some(escaped)) => {
                letters.next();
                push_escape(&mut text, escaped, is_class);
            }
            ('[', Some(':')) if is_class => {
                text.push('[');
                // A named class, such as `[:alpha:]`, up to and with its bracket.
                for letter in letters.by_ref() {
                    text.push(letter);
                    if letter == ']' {
                        break;
                    }
                }
            }
            ('[', _) if is_class => text.push_str("\\["),
            ('[', _) => {
                is_class = true;
                text.push('[');
                // A bracket that comes first, after an optional caret, stands for itself.
                text.extend(letters.next_if_eq(&'^'));
                if letters.next_if_eq(&']').is_some() {
                    text.push_str("\\]");
                }
            }
            (']', _) if is_class => {
                is_class = false;
                text.push(']');
            }
            ('&' | '~', _) if is_class => text.extend(['\\', letter]),
            (letter, _) => text.push(letter),
        }
    }
    text
}

fn push_escape(text: &mut String, escaped: char, is_class: bool) {
    match (escaped, is_class) {
        ('d', _) => text.push_str("[0-9]"),
        ('D', _) => text.push_str("[^0-9]"),
        ('s', _) => text.push_str("[\\t\\n\\f\\r ]"),
        ('S', _) => text.push_str("[^\\t\\n\\f\\r ]"),
        ('w', _) => text.push_str("[0-9A-Za-z_]"),
        ('W', _) => text.push_str("[^0-9A-Za-z_]"),
        ('b', false) => text.push_str("(?-u:\\b)"),
        ('<' | '>', _) => text.push(escaped),
        (escaped, _) => text.extend(['\\', escaped]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, is_match: bool) {
        let compiled = Pattern::compile(pattern).expect("compiles");
        assert_eq!(compiled.matches(text), is_match, "{pattern} {text}");
        assert_eq!(compiled.as_str(), pattern);
    }

    #[test]
    fn perl_classes_are_ascii() {
        check(r"^\d+$", "12", true);
        check(r"^\d+$", "१२", false);
        check(r"^[\w-]+$", "a-b_1", true);
        check(r"^\w+$", "é", false);
        check(r"^[^\s]+$", "a b", false);
        check(r"^\S\D\W$", "aa-", true);
        check(r"\bb\b", "a b c", true);
    }

    #[test]
    fn brackets_mean_what_they_do_in_go() {
        check(r"^[[a]+$", "[a", true);
        check(r"^[]a]+$", "]a", true);
        check(r"^[^]a]+$", "bc", true);
        check(r"^[a&&b]+$", "&ab", true);
        check(r"^[[:alpha:]_]+$", "a_b", true);
        check(r"^[a\]b]+$", "a]b", true);
        check(r"^[\[\]]$", "[", true);
    }

    #[test]
    fn other_parts_are_left_alone() {
        check(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", "1h30.5s", true);
        check(r"^\\d$", r"\d", true);
        check(r"\<a\>", "<a>", true);
        check("^.$", "é", true);
        check("b", "abc", true);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for pattern in ["(", "[", "a{2,1}", r"\", "(?=a)"] {
            assert!(Pattern::compile(pattern).is_err(), "{pattern}");
        }
    }
}
