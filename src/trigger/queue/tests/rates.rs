//! What a Receiver above its rate may and may not do to its own targets, and to those of others.

use super::*;

const RATE: Option<&str> = Some("10/s");

fn name(index: usize) -> String {
    format!("app-{index}")
}

#[test]
fn a_receiver_above_its_rate_has_each_target_triggered_once_and_at_its_rate() {
    let mut run = Simulation::new(50, 300, well);
    let mut accepted = HashMap::new();
    for tick in 0..1_000_u32 {
        run.run_until(MILLISECOND * tick);
        for index in 0..100 {
            let acceptance = run.deliver_from("noisy", RATE, &name(index));
            accepted.insert(acceptance.target, acceptance.stamp);
        }
    }
    for seconds in 1..10 {
        run.run_until(SECOND * seconds);
        let most = run.most_within(SECOND, None);
        assert!(most <= 20, "{most}: ten at once, and ten in the second");
    }
    run.run_until(SECOND * 22);
    assert_eq!(run.pending(), 0);
    for (target, stamp) in accepted {
        assert!(run.annotated[&target].0 >= stamp, "{target}");
    }
    assert!(run.sent.len() <= 200, "{}", run.sent.len());
}

#[test]
fn it_is_said_of_an_acceptance_that_it_is_above_the_rate() {
    let mut run = Simulation::new(50, 300, well);
    let within = run.deliver_from("ci", Some("1/m"), "a");
    assert!(within.is_prompt() && !within.is_above_rate());
    let above = run.deliver_from("ci", Some("1/m"), "b");
    assert!(!above.is_prompt() && above.is_above_rate());
    let again = run.deliver_from("ci", Some("1/m"), "b");
    assert!(!again.is_prompt() && again.is_above_rate());
    let load = run.queue.load(run.at().instant);
    assert_eq!((load.pending, load.above_rate), (2, 1));
    run.run_until(SECOND);
    let in_its_rest = run.deliver_from("ci", Some("1/m"), "a");
    assert!(!in_its_rest.is_prompt() && in_its_rest.is_above_rate());
    run.run_until(SECOND * 61);
    assert!(run.annotated[&target("b")].0 >= again.stamp);
    run.run_until(SECOND * 121);
    assert!(run.annotated[&target("a")].0 >= in_its_rest.stamp);
    assert_eq!((run.pending(), run.sent.len()), (0, 3));
}

#[test]
fn a_noisy_receiver_does_not_hold_up_the_targets_of_others() {
    let rate = Some("1200/m");
    let mut run = Simulation::new(50, 1, well);
    for tick in 0..60_u64 {
        for index in 0..2_000 {
            run.deliver_from("noisy", rate, &name(index));
        }
        let quiet = format!("quiet-{tick}");
        run.run_until(SECOND * u32::try_from(tick).unwrap());
        run.deliver_from("quiet", rate, &quiet);
        let asked = run.now;
        run.run_until(asked + MILLISECOND * 100);
        let (_, at) = run.annotated[&target(&quiet)];
        assert!(at <= asked + MILLISECOND * 70, "{at:?}");
    }
}

#[test]
fn whoever_is_within_the_rate_takes_a_shared_target_along() {
    let mut run = Simulation::new(50, 300, well);
    for index in 0..100 {
        run.deliver_from("noisy", Some("1/m"), &name(index));
    }
    let shared = run.deliver_from("quiet", RATE, &name(99));
    assert!(!shared.is_above_rate() && shared.is_news);
    run.run_until(MILLISECOND * 10);
    assert!(run.annotated[&target(&name(99))].0 >= shared.stamp);
    let operator = run.deliver_from("noisy", None, &name(98));
    assert!(!operator.is_above_rate(), "nothing holds up an operator");
    run.run_until(MILLISECOND * 20);
    assert!(run.annotated.contains_key(&target(&name(98))));
}

#[test]
fn a_shared_target_in_flight_goes_at_the_better_rate_next() {
    let mut run = Simulation::new(50, 300, |_, _| (SECOND * 2, Ok(())));
    run.deliver_from("slow", Some("1/h"), "web");
    run.run_until(SECOND);
    assert!(run.deliver_from("slow", Some("1/h"), "web").is_above_rate());
    let second = run.deliver_from("fast", RATE, "web");
    assert!(!second.is_above_rate());
    run.run_until(SECOND * 4);
    assert!(run.annotated[&target("web")].0 >= second.stamp);
}

#[test]
fn a_rate_that_is_raised_counts_at_once_for_what_is_sent_again() {
    let mut run = Simulation::new(50, 300, well);
    for index in 0..10 {
        run.deliver_from("ci", Some("1/h"), &name(index));
    }
    run.run_until(SECOND * 10);
    assert_eq!(run.sent.len(), 1);
    for index in 0..10 {
        run.deliver_from("ci", Some("100/s"), &name(index));
    }
    run.run_until(SECOND * 11);
    assert_eq!((run.annotated.len(), run.pending()), (10, 0));
}

#[test]
fn failures_are_tried_earlier_only_within_the_rate() {
    let mut run = Simulation::new(50, 300, |_, _| (MILLISECOND * 5, forbidden()));
    for index in 0..19 {
        run.deliver_from("ci", Some("2/s"), &name(index));
    }
    run.run_until(SECOND * 20);
    let tried = run.sent.len();
    assert_eq!(tried, 19);
    for tick in 0..10_000_u32 {
        run.run_until(SECOND * 20 + MILLISECOND * tick);
        run.deliver_from(
            "ci",
            Some("2/s"),
            &name(usize::try_from(tick % 19).unwrap()),
        );
    }
    let again = run.sent.len() - tried;
    assert!((15..=22).contains(&again), "{again} tries in ten seconds");
}

#[test]
fn what_waits_for_its_rate_holds_up_no_shutdown_and_no_rest() {
    let mut run = Simulation::new(50, 300, well);
    run.deliver_from("ci", Some("1/h"), "a");
    run.deliver_from("ci", Some("1/h"), "b");
    assert!(!run.queue.is_settled());
    run.run_until(SECOND * 2);
    assert!(run.queue.is_settled() && run.pending() == 1);
    assert!(run.queue.held().is_empty(), "nothing has failed");
}

#[test]
fn a_sweep_is_held_to_no_rate() {
    let mut run = Simulation::new(50, 300, well);
    for index in 0..2 {
        run.deliver_from("ci", Some("1/h"), &name(index));
    }
    let now = run.at();
    for index in 0..10 {
        run.queue
            .accept(&target(&name(index)), Claimant::sweep(), now);
    }
    run.run_until(SECOND * 3);
    assert_eq!(run.annotated.len(), 10);
}
