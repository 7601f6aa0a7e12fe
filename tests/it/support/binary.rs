//! The built binary, run as a user runs it.
//!
//! What it writes is read as it comes; a process that a test starts never outlives the test.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use super::say;

/// How long a command may take; a loaded machine needs most of it.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a command that has ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; nothing when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

impl Ended {
    /// The one sentence that a failed command leaves.
    pub(crate) fn sentence(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        let sentence = self.stderr.trim_end();
        assert_eq!(sentence.lines().count(), 1, "{self:?}");
        sentence
            .strip_prefix("error: ")
            .unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// A command of the built binary, without the environment of whoever runs the tests.
pub(crate) fn hookgate<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookgate"));
    command
        .args(args)
        .env_remove("KUBECONFIG")
        .env_remove("RUNTIME_NAMESPACE")
        .env_remove("HOOKGATE_DATA_DIR")
        .env_remove("HOOKGATE_AUDIT_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub(crate) async fn run(command: &mut Command) -> Ended {
    let output = timeout(DEADLINE, command.output()).await;
    let output = output
        .expect("the command ends in time")
        .expect("the command starts");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Whether a program is there; says so when it is not.
pub(crate) async fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--help")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .is_ok();
    if !found {
        say(&format!(
            "`{program}` is not installed: this behaviour is not tested here"
        ));
    }
    found
}

/// A running `hookgate dev` on free ports.
pub(crate) struct Dev {
    process: Child,
    /// Keeps the pipe open, so that the process never writes into nothing.
    _lines: Lines<BufReader<ChildStdout>>,
    /// Everything it printed before it was ready.
    pub(crate) welcome: String,
    /// The kubeconfig it wrote.
    pub(crate) kubeconfig: PathBuf,
}

impl Dev {
    /// A client for its Kubernetes API.
    pub(crate) async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Client::try_from(config.expect("a configuration")).expect("a client")
    }

    /// Starts it and waits until it has said how to reach it.
    pub(crate) async fn start(data_dir: &Path, more: &[&str]) -> Self {
        let mut command = hookgate(["dev", "--log-level", "warn"]);
        Self::started(command.args(more), data_dir).await
    }

    /// The same with its log in a file; `settings` say what is in it.
    pub(crate) async fn start_telling(data_dir: &Path, settings: &[&str], log: File) -> Self {
        let mut command = hookgate(["dev"]);
        Self::started(command.args(settings).stderr(log), data_dir).await
    }

    async fn started(command: &mut Command, data_dir: &Path) -> Self {
        let mut process = command
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0"])
            .args(["--operator-listen", "127.0.0.1:0"])
            .current_dir(data_dir.parent().expect("a folder"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut welcome = String::new();
        let said = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                welcome.push_str(&line);
                welcome.push('\n');
                if line.starts_with("Ctrl-C") {
                    return;
                }
            }
        };
        timeout(DEADLINE, said).await.expect("it is ready in time");
        assert!(welcome.contains("Ctrl-C"), "it ended early: {welcome}");
        Self {
            process,
            _lines: lines,
            welcome,
            kubeconfig: data_dir.join("kubeconfig"),
        }
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> String {
        self.process.id().expect("it runs").to_string()
    }

    /// The first URL of the welcome that has `part` in it.
    pub(crate) fn url(&self, part: &str) -> String {
        let words = self.welcome.split_whitespace();
        let mut urls = words.filter(|word| word.starts_with("http") && word.contains(part));
        urls.next()
            .unwrap_or_else(|| panic!("no {part} in {}", self.welcome))
            .to_owned()
    }

    /// The operator's listener.
    pub(crate) fn operator(&self) -> String {
        let says = |line: &&str| line.contains("hookgate deliveries");
        let line = self.welcome.lines().find(says).expect("it says how");
        line.rsplit(' ').next().expect("a URL").to_owned()
    }

    /// The URL of a Receiver's hook.
    pub(crate) fn hook(&self, receiver: &str) -> String {
        let line = self
            .welcome
            .lines()
            .find(|line| line.trim_start().starts_with(receiver));
        let line = line.unwrap_or_else(|| panic!("no {receiver} in {}", self.welcome));
        line.split_whitespace().last().expect("a URL").to_owned()
    }

    /// Sends a signal, such as `INT`, and waits for the end.
    pub(crate) async fn end(mut self, signal: &str) -> Option<i32> {
        let id = self.id();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .await;
        assert!(sent.expect("kill is there").success());
        let ended = timeout(DEADLINE, self.process.wait()).await;
        ended
            .expect("it ends in time")
            .expect("it can be waited for")
            .code()
    }
}

/// A folder for one test, with a name for a data directory in it.
pub(crate) fn data_dir() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    (folder, data)
}
