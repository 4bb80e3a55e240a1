use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Pipeline, RedisResult, Value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::Connection;
use super::command_error::{CommandError, ServerError};
use super::destination::Destination;
use super::sentinel::Primary;
use crate::error::Error;
use crate::util::{Backoff, Mutex, caught, clock};

/// A connection for commands, separate from the link. The first command makes the connection, and so
/// does the first one after the connection was lost. All callers share it.
///
/// ```text
///   none ── command ──▶ pause ──▶ connecting ──▶ connected ── lost, or silent ──▶ none
///                     (after a        │
///                      failure)       ▼ failed: none
/// ```
///
/// Attempts to connect are shared by all callers too, and run on a task of their own, one at a time: if
/// a caller stops waiting, the next caller gets the result. A caller gets the error only of an attempt
/// that began after its call, because the server may have come back since an earlier one.
pub(crate) struct LazyConnection {
    to: Destination,
    state: Arc<Mutex<LazyState>>,
}

/// No user code runs under the lock, so the state is always consistent.
struct LazyState {
    current: Option<Current>,
    attempt: Option<Attempt>,
    /// When the next attempt may begin, after one that has failed.
    pause_until: Option<Instant>,
    backoff: Backoff,
}

/// The connection that is in use.
struct Current {
    connection: Connection,
    /// How many commands wait for an answer.
    waiting: usize,
    /// Since when a command has waited without any answer.
    silent_since: Option<Instant>,
}

/// An attempt to connect.
struct Attempt {
    ended: watch::Receiver<Option<Result<Connection, Arc<Error>>>>,
    task: AbortHandle,
}

/// The first and the longest pause before another attempt: only so long that a caller which keeps
/// trying does not flood the server, or the provider of the credentials.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// How long an attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How long a server that is not the primary any more may take to answer what was sent to it before.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// If a caller stops waiting for an answer, a connection that has been silent for this long is
/// discarded.
const SILENCE: Duration = Duration::from_secs(1);

impl LazyConnection {
    pub(crate) fn new(to: Destination) -> Self {
        let state = Mutex::new(LazyState {
            current: None,
            attempt: None,
            pause_until: None,
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
        });
        Self {
            to,
            state: Arc::new(state),
        }
    }

    /// Sends commands in one write, skips `skipped` replies, and returns the `count` after them, which may be
    /// errors.
    pub(crate) async fn replies(
        &self,
        commands: &Pipeline,
        replies: (usize, usize),
        within: Duration,
    ) -> Result<Vec<Value>, CommandError> {
        let mut is_sent = false;
        timeout(within, self.exchange(commands, replies, &mut is_sent))
            .await
            .unwrap_or_else(|_| Err(self.too_late(within, is_sent)))
    }

    /// Like [`replies`](Self::replies), until a moment, or until there is a reason not to wait any longer.
    pub(super) async fn replies_unless(
        &self,
        commands: &Pipeline,
        replies: (usize, usize),
        (within, until): (Duration, Instant),
        reason: impl Future<Output = String>,
    ) -> Result<Vec<Value>, CommandError> {
        let mut is_sent = false;
        let reason = {
            let exchange = pin!(self.exchange(commands, replies, &mut is_sent));
            tokio::select! {
                biased;
                replies = exchange => return replies,
                reason = reason => Some(reason),
                () = sleep_until(until) => None,
            }
        };
        Err(match reason {
            None => self.too_late(within, is_sent),
            Some(reason) if is_sent => CommandError::Unknown(Error::connection(reason)),
            Some(reason) => CommandError::NotSent(Error::connection(reason)),
        })
    }

    /// Sends commands, and waits for the replies. `is_sent` is set before something is sent.
    async fn exchange(
        &self,
        commands: &Pipeline,
        (skipped, count): (usize, usize),
        is_sent: &mut bool,
    ) -> Result<Vec<Value>, CommandError> {
        let mut connection = self.connection().await.map_err(CommandError::NotSent)?;
        *is_sent = true;
        let waiting = Waiting::begin(&self.state, &connection);
        let primary = connection.primary().cloned();
        let sending = connection.send_all(commands, skipped, count);
        match answer(primary, sending).await {
            Err(error) => {
                waiting.lost();
                Err(CommandError::Unknown(error))
            }
            Ok(Ok(replies)) => {
                waiting.answered();
                Ok(replies)
            }
            Ok(Err(error)) if error.code().is_some() => {
                waiting.answered();
                Err(CommandError::Refused(ServerError::of(&error)))
            }
            Ok(Err(error)) => {
                waiting.lost();
                let text = format!("the connection was lost before the answer: {error}");
                Err(CommandError::Unknown(Error::connection(text)))
            }
        }
    }

    fn too_late(&self, within: Duration, was_sent: bool) -> CommandError {
        let text = self.to.silence(within);
        if was_sent {
            CommandError::Unknown(Error::timeout(text))
        } else {
            CommandError::NotSent(Error::connection(text))
        }
    }

    /// Returns the current connection, or makes one. Callers that arrive during an attempt wait for the
    /// same attempt.
    async fn connection(&self) -> Result<Connection, Error> {
        let mut is_later = false;
        loop {
            let (mut ended, is_new) = {
                let mut state = self.state.lock();
                if let Some(current) = &state.current
                    && current.connection.is_up()
                {
                    return Ok(current.connection.clone());
                }
                state.current = None;
                // An attempt whose task was aborted has not removed itself.
                state.attempt.take_if(|attempt| attempt.task.is_finished());
                let is_new = state.attempt.is_none();
                let pause_until = state.pause_until;
                let attempt = state
                    .attempt
                    .get_or_insert_with(|| self.attempt(pause_until));
                (attempt.ended.clone(), is_new)
            };
            let error = match ended.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(Ok(connection))) => return Ok(connection.clone()),
                Ok(Some(Err(error))) => error.again(),
                Ok(None) | Err(_) => Error::connection("the attempt to connect was aborted"),
            };
            if is_new || is_later {
                return Err(error);
            }
            // The attempt began before this call, so its error may be old. The next one did not.
            is_later = true;
        }
    }

    /// Returns where to connect to.
    #[cfg(feature = "testing")]
    fn destination(&self) -> Result<Destination, Error> {
        super::redirect::destination(&self.to)
    }

    #[cfg(not(feature = "testing"))]
    fn destination(&self) -> Result<Destination, Error> {
        Ok(self.to.clone())
    }

    /// Returns the probe of the test kit that the connection belongs to.
    #[cfg(feature = "testing")]
    pub(super) fn probe(&self) -> Option<crate::probe::SharedProbe> {
        super::redirect::probe(&self.to)
    }

    /// Spawns a task that connects, after a pause.
    fn attempt(&self, pause_until: Option<Instant>) -> Attempt {
        let (to, state) = (self.destination(), Arc::clone(&self.state));
        let (end, ended) = watch::channel(None);
        let task = tokio::spawn(async move {
            if let Some(until) = pause_until {
                sleep_until(until).await;
            }
            let connected = match to {
                Ok(to) => caught(|| connect(&to))
                    .await
                    .unwrap_or_else(|| Err(Error::connection("the attempt to connect panicked"))),
                Err(error) => Err(error),
            };
            let connected = connected.map_err(Arc::new);
            let mut state = state.lock();
            state.attempt = None;
            match &connected {
                Ok(connection) => {
                    state.backoff.reset();
                    state.pause_until = None;
                    state.current = Some(Current {
                        connection: connection.clone(),
                        waiting: 0,
                        silent_since: None,
                    });
                }
                Err(_) => state.pause_until = Some(clock::now() + state.backoff.next()),
            }
            end.send_replace(Some(connected));
        });
        Attempt {
            ended,
            task: task.abort_handle(),
        }
    }
}

impl Drop for LazyConnection {
    fn drop(&mut self) {
        if let Some(attempt) = &self.state.lock().attempt {
            attempt.task.abort();
        }
    }
}

async fn connect(to: &Destination) -> Result<Connection, Error> {
    let found = to.find(ATTEMPT).await?;
    let server = &found.server;
    let opening = server.open(ATTEMPT, AsyncConnectionConfig::new());
    found
        .confirmed(ATTEMPT, server.within(ATTEMPT, opening))
        .await
}

/// Waits for the answer to commands. Returns an error if their server is found not to be the primary any
/// more: one that is frozen does not answer, and its connections stay open.
async fn answer<T>(
    primary: Option<Arc<Primary>>,
    sending: impl Future<Output = RedisResult<T>>,
) -> Result<RedisResult<T>, Error> {
    let Some(primary) = primary else {
        return Ok(sending.await);
    };
    let mut sending = pin!(sending);
    tokio::select! {
        biased;
        answer = sending.as_mut() => Ok(answer),
        error = primary.replaced() => {
            let answer = timeout(LAST_WORDS, sending).await;
            answer.map_err(|_| primary.in_context(error))
        }
    }
}

/// A command that has been sent. If it is dropped without an answer, because its caller has stopped
/// waiting, and the connection has been silent for too long, the connection is discarded and the next
/// command makes another one. There is no `PING` here that would notice a dead server.
struct Waiting<'s> {
    state: &'s Mutex<LazyState>,
    connection: Connection,
    /// Whether the command was answered, or the connection was lost.
    is_over: bool,
}

impl<'s> Waiting<'s> {
    fn begin(state: &'s Mutex<LazyState>, connection: &Connection) -> Self {
        let waiting = Self {
            state,
            connection: connection.clone(),
            is_over: false,
        };
        waiting.with_current(|current| {
            current.waiting += 1;
            current.silent_since.get_or_insert_with(clock::now);
        });
        waiting
    }

    fn answered(mut self) {
        self.is_over = true;
        self.with_current(|current| {
            current.waiting -= 1;
            // The others have waited without an answer from now on.
            current.silent_since = (current.waiting > 0).then(clock::now);
        });
    }

    fn lost(mut self) {
        self.is_over = true;
        self.discard();
    }

    /// Discards the connection, unless it is replaced already.
    fn discard(&self) {
        let mut state = self.state.lock();
        state
            .current
            .take_if(|current| current.connection.is(&self.connection));
    }

    /// Changes the connection's state, unless it is replaced already.
    fn with_current(&self, change: impl FnOnce(&mut Current)) {
        let mut state = self.state.lock();
        if let Some(current) = &mut state.current
            && current.connection.is(&self.connection)
        {
            change(current);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut is_silent = false;
        self.with_current(|current| {
            current.waiting -= 1;
            is_silent = current
                .silent_since
                .is_some_and(|since| clock::now() - since >= SILENCE);
        });
        if is_silent {
            self.discard();
        }
    }
}
