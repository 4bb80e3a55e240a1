//! The watch over a primary: what each sentinel says of it, asked again and again.
//!
//! A sentinel announces a failover on a channel, but the one that leads it does so seconds late, while all of
//! them answer a question with the new address at once. So each is asked at intervals, and an announcement is
//! only a reason to ask at once. The turns of the sentinels are spread over the interval.

use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, PushInfo, PushKind, Value};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::look_up::{Failure, ask_one};
use super::{Primary, SentinelView, Switched, best};
use crate::connection::commands::{Connection, lost};
use crate::connection::look::{LookError, text};
use crate::connection::node_address::NodeAddress;
use crate::connection::server::Server;
use crate::error::Error;
use crate::util::{Backoff, Mutex, caught, clock};

/// How long a sentinel may take to accept a connection or to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first and the longest pause before a sentinel is connected to again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What each sentinel says at present. `None` for one that does not answer.
type Views = Vec<Option<SentinelView>>;

/// Why each sentinel names no primary at present. `None` for one that does, and for one that was not asked yet.
type Problems = Mutex<Vec<Option<String>>>;

/// The tasks that ask the sentinels. Dropping it ends them.
pub(super) struct Watch {
    views: watch::Sender<Views>,
    problems: Arc<Problems>,
    _tasks: JoinSet<()>,
}

impl Watch {
    /// Spawns a task for each sentinel.
    pub(super) fn begin(name: &Arc<str>, sentinels: &[Arc<Server>], interval: Duration) -> Self {
        let views = watch::Sender::new(vec![None; sentinels.len()]);
        let problems = Arc::new(Mutex::new(vec![None; sentinels.len()]));
        let begin = clock::now();
        let mut tasks = JoinSet::new();
        let count = u32::try_from(sentinels.len()).unwrap_or(u32::MAX);
        for (turn, (index, sentinel)) in (0..).zip(sentinels.iter().enumerate()) {
            let watched = Watched {
                sentinel: Arc::clone(sentinel),
                name: Arc::clone(name),
                index,
                interval,
                views: views.clone(),
                problems: Arc::clone(&problems),
            };
            let first = begin + interval * turn / count;
            tasks.spawn(watched.keep_watching(first));
        }
        Self {
            views,
            problems,
            _tasks: tasks,
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Views> {
        self.views.subscribe()
    }

    /// Returns of each sentinel whether it names a primary, and if not, why, if it was asked.
    pub(super) fn states(&self) -> Vec<(bool, Option<String>)> {
        let names_one: Vec<_> = self.views().iter().map(Option::is_some).collect();
        let problems = self.problems.lock().clone();
        names_one.into_iter().zip(problems).collect()
    }

    pub(super) fn views(&self) -> watch::Ref<'_, Views> {
        self.views.borrow()
    }
}

/// What is logged of a sentinel.
#[derive(Default)]
struct Reported {
    /// That it does not answer.
    is_silent: bool,
    /// What it answers instead of naming a primary.
    answer: Option<LookError>,
}

/// One sentinel, as its task sees it.
struct Watched {
    sentinel: Arc<Server>,
    name: Arc<str>,
    index: usize,
    interval: Duration,
    views: watch::Sender<Views>,
    problems: Arc<Problems>,
}

impl Watched {
    /// Asks the sentinel until the task is aborted: at once, and then from its first turn on.
    async fn keep_watching(self, first: Instant) {
        let mut next = first;
        let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
        let mut reported = Reported::default();
        loop {
            let watching = self.watch(&mut next, &mut reported);
            let error = caught(|| watching)
                .await
                .unwrap_or_else(|| Error::connection("the task that asks it has panicked"));
            self.problems.lock()[self.index] = Some(error.to_string());
            if self.say(None) {
                backoff.reset();
            }
            if !std::mem::replace(&mut reported.is_silent, true) {
                tracing::warn!(
                    target: "redis_push",
                    name = &*self.name,
                    sentinel = %self.sentinel.address(),
                    %error,
                    "a sentinel does not answer; trying again"
                );
            }
            sleep(backoff.next()).await;
        }
    }

    /// Asks over one connection. Returns why the sentinel does not answer any more.
    async fn watch(&self, next: &mut Instant, reported: &mut Reported) -> Error {
        let announced = Arc::new(Notify::new());
        let mut connection = match self.connect(&announced).await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
        loop {
            let view = match timeout(PATIENCE, ask_one(&mut connection, &self.name)).await {
                Ok(Ok(view)) => {
                    self.problems.lock()[self.index] = None;
                    reported.answer = None;
                    Some(view)
                }
                Ok(Err(Failure::Said(answer))) => {
                    self.problems.lock()[self.index] = Some(answer.to_string());
                    self.report(reported, answer);
                    None
                }
                Ok(Err(Failure::Unreachable(error))) => return error,
                Err(_) => return Error::connection(self.sentinel.silence(PATIENCE)),
            };
            if std::mem::take(&mut reported.is_silent) {
                tracing::info!(
                    target: "redis_push",
                    name = &*self.name,
                    sentinel = %self.sentinel.address(),
                    "the sentinel answers again"
                );
            }
            self.say(view);
            *next = next_turn(*next, self.interval, clock::now());
            tokio::select! {
                () = sleep_until(*next) => {}
                () = announced.notified() => {}
            }
        }
    }

    /// Logs that the sentinel names no primary, unless that was its last answer too. Its URL may be that of
    /// another server.
    fn report(&self, reported: &mut Reported, answer: LookError) {
        if reported.answer.as_ref() != Some(&answer) {
            tracing::warn!(
                target: "redis_push",
                name = &*self.name,
                sentinel = %self.sentinel.address(),
                %answer,
                "a sentinel does not name a primary"
            );
            reported.answer = Some(answer);
        }
    }

    /// Connects, and subscribes to the announcements of failovers.
    async fn connect(&self, announced: &Arc<Notify>) -> Result<Connection, Error> {
        let (name, notify) = (Arc::clone(&self.name), Arc::clone(announced));
        let config = AsyncConnectionConfig::new().set_push_sender(move |push: PushInfo| {
            if is_announcement(&push, &name) {
                notify.notify_one();
            }
            Ok::<_, &'static str>(())
        });
        let opening = self.sentinel.open(PATIENCE, config);
        let mut connection = self.sentinel.within(PATIENCE, opening).await?;
        let mut subscribe = redis::Pipeline::new();
        subscribe.cmd("SUBSCRIBE").arg("+switch-master");
        let subscribing = connection.send_all(&subscribe, 0, 1);
        match timeout(PATIENCE, subscribing).await {
            Ok(Ok(_)) => Ok(connection),
            Ok(Err(error)) if error.code().is_some() => Ok(connection),
            Ok(Err(error)) => Err(lost(&error)),
            Err(_) => Err(Error::connection(self.sentinel.silence(PATIENCE))),
        }
    }

    /// Publishes what the sentinel says. Returns whether it has said something before.
    fn say(&self, view: Option<SentinelView>) -> bool {
        let mut before = false;
        self.views.send_if_modified(|views| {
            let said = &mut views[self.index];
            before = said.is_some();
            let is_new = *said != view;
            *said = view;
            is_new
        });
        before
    }
}

/// Returns the next turn. Those that have passed are left out.
fn next_turn(turn: Instant, interval: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(turn);
    if turn > now {
        return turn;
    }
    let rest = late.as_nanos() % interval.as_nanos().max(1);
    now + interval - Duration::from_nanos(u64::try_from(rest).unwrap_or_default())
}

/// Whether a push announces a failover of the primary, or that the connection is lost.
fn is_announcement(push: &PushInfo, name: &str) -> bool {
    match push.kind {
        PushKind::Disconnection => true,
        PushKind::Message => {
            let payload = push.data.last().and_then(|payload| match payload {
                Value::BulkString(bytes) => Switched::parse(bytes),
                payload => Switched::parse(text(payload)?.as_bytes()),
            });
            payload.is_some_and(|switched| switched.name == name)
        }
        _ => false,
    }
}

/// A wait for another primary than the last one.
pub(crate) struct News {
    watch: Arc<Watch>,
    /// The newest failover that was found, or waited for, and the server that it has made the primary.
    last: Option<(u64, NodeAddress)>,
}

impl News {
    pub(super) fn of(watch: Arc<Watch>) -> Self {
        Self { watch, last: None }
    }

    /// Records the primary that was found for a connection.
    pub(crate) fn found(&mut self, primary: &Primary) {
        let found = primary.term();
        // An old one, from a sentinel that was cut off, must not make the wait end again and again.
        if self.last.as_ref().is_none_or(|(epoch, _)| *epoch < found.0) {
            self.last = Some(found);
        }
    }

    /// Waits until the sentinels name another primary than before, or know of another failover.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub(crate) async fn next(&mut self) {
        let mut views = self.watch.subscribe();
        loop {
            let newest = best(views.borrow_and_update().iter().flatten())
                .map(|view| (view.epoch, view.primary.clone()));
            if newest.is_some() && newest != self.last {
                self.last = newest;
                return;
            }
            let _ = views.changed().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn watch(sentinels: usize) -> Arc<Watch> {
        Arc::new(Watch {
            views: watch::Sender::new(vec![None; sentinels]),
            problems: Arc::default(),
            _tasks: JoinSet::new(),
        })
    }

    fn say(watch: &Watch, index: usize, port: u16, epoch: u64) {
        let view = SentinelView {
            primary: NodeAddress::new("a", port),
            epoch,
            is_down: false,
        };
        watch.views.send_modify(|views| views[index] = Some(view));
    }

    fn is_news(news: &mut News) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(news.next()).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn each_failover_is_news_once() {
        let watch = watch(2);
        let mut news = News::of(Arc::clone(&watch));
        assert!(!is_news(&mut news));
        say(&watch, 0, 1, 7);
        assert!(is_news(&mut news));
        assert!(!is_news(&mut news));
        say(&watch, 1, 1, 7);
        say(&watch, 1, 2, 6);
        assert!(!is_news(&mut news), "an older one");
        say(&watch, 1, 2, 8);
        assert!(is_news(&mut news));
        say(&watch, 0, 2, 8);
        assert!(!is_news(&mut news));
    }

    #[test]
    fn the_turns_stay_where_they_are_in_the_interval() {
        let (begin, second) = (clock::now(), Duration::from_secs(1));
        let at = |millis| begin + Duration::from_millis(millis);
        assert_eq!(next_turn(at(300), second, at(200)), at(300));
        assert_eq!(next_turn(at(300), second, at(300)), at(1_300));
        assert_eq!(next_turn(at(300), second, at(5_800)), at(6_300));
    }

    #[test]
    fn an_announcement_is_about_one_name() {
        let push = |kind, payload: &str| PushInfo {
            kind,
            data: vec![
                Value::BulkString("+switch-master".into()),
                Value::BulkString(payload.into()),
            ],
        };
        let payload = "mymaster 10.0.0.1 6379 10.0.0.2 6379";
        assert!(is_announcement(
            &push(PushKind::Message, payload),
            "mymaster"
        ));
        assert!(!is_announcement(&push(PushKind::Message, payload), "other"));
        assert!(!is_announcement(
            &push(PushKind::Message, "mymaster"),
            "mymaster"
        ));
        assert!(!is_announcement(
            &push(PushKind::Subscribe, payload),
            "mymaster"
        ));
        let lost = PushInfo {
            kind: PushKind::Disconnection,
            data: Vec::new(),
        };
        assert!(is_announcement(&lost, "mymaster"));
    }
}
