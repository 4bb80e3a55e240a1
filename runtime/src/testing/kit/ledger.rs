//! The ledger: what happened in an application, as its probe has seen it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tokio::sync::watch;
use tokio::task;

use super::call::Call;
use super::published::Message;
use crate::error::Fault;
use crate::gap::Gap;
use crate::probe::{Ending, Probe, Published, Streamed, Subject};
use crate::push::Push;
use crate::util::Mutex;

/// Records everything that an application does. All clones of the probe write to the same ledger.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pages: Mutex<Pages>,
    /// Grows with everything that happens.
    activity: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Pages {
    handlers: BTreeMap<String, Page>,
    streams: BTreeMap<String, Page>,
    published: Vec<Message>,
    /// How many publishes are under way.
    publishing: usize,
    /// How many deliveries have ended.
    deliveries: u64,
    /// The deliveries that are under way, by the task on which they run.
    under_way: HashMap<task::Id, UnderWay>,
    /// The errors with which the next deliveries of handlers end, by their names.
    failing: BTreeMap<String, VecDeque<Fault>>,
    /// How many messages were lost on request, by the names of handlers.
    lost: BTreeMap<String, u64>,
}

/// A delivery that is under way.
#[derive(Debug, Default)]
struct UnderWay {
    handler: String,
    /// The messages that it has published.
    published: Vec<Message>,
}

/// What one handler, or the streams of one name, have received.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) calls: Vec<Call>,
    pub(super) unmatched: u64,
    pub(super) gaps: Vec<GapRecord>,
}

/// A gap, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct GapRecord {
    pub(super) gap: Gap,
    pub(super) on_gap: Option<String>,
    /// Why the gap handler has failed.
    pub(super) problem: Option<String>,
}

/// How a delivery on a stream is called.
pub(super) const STREAM: &str = "the stream of";

impl Ledger {
    /// Returns a receiver that is notified of everything that happens.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.activity.subscribe()
    }

    pub(super) fn activity(&self) -> u64 {
        *self.activity.borrow()
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.pages.lock().deliveries
    }

    pub(super) fn publishing(&self) -> usize {
        self.pages.lock().publishing
    }

    /// Returns how many deliveries of each handler have ended, by their labels.
    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let pages = self.pages.lock();
        let called = pages.handlers.values().filter_map(|page| {
            let last = page.calls.last()?;
            Some((last.label().to_owned(), page.calls.len() as u64))
        });
        called.collect()
    }

    pub(super) fn handler(&self, name: &str) -> Option<Page> {
        self.pages.lock().handlers.get(name).cloned()
    }

    pub(super) fn stream(&self, label: &str) -> Option<Page> {
        self.pages.lock().streams.get(label).cloned()
    }

    /// Returns what the streams are called that have returned something.
    pub(super) fn streams(&self) -> Vec<String> {
        self.pages.lock().streams.keys().cloned().collect()
    }

    pub(super) fn published(&self) -> Vec<Message> {
        self.pages.lock().published.clone()
    }

    /// Returns how many messages of a handler were lost on request.
    pub(super) fn lost(&self, handler: &str) -> u64 {
        let pages = self.pages.lock();
        pages.lost.get(handler).copied().unwrap_or(0)
    }

    pub(super) fn add_lost(&self, handler: &str, messages: u64) {
        let mut pages = self.pages.lock();
        *pages.lost.entry(handler.to_owned()).or_default() += messages;
    }

    pub(super) fn fail_next(&self, handler: &str, fault: Fault) {
        let mut pages = self.pages.lock();
        let failing = pages.failing.entry(handler.to_owned()).or_default();
        failing.push_back(fault);
    }

    /// Forgets what was recorded. What is under way goes on.
    pub(super) fn clear(&self) {
        let mut pages = self.pages.lock();
        pages.handlers.clear();
        pages.streams.clear();
        pages.published.clear();
    }

    fn note(&self) {
        self.activity.send_modify(|activity| *activity += 1);
    }
}

impl Probe for Ledger {
    fn begins(&self, handler: Subject<'_>, _push: Push<'_>) -> Option<Fault> {
        let mut pages = self.pages.lock();
        if let Some(task) = task::try_id() {
            let handler = label(handler);
            let published = Vec::new();
            pages
                .under_way
                .insert(task, UnderWay { handler, published });
        }
        pages.failing.get_mut(handler.name)?.pop_front()
    }

    fn ends(&self, handler: Subject<'_>, push: Push<'_>, ending: Ending) {
        let mut pages = self.pages.lock();
        pages.deliveries += 1;
        let under_way = task::try_id().and_then(|task| pages.under_way.remove(&task));
        let page = pages.handlers.entry(handler.name.to_owned()).or_default();
        match ending {
            Ending::Unmatched => page.unmatched += 1,
            ending => {
                let published = under_way.unwrap_or_default().published;
                let call = Call::new(label(handler), push.to_owned(), ending);
                page.calls.push(call.with_published(published));
            }
        }
        drop(pages);
        self.note();
    }

    fn reports_gap(&self, handler: Subject<'_>, gap: &Gap, problem: Option<String>) {
        let mut pages = self.pages.lock();
        let page = pages.handlers.entry(handler.name.to_owned()).or_default();
        page.gaps.push(GapRecord {
            gap: gap.clone(),
            on_gap: handler.on_gap.map(str::to_owned),
            problem,
        });
        drop(pages);
        self.note();
    }

    fn streamed(&self, stream: &str, item: Streamed<'_>) {
        let mut pages = self.pages.lock();
        let page = pages.streams.entry(stream.to_owned()).or_default();
        let call = |push: Push<'_>, ending| {
            Call::new(format!("{STREAM} `{stream}`"), push.to_owned(), ending)
        };
        match item {
            Streamed::Message(push) => page.calls.push(call(push, Ending::Handled)),
            Streamed::Rejected(push, rejection) => {
                let reason = crate::error::WithCauses(rejection).to_string();
                page.calls.push(call(push, Ending::Rejected(reason)));
            }
            Streamed::Gap(gap) => page.gaps.push(GapRecord {
                gap: gap.clone(),
                on_gap: None,
                problem: None,
            }),
        }
        drop(pages);
        self.note();
    }

    fn publishes(&self) {
        self.pages.lock().publishing += 1;
    }

    fn published(&self, message: Option<Published<'_>>) {
        let mut pages = self.pages.lock();
        pages.publishing -= 1;
        if let Some(message) = message {
            let under_way = task::try_id().and_then(|task| pages.under_way.get_mut(&task));
            let by = under_way.as_ref().map(|delivery| delivery.handler.clone());
            let message = Message::new(&message, by);
            if let Some(delivery) = under_way {
                delivery.published.push(message.clone());
            }
            pages.published.push(message);
        }
        drop(pages);
        self.note();
    }

    fn changed(&self) {
        self.note();
    }
}

/// Returns the name and the place of a handler.
pub(super) fn label(handler: Subject<'_>) -> String {
    match handler.place {
        Some((file, line)) => format!("`{}` ({file}:{line})", handler.name),
        None => format!("`{}`", handler.name),
    }
}
