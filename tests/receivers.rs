//! Executes the catalogue in `receivers/`: manifests, recorded requests, and the table of senders.
//!
//! It holds for every sender alike; what sets one apart is in `src/hook/sender/` and in its folder.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use hookgate::{
    api::{crds, git_repository::GitRepository, receiver::Receiver},
    cli::recording::Recording,
    hook::{
        Authentic, CrossNamespaceRefs, Hook, HookPath, Policy, Selector, Sender, Token, Unauthentic,
    },
};
use http::{HeaderMap, HeaderValue, Method};
use k8s_openapi::api::core::v1::Secret;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const POLICY: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Denied,
};

/// What the catalogue says of each sender, as the README of its folder spells it.
const FACTS: [&str; 4] = ["Credential", "Algorithm", "Replay protection", "Events"];

/// One folder, ready for deliveries.
struct Folder {
    sender: Sender,
    path: PathBuf,
    hook: Hook,
    token: Token,
}

impl Folder {
    fn open(sender: Sender) -> Self {
        let path = catalogue().join(sender.as_str());
        let documents = documents(&path.join("receiver.yaml"));
        let [secret, receiver] = documents.as_slice() else {
            panic!("`{}` holds a Secret and a Receiver", path.display());
        };
        let (secret, receiver): (Secret, Receiver) = (unchanged(secret), known(receiver));
        assert_eq!(secret.metadata.namespace, receiver.metadata.namespace);
        let labels = secret.metadata.labels.unwrap();
        assert_eq!(labels["reconcile.fluxcd.io/watch"], "Enabled");

        let token = secret.string_data.unwrap().remove("token").unwrap();
        assert!(token.contains("demo"), "a token that says what it is");
        let token = Token::new(token.into_bytes()).unwrap();
        let hook = Hook::compile(&receiver, POLICY).unwrap();
        assert_eq!(hook.sender(), sender);
        assert_eq!(hook.secret(), secret.metadata.name.as_deref());
        Self {
            sender,
            path,
            hook: hook.with_tokens(vec![token.clone()]),
            token,
        }
    }

    fn recordings(&self) -> Vec<(String, Recording)> {
        let mut names: Vec<String> = entries(&self.path)
            .into_iter()
            .filter(|name| Path::new(name).extension().is_some_and(|it| it == "http"))
            .collect();
        names.sort();
        assert!(
            names.len() > 1,
            "`{}` has a push and one more",
            self.path.display()
        );
        assert!(names.contains(&"push.http".to_owned()));
        names
            .into_iter()
            .map(|name| {
                let path = self.path.join(&name);
                let bytes = Bytes::from(fs::read(&path).unwrap());
                let recording = Recording::parse(&path, &bytes).unwrap();
                (format!("{}/{name}", self.sender.as_str()), recording)
            })
            .collect()
    }

    fn authenticate(&self, headers: &HeaderMap, body: &[u8]) -> Result<Authentic, Unauthentic> {
        let mut verifier = self.hook.verifier(headers)?;
        body.chunks(1000).for_each(|chunk| verifier.update(chunk));
        verifier.finish()
    }

    /// The header that holds the credential; nothing when the path is all there is.
    fn credential_header(&self) -> Option<&'static str> {
        let credential = self.sender.sign(&self.token, b"")?;
        Some(credential.header)
    }

    /// Whether the credential depends on the body.
    fn signs_body(&self) -> bool {
        let sign = |body| self.sender.sign(&self.token, body).map(|it| it.value);
        sign(b"one") != sign(b"two")
    }
}

fn catalogue() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers")
}

fn entries(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn folders() -> impl Iterator<Item = Folder> {
    Sender::ALL.into_iter().map(Folder::open)
}

fn documents(path: &Path) -> Vec<Value> {
    let yaml = fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&yaml).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads an object of Kubernetes that must say nothing its type does not know.
fn unchanged<T: DeserializeOwned + Serialize>(value: &Value) -> T {
    let object: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&object).unwrap(), value);
    object
}

/// Reads an object of ours that must say nothing its definition does not have.
fn known<T: DeserializeOwned>(value: &Value) -> T {
    let definitions = crds::all();
    let definition = definitions
        .iter()
        .find(|definition| definition.spec.names.kind == value["kind"])
        .unwrap_or_else(|| panic!("`{}` has no definition", value["kind"]));
    let definition = serde_json::to_value(definition).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut unknown = Vec::new();
    collect_unknown("", value, schema, &mut unknown);
    assert_eq!(unknown, Vec::<String>::new());
    serde_json::from_value(value.clone()).unwrap()
}

fn collect_unknown(path: &str, value: &Value, schema: &Value, unknown: &mut Vec<String>) {
    if path == ".metadata" {
        return;
    }
    for (name, below) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) => unknown.push(path),
            (Value::Null, schema) | (schema, _) => collect_unknown(&path, below, schema, unknown),
        }
    }
    for below in value.as_array().into_iter().flatten() {
        collect_unknown(&format!("{path}[]"), below, &schema["items"], unknown);
    }
}

#[test]
fn an_unknown_field_of_a_manifest_is_noticed() {
    let mut value = documents(&catalogue().join("github/receiver.yaml")).remove(1);
    value["spec"]["resources"][0]["nam"] = "typo".into();
    let problem = std::panic::catch_unwind(|| known::<Receiver>(&value)).unwrap_err();
    let problem = problem.downcast::<String>().unwrap();
    assert!(problem.contains(".spec.resources[].nam"), "{problem}");
}

#[test]
fn there_is_one_folder_for_each_sender() {
    let found: BTreeSet<String> = entries(&catalogue())
        .into_iter()
        .filter(|name| catalogue().join(name).is_dir())
        .collect();
    let senders: BTreeSet<String> = Sender::ALL.map(|it| it.as_str().to_owned()).into();
    assert_eq!(found, senders);
    let listed = documents(&catalogue().join("kustomization.yaml")).remove(0);
    let listed: BTreeSet<String> = serde_json::from_value(listed["resources"].clone()).unwrap();
    let source = BTreeSet::from(["source.yaml".to_owned()]);
    assert_eq!(listed, senders.union(&source).cloned().collect());
    for sender in Sender::ALL {
        let path = catalogue().join(sender.as_str()).join("kustomization.yaml");
        let resources = &documents(&path).remove(0)["resources"];
        assert_eq!(resources, &serde_json::json!(["receiver.yaml"]));
    }
}

#[test]
fn recorded_requests_authenticate_at_their_path() {
    for folder in folders() {
        let path = folder.hook.path(Some(&folder.token)).reveal();
        for (name, recording) in folder.recordings() {
            assert_eq!(recording.method, Method::POST, "{name}");
            assert_eq!(recording.path.as_str(), path, "{name}");
            assert!(HookPath::parse(&path).is_some(), "{name}");
            assert!(folder.hook.accepts_media_type(&recording.headers), "{name}");
            assert!(
                folder.hook.delivery_id(&recording.headers).is_some(),
                "{name}"
            );
            let length = recording.headers["content-length"].to_str().unwrap();
            assert_eq!(length, recording.body.len().to_string(), "{name}");
            let outcome = folder.authenticate(&recording.headers, &recording.body);
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn recorded_requests_are_wanted_and_trigger_the_source_of_the_catalogue() {
    let source = documents(&catalogue().join("source.yaml")).remove(0);
    let source: GitRepository = known(&source);
    for folder in folders() {
        for (name, recording) in folder.recordings() {
            let outcome = folder.authenticate(&recording.headers, &recording.body);
            let event = folder.hook.interpret(&outcome.unwrap(), &recording.headers);
            assert_eq!(
                event.name.is_empty(),
                !folder.sender.names_events(),
                "{name}"
            );
            assert!(folder.hook.admits(&event), "{name}");
            let selection = folder.hook.select(&event);
            assert!(selection.refusals.is_empty(), "{name}");
            let [Selector::Named(target)] = selection.selectors.as_slice() else {
                panic!("{name}: one source by its name");
            };
            assert_eq!(target.kind.kind, "GitRepository");
            assert_eq!(Some(&target.name), source.metadata.name.as_ref());
            assert_eq!(Some(&target.namespace), source.metadata.namespace.as_ref());
        }
    }
}

#[test]
fn one_flipped_bit_in_a_signed_body_is_refused() {
    for folder in folders().filter(Folder::signs_body) {
        for (name, recording) in folder.recordings() {
            for index in 0..recording.body.len() {
                let mut body = recording.body.to_vec();
                body[index] ^= 1 << (index % 8);
                let outcome = folder.authenticate(&recording.headers, &body);
                assert!(outcome.is_err(), "{name}: byte {index}");
            }
        }
    }
}

#[test]
fn one_flipped_bit_in_the_credential_is_refused() {
    for folder in folders() {
        let Some(header) = folder.credential_header() else {
            continue;
        };
        for (name, recording) in folder.recordings() {
            let credential = recording.headers[header].as_bytes();
            for position in 0..credential.len() * 8 {
                let mut flipped = credential.to_vec();
                flipped[position / 8] ^= 1 << (position % 8);
                // The digits of a signature may be of either case; a token may not.
                let is_same_digit = position % 8 == 5
                    && folder.signs_body()
                    && credential[..position / 8].contains(&b'=')
                    && credential[position / 8].is_ascii_alphabetic();
                let Ok(value) = HeaderValue::from_bytes(&flipped) else {
                    continue;
                };
                let mut headers = recording.headers.clone();
                headers.insert(header, value);
                let outcome = folder.authenticate(&headers, &recording.body);
                assert_eq!(outcome.is_ok(), is_same_digit, "{name}: bit {position}");
            }
        }
    }
}

#[test]
fn without_the_credential_or_with_another_token_nobody_gets_in() {
    for folder in folders() {
        if folder.credential_header().is_none() {
            continue;
        }
        for (name, recording) in folder.recordings() {
            let outcome = folder.authenticate(&HeaderMap::new(), &recording.body);
            assert!(outcome.is_err(), "{name}");
        }
        let recordings = folder.recordings();
        let other = Token::new(b"another token".to_vec()).unwrap();
        let rotated = Folder {
            hook: folder.hook.with_tokens(vec![other]),
            ..folder
        };
        for (name, recording) in recordings {
            let outcome = rotated.authenticate(&recording.headers, &recording.body);
            assert!(outcome.is_err(), "{name}");
        }
    }
}

/// What the README of a folder says after `- **<fact>:**`.
fn facts(folder: &Folder) -> [String; 4] {
    let readme = fs::read_to_string(folder.path.join("README.md")).unwrap();
    let title = format!("# {}\n", folder.sender.as_str());
    assert!(readme.starts_with(&title), "{readme}");
    FACTS.map(|fact| {
        let prefix = format!("- **{fact}:** ");
        let mut lines = readme.lines().filter_map(|line| line.strip_prefix(&prefix));
        let found = lines
            .next()
            .unwrap_or_else(|| panic!("{title} lacks `{prefix}`"));
        assert!(!found.contains('|') && lines.next().is_none(), "{found}");
        found.to_owned()
    })
}

#[test]
fn the_facts_of_a_folder_are_those_of_its_sender() {
    for folder in folders() {
        let [credential, algorithm, _, events] = facts(&folder);
        let header = folder.credential_header().unwrap_or("the path alone");
        let name = folder.sender.as_str();
        assert!(
            credential.to_lowercase().contains(header),
            "{name}: {credential}"
        );
        assert_eq!(algorithm.contains("HMAC"), folder.signs_body(), "{name}");
        assert_eq!(
            events.contains("header `"),
            folder.sender.names_events(),
            "{name}"
        );
    }
}

#[test]
fn the_table_of_senders_is_that_of_the_folders() {
    let row = |folder: Folder| {
        let name = folder.sender.as_str();
        let facts = facts(&folder).join(" | ");
        format!("| `{name}` | {facts} | [{name}]({name}) |\n")
    };
    let table: String = folders().map(row).collect();
    let readme = fs::read_to_string(catalogue().join("README.md")).unwrap();
    let (_, from_rule) = readme.split_once("|---|---|---|---|---|---|\n").unwrap();
    let (found, _) = from_rule.split_once("<!-- /senders -->").unwrap();
    assert!(
        found == table,
        "the table in `receivers/README.md` is stale; its rows are\n\n{table}"
    );
}
