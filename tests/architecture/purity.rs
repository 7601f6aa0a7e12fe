//! The core is made of functions of values: no I/O, no clock, no environment, no clients.
//!
//! What calls it is free to do all of that; so are its tests.

use crate::source::{Source, Violation, with_rest};

/// The modules that are pure.
const CORE: [&str; 5] = ["api", "cel", "hook", "sync", "kustomize"];

/// The paths that the core does not name, and why.
const FORBIDDEN: [(&str, &str); 20] = [
    ("std::fs", "adapters read files and hand over their text"),
    ("std::env", "only `config` reads the environment"),
    (
        "std::net",
        "adapters talk to the network; addresses as values are in `core::net`",
    ),
    ("std::process", "the core starts and ends no process"),
    (
        "std::thread",
        "the core starts nothing and waits for nothing",
    ),
    ("std::time::SystemTime", "the time is a parameter"),
    ("std::time::Instant", "the time is a parameter"),
    ("kube::Api", "adapters talk to the cluster"),
    ("kube::api::Api", "adapters talk to the cluster"),
    ("kube::Client", "adapters talk to the cluster"),
    ("kube::client", "adapters talk to the cluster"),
    ("kube::runtime", "adapters talk to the cluster"),
    ("tokio", "the core is synchronous"),
    ("tokio_util", "the core is synchronous"),
    ("futures", "the core is synchronous"),
    ("axum", "HTTP is in `ingress`"),
    ("hyper", "HTTP is in `ingress`"),
    ("redb", "what is kept is kept by adapters"),
    ("getrandom", "the core gives the same answer every time"),
    ("tracing", "what the core has to say it returns"),
];

/// Refuses what the core must not do.
pub(crate) fn check(source: &Source) -> Vec<Violation> {
    let module = source.module();
    if !module.first().is_some_and(|own| CORE.contains(own)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for path in source.production_paths() {
        for (prefix, reason) in FORBIDDEN {
            if path.starts_with(prefix) {
                let rule = format!("the core may not name `{prefix}`");
                found.push(source.violation(path.line, rule, reason));
            }
        }
    }
    for (token, rest) in with_rest(&source.production_tokens()) {
        let next = rest.first().map_or("", |next| next.text.as_str());
        if token.text == "async" {
            let rule = "the core may not be `async`".to_owned();
            found.push(source.violation(token.line, rule, "the core is synchronous"));
        }
        if token.text == "now" && next == "(" {
            let rule = "the core may not call `now`".to_owned();
            found.push(source.violation(token.line, rule, "the time is a parameter"));
        }
    }
    found
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let source = Source::parse(path, text);
    check(&source).iter().map(ToString::to_string).collect()
}

fn check_refused(text: &str, line: usize, word: &str) {
    for module in CORE {
        let path = format!("src/{module}/a.rs");
        let found = violations(&path, text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        let start = format!("{path}:{line}: the core may not ");
        assert!(found[0].starts_with(&start), "{found:?}");
        assert!(found[0].contains(&format!("`{word}`")), "{found:?}");
    }
    let elsewhere = violations("src/ingress/a.rs", text);
    assert_eq!(elsewhere, Vec::<String>::new(), "{text}");
}

#[test]
fn effects_in_the_core_are_refused() {
    check_refused("async fn f() {}", 1, "async");
    check_refused("fn f() { let a = async move { 1 }; }", 1, "async");
    check_refused("use tokio::sync::Mutex;", 1, "tokio");
    check_refused("\nuse kube::{Api, Resource};", 2, "kube::Api");
    check_refused("fn f(client: kube::Client) {}", 1, "kube::Client");
    check_refused("use std::{fmt, fs};", 1, "std::fs");
    check_refused("use std::{env::{self}};", 1, "std::env");
    check_refused(
        "use std::time::{Duration, Instant};",
        1,
        "std::time::Instant",
    );
    check_refused(
        "fn f() { g(std::time::SystemTime::UNIX_EPOCH) }",
        1,
        "std::time::SystemTime",
    );
    check_refused("fn f() -> A {\n Timestamp::now()\n}", 2, "now");
    check_refused("fn f(clock: Clock) -> A { clock.now() }", 1, "now");
    check_refused("use std::net::IpAddr;", 1, "std::net");
    check_refused("fn f() { std::process::exit(1) }", 1, "std::process");
}

fn check_accepted(text: &str) {
    let found = violations("src/hook/a.rs", text);
    assert_eq!(found, Vec::<String>::new(), "{text}");
}

#[test]
fn values_in_the_core_are_accepted() {
    check_accepted("fn f(now: Timestamp) -> A { g(stamp.now, now) }");
    check_accepted("use kube::CustomResource; use std::time::Duration;");
    check_accepted(
        "//! It is never async and does not call now().\n/// std::fs is not here.\nfn f() {}",
    );
    check_accepted("const A: &str = \"async std::env now()\";");
    check_accepted("#[cfg(test)] mod tests { use std::fs; fn f() { now() } }");
}
