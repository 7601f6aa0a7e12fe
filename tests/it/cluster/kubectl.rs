//! The real `kubectl` in a shell, step by step, with what it prints.
//!
//! The steps are in `kubectl/`, in the format that `steps.rs` reads; this file runs them.

use std::{path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use super::{
    fixture::{Cluster, DEADLINE},
    probe::Capability,
    steps::{Expected, Part, Step, is_as_expected, masked, parse},
};
use crate::support::{BackEnd, binary::has};

/// Runs each chapter on every server that listens, as one test each.
macro_rules! chapters {
    ($($name:ident)*) => {$(
        mod $name {
            const TEXT: &str = include_str!(concat!("kubectl/", stringify!($name), ".steps"));

            #[tokio::test]
            async fn embedded_over_https() {
                super::run(crate::support::BackEnd::Https, TEXT).await;
            }

            #[tokio::test]
            async fn api_server() {
                super::run(crate::support::BackEnd::ApiServer, TEXT).await;
            }
        }
    )*};
}

chapters! { config custom reading removal }

/// A folder to work in, with a kubeconfig that leads to the namespace of the case.
struct Shell {
    folder: TempDir,
    namespace: String,
}

async fn run(back_end: BackEnd, text: &str) {
    if !has("kubectl").await {
        return;
    }
    let Some(cluster) = Cluster::start(back_end).await else {
        return;
    };
    let shell = Shell::open(&cluster).await;
    let mut differences = Vec::new();
    for part in parse(text) {
        match part {
            Part::File { name, text } => shell.write(&name, &text),
            Part::Step(step) => differences.extend(shell.step(&cluster, &step).await),
        }
    }
    cluster.end().await;
    assert!(
        differences.is_empty(),
        "{} steps are not as expected:\n\n{}",
        differences.len(),
        differences.join("\n\n")
    );
}

impl Shell {
    async fn open(cluster: &Cluster) -> Self {
        let shell = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            namespace: cluster.namespace().to_owned(),
        };
        let kubeconfig = cluster.running().kubeconfig().expect("a kubeconfig");
        std::fs::copy(kubeconfig, shell.path().join("kubeconfig")).expect("a copy");
        let (_, code) = shell
            .sh("kubectl config set-context --current --namespace=$NS")
            .await;
        assert_eq!(code, 0, "the namespace can be set");
        shell
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        let text = text.replace("$NS", &self.namespace);
        std::fs::write(self.path().join(name), text).expect("a file is written");
    }

    /// Runs a step; returns what was different, as the step would have to be written.
    async fn step(&self, cluster: &Cluster, step: &Step) -> Option<String> {
        let expected = chosen(cluster, step).await;
        let (output, code) = self.sh(&expected.command).await;
        let output = masked(&output, &[(&self.namespace, "NS"), (self.text(), "DIR")]);
        let is_right = code == expected.code && is_as_expected(&output, &expected.lines);
        (!is_right).then(|| {
            let code = if code == 0 {
                String::new()
            } else {
                format!("exit {code}\n")
            };
            let expected = expected.lines.join("\n");
            format!(
                "$ {}\n{code}{}\n--- expected\n{expected}",
                step.expected.command,
                output.join("\n")
            )
        })
    }

    fn text(&self) -> &str {
        self.path().to_str().expect("text")
    }

    /// The output, then the errors, and the exit code of a line of shell.
    async fn sh(&self, line: &str) -> (String, i32) {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.path())
            .env("KUBECONFIG", self.path().join("kubeconfig"))
            .env("HOME", self.path())
            .env("NS", &self.namespace)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(DEADLINE, command.output()).await;
        let output = output
            .unwrap_or_else(|_| panic!("{line} does not end in time"))
            .expect("sh starts");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        (text, output.status.code().unwrap_or(-1))
    }
}

/// What is expected of a server with its capabilities.
async fn chosen<'a>(cluster: &Cluster, step: &'a Step) -> &'a Expected {
    for (missing, expected) in &step.otherwise {
        let capability = Capability::ALL
            .into_iter()
            .find(|known| format!("{known:?}") == *missing)
            .unwrap_or_else(|| panic!("there is no capability {missing}"));
        if !cluster.can(capability).await {
            return expected;
        }
    }
    &step.expected
}
