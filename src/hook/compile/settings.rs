//! What the annotations of a Receiver ask for beyond what Flux knows.
//!
//! Wrong ones are problems, for what somebody asked for and does not get may be what keeps a hook safe.

use std::time::Duration;

use kube::ResourceExt as _;

use super::{
    super::{Sender, certificate::CertificateRule, problem::Problem},
    Policy,
};
use crate::api::{
    self,
    annotations::{ALLOWED_CLIENTS, CLIENT_CERTIFICATE, RATE, REPLAY_WINDOW, REPLAYS},
    clients::ClientNetworks,
    rate::Rate,
    receiver::Receiver,
};

/// What a Receiver asks for.
#[derive(Clone, Debug)]
pub(in crate::hook) struct Settings {
    /// How far a signed time may be from now.
    pub(in crate::hook) window: Duration,
    /// Where deliveries may come from; anywhere when absent.
    pub(in crate::hook) clients: Option<ClientNetworks>,
    /// How often targets are triggered; as the operator says when absent.
    pub(in crate::hook) rate: Option<Rate>,
    /// Which client certificates are let in; any client is without.
    pub(in crate::hook) certificate: Option<CertificateRule>,
    /// Whether a delivery that was signed before triggers nothing.
    pub(in crate::hook) refuses_replays: bool,
}

/// The longest window: what is signed a day ahead or a day late is as good as not signed with a time.
const LONGEST_WINDOW: Duration = Duration::from_hours(24);
/// The window of a Receiver that does not say, as Standard Webhooks recommends.
const DEFAULT_WINDOW: Duration = Duration::from_mins(5);

impl Settings {
    /// Reads the annotations; `sender` is nothing when it is what is wrong.
    pub(super) fn of(
        receiver: &Receiver,
        sender: Option<Sender>,
        policy: Policy,
        problems: &mut Vec<Problem>,
    ) -> Self {
        Self {
            window: window(receiver, sender, problems),
            clients: clients(receiver, problems),
            rate: rate(receiver, problems),
            certificate: certificate(receiver, policy, problems),
            refuses_replays: refuses_replays(receiver, sender, problems),
        }
    }
}

fn window(receiver: &Receiver, sender: Option<Sender>, problems: &mut Vec<Problem>) -> Duration {
    let Some(text) = receiver.annotations().get(REPLAY_WINDOW) else {
        return DEFAULT_WINDOW;
    };
    if let Some(sender) = sender.filter(|sender| !sender.signs_time()) {
        problems.push(Problem::UselessWindow { sender });
    }
    let window = text.parse().ok().map(api::duration::Duration::get);
    let in_bounds = |window: &Duration| (Duration::from_secs(1)..=LONGEST_WINDOW).contains(window);
    window.filter(in_bounds).unwrap_or_else(|| {
        problems.push(Problem::InvalidWindow { text: text.clone() });
        DEFAULT_WINDOW
    })
}

fn clients(receiver: &Receiver, problems: &mut Vec<Problem>) -> Option<ClientNetworks> {
    let text = receiver.annotations().get(ALLOWED_CLIENTS)?;
    match ClientNetworks::parse(text) {
        Ok(networks) => Some(networks),
        Err(invalid) => {
            problems.push(Problem::InvalidClients(invalid));
            None
        }
    }
}

fn rate(receiver: &Receiver, problems: &mut Vec<Problem>) -> Option<Rate> {
    let text = receiver.annotations().get(RATE)?;
    match text.parse() {
        Ok(rate) => Some(rate),
        Err(invalid) => {
            let text = text.clone();
            problems.push(Problem::InvalidRate { text, invalid });
            None
        }
    }
}

fn certificate(
    receiver: &Receiver,
    policy: Policy,
    problems: &mut Vec<Problem>,
) -> Option<CertificateRule> {
    let text = receiver.annotations().get(CLIENT_CERTIFICATE)?;
    let rule = CertificateRule::compile(text, policy.certificate_checks);
    rule.map_err(|problem| problems.push(problem)).ok()
}

fn refuses_replays(
    receiver: &Receiver,
    sender: Option<Sender>,
    problems: &mut Vec<Problem>,
) -> bool {
    let text = receiver.annotations().get(REPLAYS);
    let refuses = text.is_some_and(|text| text == "refuse");
    if let Some(sender) = sender.filter(|sender| refuses && !sender.signs_deliveries()) {
        problems.push(Problem::UselessReplays { sender });
    }
    if let Some(text) = text.filter(|text| !refuses && *text != "trigger") {
        problems.push(Problem::InvalidReplays { text: text.clone() });
    }
    refuses
}
