//! What the API server says this gateway may trigger: what is known, and what is still to be asked. Pure.
//!
//! One question for a kind is enough where everything of it may be patched; else one for a namespace, else one for
//! each object.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;

use crate::hook::{Target, TargetKind};

/// How long an answer counts.
const FRESH: Duration = Duration::from_hours(1);
/// How long it counts that an object must not be patched, for somebody may be granting it, or that there was no answer.
const FRESH_DENIAL: Duration = Duration::from_mins(5);

/// Whether objects may be patched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::trigger) struct Question {
    /// Their kind.
    pub(in crate::trigger) kind: TargetKind,
    /// Their namespace; empty for all.
    pub(in crate::trigger) namespace: String,
    /// The name of the one that is meant; empty for all.
    pub(in crate::trigger) name: String,
}

/// What has been asked.
#[derive(Debug, Default)]
pub(super) struct Rights(HashMap<Question, Answer>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    /// Nothing when the API server did not say.
    is_allowed: Option<bool>,
    at: Instant,
}

/// What is to be asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Agenda {
    /// Now.
    pub(super) now: HashSet<Question>,
    /// When there is more, if nothing changes.
    pub(super) later: Option<Instant>,
}

/// What is to be done next about a target.
enum Next<'q> {
    Ask(&'q Question),
    At(Instant),
}

impl Rights {
    /// What is to be asked about these targets; what is known of others is forgotten.
    pub(super) fn agenda<'t>(
        &mut self,
        targets: impl Iterator<Item = &'t Target>,
        now: Instant,
    ) -> Agenda {
        let mut agenda = Agenda::default();
        let mut relevant = HashSet::new();
        for target in targets {
            let questions = questions(target);
            match self.next(&questions, now) {
                Next::Ask(question) => drop(agenda.now.insert(question.clone())),
                Next::At(instant) => {
                    let later = agenda.later.map_or(instant, |later| later.min(instant));
                    agenda.later = Some(later);
                }
            }
            relevant.extend(questions);
        }
        self.0.retain(|question, _| relevant.contains(question));
        agenda
    }

    /// What is to be done next about a target.
    fn next<'q>(&self, questions: &'q [Question], now: Instant) -> Next<'q> {
        let mut next = now + FRESH;
        for (question, number) in questions.iter().zip(1..) {
            let is_last = number == questions.len();
            let answer = self.0.get(question);
            let fresh = answer.filter(|answer| answer.fresh_until(is_last) > now);
            let Some(answer) = fresh else {
                return Next::Ask(question);
            };
            next = next.min(answer.fresh_until(is_last));
            if answer.is_allowed != Some(false) {
                break;
            }
        }
        Next::At(next)
    }

    /// Takes note of an answer, or that there was none; says whether it is another than before.
    pub(super) fn note(
        &mut self,
        question: Question,
        is_allowed: Option<bool>,
        now: Instant,
    ) -> bool {
        let answer = Answer {
            is_allowed,
            at: now,
        };
        let old = self.0.insert(question, answer);
        old.and_then(|old| old.is_allowed) != is_allowed
    }

    /// Whether a target may be triggered, and when that was said; nothing when it is not known.
    pub(super) fn of(&self, target: &Target) -> Option<(bool, Instant)> {
        let [everywhere, within, exactly] = questions(target);
        let said = |question| {
            let answer = self.0.get(question)?;
            Some((answer.is_allowed?, answer.at))
        };
        let mut granted = [&everywhere, &within].into_iter().filter_map(said);
        let granted = granted.rfind(|(is_allowed, _)| *is_allowed);
        granted.or_else(|| said(&exactly))
    }
}

impl Answer {
    fn fresh_until(&self, is_last: bool) -> Instant {
        match self.is_allowed {
            Some(true) => self.at + FRESH,
            Some(false) if !is_last => self.at + FRESH,
            Some(false) | None => self.at + FRESH_DENIAL,
        }
    }
}

/// What can be asked about a target, from the widest to the narrowest.
fn questions(target: &Target) -> [Question; 3] {
    let Target {
        kind,
        namespace,
        name,
    } = target;
    let question = |namespace: &str, name: &str| Question {
        kind: kind.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    [
        question("", ""),
        question(namespace, ""),
        question(namespace, name),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::tests::target;

    /// Asks as long as there is something to ask; the API server is a function of namespace and name.
    fn ask(
        rights: &mut Rights,
        targets: &[Target],
        now: Instant,
        server: impl Fn(&str, &str) -> Option<bool>,
    ) -> usize {
        let mut asked = 0;
        loop {
            let agenda = rights.agenda(targets.iter(), now);
            if agenda.now.is_empty() {
                return asked;
            }
            for question in agenda.now {
                let answer = server(&question.namespace, &question.name);
                rights.note(question, answer, now);
                asked += 1;
            }
        }
    }

    #[test]
    fn one_question_is_enough_where_everything_is_allowed() {
        let (mut rights, now) = (Rights::default(), Instant::now());
        let targets: Vec<_> = (0..100).map(|number| target(&number.to_string())).collect();
        assert_eq!(ask(&mut rights, &targets, now, |_, _| Some(true)), 1);
        assert_eq!(rights.of(&targets[7]), Some((true, now)));
        let soon = now + FRESH / 2;
        assert_eq!(ask(&mut rights, &targets, soon, |_, _| Some(false)), 0);
        let later = rights.agenda(targets.iter(), soon).later;
        assert_eq!(later, Some(now + FRESH));
    }

    #[test]
    fn rights_are_found_however_they_are_granted() {
        let now = Instant::now();
        let (web, api) = (target("web"), target("api"));
        let both = [web.clone(), api.clone()];
        let mut rights = Rights::default();
        assert_eq!(
            ask(&mut rights, &both, now, |namespace, _| Some(
                namespace == "apps"
            )),
            2
        );
        assert_eq!(rights.of(&web), Some((true, now)));
        let mut rights = Rights::default();
        assert_eq!(
            ask(&mut rights, &both, now, |_, name| Some(name == "web")),
            4
        );
        assert_eq!(rights.of(&web), Some((true, now)));
        assert_eq!(rights.of(&api), Some((false, now)));
    }

    #[test]
    fn a_denial_is_asked_about_again_soon() {
        let (mut rights, now) = (Rights::default(), Instant::now());
        let web = [target("web")];
        assert_eq!(ask(&mut rights, &web, now, |_, _| Some(false)), 3);
        let agenda = rights.agenda(web.iter(), now);
        assert_eq!(agenda.later, Some(now + FRESH_DENIAL));
        let granted = now + FRESH_DENIAL;
        assert_eq!(ask(&mut rights, &web, granted, |_, _| Some(true)), 1);
        assert_eq!(rights.of(&web[0]), Some((true, granted)));
    }

    #[test]
    fn a_server_that_does_not_say_is_left_alone_for_a_while() {
        let (mut rights, now) = (Rights::default(), Instant::now());
        let web = [target("web")];
        assert_eq!(ask(&mut rights, &web, now, |_, _| None), 1);
        assert_eq!(rights.of(&web[0]), None);
        let later = rights.agenda(web.iter(), now).later;
        assert_eq!(later, Some(now + FRESH_DENIAL));
    }

    #[test]
    fn what_is_not_named_any_more_is_forgotten() {
        let (mut rights, now) = (Rights::default(), Instant::now());
        ask(&mut rights, &[target("web")], now, |_, _| Some(false));
        rights.agenda([].iter(), now);
        assert!(rights.0.is_empty());
    }
}
