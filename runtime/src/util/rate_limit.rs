use std::borrow::Cow;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::catch_unwind::runs_without_panic;
use super::clock;
use super::sync::Mutex;

/// A limit of one log line a second, for one kind of event of one handler or stream. The others are counted: a
/// flood of bad messages must not become a flood of logs.
///
/// The count is part of the next line. If there is none soon after the second is over, the count gets
/// a line of its own, and so it does when the limit is dropped.
#[derive(Debug)]
pub(crate) struct RateLimit(Arc<Limited>);

#[derive(Debug)]
struct Limited {
    /// The name of the handler, or the label of the streams.
    subject: Cow<'static, str>,
    event: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    suppressed: u32,
    /// Whether the subject is streams. Here, where there is room: a handler has several limits.
    is_of_streams: bool,
}

impl RateLimit {
    const INTERVAL: Duration = Duration::from_secs(1);
    /// How long after the end of a second the next line is waited for, which has more to say than the
    /// count.
    const GRACE: Duration = Duration::from_millis(100);

    pub(crate) fn new(handler: impl Into<Cow<'static, str>>, event: &'static str) -> Self {
        Self::of(handler.into(), event, false)
    }

    /// Creates a limit for the streams that are counted under a label.
    pub(crate) fn of_streams(label: impl Into<Cow<'static, str>>, event: &'static str) -> Self {
        Self::of(label.into(), event, true)
    }

    fn of(subject: Cow<'static, str>, event: &'static str, is_of_streams: bool) -> Self {
        let state = State {
            is_of_streams,
            ..State::default()
        };
        Self(Arc::new(Limited {
            subject,
            event,
            state: Mutex::new(state),
        }))
    }

    /// Calls `log` with the number of suppressed lines, unless the last line is less than a second
    /// ago: then the call is counted as suppressed. A panic of `log` is caught, because what collects
    /// the log is the user's code.
    pub(crate) fn report(&self, log: impl FnOnce(u64)) {
        let now = clock::monotonic();
        let suppressed = {
            let mut state = self.0.state.lock();
            if let Some(last) = state.last
                && now.saturating_duration_since(last) < Self::INTERVAL
            {
                state.suppressed = state.suppressed.saturating_add(1);
                if state.suppressed == 1 {
                    self.flush_later(last, now);
                }
                return;
            }
            state.last = Some(now);
            std::mem::take(&mut state.suppressed)
        };
        runs_without_panic(|| log(suppressed.into()));
    }

    /// Logs the number of lines that were suppressed since the last one, if there are any.
    pub(crate) fn flush(&self) {
        self.0.flush();
    }

    /// Spawns a task that logs the count, unless there is another line before that.
    fn flush_later(&self, last: Instant, now: Instant) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let limited = Arc::downgrade(&self.0);
        let pause = (Self::INTERVAL + Self::GRACE).saturating_sub(now - last);
        runtime.spawn(async move {
            sleep(pause).await;
            let limited = Weak::upgrade(&limited);
            if let Some(limited) = limited
                && limited.state.lock().last == Some(last)
            {
                limited.flush();
            }
        });
    }
}

impl Limited {
    fn flush(&self) {
        let (suppressed, is_of_streams) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.suppressed), state.is_of_streams)
        };
        if suppressed > 0 {
            let subject = &*self.subject;
            let (handler, stream) = match is_of_streams {
                true => (None, Some(subject)),
                false => (Some(subject), None),
            };
            runs_without_panic(|| {
                tracing::warn!(
                    target: "redis_push", handler, stream, event = self.event, suppressed,
                    "more of these were not logged"
                );
            });
        }
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.flush();
    }
}
