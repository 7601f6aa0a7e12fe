//! Who is slowed down, for how long, and that no flood changes that.

use std::net::Ipv6Addr;

use governor::clock::FakeRelativeClock;

use super::*;

const BURST: u32 = AT_RECEIVER.0;
const SECOND: Duration = Duration::from_secs(1);

type Limit = FailureLimit<FakeRelativeClock>;

fn limit() -> (Limit, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (FailureLimit::new(clock.clone()), clock)
}

fn receiver(name: &str) -> ReceiverRef {
    ReceiverRef {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The address of the client in a network of its own, in the order of their numbers.
fn stranger(number: u32) -> IpAddr {
    let number = u128::from(number) << 64;
    Ipv6Addr::from(0x2001_0db8_0000_0000_0000_0000_0000_0001 + number).into()
}

fn fail(limit: &Limit, client: IpAddr, name: &str, times: u32) {
    for _ in 0..times {
        limit.charge(client, &receiver(name));
    }
}

fn is_refused(limit: &Limit, client: IpAddr, name: &str) -> bool {
    limit.check(client, &receiver(name)).is_err()
}

#[test]
fn too_many_failures_block_the_network_at_that_receiver_only() {
    let (limit, _) = limit();
    for _ in 0..BURST {
        assert!(!is_refused(&limit, address("192.0.2.1"), "a"));
        fail(&limit, address("192.0.2.1"), "a", 1);
    }
    for (client, name, blocked) in [
        ("192.0.2.1", "a", true),
        ("192.0.2.250", "a", true),
        ("::ffff:192.0.2.9", "a", true),
        ("192.0.3.1", "a", false),
        ("192.0.2.1", "b", false),
    ] {
        assert_eq!(
            is_refused(&limit, address(client), name),
            blocked,
            "{client} {name}"
        );
    }
}

#[test]
fn who_is_slowed_down_may_fail_once_a_second_and_is_told_when() {
    let (limit, clock) = limit();
    let client = address("192.0.2.1");
    fail(&limit, client, "a", BURST);
    for _ in 0..5 {
        let refused = limit.check(client, &receiver("a"));
        let retry_after = SECOND;
        assert_eq!(refused, Err(Rejection::TooManyFailures { retry_after }));
        clock.advance(SECOND);
        assert!(!is_refused(&limit, client, "a"));
        fail(&limit, client, "a", 1);
    }
    clock.advance(SECOND * BURST);
    fail(&limit, client, "a", BURST - 1);
    assert!(!is_refused(&limit, client, "a"), "all is forgotten");
}

#[test]
fn a_client_that_proved_itself_is_not_blocked_for_an_hour() {
    let (limit, clock) = limit();
    fail(&limit, address("2001:db8::1"), "a", BURST);
    assert!(is_refused(&limit, address("2001:db8::2"), "a"));
    limit.forgive(address("2001:db8::3"), &receiver("a"));
    assert!(!is_refused(&limit, address("2001:db8::1"), "a"));
    clock.advance(TRUST.saturating_sub(SECOND));
    fail(&limit, address("2001:db8::1"), "a", BURST);
    assert!(!is_refused(&limit, address("2001:db8::1"), "a"));
    clock.advance(SECOND);
    fail(&limit, address("2001:db8::1"), "a", BURST);
    assert!(is_refused(&limit, address("2001:db8::1"), "a"));
}

#[test]
fn a_network_that_sprays_over_many_receivers_is_blocked_at_all_of_them() {
    let (limit, clock) = limit();
    let client = address("192.0.2.1");
    for index in 0..ANYWHERE.0 {
        assert!(!is_refused(&limit, client, "other"));
        fail(&limit, client, &index.to_string(), 1);
    }
    assert!(is_refused(&limit, client, "other"));
    assert!(!is_refused(&limit, address("192.0.3.1"), "other"));
    clock.advance(SECOND);
    assert!(!is_refused(&limit, client, "other"));
}

#[test]
fn who_shares_a_network_with_a_sender_that_sprays_is_not_locked_out() {
    let (limit, _) = limit();
    let client = address("192.0.2.1");
    for index in 0..ANYWHERE.0 {
        fail(&limit, client, &index.to_string(), 1);
    }
    limit.forgive(address("192.0.2.2"), &receiver("theirs"));
    assert!(
        !is_refused(&limit, client, "other"),
        "somebody proved himself"
    );
    fail(&limit, client, "other", BURST);
    assert!(is_refused(&limit, client, "other"), "but not there");
}

#[test]
fn one_receiver_cannot_use_up_what_its_network_may_fail_anywhere() {
    let (limit, clock) = limit();
    let client = address("192.0.2.1");
    for _ in 0..1000 {
        clock.advance(SECOND / 10);
        if !is_refused(&limit, client, "a") {
            fail(&limit, client, "a", 1);
        }
    }
    assert!(!is_refused(&limit, client, "b"));
}

#[test]
fn unknown_paths_use_up_searches_and_nothing_else() {
    let (limit, clock) = limit();
    let client = address("192.0.2.1");
    let searched = (0..10_000).filter(|_| {
        let may_search = limit.may_search(client);
        limit.charge_search(client);
        may_search
    });
    assert_eq!(searched.count(), usize::try_from(SEARCHES.0).unwrap());
    assert!(!is_refused(&limit, client, "a"));
    assert!(limit.may_search(address("192.0.3.1")), "another network");
    clock.advance(SECOND);
    assert!(limit.may_search(client));
}

#[test]
fn a_million_networks_push_nobody_out_who_is_blocked_and_hide_nobody_who_is_new() {
    let (limit, clock) = limit();
    let blocked = address("192.0.2.1");
    fail(&limit, blocked, "a", BURST);
    let proven = address("198.51.100.1");
    limit.forgive(proven, &receiver("a"));
    for number in 0..1_000_000 {
        fail(&limit, stranger(number), "a", 1);
        if number % 5_000 == 4_999 {
            assert!(is_refused(&limit, blocked, "a"), "after {number}");
            assert!(!is_refused(&limit, stranger(number), "a"), "{number}");
            clock.advance(SECOND);
            fail(&limit, blocked, "a", 1);
        }
    }
    let newcomer = address("203.0.113.1");
    fail(&limit, newcomer, "a", BURST);
    assert!(is_refused(&limit, newcomer, "a"));
    fail(&limit, proven, "a", BURST);
    assert!(
        !is_refused(&limit, proven, "a"),
        "failures push no proof out"
    );
}

#[test]
fn a_flood_that_stands_still_takes_the_places_of_others_like_it() {
    let (limit, _) = limit();
    let blocked: Vec<_> = (0..100).map(|number| stranger(u32::MAX - number)).collect();
    for client in &blocked {
        fail(&limit, *client, "a", BURST);
    }
    for number in 0..200_000 {
        fail(&limit, stranger(number), "a", 1);
    }
    let still = blocked
        .iter()
        .filter(|client| is_refused(&limit, **client, "a"));
    assert_eq!(still.count(), blocked.len());
}
