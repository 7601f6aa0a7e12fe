//! From the text of an expression to its words.
//!
//! What the words mean together is `parse`'s; what is between quotes is `literal`'s.

use super::{
    literal::{self, Literal},
    problem::SyntaxError,
};

/// One word of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Identifier(String),
    Literal(Literal),
    /// An operator or a bracket.
    Symbol(&'static str),
    End,
}

/// A word, and where it begins in the text, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) token: Token,
    pub(super) at: usize,
}

/// Operators and brackets, longer ones before their beginnings.
const SYMBOLS: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", ".?", "[?", "(", ")", "[", "]", "{", "}", ".", ",", "?",
    ":", "<", ">", "+", "-", "*", "/", "%", "!",
];

/// Splits an expression into words; the last one is [`Token::End`].
pub(super) fn words(text: &str) -> Result<Vec<Word>, SyntaxError> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = without_blanks(rest);
        let at = text.len() - rest.len();
        let (token, after) = next(rest).map_err(|problem| problem.at(text, at))?;
        let is_end = token == Token::End;
        words.push(Word { token, at });
        if is_end {
            return Ok(words);
        }
        rest = after;
    }
}

/// How often `!` or `-` stands twice in a row; in a text that cannot be read, wherever it stands.
#[must_use]
pub fn doubled_signs(text: &str) -> usize {
    let signs: Vec<Option<char>> = if let Ok(words) = words(text) {
        words.iter().map(|word| sign(&word.token)).collect()
    } else {
        let signs = text.chars().filter(|it| !it.is_whitespace());
        let sign = |it: char| ['!', '-'].contains(&it).then_some(it);
        signs.map(sign).collect()
    };
    let pairs = signs.iter().zip(signs.iter().skip(1));
    pairs
        .filter(|(one, next)| one.is_some() && one == next)
        .count()
}

fn sign(token: &Token) -> Option<char> {
    match token {
        Token::Symbol("!") => Some('!'),
        Token::Symbol("-") => Some('-'),
        _ => None,
    }
}

fn next(rest: &str) -> Result<(Token, &str), Unreadable> {
    let Some(first) = rest.chars().next() else {
        return Ok((Token::End, rest));
    };
    if let Some((literal, after)) = literal::quoted(rest)? {
        return Ok((Token::Literal(literal), after));
    }
    if let Some((literal, after)) = literal::number(rest)? {
        return Ok((Token::Literal(literal), after));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let (name, after) = split_where(rest, |character| !is_part(character));
        return Ok((named(name), after));
    }
    let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    let Some(symbol) = symbol else {
        let detail = format!("Syntax error: token recognition error at: '{first}'");
        return Err(Unreadable(detail));
    };
    let after = rest.strip_prefix(symbol).unwrap_or_default();
    Ok((Token::Symbol(symbol), after))
}

fn named(name: &str) -> Token {
    match name {
        "true" => Token::Literal(Literal::Bool(true)),
        "false" => Token::Literal(Literal::Bool(false)),
        "null" => Token::Literal(Literal::Null),
        "in" => Token::Symbol("in"),
        _ => Token::Identifier(name.to_owned()),
    }
}

/// Leaves out white space and comments.
fn without_blanks(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start_matches(['\t', ' ', '\r', '\n', '\u{c}']);
        match rest.strip_prefix("//") {
            Some(comment) => rest = split_where(comment, |character| character == '\n').1,
            None => return rest,
        }
    }
}

/// Splits a text before the first character that ends its first part.
pub(super) fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// What cannot be read as a word, before it is known where it is.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) String);

impl Unreadable {
    fn at(self, text: &str, at: usize) -> SyntaxError {
        SyntaxError::new(text, at, self.0)
    }
}
