//! Service accounts with the rights that the chart gives them, and a record of what they ask for.
//!
//! Rights are those of a real API server; the embedded one lets everybody do everything.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::Path,
    sync::{Arc, Mutex},
};

use http::{HeaderValue, Method, Request, StatusCode};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role, RoleBinding};
use kube::{Api, Client, api::PostParams, client::Body};
use serde_json::{Value, json};
use tower::service_fn;

/// One thing that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    pub(crate) group: String,
    /// The plural, with the subresource if there is one.
    pub(crate) resource: String,
    pub(crate) verb: String,
}

/// The manifests of one role, such as `gateway`.
#[derive(Clone, Debug)]
pub(crate) struct Manifests {
    cluster_role: ClusterRole,
    role: Role,
}

/// What a service account asked for, and what it was refused; clones share the record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    used: BTreeSet<Right>,
    refused: BTreeSet<Right>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{}", self.verb, self.resource, self.group)
    }
}

impl Manifests {
    /// Reads `charts/hookgate/rbac/NAME.yaml`.
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate/rbac");
        let text = fs::read_to_string(path.join(format!("{name}.yaml"))).expect("a manifest");
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
        let [cluster_role, role] = documents.try_into().expect("a ClusterRole and a Role");
        assert_eq!(
            (&cluster_role["kind"], &role["kind"]),
            (&json!("ClusterRole"), &json!("Role"))
        );
        Self {
            cluster_role: serde_json::from_value(cluster_role).expect("a ClusterRole"),
            role: serde_json::from_value(role).expect("a Role"),
        }
    }

    /// Everything that is granted.
    pub(crate) fn rights(&self) -> BTreeSet<Right> {
        self.rules().iter().flat_map(|rule| rights(rule)).collect()
    }

    /// The same without one verb on one resource.
    pub(crate) fn without(&self, right: &Right) -> Self {
        let mut fewer = self.clone();
        let rules = fewer
            .cluster_role
            .rules
            .iter_mut()
            .chain(fewer.role.rules.iter_mut());
        for rules in rules {
            *rules = rules.iter().flat_map(|rule| split(rule, right)).collect();
        }
        fewer
    }

    /// Grants it to a service account of a namespace, in that namespace.
    pub(crate) async fn grant(&self, admin: &Client, namespace: &str, account: &str) {
        let mut cluster_role = self.cluster_role.clone();
        let name = cluster_role.metadata.name.unwrap_or_default();
        let name = format!("{name}-{namespace}-{account}");
        cluster_role.metadata.name = Some(name.clone());
        let post = PostParams::default();
        let cluster_roles: Api<ClusterRole> = Api::all(admin.clone());
        cluster_roles
            .create(&post, &cluster_role)
            .await
            .expect("a ClusterRole");
        let mut role = self.role.clone();
        role.metadata.name = Some(name.clone());
        let roles: Api<Role> = Api::namespaced(admin.clone(), namespace);
        roles.create(&post, &role).await.expect("a Role");
        for kind in ["ClusterRole", "Role"] {
            let binding = json!({
                "metadata": {"name": format!("{name}-{}", kind.to_lowercase())},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            });
            let binding: RoleBinding = serde_json::from_value(binding).expect("a RoleBinding");
            let bindings = Api::namespaced(admin.clone(), namespace);
            bindings
                .create(&post, &binding)
                .await
                .expect("a RoleBinding");
        }
    }

    fn rules(&self) -> Vec<&PolicyRule> {
        let rules = self.cluster_role.rules.iter().chain(&self.role.rules);
        rules.flatten().collect()
    }
}

fn rights(rule: &PolicyRule) -> Vec<Right> {
    let (groups, resources) = (
        rule.api_groups.iter().flatten(),
        rule.resources.iter().flatten(),
    );
    let pairs = groups.flat_map(|group| resources.clone().map(move |resource| (group, resource)));
    let right = |group: &String, resource: &String, verb: &String| Right {
        group: group.clone(),
        resource: resource.clone(),
        verb: verb.clone(),
    };
    pairs
        .flat_map(|(group, resource)| {
            rule.verbs
                .iter()
                .map(move |verb| right(group, resource, verb))
        })
        .collect()
}

/// The rules that grant what a rule does, but for one right.
fn split(rule: &PolicyRule, without: &Right) -> Vec<PolicyRule> {
    let rights = rights(rule).into_iter().filter(|right| right != without);
    rights
        .map(|right| PolicyRule {
            api_groups: Some(vec![right.group]),
            resources: Some(vec![right.resource]),
            verbs: vec![right.verb],
            ..PolicyRule::default()
        })
        .collect()
}

impl Record {
    /// A client that is a service account, as far as the API server is concerned.
    pub(crate) fn client(&self, admin: &Client, namespace: &str, account: &str) -> Client {
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let user = HeaderValue::from_str(&user).expect("a header value");
        let (record, inner) = (self.clone(), admin.clone());
        let service = service_fn(move |mut request: Request<Body>| {
            let (record, inner) = (record.clone(), inner.clone());
            let headers = request.headers_mut();
            headers.insert("impersonate-user", user.clone());
            headers.insert(
                "impersonate-group",
                HeaderValue::from_static("system:serviceaccounts"),
            );
            let right = right_of(&request);
            async move {
                let answer = inner.send(request).await?;
                if let Some(right) = right {
                    record.note(right, answer.status());
                }
                Ok::<_, tower::BoxError>(answer)
            }
        });
        Client::new(service, namespace)
    }

    /// What was asked for.
    pub(crate) fn used(&self) -> BTreeSet<Right> {
        self.0.lock().expect("no panic").used.clone()
    }

    /// What was refused.
    pub(crate) fn refused(&self) -> BTreeSet<Right> {
        self.0.lock().expect("no panic").refused.clone()
    }

    fn note(&self, right: Right, status: StatusCode) {
        let mut asked = self.0.lock().expect("no panic");
        if status == StatusCode::FORBIDDEN {
            asked.refused.insert(right.clone());
        }
        asked.used.insert(right);
    }
}

/// What a request needs, as the API server sees it; nothing for discovery.
fn right_of(request: &Request<Body>) -> Option<Right> {
    let mut segments = request.uri().path().trim_start_matches('/').split('/');
    let group = match segments.next()? {
        "api" => "",
        "apis" => segments.next()?,
        _ => return None,
    };
    let _version = segments.next()?;
    let mut rest: Vec<&str> = segments.collect();
    if rest.len() > 2 && rest.first() == Some(&"namespaces") {
        rest.drain(..2);
    }
    let query = request.uri().query().unwrap_or_default();
    let is_watch = query
        .split('&')
        .any(|pair| pair == "watch=true" || pair == "watch=1");
    let has_name = rest.len() > 1;
    let verb = match *request.method() {
        Method::GET if is_watch => "watch",
        Method::GET if has_name => "get",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        _ => "delete",
    };
    let resource = match rest[..] {
        [resource, _, subresource] => format!("{resource}/{subresource}"),
        _ => (*rest.first()?).to_owned(),
    };
    Some(Right {
        group: group.to_owned(),
        resource,
        verb: verb.to_owned(),
    })
}
