//! From `spec.oidcProviders` to the issuers that a hook trusts, in the order and the words of Flux.
//!
//! Whether an issuer answers is not known here; nothing is fetched before a delivery needs it.

use std::collections::BTreeSet;

use http::Uri;

use super::{
    super::{
        problem::{Problem, ProviderProblem},
        provider::{Provider, Rules},
    },
    PlainIssuers, Policy,
};
use crate::api::receiver::OidcProvider;

/// Compiles all providers; those with problems are left out.
pub(super) fn compile(
    providers: &[OidcProvider],
    policy: Policy,
    problems: &mut Vec<Problem>,
) -> Vec<Provider> {
    let mut known = BTreeSet::new();
    let mut compiled = Vec::new();
    for (index, provider) in providers.iter().enumerate() {
        let url = &provider.issuer_url;
        let mut report = |issuer: Option<&str>, problem| {
            problems.push(Problem::Provider {
                index,
                issuer: issuer.map(str::to_owned),
                problem: Box::new(problem),
            });
        };
        if let Some(problem) = check_url(url, policy) {
            report(None, problem);
        } else if !known.insert(url) {
            report(None, ProviderProblem::DuplicateUrl { url: url.clone() });
        }
        for problem in missing(provider) {
            report(Some(url), problem);
        }
        let (rules, mistakes) = Rules::compile(provider);
        for problem in mistakes {
            report(Some(url), problem);
        }
        compiled.push(Provider {
            issuer: url.as_str().into(),
            audience: provider.audience().to_owned(),
            rules,
        });
    }
    compiled
}

fn check_url(url: &str, policy: Policy) -> Option<ProviderProblem> {
    let is_plain = url.starts_with("http://");
    let url = || url.to_owned();
    if url().is_empty() {
        Some(ProviderProblem::MissingUrl)
    } else if !is_plain && !url().starts_with("https://") {
        Some(ProviderProblem::NotHttp { url: url() })
    } else if !leads_to_a_document(&url()) {
        Some(ProviderProblem::NotAnAddress { url: url() })
    } else if is_plain && policy.plain_issuers == PlainIssuers::Denied {
        Some(ProviderProblem::Plain { url: url() })
    } else {
        None
    }
}

/// Whether a path can be put behind the URL, and nothing in it is a credential.
fn leads_to_a_document(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    has_host && !url.contains(['@', '?', '#'])
}

fn missing(provider: &OidcProvider) -> Vec<ProviderProblem> {
    let mut problems = Vec::new();
    if provider.validations.is_empty() {
        problems.push(ProviderProblem::NoValidations);
    }
    for (index, variable) in provider.variables.iter().enumerate() {
        if variable.name.is_empty() {
            problems.push(ProviderProblem::UnnamedVariable { index });
        }
        if variable.expression.is_empty() {
            let name = variable.name.clone();
            problems.push(ProviderProblem::EmptyVariable { index, name });
        }
    }
    for (index, validation) in provider.validations.iter().enumerate() {
        if validation.expression.is_empty() {
            problems.push(ProviderProblem::EmptyValidation { index });
        }
        if validation.message.is_empty() {
            problems.push(ProviderProblem::NoMessage { index });
        }
    }
    problems
}
