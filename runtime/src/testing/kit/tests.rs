//! Mistakes that the library itself could make: a probe that reports something else than what has happened
//! stands for them. Each makes an assertion fail, with a message that names the handler.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::ledger::Ledger;
use super::server::KitServer;
use super::{TestKit, settle};
use crate::error::Fault;
use crate::gap::{Gap, GapCause, Missed};
use crate::handler::{Handler, Spec};
use crate::probe::{Ending, Probe, Published, Streamed, Subject};
use crate::push::{OwnedPush, Push};
use crate::router::Mount;
use crate::subscriber::Subscriber;
use crate::subscription::Subscription;

struct Nothing;

impl Handler<()> for Nothing {
    fn spec(&self) -> Spec {
        let spec = Spec::new("on_news").at("src/news.rs", 7);
        spec.on(Subscription::channel("news"))
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mistake {
    None,
    SkipsADelivery,
    DeliversTwice,
    SwallowsAGap,
    DecodesWrong,
}

struct Mistaken {
    ledger: Arc<Ledger>,
    mistake: Mistake,
}

impl fmt::Debug for Mistaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mistake.fmt(f)
    }
}

impl Probe for Mistaken {
    fn begins(&self, handler: Subject<'_>, push: Push<'_>) -> Option<Fault> {
        self.ledger.begins(handler, push)
    }

    fn ends(&self, handler: Subject<'_>, push: Push<'_>, ending: Ending) {
        let times = match self.mistake {
            Mistake::SkipsADelivery => 0,
            Mistake::DeliversTwice => 2,
            _ => 1,
        };
        let other = OwnedPush::new(push.subscription().clone(), push.channel(), "other news");
        let push = match self.mistake {
            Mistake::DecodesWrong => other.as_push(),
            _ => push,
        };
        for _ in 0..times {
            self.ledger.ends(handler, push, ending.clone());
        }
    }

    fn reports_gap(&self, handler: Subject<'_>, gap: &Gap, problem: Option<String>) {
        if self.mistake != Mistake::SwallowsAGap {
            self.ledger.reports_gap(handler, gap, problem);
        }
    }

    fn streamed(&self, stream: &str, item: Streamed<'_>) {
        self.ledger.streamed(stream, item);
    }

    fn publishes(&self) {
        self.ledger.publishes();
    }

    fn published(&self, message: Option<Published<'_>>) {
        Probe::published(&*self.ledger, message);
    }

    fn changed(&self) {
        self.ledger.changed();
    }
}

async fn kit(mistake: Mistake) -> TestKit {
    let ledger = Arc::<Ledger>::default();
    let probe = Arc::new(Mistaken {
        ledger: Arc::clone(&ledger),
        mistake,
    });
    let app = Subscriber::new("redis://unused/").handlers([Mount::new(Nothing)]);
    let server = KitServer::broker().await.unwrap();
    let kit = TestKit::observed(server, app, (ledger, probe), settle::PAUSED);
    kit.await.unwrap()
}

/// Runs a scenario, and returns the message with which it fails.
async fn failure(mistake: Mistake) -> Option<String> {
    let kit = kit(mistake).await;
    kit.publish_raw("news", "rain").await.unwrap();
    kit.lag("on_news", 3).await.unwrap();
    let check = || {
        let calls = kit.handler("on_news");
        calls.assert_once().with_payload("rain").handled();
        let lag = calls.assert_gap(GapCause::Lagged).gap();
        assert_eq!(lag.missed, Missed::Exactly(3));
    };
    let panic = catch_unwind(AssertUnwindSafe(check)).err()?;
    let message = panic.downcast::<String>().expect("a message");
    Some(*message)
}

#[tokio::test(start_paused = true)]
async fn each_mistake_of_the_library_fails_with_the_name_of_the_handler() {
    assert_eq!(failure(Mistake::None).await, None);
    for (mistake, text) in [
        (Mistake::SkipsADelivery, "was never called, expected once"),
        (Mistake::DeliversTwice, "was called 2 times, expected once"),
        (
            Mistake::SwallowsAGap,
            "has received no gap with the cause `Lagged`",
        ),
        (Mistake::DecodesWrong, "received: other news"),
    ] {
        let message = failure(mistake).await.expect("the mistake is found");
        assert!(message.contains("`on_news` (src/news.rs:7)"), "{message}");
        assert!(message.contains(text), "{mistake:?}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_has_is_answered_with_those_that_there_are() {
    let kit = kit(Mistake::None).await;
    let error = kit.fail_next("on_new", "no").unwrap_err();
    assert!(error.is_config());
    let check = || drop(kit.handler("on_new"));
    let panic = catch_unwind(AssertUnwindSafe(check)).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(message.contains("there are: `on_news`"), "{message}");
}
