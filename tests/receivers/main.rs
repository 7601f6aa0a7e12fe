//! Executes the catalogue in `receivers/`: manifests, recorded requests, and the table of senders.
//!
//! It holds for every sender alike; what sets one apart is in `src/hook/sender/` and in its folder.

mod forgeries;
mod readmes;
mod rules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hookgate::{
    api::{crds, git_repository::GitRepository, receiver::Receiver},
    cli::recording::Recording,
    hook::{
        Authentic, Candidate, CertificateChecks, CrossNamespaceRefs, Discovery, Draft, Hook,
        HookPath, IssuerKeys, Judgement, KeySet, KeySource, PlainIssuers, Policy, Secrets,
        Selector, Sender, Unauthentic, Uninterpretable, Unsignable,
    },
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const POLICY: Policy = Policy {
    cross_namespace_refs: CrossNamespaceRefs::Denied,
    plain_issuers: PlainIssuers::Denied,
    certificate_checks: CertificateChecks::Possible,
};

/// One folder, ready for deliveries.
struct Folder {
    name: String,
    path: PathBuf,
    hook: Hook,
    /// The hook as it is while its Secret is not known.
    keyless: Hook,
    /// Nothing where an issuer is all that is needed.
    secrets: Option<Secrets>,
    /// The public half of the demo key that stands for the issuer's, where there is one.
    published: Option<KeySet>,
}

impl Folder {
    fn open(name: String) -> Self {
        let path = catalogue().join(&name);
        let documents = documents(&path.join("receiver.yaml"));
        let (secret, receiver): (Secret, Receiver) = match documents.as_slice() {
            [receiver] => {
                let hook = Hook::compile(&known(receiver), POLICY).unwrap();
                assert_eq!(hook.sender(), Sender::GenericOidc, "others have a Secret");
                return Self {
                    published: published_keys(&path),
                    name,
                    path,
                    keyless: hook.clone(),
                    hook,
                    secrets: None,
                };
            }
            [secret, receiver] => (unchanged(secret), known(receiver)),
            _ => panic!("`{}` holds a Secret and a Receiver", path.display()),
        };
        assert_eq!(secret.metadata.namespace, receiver.metadata.namespace);
        let labels = secret.metadata.labels.unwrap();
        assert_eq!(labels["reconcile.fluxcd.io/watch"], "Enabled");

        let data = secret.string_data.unwrap();
        let yaml = fs::read_to_string(path.join("receiver.yaml")).unwrap();
        assert!(yaml.contains("demo"), "a token that says what it is");
        let bytes = |(key, value): (String, String)| (key, ByteString(value.into_bytes()));
        let secrets = Secrets::of(data.into_iter().map(bytes).collect()).unwrap();
        let hook = Hook::compile(&receiver, POLICY).unwrap();
        assert_eq!(hook.secret(), secret.metadata.name.as_deref());
        let keyless = hook.clone();
        let hook = hook.with_secrets(&secrets, Timestamp::UNIX_EPOCH).unwrap();
        Self {
            published: published_keys(&path),
            name,
            path,
            hook,
            keyless,
            secrets: Some(secrets),
        }
    }

    fn sender(&self) -> Sender {
        self.hook.sender()
    }

    /// The recorded requests that prove their sender.
    fn recordings(&self) -> Vec<(String, Recording)> {
        let mut all = self.all_recordings();
        all.retain(|(_, recording)| !self.hook.is_unsigned_ping(&recording.headers));
        all
    }

    fn all_recordings(&self) -> Vec<(String, Recording)> {
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
                (format!("{}/{name}", self.name), recording)
            })
            .collect()
    }

    fn authenticate(&self, headers: &HeaderMap, body: &[u8]) -> Result<Authentic, Unauthentic> {
        self.authenticate_with(&self.hook, headers, body)
    }

    fn authenticate_with(
        &self,
        hook: &Hook,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Authentic, Unauthentic> {
        let now = time_of(headers);
        let request = hook.key_request(headers, now);
        let published = |source: &KeySource| issuer_keys(source, self.published.as_ref().unwrap());
        let keys = request.map(|request| published(request.source()));
        authenticate_with(hook, headers, body, keys.as_ref())
    }

    /// The headers whose values must be right; none when the path is all there is.
    fn credential_headers(&self) -> Vec<HeaderName> {
        let (_, recording) = self.recordings().remove(0);
        let names = recording.headers.keys().filter(|name| {
            let mut headers = recording.headers.clone();
            headers.insert(*name, HeaderValue::from_static("another value"));
            **name != CONTENT_TYPE && self.authenticate(&headers, &recording.body).is_err()
        });
        names.cloned().collect()
    }

    /// Whether the credential depends on the body.
    fn signs_body(&self) -> bool {
        let (_, recording) = self.recordings().remove(0);
        let body = [&b" "[..], &recording.body].concat();
        self.authenticate(&recording.headers, &body).is_err()
    }
}

/// For senders that no issuer vouches for.
fn authenticate(hook: &Hook, headers: &HeaderMap, body: &[u8]) -> Result<Authentic, Unauthentic> {
    authenticate_with(hook, headers, body, None)
}

fn authenticate_with(
    hook: &Hook,
    headers: &HeaderMap,
    body: &[u8],
    keys: Option<&IssuerKeys>,
) -> Result<Authentic, Unauthentic> {
    let mut verifier = hook.verifier(headers, keys, time_of(headers))?;
    body.chunks(1000).for_each(|chunk| verifier.update(chunk));
    verifier.finish()
}

fn published_keys(folder: &Path) -> Option<KeySet> {
    let document = fs::read(folder.join("keys.json")).ok()?;
    Some(KeySet::parse(&document).unwrap())
}

/// Keys as the issuer would give them, for RS256.
fn issuer_keys(source: &KeySource, keys: &KeySet) -> IssuerKeys {
    let keys = keys.clone();
    let KeySource::Discovered(issuer) = source else {
        return IssuerKeys::of_google(source, keys);
    };
    let document = serde_json::json!({ "issuer": &**issuer, "jwks_uri": "https://keys" });
    let discovery = Discovery::parse(document.to_string().as_bytes(), issuer);
    discovery.unwrap().with_keys(keys)
}

/// When a request was recorded, as far as it tells.
fn time_of(headers: &HeaderMap) -> Timestamp {
    let time = headers.get("webhook-timestamp");
    let seconds = time.and_then(|time| time.to_str().ok()?.parse().ok());
    let seconds = seconds.or_else(|| {
        let token = headers.get("authorization")?.to_str().ok()?;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?);
        serde_json::from_slice::<Value>(&claims.ok()?).ok()?["iat"].as_i64()
    });
    let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.unwrap_or(Timestamp::UNIX_EPOCH)
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
    listed().into_iter().map(Folder::open)
}

/// The folders in the order of the catalogue.
fn listed() -> Vec<String> {
    let listed = documents(&catalogue().join("kustomization.yaml")).remove(0);
    let mut listed: Vec<String> = serde_json::from_value(listed["resources"].clone()).unwrap();
    assert_eq!(listed.remove(0), "source.yaml");
    listed
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
fn there_is_a_folder_for_each_sender() {
    let found: BTreeSet<String> = entries(&catalogue())
        .into_iter()
        .filter(|name| catalogue().join(name).is_dir())
        .collect();
    assert_eq!(found, listed().into_iter().collect());
    for sender in Sender::ALL {
        assert!(found.contains(sender.as_str()), "{}", sender.as_str());
    }
    for folder in folders() {
        let variant = folder.name.strip_prefix(folder.sender().as_str()).unwrap();
        assert!(
            variant.is_empty() || variant.starts_with('-'),
            "{}",
            folder.name
        );
        let resources = &documents(&folder.path.join("kustomization.yaml")).remove(0)["resources"];
        assert_eq!(resources, &serde_json::json!(["receiver.yaml"]));
    }
}

#[test]
fn recorded_requests_authenticate_at_their_path() {
    for folder in folders() {
        let token = folder.secrets.as_ref().map(Secrets::token);
        let path = folder.hook.path(token).reveal();
        for (name, recording) in folder.recordings() {
            assert_eq!(recording.method, Method::POST, "{name}");
            assert_eq!(recording.path.as_str(), path, "{name}");
            assert!(HookPath::parse(&path).is_some(), "{name}");
            assert!(folder.hook.accepts_media_type(&recording.headers), "{name}");
            let id = folder.hook.delivery_id(&recording.headers);
            assert_eq!(
                id.is_some(),
                folder.sender().delivery_header().is_some(),
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
            let event =
                folder
                    .hook
                    .interpret(&outcome.unwrap(), &recording.headers, Some(&recording.body));
            let event = event.unwrap();
            assert_eq!(
                event.name.is_empty(),
                !folder.sender().names_events(),
                "{name}"
            );
            assert!(folder.hook.admits(&event), "{name}");
            let selection = folder.hook.selection();
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
fn a_request_that_is_signed_afresh_authenticates() {
    for folder in folders() {
        for (name, mut recording) in folder.recordings() {
            for header in folder.credential_headers() {
                recording.headers.remove(header);
            }
            let draft = Draft {
                delivery: "msg_1",
                headers: &recording.headers,
                body: &recording.body,
                now: Timestamp::from_second(1_800_000_000).unwrap(),
            };
            let Some(secrets) = &folder.secrets else {
                continue;
            };
            let signed = folder.sender().sign(secrets, &draft);
            if folder.sender().is_vouched_for() {
                assert_eq!(signed.err(), Some(Unsignable::Issuer));
                continue;
            }
            if folder.name == "standard-webhooks-ed25519" {
                assert_eq!(signed.err(), Some(Unsignable::PublicKey));
                continue;
            }
            for credential in signed.unwrap() {
                let value = credential.value.parse().unwrap();
                recording.headers.insert(credential.header, value);
            }
            let outcome = folder.authenticate(&recording.headers, &recording.body);
            assert!(outcome.is_ok(), "{name}: {outcome:?}");
        }
    }
}

#[test]
fn an_unsigned_ping_proves_nothing() {
    let mut pings = Vec::new();
    for folder in folders() {
        for (name, mut recording) in folder.all_recordings() {
            if folder.hook.is_unsigned_ping(&recording.headers) {
                let outcome = folder.authenticate(&recording.headers, &recording.body);
                assert_eq!(
                    outcome.err(),
                    Some(Unauthentic::MissingCredential),
                    "{name}"
                );
                let signature = HeaderValue::from_static("sha256=00");
                recording.headers.insert("x-hub-signature", signature);
                assert!(!folder.hook.is_unsigned_ping(&recording.headers), "{name}");
                pings.push(name);
            }
        }
    }
    assert_eq!(pings, ["bitbucket/ping.http"]);
}

#[test]
fn a_body_that_is_read_is_refused_when_it_is_cut_off_or_too_large() {
    let mut reading = 0;
    for folder in folders().filter(|folder| folder.hook.interprets_body()) {
        reading += 1;
        for (name, recording) in folder.recordings() {
            let authentic = folder.authenticate(&recording.headers, &recording.body);
            let authentic = authentic.unwrap();
            let interpret = |body| {
                let event = folder.hook.interpret(&authentic, &recording.headers, body);
                event.map(|_| ())
            };
            assert_eq!(interpret(None), Err(Uninterpretable::TooLarge), "{name}");
            for end in 0..recording.body.len() {
                let cut = interpret(Some(&recording.body[..end]));
                assert!(cut.is_err(), "{name}: cut off after {end} bytes");
            }
        }
    }
    assert!(reading > 0);
}

/// The YAML that the README shows for filters, on a Receiver of `github`.
fn filtered() -> Hook {
    let readme = fs::read_to_string(catalogue().join("README.md")).unwrap();
    let (_, example) = readme.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let mut receiver = documents(&catalogue().join("github/receiver.yaml")).remove(1);
    let example: Value = serde_saphyr::from_str(example).unwrap();
    let spec = receiver["spec"].as_object_mut().unwrap();
    spec.extend(example.as_object().unwrap().clone());
    Hook::compile(&known(&receiver), POLICY).unwrap()
}

#[test]
fn the_filters_of_the_readme_judge_the_recorded_push() {
    let hook = filtered();
    let [Selector::Named(target)] = hook.selection().selectors.as_slice() else {
        panic!("one source by its name");
    };
    let folder = Folder::open("github".to_owned());
    let recordings = folder.recordings();
    let judge = |name: &str, labels: &str| {
        let (_, recording) = recordings.iter().find(|(it, _)| it == name).unwrap();
        let authentic = folder.authenticate(&recording.headers, &recording.body);
        let candidates = [Candidate {
            selector: 0,
            target: target.clone(),
            metadata: format!(r#"{{"name":"podinfo"{labels}}}"#).into(),
        }];
        let (headers, body) = (&recording.headers, &recording.body);
        let judged = hook.judge(&authentic.unwrap(), headers, body, &candidates, &|| false);
        judged.unwrap().remove(0)
    };
    let master = r#","labels":{"branch":"master"}"#;
    assert_eq!(judge("github/push.http", master), Judgement::Wanted);
    let main = r#","labels":{"app":"web"}"#;
    assert_eq!(judge("github/push.http", main), Judgement::LeftOut);
    assert_eq!(judge("github/push.http", ""), Judgement::LeftOut);
    let Judgement::Failed { reason } = judge("github/ping.http", master) else {
        panic!("a ping has no ref");
    };
    assert!(reason.ends_with("no such key: ref"), "{reason}");
}
