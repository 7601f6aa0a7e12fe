//! The phases of a recorded request in words: what is right about it, and what may be wrong.
//!
//! Pure. Where it ends is not found out here.

use std::{fmt::Write as _, net::IpAddr};

use http::{HeaderMap, header::CONTENT_TYPE};
use jiff::Timestamp;

use super::{doubt, subject::Subject};
use crate::{
    cli::{recording::Recording, table::printable},
    hook::Hook,
    ingress::{Phase, Rehearsal},
};

/// What a story is about.
pub(super) struct Story<'a> {
    pub(super) subject: &'a Subject,
    pub(super) recording: &'a Recording,
    /// The hook of the Receiver, if it takes deliveries.
    pub(super) hook: Option<&'a Hook>,
    /// The path of the Receiver, if it has one.
    pub(super) path: Option<&'a str>,
    /// Where it comes from, if that is known.
    pub(super) client: Option<IpAddr>,
    pub(super) now: Timestamp,
}

impl Story<'_> {
    /// One line for each phase up to the last, and below that what may be behind a stop.
    pub(super) fn tell(&self, end: &Rehearsal) -> String {
        let mut text = String::new();
        for (number, phase) in (1..).zip(Phase::ALL) {
            let is_last = phase == end.phase;
            let words = match &end.reason {
                Some(reason) if is_last => format!("stops here with {}: {reason}", end.status),
                _ => self.passed(phase, end),
            };
            let (phase, words) = (phase.as_str(), printable(&words));
            // Writing to a String does not fail.
            let _ = writeln!(text, "{number}  {phase:<14}{words}");
            if is_last {
                break;
            }
        }
        for doubt in self.doubts(end) {
            let _ = writeln!(text, "   {:<14}- {}", "", printable(&doubt));
        }
        text
    }

    /// What is right in a phase that the request gets through.
    fn passed(&self, phase: Phase, end: &Rehearsal) -> String {
        let name = self.subject.name();
        match phase {
            Phase::Receive => {
                let (method, length) = (&self.recording.method, self.recording.body.len());
                format!("{method}, {length} bytes of {}", self.media_type())
            }
            Phase::Locate => format!("the path is that of Receiver {name}"),
            Phase::Limit => self.limits(),
            Phase::Authenticate => self.proof(),
            Phase::Interpret if end.event.is_empty() => "the event has no name".to_owned(),
            Phase::Interpret => format!("the event is {}", end.event),
            Phase::Admit => self.admission(),
            Phase::Select => self.selection(),
            Phase::Trigger => format!("would be answered {}; nothing is triggered now", end.status),
        }
    }

    fn limits(&self) -> String {
        let networks = self.hook.and_then(Hook::clients);
        let networks = networks.map(|networks| {
            let networks = networks.networks().iter().map(ToString::to_string);
            networks.collect::<Vec<_>>().join(", ")
        });
        let place = match (networks, self.client) {
            (None, _) => String::new(),
            (Some(networks), Some(client)) => format!("{client} is in one of {networks}; "),
            (Some(networks), None) => {
                format!("only clients in {networks} may send, so say with `--client` which it is; ")
            }
        };
        format!("{place}passes, unless the client failed too often before")
    }

    fn media_type(&self) -> &str {
        let declared = self.recording.headers.get(CONTENT_TYPE);
        let declared = declared.and_then(|value| value.to_str().ok());
        declared.unwrap_or("no declared type")
    }

    fn proof(&self) -> String {
        let asks_for_proof = self
            .hook
            .is_some_and(|hook| hook.verifier(&HeaderMap::new(), None, self.now).is_err());
        let secret = self.hook.and_then(Hook::secret).unwrap_or_default();
        let is_vouched_for = self.hook.is_some_and(|hook| hook.sender().is_vouched_for());
        let proof = if is_vouched_for {
            "an issuer vouches for the sender, as the Receiver asks".to_owned()
        } else if asks_for_proof {
            format!("the sender knows what is in Secret {secret}")
        } else {
            "the path is all that this sender proves itself with".to_owned()
        };
        if self.hook.is_some_and(Hook::asks_for_certificate) {
            format!(
                "{proof}; its client certificate, which a recording does not hold, is not checked"
            )
        } else {
            proof
        }
    }

    fn admission(&self) -> String {
        let refuses_replays = self.hook.is_some_and(Hook::refuses_replays);
        if refuses_replays {
            let wanted = self.wanted();
            return format!("{wanted}; whether the same was signed before is not judged here");
        }
        self.wanted()
    }

    fn wanted(&self) -> String {
        let events = &self.subject.receiver.spec.events;
        let is_filtered = self.hook.is_some_and(|hook| hook.sender().names_events());
        if events.is_empty() || !is_filtered {
            "all events are wanted".to_owned()
        } else {
            format!("it is one of {}", events.join(", "))
        }
    }

    fn selection(&self) -> String {
        let selection = self.hook.map(Hook::selection);
        let selectors = selection.iter().flat_map(|it| &it.selectors);
        let mut selected: Vec<_> = selectors.map(ToString::to_string).collect();
        let refusals = selection.iter().flat_map(|it| &it.refusals);
        selected.extend(refusals.map(|it| format!("not {}, for {}", it.target, it.reason)));
        if selected.is_empty() {
            "nothing, for the Receiver has no resources".to_owned()
        } else {
            selected.join(", ")
        }
    }

    /// What may be behind a stop, or is odd though it works.
    fn doubts(&self, end: &Rehearsal) -> Vec<String> {
        let mut doubts = Vec::new();
        match (end.phase, self.hook) {
            (Phase::Locate, _) => {
                doubts.extend(self.subject.foresight.problem.clone());
                let recorded = self.recording.path.as_str();
                let about_path = |path| doubt::about_path(recorded, path);
                doubts.extend(self.path.and_then(about_path).map(ToOwned::to_owned));
            }
            (Phase::Authenticate, Some(hook)) if end.reason.is_some() => {
                let (subject, recording, now) = (self.subject, self.recording, self.now);
                doubts.extend(doubt::about_sender(subject, hook.sender(), recording, now));
            }
            (Phase::Admit, _) if end.reason.is_some() => {
                let events = self.subject.receiver.spec.events.join(", ");
                doubts.push(format!(
                    "`spec.events` has {events}, and not `{}`",
                    end.event
                ));
            }
            _ => {}
        }
        if self.hook.is_some() && end.phase != Phase::Receive && end.phase != Phase::Locate {
            doubts.extend(doubt::about_token(self.subject));
        }
        doubts
    }
}
