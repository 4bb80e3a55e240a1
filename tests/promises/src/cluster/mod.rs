//! P19: what happens to the nodes of a cluster, and what a subscriber makes of it.
//!
//! | file | contents |
//! | --- | --- |
//! | `scenario` | what happens to the nodes, and whom it concerns |
//! | `trial` | one scenario under load |
//! | `load` | the numbered messages |
//! | `account` | what became of them |
//! | `crowd` | ten thousand names whose owner changes |

pub(crate) mod account;
mod crowd;
mod load;
mod scenario;
mod trial;

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::json;

use crate::context::{Context, apart, ms, quantile, sorted};
use crate::figure::Figure;
use crate::subject::Subject;

pub use scenario::Scenario;
pub use trial::{Heard, peer};

use account::Account;
use trial::Outcome;

/// How many clusters there are at a time. Their servers share the machine with the subscribers.
const AT_A_TIME: usize = 2;

pub(crate) async fn run(context: Context) {
    if context.subject != Subject::Wire {
        // A subscriber of a cluster has no other link.
        return;
    }
    let rounds = context.rounds(1, 20);
    let trials = (0..rounds).flat_map(|round| Scenario::ALL.map(|scenario| (scenario, round)));
    let mut trials: Vec<_> = trials.collect();
    // Two that run at the same time are not always the same two.
    context.rng("P19").shuffle(&mut trials);
    let trials = trials.into_iter().map(|(scenario, round)| {
        let context = context.clone();
        async move {
            // A panic, as of a cluster that does not come up in time, ends this trial only.
            let outcome = apart(move || trial::run(context, scenario, round)).await;
            let outcome = outcome.unwrap_or_else(Outcome::of_panic);
            if outcome.unended > 0 {
                eprintln!(
                    "{}: did not end: {}",
                    scenario.name(),
                    outcome.notes.join(", ")
                );
            }
            (scenario, outcome)
        }
    });
    let outcomes = stream::iter(trials).buffer_unordered(AT_A_TIME);
    let outcomes: Vec<(Scenario, Outcome)> = outcomes.collect().await;
    for scenario in Scenario::ALL {
        let of_it = outcomes.iter().filter(|(of, _)| *of == scenario);
        let mut sum = Outcome::default();
        for (_, outcome) in of_it {
            sum = sum.plus(outcome.clone());
        }
        report_lengths(&context, scenario, &sum);
    }
    report_sums(&context, &outcomes);
    crowd::run(&context, rounds).await;
}

/// Records how long the gaps of a scenario are, if the servers can do what it needs.
fn report_lengths(context: &Context, scenario: Scenario, sum: &Outcome) {
    if sum.trials == 0 {
        return;
    }
    let lengths = sorted(sum.account.lengths().map(ms));
    for (name, part) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        let what = format!("{}: gap, {name}", scenario.name());
        let figure = Figure::new("P19", what, quantile(&lengths, part)).unit("ms");
        context.record(figure.detail(sum.detail()));
    }
}

/// Records the figures that have targets, over all scenarios.
fn report_sums(context: &Context, outcomes: &[(Scenario, Outcome)]) {
    let of = |name: &str, count: fn(&Outcome) -> u64| {
        let total: u64 = outcomes.iter().map(|(_, outcome)| count(outcome)).sum();
        let missed = outcomes.iter().filter(|(_, outcome)| count(outcome) > 0);
        let missed = missed.map(|(scenario, outcome)| {
            json!({"scenario": scenario.name(), "count": count(outcome), "notes": outcome.notes})
        });
        let missed: Vec<_> = missed.collect();
        let figure = Figure::new("P19", name, total).must_be(0);
        context.record(figure.detail(json!({"missed": missed})));
    };
    of("unreported losses", |outcome| outcome.account.unreported);
    of("losses outside of their gap", |outcome| {
        outcome.account.outside
    });
    of("duplicates outside of gaps", |outcome| {
        outcome.account.twice
    });
    of("inversions outside of gaps", |outcome| {
        outcome.account.disordered
    });
    of("readers that are deaf at the end", |outcome| outcome.deaf);
    of("readers with a gap that did not concern them", |outcome| {
        outcome.unconcerned
    });
    of("names that moved without a gap", |outcome| outcome.untold);
    of("trials that did not end", |outcome| outcome.unended);
}

impl Outcome {
    fn detail(&self) -> serde_json::Value {
        let Account {
            heard,
            reported,
            outside,
            unreported,
            twice,
            disordered,
            beyond_gaps,
            unacknowledged,
            ref gaps,
            longest_loss,
        } = self.account;
        json!({
            "trials": self.trials,
            "heard": heard,
            "reported": reported,
            "outside": outside,
            "unreported": unreported,
            "twice": twice,
            "disordered": disordered,
            "beyond_gaps": beyond_gaps,
            "unacknowledged": unacknowledged,
            "gaps": gaps.len(),
            "longest_loss_ms": ms(longest_loss),
            "deaf": self.deaf,
            "unconcerned": self.unconcerned,
            "by_chance": self.by_chance,
            "untold": self.untold,
            "unended": self.unended,
        })
    }
}

/// A timeout that a scenario may need in full, and that a machine under load does not exceed.
const NODE_TIMEOUT: Duration = Duration::from_millis(1_000);
