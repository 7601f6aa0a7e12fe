//! Asks the API server what this gateway may trigger, so that it is known before a delivery comes.
//!
//! It comes last in line, like the telling; a server that does not answer such questions is left alone.

use tokio::{
    select,
    time::{Instant, sleep},
};

use super::{
    MAX_SELECTED, PAUSE, at,
    rights::{Agenda, Question},
};
use crate::{hook::HookTable, trigger::Shared};

/// Asks about what the Receivers in `table` name, and what they select by labels, for ever.
pub(super) async fn run(shared: &Shared, table: &HookTable) {
    let denied = &shared.denied;
    let mut news = shared.targets.news();
    loop {
        let Agenda { now, later } = agenda(shared, table);
        if now.is_empty() {
            select! {
                () = denied.renamed.notified() => sleep(PAUSE).await,
                Ok(()) = news.changed() => sleep(PAUSE).await,
                () = at(later) => {}
            }
        }
        for question in now {
            ask(shared, question).await;
        }
    }
}

fn agenda(shared: &Shared, table: &HookTable) -> Agenda {
    let hooks = table.hooks();
    let selectors = hooks
        .iter()
        .flat_map(|(hook, _)| &hook.selection().selectors);
    let targets: Vec<_> = selectors
        .flat_map(|selector| {
            shared
                .targets
                .known(selector)
                .into_iter()
                .take(MAX_SELECTED)
        })
        .collect();
    let mut rights = shared.denied.rights();
    rights.agenda(targets.iter(), Instant::now())
}

/// Asks one question when nothing else is due.
async fn ask(shared: &Shared, question: Question) {
    loop {
        let now = Instant::now();
        if shared.queue().is_idle(now) && shared.budget.spare(now) {
            break;
        }
        sleep(PAUSE).await;
    }
    let answer = shared.requests.may_patch(&question).await;
    let is_news = shared
        .denied
        .rights()
        .note(question, answer, Instant::now());
    if is_news {
        shared.denied.changed.notify_one();
    }
}
