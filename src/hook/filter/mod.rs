//! CEL filters: which of the objects that a Receiver names a delivery triggers.
//!
//! The expressions are compiled with the Receiver. What the objects look like is for the caller to find out.

mod request;

pub(super) use request::declares_json;

use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};

use super::{
    Hook,
    malformed::Malformed,
    problem::Problem,
    provider::CLAIMS,
    selection::{Detail, Selector, Target, TargetKind},
    verify::Authentic,
};
use crate::{
    api::receiver::{ReceiverSpec, ReceiverType},
    cel::{Failure, Meter, Output, Program, Unevaluable, Variables},
};

/// The filters of a Receiver.
#[derive(Debug, Default)]
pub(super) struct Filters {
    of_receiver: Option<Program>,
    /// By the position in `spec.resources`.
    of_resources: Vec<Option<Program>>,
    /// The position in `spec.resources` of each selector.
    pub(super) resources: Vec<usize>,
}

/// An object that a delivery may trigger.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The position of its selector among those of the hook.
    pub selector: usize,
    /// The object.
    pub target: Target,
    /// Its `metadata`, in JSON.
    pub metadata: Arc<str>,
}

/// What the filters say of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is to be triggered.
    Wanted,
    /// It is not.
    LeftOut,
    /// They cannot tell.
    Failed {
        /// Why, in words for the operator.
        reason: String,
    },
}

/// Why the filters say nothing of any object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// The body is not what filters can look at.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It would take longer than the sender waits.
    #[error("the filters were not evaluated in time")]
    Interrupted,
}

impl Filters {
    /// Compiles all filters of a Receiver, and reports those that cannot be.
    pub(super) fn compile(spec: &ReceiverSpec, problems: &mut Vec<Problem>) -> Self {
        let variables: &[&str] = match spec.type_ {
            ReceiverType::GenericOidc => &["req", "res", CLAIMS],
            _ => &["req", "res"],
        };
        let compile = |filter: Option<&str>| {
            let filter = filter.filter(|filter| !filter.is_empty())?;
            Some(Program::compile(filter, variables, Output::Bool))
        };
        let of_receiver = compile(spec.resource_filter.as_deref()).and_then(|compiled| {
            let invalid = |error| problems.push(Problem::InvalidResourceFilter { error });
            compiled.map_err(invalid).ok()
        });
        let resources = spec.resources.iter().enumerate();
        let of_resources = resources.map(|(index, resource)| {
            let invalid = |error| {
                problems.push(Problem::InvalidFilter {
                    index,
                    kind: resource.kind.clone(),
                    name: resource.name.clone(),
                    error,
                });
            };
            compile(resource.filter.as_deref())?.map_err(invalid).ok()
        });
        Self {
            of_resources: of_resources.collect(),
            of_receiver,
            resources: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.of_receiver.is_none() && self.of_resources.iter().all(Option::is_none)
    }

    /// The filters that all must say yes to what a selector selects, the Receiver's first.
    fn of(&self, selector: usize) -> impl Iterator<Item = &Program> {
        let resource = self.resources.get(selector);
        let own = resource.and_then(|resource| self.of_resources.get(*resource)?.as_ref());
        self.of_receiver.iter().chain(own)
    }
}

impl Hook {
    /// Whether any of its targets has a filter, so that the body must be understood.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Whether what a selector selects, by its position, has a filter.
    #[must_use]
    pub fn filters(&self, selector: usize) -> bool {
        self.filters.of(selector).next().is_some()
    }

    /// What must be known of each kind, with a namespace, so that the hook can select.
    pub fn details(&self) -> impl Iterator<Item = (TargetKind, String, Detail)> {
        let selectors = self.selection.selectors.iter().enumerate();
        selectors.filter_map(|(position, selector)| {
            let (kind, namespace, detail) = match selector {
                Selector::Named(target) => (&target.kind, &target.namespace, None),
                Selector::Labelled {
                    kind, namespace, ..
                } => (kind, namespace, Some(Detail::Labels)),
            };
            let detail = if self.filters(position) {
                Detail::Metadata
            } else {
                detail?
            };
            Some((kind.clone(), namespace.clone(), detail))
        })
    }

    /// What the filters say of each candidate, in their order, unless `is_over` says meanwhile that nobody waits any longer.
    ///
    /// It takes long, and as much memory as `MAX_TREE_BYTES` allows.
    pub fn judge(
        &self,
        authentic: &Authentic,
        headers: &HeaderMap,
        body: &[u8],
        candidates: &[Candidate],
        is_over: &dyn Fn() -> bool,
    ) -> Result<Vec<Judgement>, Unjudged> {
        let request = request::visible(self.sender, headers, body)?;
        let mut variables = Variables::default().with("req", &request);
        if let Some(claims) = &authentic.claims {
            variables = variables.with(CLAIMS, claims.as_object());
        }
        let judge = |candidate| self.judge_one(candidate, &variables, is_over);
        candidates.iter().map(judge).collect()
    }

    fn judge_one(
        &self,
        candidate: &Candidate,
        variables: &Variables<'_>,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Judgement, Unjudged> {
        let Some(object) = object(candidate) else {
            let reason = "its metadata cannot be read".to_owned();
            return Ok(Judgement::Failed { reason });
        };
        let variables = variables.clone().with("res", &object);
        let mut meter = Meter::new(is_over);
        for filter in self.filters.of(candidate.selector) {
            match filter.holds(&variables, &mut meter) {
                Ok(true) => {}
                Ok(false) => return Ok(Judgement::LeftOut),
                Err(Unevaluable::Failed {
                    failure: Failure::Interrupted,
                    ..
                }) => return Err(Unjudged::Interrupted),
                Err(error) => {
                    let reason = error.to_string();
                    return Ok(Judgement::Failed { reason });
                }
            }
        }
        Ok(Judgement::Wanted)
    }
}

/// The variable `res`: what Kubernetes shows of an object that it shows the metadata of.
fn object(candidate: &Candidate) -> Option<Value> {
    let TargetKind {
        group,
        version,
        kind,
        ..
    } = &candidate.target.kind;
    let slash = if group.is_empty() { "" } else { "/" };
    let metadata: Value = serde_json::from_str(&candidate.metadata).ok()?;
    Some(json!({
        "apiVersion": format!("{group}{slash}{version}"),
        "kind": kind,
        "metadata": metadata,
    }))
}

#[cfg(test)]
mod tests;
