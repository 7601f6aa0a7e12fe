//! What must hold of the limits that a Receiver asks for.
//!
//! Whether they are kept is not asked here.

use std::time::Duration;

use hookgate::api::{clients::ClientNetworks, rate::Rate};

/// Networks that are read contain their own addresses, are no more than were written, and are read again as the same.
pub fn allowed_clients(input: &[u8]) {
    let Ok(annotation) = str::from_utf8(input) else {
        return;
    };
    let Ok(clients) = ClientNetworks::parse(annotation) else {
        return;
    };
    let networks = clients.networks();
    assert!((1..=ClientNetworks::MAX).contains(&networks.len()));
    for network in networks {
        assert!(clients.contain(network.network()), "{annotation:?}");
        assert!(clients.contain(network.broadcast()), "{annotation:?}");
    }
    let written: Vec<_> = networks.iter().map(ToString::to_string).collect();
    assert_eq!(ClientNetworks::parse(&written.join(",")), Ok(clients));
}

/// A rate that is read gives back in its unit no more than it lets through at once, and never nothing.
pub fn rate(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(Rate { interval, burst }) = text.parse::<Rate>() {
        let unit = match text.as_bytes().last() {
            Some(b's') => Duration::from_secs(1),
            Some(b'm') => Duration::from_mins(1),
            _ => Duration::from_hours(1),
        };
        let earned = interval * burst.get();
        assert!(!interval.is_zero() && earned <= unit, "{text}");
        assert!(unit < earned + Duration::from_millis(1), "{text}");
    }
}
