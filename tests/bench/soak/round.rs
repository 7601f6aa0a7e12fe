//! One round: start the writing process, kill it at some moment, and look at what it left.
//!
//! Most rounds go on in the directory of the one before; some begin with an empty one.

use std::{
    fmt,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use hookgate::cluster::{Embedded, Options, Storage};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    journal::{self, Key, Kind},
    judge::{Fact, Facts, Judge, Seen},
    objects::{self, NUMBER, SHARED},
    random::Random,
};

/// One round of so many begins with an empty directory.
const FRESH: u64 = 16;
/// One round of so many ends before the process serves, or about then.
const EARLY: u64 = 8;
/// The same of the rounds with an empty directory, in which the database is made.
const EARLY_WHEN_FRESH: u64 = 2;
/// How long after its start a process is killed, at most, in an early round.
const EARLY_KILL: Duration = Duration::from_millis(60);
/// How long after writing begins a process is killed, at most.
const KILL: Duration = Duration::from_millis(60);
/// How long a process may take to serve.
const SERVING: Duration = Duration::from_secs(30);

/// The rounds so far.
pub(crate) struct Course {
    random: Random,
    writers: usize,
    folder: TempDir,
    /// What the present directory must hold.
    judge: Judge,
    /// The requests of the directories before: answered, happened without an answer, lost without one.
    before: [u64; 3],
    runtime: Runtime,
    directories: u64,
    early: u64,
}

impl Course {
    /// Begins with an empty directory.
    pub(crate) fn new(random: Random, writers: usize) -> anyhow::Result<Self> {
        Ok(Self {
            random,
            writers,
            folder: tempfile::tempdir()?,
            judge: Judge::default(),
            before: [0; 3],
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            directories: 1,
            early: 0,
        })
    }

    /// Runs one round; fails with what was found.
    pub(crate) fn round(&mut self) -> Result<(), String> {
        let is_fresh = self.random.below(FRESH) == 0;
        if is_fresh {
            self.begin_anew()?;
        }
        let early = if is_fresh { EARLY_WHEN_FRESH } else { EARLY };
        let is_early = self.random.below(early) == 0;
        let said = self.run_and_kill(is_early)?;
        self.judge.hear(&journal::read(&said)?)?;
        let seen = self.runtime.block_on(look(self.folder.path()))?;
        self.judge.see(seen)
    }

    /// Leaves the directory behind and says where it is.
    pub(crate) fn keep(self) -> PathBuf {
        self.folder.keep()
    }

    fn begin_anew(&mut self) -> Result<(), String> {
        self.before = self.totals();
        self.judge = Judge::default();
        self.folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        self.directories += 1;
        Ok(())
    }

    /// Starts the writing process, kills it around its start or while it writes, and returns what it said.
    fn run_and_kill(&mut self, is_early: bool) -> Result<String, String> {
        let seed = self.random.number().to_string();
        let most = if is_early { EARLY_KILL } else { KILL };
        let delay = self.random.shorter_than(most);
        let mut child = Command::new(std::env::current_exe().map_err(|error| error.to_string())?)
            .arg("--write-into")
            .arg(self.folder.path())
            .args(["--seed", &seed, "--writers", &self.writers.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start the writing process: {error}"))?;
        let pipe = child.stdout.take().ok_or("no pipe")?;
        let (tell, told) = mpsc::channel();
        let reader = thread::spawn(move || read(pipe, &tell));
        if is_early {
            self.early += 1;
        } else {
            let first = told.recv_timeout(SERVING);
            first.map_err(|_| "the process does not serve".to_owned())?;
        }
        let is_over = matches!(
            told.recv_timeout(delay),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
        let killed = child.kill().and_then(|()| child.wait());
        killed.map_err(|error| format!("cannot kill the process: {error}"))?;
        let said = reader.join().map_err(|_| "the reader failed".to_owned())?;
        if is_over {
            return Err(format!(
                "the process ended by itself: {}",
                said.lines().last().unwrap_or_default()
            ));
        }
        Ok(said)
    }

    fn totals(&self) -> [u64; 3] {
        let [answered, happened, lost] = self.before;
        let judge = &self.judge;
        [
            answered + judge.answered,
            happened + judge.happened,
            lost + judge.lost,
        ]
    }
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [answered, happened, lost] = self.totals();
        write!(
            f,
            "{} directories, {} kills around the start; requests: {answered} answered, {} in flight when killed ({happened} had happened, {lost} had not)",
            self.directories,
            self.early,
            happened + lost,
        )
    }
}

/// Reads a pipe to its end; tells when the first line has come.
fn read(pipe: ChildStdout, tell: &mpsc::Sender<()>) -> String {
    let mut pipe = BufReader::new(pipe);
    let mut said = Vec::new();
    if pipe
        .read_until(b'\n', &mut said)
        .is_ok_and(|length| length > 0)
    {
        let _ = tell.send(());
    }
    let _ = pipe.read_to_end(&mut said);
    String::from_utf8_lossy(&said).into_owned()
}

/// Opens what a killed process left, and lists all of it.
async fn look(directory: &Path) -> Result<Seen, String> {
    let storage = Storage::Directory(directory.to_owned());
    let plane = Embedded::open(&Options { storage }).map_err(|error| error.to_string())?;
    let seen = list(&plane.client()).await;
    plane.close();
    seen
}

async fn list(client: &Client) -> Result<Seen, String> {
    let mut facts = Facts::new();
    let mut revision = 0;
    for kind in [Kind::Namespace, Kind::Config, Kind::Source] {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &objects::resource(kind));
        let listed = match api.list(&ListParams::default()).await {
            // Killed before the definition was installed.
            Err(kube::Error::Api(status)) if status.code == 404 && kind == Kind::Source => continue,
            listed => listed.map_err(|error| error.to_string())?,
        };
        let listed_at = listed.metadata.resource_version.unwrap_or_default();
        revision = listed_at
            .parse()
            .map_err(|_| format!("the revision is {listed_at:?}"))?;
        for object in listed.items {
            facts.extend(found(kind, &object)?);
        }
    }
    Ok(Seen { revision, facts })
}

/// The keys that an object stands for; objects that are always there stand for none.
fn found(kind: Kind, object: &DynamicObject) -> Result<Facts, String> {
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let version = objects::version(object);
    let version = version.ok_or_else(|| format!("{namespace}/{name} has no version"))?;
    let fact = |(annotation, text): (&String, &String)| {
        let number = objects::number(text);
        let number =
            number.ok_or_else(|| format!("{namespace}/{name} holds something else: {text}"))?;
        let (kind, name) = match annotation.as_str() {
            NUMBER => (kind, name.clone()),
            writer => (Kind::Shared, writer.to_owned()),
        };
        let key = Key {
            kind,
            namespace: namespace.clone(),
            name,
        };
        Ok((
            key,
            Fact {
                number,
                version: version.clone(),
            },
        ))
    };
    let is_ours = object.annotations().contains_key(NUMBER) || name == SHARED;
    let is_initial = kind == Kind::Namespace || name == SHARED;
    if !is_ours && !is_initial {
        return Err(format!("{namespace}/{name} lost its number"));
    }
    object.annotations().iter().map(fact).collect()
}
