//! One file of Rust as the rules see it: its lines, its tokens, and the paths that it names.
//!
//! It does not resolve names; a path is what is written.

use std::fmt;

use ra_ap_rustc_lexer::{FrontmatterAllowed, TokenKind, tokenize};

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    file: String,
    line: usize,
    rule: String,
    reason: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line) = (&self.file, self.line);
        write!(f, "{file}:{line}: {}; {}", self.rule, self.reason)
    }
}

/// A path as it is written, such as `crate::hook::Selector`, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl NamedPath {
    /// Whether the path begins with these segments, written with `::`.
    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        let mut segments = self.segments.iter();
        prefix
            .split("::")
            .all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
    }
}

/// A word, a literal or a sign, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    is_word: bool,
}

/// One file of Rust.
pub(crate) struct Source {
    /// Its path below the root of the package, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// All of its tokens; comments are gone, and `::` is one.
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    /// Reads a file.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens: tokens_of(text),
        }
    }

    /// The modules that the file is in, such as `hook`, `sender`, `github`; empty for a crate root
    /// and for what is not in `src/`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let Some(path) = self.path.strip_prefix("src/") else {
            return Vec::new();
        };
        let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
        match path {
            "lib" | "main" => Vec::new(),
            _ => path.split('/').collect(),
        }
    }

    /// Whether the file holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.module().contains(&"tests")
    }

    /// The tokens without the modules that are compiled for tests only.
    pub(crate) fn production_tokens(&self) -> Vec<Token> {
        let mut kept = Vec::new();
        let mut rest = self.tokens.as_slice();
        if self.is_test() {
            return kept;
        }
        while let Some((token, after)) = rest.split_first() {
            rest = if is_test_switch(rest) {
                after_item(after)
            } else {
                kept.push(token.clone());
                after
            };
        }
        kept
    }

    /// The paths that production code names, with the groups of `use` taken apart:
    /// `a::b::{c, d::e}` is `a::b::c` and `a::b::d::e`.
    pub(crate) fn production_paths(&self) -> Vec<NamedPath> {
        let mut paths = Paths::default();
        let tokens = self.production_tokens();
        for (index, token) in tokens.iter().enumerate() {
            let is_alias = index > 0 && tokens[index - 1].text == "as";
            if !(is_alias && paths.is_in_use_group()) {
                paths.read(token);
            }
        }
        paths.finish();
        paths.found
    }

    /// A violation at one line of this file.
    pub(crate) fn violation(&self, line: usize, rule: String, reason: &'static str) -> Violation {
        Violation {
            file: self.path.clone(),
            line,
            rule,
            reason,
        }
    }
}

/// Each token with what follows it.
pub(crate) fn with_rest(tokens: &[Token]) -> impl Iterator<Item = (&Token, &[Token])> {
    let rest_at = |index: usize| &tokens[index + 1..];
    let enumerated = tokens.iter().enumerate();
    enumerated.map(move |(index, token)| (token, rest_at(index)))
}

/// The tokens within the brackets that `rest` opens with, and those after them.
pub(crate) fn bracketed(rest: &[Token]) -> Option<(&[Token], &[Token])> {
    let mut depth = 0;
    for (index, token) in rest.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (index > 0).then(|| (&rest[1..index], &rest[index + 1..]));
        }
    }
    None
}

fn tokens_of(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut start, mut line) = (0, 1);
    let mut is_after_colon = false;
    for token in tokenize(text, FrontmatterAllowed::No) {
        let written = &text[start..start + token.len as usize];
        let is_colon = token.kind == TokenKind::Colon;
        match token.kind {
            TokenKind::LineComment { .. }
            | TokenKind::BlockComment { .. }
            | TokenKind::Whitespace => {}
            TokenKind::Colon if is_after_colon => {
                tokens.last_mut().unwrap().text.push(':');
            }
            kind => tokens.push(Token {
                text: written.to_owned(),
                line,
                is_word: kind == TokenKind::Ident,
            }),
        }
        is_after_colon = is_colon && !is_after_colon;
        start += written.len();
        line += written.matches('\n').count();
    }
    tokens
}

fn is_test_switch(rest: &[Token]) -> bool {
    let switch = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut texts = rest.iter().map(|token| token.text.as_str());
    switch.iter().all(|wanted| texts.next() == Some(wanted))
}

/// What follows an item: the first `;` or the first braces.
fn after_item(mut rest: &[Token]) -> &[Token] {
    while let Some((token, after)) = rest.split_first() {
        rest = match token.text.as_str() {
            ";" => return after,
            "{" => return bracketed(rest).map_or(&[], |(_, after)| after),
            "(" | "[" => bracketed(rest).map_or(&[], |(_, after)| after),
            _ => after,
        };
    }
    rest
}

/// Gathers paths from tokens, one after the other.
#[derive(Default)]
struct Paths {
    found: Vec<NamedPath>,
    current: Vec<String>,
    line: usize,
    is_continued: bool,
    /// For each open bracket the path before it; empty if it is not a group of `use`.
    prefixes: Vec<Vec<String>>,
}

impl Paths {
    fn is_in_use_group(&self) -> bool {
        self.prefixes
            .last()
            .is_some_and(|prefix| !prefix.is_empty())
    }

    fn read(&mut self, token: &Token) {
        let was_continued = std::mem::take(&mut self.is_continued);
        match token.text.as_str() {
            "::" => self.is_continued = true,
            "as" => self.finish(),
            "{" if was_continued => self.prefixes.push(std::mem::take(&mut self.current)),
            "{" | "(" | "[" => {
                self.finish();
                self.prefixes.push(Vec::new());
            }
            "}" | ")" | "]" => {
                self.finish();
                self.prefixes.pop();
            }
            word if token.is_word => {
                if !was_continued {
                    self.finish();
                    self.current = self.prefixes.last().cloned().unwrap_or_default();
                    self.line = token.line;
                }
                self.current.push(word.to_owned());
            }
            _ => self.finish(),
        }
    }

    fn finish(&mut self) {
        if !self.current.is_empty() {
            let segments = std::mem::take(&mut self.current);
            let line = self.line;
            self.found.push(NamedPath { segments, line });
        }
    }
}

fn check_paths(text: &str, expected: &[&str]) {
    let source = Source::parse("src/hook/mod.rs", text);
    let found: Vec<String> = source
        .production_paths()
        .iter()
        .filter(|path| path.segments.len() > 1)
        .map(|path| format!("{} {}", path.segments.join("::"), path.line))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn paths_are_found_in_uses_types_and_calls() {
    check_paths("use crate::a::B;", &["crate::a::B 1"]);
    check_paths(
        "use crate::{\n a::{self, B as C},\n d::*,\n};",
        &["crate::a::self 2", "crate::a::B 2", "crate::d 3"],
    );
    check_paths(
        "fn f(x: crate::a::B) -> Vec<super::C> { std::fs::read(x) }",
        &["crate::a::B 1", "super::C 1", "std::fs::read 1"],
    );
    check_paths(
        "fn f() { a as crate::B; Vec::<super::C>::new() }",
        &["crate::B 1", "super::C 1"],
    );
    check_paths("let a: u8 = b; match c { d: e => f }", &[]);
    check_paths("// use crate::a::B;\nconst A: &str = \"crate::b\";", &[]);
}

#[test]
fn modules_for_tests_are_not_production_code() {
    check_paths(
        "use a::b;\n#[cfg(test)]\nmod tests { use crate::c::D; }\nuse e::f;",
        &["a::b 1", "e::f 4"],
    );
    check_paths("#[cfg(test)]\nmod tests;\nuse a::b;", &["a::b 3"]);
}

fn check_module(path: &str, expected: &[&str]) {
    assert_eq!(Source::parse(path, "").module(), expected, "{path}");
}

#[test]
fn a_file_knows_its_module() {
    check_module("src/lib.rs", &[]);
    check_module("src/config.rs", &["config"]);
    check_module("src/hook/mod.rs", &["hook"]);
    check_module("src/hook/sender/github.rs", &["hook", "sender", "github"]);
    check_module("tests/it/main.rs", &[]);
}
