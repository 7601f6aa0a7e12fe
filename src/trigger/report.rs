//! What became of a delivery's targets, one by one and as a whole.
//!
//! Which HTTP status a verdict becomes is for `ingress` to say.

use std::{fmt, sync::Arc, time::Duration};

use crate::hook::{Selector, Target};

/// What became of everything that one delivery selected, in the order of `spec.resources`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One entry per object; a selection by labels that matched nothing or could not be listed has one of its own.
    pub entries: Vec<Entry>,
    /// Whether the rate of the Receiver keeps one of them from being triggered now.
    pub is_above_rate: bool,
}

/// What became of one object, or of one selection by labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub subject: Subject,
    /// What became of it.
    pub outcome: Outcome,
}

/// An object, or the selection that gave none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One object.
    Target(Arc<Target>),
    /// A selection by labels.
    Selection(Selector),
}

/// What became of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The object is annotated.
    Done {
        /// The value written: the time of sending, in RFC 3339 with nanoseconds.
        requested_at: String,
    },
    /// It is on disk that the object has to be annotated, and that is being worked on.
    Pending,
    /// The labels matched no object, which is not a failure.
    NothingSelected,
    /// A filter left the object out, which is none either.
    LeftOut,
    /// It will not work until somebody changes something.
    Refused {
        /// A sentence that names the target and what to do.
        reason: String,
    },
    /// It did not work in time, and could not be made durable.
    Unfinished {
        /// A sentence that names the target.
        reason: String,
        /// How long the API server asks to wait.
        retry_after: Option<Duration>,
    },
}

/// What a report comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every target is annotated, or there was none.
    AllDone,
    /// Some targets are annotated, the others are refused.
    SomeDone,
    /// Nothing is lost, but some targets are still to be annotated; others may be refused.
    Pending,
    /// Every target is refused.
    NoneAccepted,
    /// At least one target may work another time: the sender should try again.
    Unfinished,
}

impl Report {
    /// The report of a delivery whose targets are all annotated at once.
    #[must_use]
    pub fn of_success(selectors: &[Selector]) -> Self {
        let entries = selectors.iter().map(|selector| Entry {
            subject: Subject::Selection(selector.clone()),
            outcome: Outcome::Done {
                requested_at: String::new(),
            },
        });
        Self {
            entries: entries.collect(),
            is_above_rate: false,
        }
    }

    /// What it comes to as a whole.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let (mut done, mut refused, mut pending) = (0_usize, 0_usize, 0_usize);
        for entry in &self.entries {
            match entry.outcome {
                Outcome::Done { .. } => done += 1,
                Outcome::Pending => pending += 1,
                Outcome::NothingSelected | Outcome::LeftOut => {}
                Outcome::Refused { .. } => refused += 1,
                Outcome::Unfinished { .. } => return Verdict::Unfinished,
            }
        }
        match (done, pending, refused) {
            (_, 0, 0) => Verdict::AllDone,
            (0, 0, _) => Verdict::NoneAccepted,
            (_, 0, _) => Verdict::SomeDone,
            _ => Verdict::Pending,
        }
    }

    /// The targets and selections that are refused, as `Kind/namespace/name`.
    pub fn refused(&self) -> impl Iterator<Item = String> {
        let refused = |entry: &&Entry| matches!(entry.outcome, Outcome::Refused { .. });
        self.entries
            .iter()
            .filter(refused)
            .map(|entry| entry.subject.to_string())
    }

    /// Whether filters left out all that there was.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        let is_nothing =
            |entry: &Entry| matches!(entry.outcome, Outcome::NothingSelected | Outcome::LeftOut);
        let mut outcomes = self.entries.iter().map(|entry| &entry.outcome);
        self.entries.iter().all(is_nothing) && outcomes.any(|it| *it == Outcome::LeftOut)
    }

    /// The longest time that the API server asked to wait before trying again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.entries
            .iter()
            .filter_map(|entry| match entry.outcome {
                Outcome::Unfinished { retry_after, .. } => retry_after,
                _ => None,
            })
            .max()
    }
}

impl fmt::Display for Entry {
    /// Writes `GitRepository/flux-system/podinfo: done`, with the reason when there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.subject)?;
        match &self.outcome {
            Outcome::Done { .. } => f.write_str("done"),
            Outcome::Pending => f.write_str("pending"),
            Outcome::NothingSelected => f.write_str("no object has the labels"),
            Outcome::LeftOut => f.write_str("left out by a filter"),
            Outcome::Refused { reason } | Outcome::Unfinished { reason, .. } => f.write_str(reason),
        }
    }
}

impl fmt::Display for Subject {
    /// Writes it as [`Target`] and [`Selector`] are written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(target) => target.fmt(f),
            Self::Selection(selector) => selector.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::tests::target;

    fn entry(outcome: Outcome) -> Entry {
        let labels = [("app", "web"), ("env", "prod")];
        Entry {
            subject: Subject::Selection(Selector::Labelled {
                kind: target("").kind,
                namespace: "apps".to_owned(),
                labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            }),
            outcome,
        }
    }

    fn done() -> Outcome {
        Outcome::Done {
            requested_at: "2026-01-01T00:00:00.000000001Z".to_owned(),
        }
    }

    fn refused() -> Outcome {
        Outcome::Refused {
            reason: "no".to_owned(),
        }
    }

    fn unfinished(seconds: Option<u64>) -> Outcome {
        Outcome::Unfinished {
            reason: "later".to_owned(),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    fn report(outcomes: impl IntoIterator<Item = Outcome>) -> Report {
        Report {
            entries: outcomes.into_iter().map(entry).collect(),
            is_above_rate: false,
        }
    }

    #[test]
    fn verdicts() {
        for (outcomes, verdict) in [
            (vec![], Verdict::AllDone),
            (vec![Outcome::NothingSelected], Verdict::AllDone),
            (vec![done(), Outcome::NothingSelected], Verdict::AllDone),
            (vec![done(), refused()], Verdict::SomeDone),
            (vec![refused(), refused()], Verdict::NoneAccepted),
            (
                vec![Outcome::NothingSelected, refused()],
                Verdict::NoneAccepted,
            ),
            (vec![done(), unfinished(None)], Verdict::Unfinished),
            (vec![refused(), unfinished(None)], Verdict::Unfinished),
            (vec![Outcome::Pending], Verdict::Pending),
            (vec![done(), Outcome::Pending, refused()], Verdict::Pending),
            (
                vec![Outcome::Pending, unfinished(None)],
                Verdict::Unfinished,
            ),
        ] {
            let report = report(outcomes);
            assert_eq!(report.verdict(), verdict, "{report:?}");
        }
    }

    #[test]
    fn the_longest_wait_counts() {
        let report = report([
            unfinished(Some(2)),
            done(),
            unfinished(Some(7)),
            unfinished(None),
        ]);
        assert_eq!(report.retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn an_entry_reads_as_a_sentence() {
        assert_eq!(
            entry(Outcome::NothingSelected).to_string(),
            "GitRepository/apps/* app=web,env=prod: no object has the labels"
        );
    }
}
