//! The format of the steps that `kubectl.rs` runs, and how what was printed is compared.
//!
//! A block ends at an empty line. `file NAME` begins a file, `$ LINE` a line of shell with the output it should have;
//! `exit CODE` before the output when it should fail, and `...` in it for any number of lines.
//! `unless CAPABILITY: REASON` after it begins what is expected of a server that cannot do that, and says why:
//! with another `$ LINE` when that is needed, and with the output.

use regex::Regex;

/// A part of a chapter.
pub(crate) enum Part {
    /// A file that later steps use.
    File {
        /// Its name.
        name: String,
        /// What is in it.
        text: String,
    },
    /// A line of shell.
    Step(Step),
}

/// A line of shell, and what is expected of it.
pub(crate) struct Step {
    /// Where nothing else is said.
    pub(crate) expected: Expected,
    /// On a server without a capability.
    pub(crate) otherwise: Vec<(String, Expected)>,
}

/// What a line of shell should do.
pub(crate) struct Expected {
    /// The line.
    pub(crate) command: String,
    /// The exit code.
    pub(crate) code: i32,
    /// What it prints.
    pub(crate) lines: Vec<String>,
}

/// Reads a chapter.
pub(crate) fn parse(text: &str) -> Vec<Part> {
    let blocks = text.split("\n\n").map(|block| {
        let lines = block.lines().filter(|line| !line.starts_with('#'));
        lines.collect::<Vec<_>>()
    });
    let blocks = blocks.filter(|lines| lines.iter().any(|line| !line.is_empty()));
    blocks.map(|lines| part(&lines)).collect()
}

fn part(lines: &[&str]) -> Part {
    let lines: Vec<&str> = lines
        .iter()
        .copied()
        .skip_while(|line| line.is_empty())
        .collect();
    if let Some(name) = lines[0].strip_prefix("file ") {
        let text = lines[1..].join("\n") + "\n";
        return Part::File {
            name: name.to_owned(),
            text,
        };
    }
    let mut parts = lines.split(|line| line.starts_with("unless "));
    let expected = expected(parts.next().expect("a step"), "");
    let conditions = lines.iter().filter_map(|line| line.strip_prefix("unless "));
    let otherwise = conditions.zip(parts).map(|(condition, lines)| {
        let (capability, reason) = condition
            .split_once(": ")
            .expect("a capability and a reason");
        assert!(!reason.is_empty(), "{condition}: no reason");
        (
            capability.to_owned(),
            self::expected(lines, &expected.command),
        )
    });
    let otherwise = otherwise.collect();
    Part::Step(Step {
        expected,
        otherwise,
    })
}

fn expected(lines: &[&str], command: &str) -> Expected {
    let mut lines = lines.iter().copied().peekable();
    let own = lines.next_if(|line| line.starts_with("$ "));
    let command = own.map_or(command, |line| line.trim_start_matches("$ "));
    assert!(!command.is_empty(), "a block begins with `file` or `$`");
    let code = lines.next_if(|line| line.starts_with("exit "));
    Expected {
        command: command.to_owned(),
        code: code.map_or(0, |line| line["exit ".len()..].parse().expect("a code")),
        lines: lines.map(str::to_owned).collect(),
    }
}

/// The lines without what differs between two runs: names of the run, ages, times, versions, uids, widths of columns.
pub(crate) fn masked(text: &str, names: &[(&str, &str)]) -> Vec<String> {
    let mut text = text.to_owned();
    for (name, mask) in names {
        text = text.replace(name, mask);
    }
    for (pattern, mask) in [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r#"(resourceVersion"?: )"\d+""#, "${1}VERSION"),
        (r"(?m)(^|\s)(\d+[smhd])+(\s|$)", "${1}AGE${3}"),
        (r"(?m)(^|\s)<invalid>(\s|$)", "${1}AGE${2}"),
        (r"[ \t]+", " "),
        (r"(?m) +$", ""),
    ] {
        let pattern = Regex::new(pattern).expect("a pattern");
        text = pattern.replace_all(&text, mask).into_owned();
    }
    // What the libraries of kubectl log is not for its users.
    let log = Regex::new(r"^[IWE]\d{4} ").expect("a pattern");
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !log.is_match(line));
    lines.map(str::to_owned).collect()
}

/// Whether the lines are those that are expected, where `...` is any number of lines.
pub(crate) fn is_as_expected(lines: &[String], expected: &[String]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=lines.len()).any(|skipped| is_as_expected(&lines[skipped..], rest))
        }
        Some((first, rest)) => lines.split_first().is_some_and(|(line, lines)| {
            line == first.trim_start_matches("  ") && is_as_expected(lines, rest)
        }),
    }
}
