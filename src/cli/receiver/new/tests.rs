//! What `hookgate receiver new` writes: objects that work, and a form for each host.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    new: New,
}

const TOKEN: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn written(args: &[&str]) -> anyhow::Result<Written> {
    let line = Line::try_parse_from([&["new"], args].concat())?.new;
    Written::of(&line, sender(&line)?, TOKEN)
}

fn refused(args: &[&str]) -> String {
    format!("{:#}", written(args).unwrap_err())
}

#[test]
fn the_objects_can_be_applied_and_lead_to_the_url_in_the_form() {
    let args = [
        "ci",
        "--type",
        "github",
        "--url",
        "hooks.example.com",
        "-n",
        "apps",
    ];
    let Written { manifests, form } = written(&args).unwrap();
    assert_eq!(
        manifests,
        format!(
            "---\n\
             apiVersion: v1\n\
             kind: Secret\n\
             metadata:\n\
             \x20 labels:\n\
             \x20   reconcile.fluxcd.io/watch: Enabled\n\
             \x20 name: ci-token\n\
             \x20 namespace: apps\n\
             stringData:\n\
             \x20 token: {TOKEN}\n\
             ---\n\
             apiVersion: notification.toolkit.fluxcd.io/v1\n\
             kind: Receiver\n\
             metadata:\n\
             \x20 name: ci\n\
             \x20 namespace: apps\n\
             spec:\n\
             \x20 events:\n\
             \x20 - ping\n\
             \x20 - push\n\
             \x20 resources:\n\
             \x20 - apiVersion: source.toolkit.fluxcd.io/v1\n\
             \x20   kind: GitRepository\n\
             \x20   name: ci\n\
             \x20 secretRef:\n\
             \x20   name: ci-token\n\
             \x20 type: github\n"
        )
    );
    let token = Token::new(TOKEN.into()).unwrap();
    let path = crate::hook::HookPath::derive(Some(&token), "ci", "apps").reveal();
    assert_eq!(
        form,
        format!(
            "\nThen, at GitHub: Settings > Webhooks > Add webhook\n\n\
             \x20 Payload URL       https://hooks.example.com{path}\n\
             \x20 Content type      application/json\n\
             \x20 Secret            {TOKEN}\n\
             \x20 SSL verification  Enable SSL verification\n\
             \x20 Which events      Just the push event\n\n\
             Whoever has the URL and the token can trigger: keep both secret.\n"
        )
    );
}

#[test]
fn the_same_flags_and_token_give_the_same() {
    let args = ["ci", "--sender", "gitea"];
    let (first, second) = (written(&args).unwrap(), written(&args).unwrap());
    assert_eq!(
        (first.manifests, first.form),
        (second.manifests, second.form)
    );
}

#[test]
fn every_sender_has_objects_that_work_and_a_form_with_its_url() {
    for sender in Sender::ALL.into_iter().filter(|it| !it.is_vouched_for()) {
        let name = sender.as_str();
        for args in [["ci", "--type", name], ["ci", "--sender", name]] {
            let Written { manifests, form } = written(&args).unwrap();
            let documents: Vec<Value> = serde_saphyr::from_multiple(&manifests).unwrap();
            let [secret, receiver] = documents.as_slice() else {
                panic!("{manifests}");
            };
            assert_eq!(secret["stringData"]["token"], TOKEN);
            let receiver: Receiver = serde_json::from_value(receiver.clone()).unwrap();
            assert_eq!(Sender::of(&receiver), Ok(sender));
            assert_eq!(form.matches("/hook/").count(), 1, "{form}");
        }
    }
}

#[test]
fn a_sender_that_needs_more_than_a_token_is_led_to_its_folder() {
    for name in ["gcr", "generic-oidc"] {
        let refused = refused(&["ci", "--type", name]);
        assert!(
            refused.contains(&format!("receivers/{name}/receiver.yaml")),
            "{refused}"
        );
    }
}

#[test]
fn a_token_is_made_in_the_shape_that_its_sender_takes() {
    for sender in Sender::ALL.into_iter().filter(|it| !it.is_vouched_for()) {
        let token = sender.setup().token.write([7; 32]);
        let secrets = Secrets::from(Token::new(token.clone().into_bytes()).unwrap());
        let line = Line::try_parse_from(["new", "ci", "--type", sender.as_str()]).unwrap();
        let (_, hook) = compiled(&line.new, sender).unwrap();
        let hook = hook.with_secrets(&secrets, Timestamp::UNIX_EPOCH);
        assert!(hook.is_ok(), "{}", sender.as_str());
        assert!(token.len() == 64 || token.starts_with("whsec_"), "{token}");
    }
}

#[test]
fn targets_may_be_elsewhere_or_have_labels() {
    let Written { manifests, .. } = written(&[
        "ci",
        "--type",
        "github",
        "--resource",
        "HelmRelease/other/web",
        "--resource",
        "Bucket/*",
        "--match-labels",
        "app=web,env=prod",
    ])
    .unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&manifests).unwrap();
    assert_eq!(
        documents[1]["spec"]["resources"],
        json!([
            {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "namespace": "other", "name": "web"},
            {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "Bucket", "name": "*", "matchLabels": {"app": "web", "env": "prod"}},
        ])
    );
}

#[test]
fn the_events_can_be_chosen() {
    let events = |args: &[&str]| {
        let Written { manifests, form } = written(args).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&manifests).unwrap();
        (documents[1]["spec"]["events"].clone(), form)
    };
    let (all, form) = events(&["ci", "--type", "github", "--events", ""]);
    assert!(
        all.is_null() && form.contains("Which events      all\n"),
        "{form}"
    );
    let (some, form) = events(&["ci", "--type", "github", "--events", "push,create"]);
    assert_eq!(some, json!(["push", "create"]));
    assert!(form.contains("those named push, create\n"), "{form}");
}

#[test]
fn what_could_never_work_is_refused() {
    let github = ["ci", "--type", "github"];
    let with = |more: &[&'static str]| refused(&[&github[..], more].concat());
    assert!(refused(&["ci", "--type", "svn"]).contains("those are generic, "));
    assert!(refused(&["ci", "--type", "gitlab", "--sender", "gitea"]).contains("remove it"));
    assert!(with(&["--resource", "Deployment/web"]).contains("unknown kind `Deployment`"));
    assert!(with(&["--resource", "Bucket/*"]).contains("--match-labels"));
    for url in ["https://a/hooks", "ftp://a", "https://", "https://a?b", ""] {
        assert!(with(&["--url", url]).contains("--url"), "{url}");
    }
    let line = Line::try_parse_from(["new", "ci", "--type", "standard-webhooks"]).unwrap();
    let error = Written::of(&line.new, Sender::StandardWebhooks, "tooshort").unwrap_err();
    assert!(format!("{error:#}").contains("`whsec_`"), "{error:#}");
}
