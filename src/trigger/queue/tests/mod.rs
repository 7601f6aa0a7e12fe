//! What is sent, and when, under traffic of hours; and what single answers mean.

mod interleavings;
mod rates;
mod simulation;

use std::time::Duration;

use self::simulation::{Simulation, failed, forbidden, receiver_ref, refused};
use super::*;
use crate::trigger::tests::target;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

impl Acceptance {
    fn is_prompt(&self) -> bool {
        self.start == Start::Now
    }

    fn is_above_rate(&self) -> bool {
        self.start == Start::AtRate
    }
}

/// A server that is always well, and takes 5 ms.
fn well(_: &Target, _: Duration) -> (Duration, simulation::Answer) {
    (MILLISECOND * 5, Ok(()))
}

#[test]
fn a_thousand_deliveries_a_second_for_one_object_are_one_patch_a_second() {
    let mut run = Simulation::new(50, 300, well);
    let mut last = None;
    for tick in 0..10_000 {
        run.run_until(MILLISECOND * tick);
        last = Some(run.deliver("web"));
    }
    run.run_until(SECOND * 12);
    assert!(run.most_within(SECOND, None) <= 2, "{:?}", run.sent);
    assert_eq!(run.sent[0].0, Duration::ZERO, "the first goes at once");
    assert!(run.sent.len() <= 12, "{}", run.sent.len());
    let (annotated, _) = run.annotated[&target("web")];
    assert!(annotated >= last.unwrap().stamp);
}

#[test]
fn ten_thousand_deliveries_over_five_hundred_objects_keep_to_the_budget_and_none_is_lost() {
    let mut run = Simulation::new(50, 60, well);
    let mut accepted = HashMap::new();
    for tick in 0..10_000_u32 {
        run.run_until(MILLISECOND * (tick / 10));
        let acceptance = run.deliver(&format!("app-{}", tick % 500));
        accepted.insert(acceptance.target, acceptance.stamp);
        assert!(run.pending() <= 500);
    }
    run.run_until(SECOND * 30);
    assert_eq!(run.pending(), 0);
    for (target, stamp) in accepted {
        assert!(run.annotated[&target].0 >= stamp, "{target}");
    }
    assert!(run.most_in_flight <= MAX_IN_FLIGHT);
    for seconds in 1..20 {
        let most = run.most_within(SECOND * seconds, None);
        let allowed = 60 + 50 * usize::try_from(seconds).unwrap();
        assert!(most <= allowed, "{most} in {seconds} s");
    }
}

#[test]
fn no_more_than_a_handful_are_in_flight_however_slow_the_server_is() {
    let mut run = Simulation::new(1000, 1000, |_, _| (SECOND * 5, Ok(())));
    for index in 0..100 {
        run.deliver(&format!("app-{index}"));
    }
    run.run_until(SECOND * 100);
    assert_eq!(run.most_in_flight, MAX_IN_FLIGHT);
    assert_eq!(run.annotated.len(), 100);
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_says() {
    let mut run = Simulation::new(50, 300, |_, now| {
        let is_busy = now < MILLISECOND;
        let answer = if is_busy {
            failed(Fault::Busy, Some(SECOND * 3))
        } else {
            Ok(())
        };
        (MILLISECOND * 5, answer)
    });
    for index in 0..20 {
        run.deliver(&format!("app-{index}"));
    }
    run.run_until(SECOND);
    let before = run.sent.len();
    assert_eq!(before, MAX_IN_FLIGHT, "they were on their way");
    run.deliver("late");
    run.run_until(SECOND * 3);
    assert_eq!(run.sent.len(), before, "nothing in the pause");
    run.run_until(SECOND * 5);
    assert_eq!(run.annotated.len(), 21);
    assert_eq!(run.sent.len(), before + 21, "nothing is tried in vain");
}

#[test]
fn an_outage_costs_little_and_ends_soon_after_it_is_over() {
    let outage = SECOND..SECOND * 600;
    let is_out = outage.clone();
    let mut run = Simulation::new(50, 300, move |_, now| {
        if is_out.contains(&now) {
            (MILLISECOND * 2, failed(Fault::Away, None))
        } else {
            (MILLISECOND * 5, Ok(()))
        }
    });
    let mut accepted = HashMap::new();
    for second in 1..600 {
        run.run_until(SECOND * second);
        let acceptance = run.deliver(&format!("app-{}", second % 500));
        assert!(
            !acceptance.is_prompt() || second == 1,
            "nobody waits in vain"
        );
        accepted.insert(acceptance.target, acceptance.stamp);
    }
    run.run_until(outage.end);
    assert!(
        run.sent.len() < 300,
        "{} requests in the outage",
        run.sent.len()
    );
    assert_eq!(run.pending(), 500);
    run.run_until(outage.end + SECOND * 11);
    for (target, stamp) in accepted {
        assert!(run.annotated[&target].0 >= stamp, "{target}");
    }
    assert!(run.most_within(SECOND, None) <= 350);
}

#[test]
fn one_target_that_always_fails_does_not_disturb_the_others() {
    for fault in [Fault::Request, Fault::Away] {
        let mut run = Simulation::new(50, 300, move |target, _| {
            if target.name == "bad" {
                (SECOND, failed(fault, None))
            } else {
                (MILLISECOND * 5, Ok(()))
            }
        });
        for second in 0..3600 {
            run.run_until(SECOND * second);
            run.deliver("bad");
            run.deliver("good");
        }
        run.run_until(SECOND * 3700);
        let of = |name: &str| run.sent.iter().filter(|(_, t)| t.name == name).count();
        assert!(of("bad") < 60, "{fault:?}: {} tries", of("bad"));
        assert!(of("good") > 3000, "{fault:?}: {} patches", of("good"));
    }
}

#[test]
fn one_success_brings_the_next_try_of_the_others_forward_once() {
    let mut run = Simulation::new(50, 300, |target, now| {
        let is_well = target.name == "good" || now > SECOND * 100;
        let answer = if is_well {
            Ok(())
        } else {
            failed(Fault::Request, None)
        };
        (MILLISECOND * 5, answer)
    });
    run.deliver("bad");
    run.run_until(SECOND * 101);
    assert!(run.annotated.is_empty());
    run.deliver("good");
    run.run_until(SECOND * 102);
    assert_eq!(run.annotated.len(), 2, "{:?}", run.sent.last());
}

#[test]
fn what_is_refused_ends_and_what_is_forbidden_is_tried_again_much_later() {
    let mut run = Simulation::new(50, 300, |target, _| {
        let answer = if target.name == "gone" {
            refused()
        } else {
            forbidden()
        };
        (MILLISECOND * 5, answer)
    });
    run.deliver("gone");
    run.deliver("secret");
    run.run_until(SECOND * 2);
    assert_eq!((run.sent.len(), run.pending()), (2, 1));
    run.run_until(SECOND * 60 * 16);
    assert_eq!(
        run.sent.len(),
        3,
        "the forbidden one, after 7.5 to 15 minutes"
    );
    let again = run.deliver("secret");
    assert!(again.is_prompt(), "the right may have been granted since");
    run.run_until(run.now + MILLISECOND);
    assert_eq!(run.sent.len(), 4);
}

#[test]
fn deliveries_come_before_a_sweep() {
    let mut run = Simulation::new(50, 1, well);
    let now = run.at();
    for index in 0..100 {
        run.queue
            .accept(&target(&format!("swept-{index}")), Claimant::sweep(), now);
    }
    run.run_until(SECOND / 2);
    run.deliver("pushed");
    run.deliver("swept-99");
    run.run_until(SECOND);
    let names: Vec<_> = run
        .sent
        .iter()
        .filter(|(at, _)| *at > SECOND / 2)
        .map(|(_, target)| target.name.as_str())
        .collect();
    assert_eq!(names[..2], ["pushed", "swept-99"]);
    run.run_until(SECOND * 3);
    assert_eq!(run.annotated.len(), 101);
}

#[test]
fn a_sweep_does_not_put_a_delivery_behind_it() {
    let mut failures = 1;
    let mut run = Simulation::new(50, 1, move |target, _| {
        let fails = target.name == "pushed" && std::mem::take(&mut failures) == 1;
        let answer = if fails {
            failed(Fault::Request, None)
        } else {
            Ok(())
        };
        (MILLISECOND, answer)
    });
    run.deliver("pushed");
    run.run_until(Duration::ZERO);
    let now = run.at();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "pushed"] {
        run.queue.accept(&target(name), Claimant::sweep(), now);
    }
    run.run_until(SECOND);
    let pushed = run.sent.iter().rposition(|(_, t)| t.name == "pushed");
    assert!(pushed < Some(5), "{:?}", run.sent);
}

#[test]
fn a_target_is_worth_waiting_for_only_if_its_patch_starts_now() {
    let mut run = Simulation::new(1, 1, well);
    assert!(run.deliver("web").is_prompt());
    assert!(!run.deliver("web").is_prompt(), "already due");
    run.run_until(MILLISECOND);
    assert!(!run.deliver("web").is_prompt(), "in flight");
    run.run_until(MILLISECOND * 10);
    run.deliver("api");
    run.run_until(MILLISECOND * 11);
    assert!(!run.deliver("www").is_prompt(), "no budget");
    run.run_until(SECOND * 10);
    assert!(run.deliver("web").is_prompt(), "idle again");
}

#[test]
fn a_mark_on_disk_stands_for_all_that_the_next_patch_covers() {
    let mut run = Simulation::new(50, 300, well);
    let first = run.deliver("web");
    assert!(!first.is_durable);
    run.queue.written(&first.target, first.stamp);
    assert!(run.deliver("web").is_durable, "due, and on disk");
    run.run_until(MILLISECOND);
    let second = run.deliver("web");
    assert!(!second.is_durable, "the patch in flight clears the mark");
    run.queue.written(&first.target, first.stamp);
    assert!(!run.deliver("web").is_durable, "an old mark is no help");
    run.queue.written(&second.target, second.stamp);
    assert!(run.deliver("web").is_durable);
    run.run_until(MILLISECOND * 10);
    assert!(run.deliver("web").is_durable, "it outlives the first patch");
    run.run_until(SECOND * 5);
    let third = run.deliver("web");
    run.queue.written(&second.target, second.stamp);
    assert!(third.stamp > second.stamp && !run.deliver("web").is_durable);
}

#[test]
fn an_idle_target_takes_no_memory() {
    let mut run = Simulation::new(50, 300, well);
    for index in 0..20 {
        run.deliver(&format!("app-{index}"));
    }
    run.run_until(SECOND * 2);
    assert!(run.queue.slots.is_empty());
    assert!(run.queue.agenda.first_ready().is_none());
    assert_eq!(run.queue.agenda.next_ripe(), None);
}

#[test]
fn those_who_stopped_waiting_are_forgotten() {
    let mut run = Simulation::new(50, 300, |_, _| (SECOND, failed(Fault::Away, None)));
    for tick in 0..100_000 {
        run.run_until(MILLISECOND * tick);
        let accepted = run.deliver("web");
        let now = run.at().instant;
        run.queue.wait(&accepted, now + SECOND, now, tick);
    }
    let slot = &run.queue.slots[&target("web")];
    assert!(slot.waiters.len() <= 4096, "{}", slot.waiters.len());
}

#[test]
fn those_who_wait_are_told_by_the_patch_that_answers_them() {
    let mut queue = Queue::new();
    let run = Simulation::new(50, 300, well);
    let now = run.at();
    let (ci, web) = (receiver_ref("ci"), target("web"));
    let claimant = Claimant::sender(&ci, None);
    let first = queue.accept(&web, claimant, now);
    queue.wait(&first, now.instant + SECOND, now.instant, 1);
    let attempt = queue.start(now).unwrap();
    let second = queue.accept(&web, claimant, now);
    queue.wait(&second, now.instant + SECOND, now.instant, 2);
    queue.wait(&second, now.instant + SECOND * 9, now.instant, 3);
    let ended = queue.finish(&attempt, &Ok(()), now.instant, 0.5);
    assert_eq!((ended.told, ended.is_cleared), (vec![1], true));

    let later = Now {
        instant: now.instant + SECOND,
        ..now
    };
    assert_eq!(queue.next(later.instant), Next::Send);
    let attempt = queue.start(later).unwrap();
    let failure = failed(Fault::Busy, Some(SECOND * 5));
    let ended = queue.finish(&attempt, &failure, later.instant, 0.5);
    assert_eq!(
        (ended.told, ended.is_cleared),
        (vec![2], false),
        "the other one waits long enough to see the next try"
    );
}
