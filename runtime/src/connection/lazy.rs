use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ConnectionAddr, Pipeline, RedisError, Value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::Connection;
use super::server::Server;
use crate::error::Error;
use crate::util::{Backoff, caught, clock};
use crate::util::{Mutex, MutexGuard};

/// A connection beside the link, for commands only. It is made with the first of them, and anew
/// with the next one after it was lost. Commands of several callers go over it together.
///
/// An attempt to connect is nobody's in particular: a caller that has no time for it leaves it to
/// the next one. After one that has failed, callers are told so for a moment, without another.
pub(crate) struct LazyConnection {
    server: Arc<Server>,
    state: Arc<Mutex<LazyState>>,
}

struct LazyState {
    kept: Option<Kept>,
    attempt: Option<Attempt>,
    /// Why the last attempt failed, and until when there is no other.
    failed: Option<(Arc<Error>, Instant)>,
    backoff: Backoff,
}

struct Kept {
    connection: Connection,
    /// Since when a command has been sent and none answered.
    silent_since: Option<Instant>,
}

struct Attempt {
    ended: watch::Receiver<Option<Result<Connection, Arc<Error>>>>,
    task: AbortHandle,
}

/// Why commands were not carried out, as far as is known.
pub(crate) enum CommandError {
    /// There is no connection: nothing was sent.
    NotSent(Error),
    /// The server says no.
    Refused(ServerError),
    /// They were sent, or a part of them, and no answer came.
    Unknown(Error),
}

/// What a server says when it refuses a command.
#[derive(Debug)]
pub(crate) struct ServerError {
    pub(crate) code: Option<String>,
    pub(crate) text: String,
}

impl ServerError {
    /// A server that does not know a command repeats its arguments: a payload, perhaps.
    pub(crate) fn of(error: &RedisError) -> Self {
        let text = error.to_string();
        let end = text.find(", with args").unwrap_or(text.len());
        Self {
            code: error.code().map(str::to_owned),
            text: text[..end].to_owned(),
        }
    }
}

/// How long an attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// A connection that has answered nothing for so long is not used again once a caller gives up.
const SILENCE: Duration = Duration::from_secs(1);

impl LazyConnection {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        let state = Mutex::new(LazyState {
            kept: None,
            attempt: None,
            failed: None,
            backoff: Backoff::new(Duration::from_millis(20), Duration::from_secs(2)),
        });
        Self {
            server,
            state: Arc::new(state),
        }
    }

    /// Sends commands in one write, and returns the last `count` of the server's replies; those
    /// before them are `skipped`.
    pub(crate) async fn send(
        &self,
        commands: &Pipeline,
        (skipped, count): (usize, usize),
        within: Duration,
    ) -> Result<Vec<Value>, CommandError> {
        let mut is_sent = false;
        let sending = async {
            let mut connection = self.connection().await.map_err(CommandError::NotSent)?;
            is_sent = true;
            let waiting = Waiting::begin(&self.state, &connection);
            let sent = connection.send_all(commands, skipped, count).await;
            match sent {
                Ok(replies) => {
                    waiting.answered();
                    Ok(replies)
                }
                Err(error) if error.code().is_some() => {
                    waiting.answered();
                    Err(CommandError::Refused(ServerError::of(&error)))
                }
                Err(error) => {
                    waiting.lost();
                    let text = format!("the connection was lost before the answer: {error}");
                    Err(CommandError::Unknown(Error::connection(text)))
                }
            }
        };
        let sent = timeout(within, sending).await;
        let replies = sent.unwrap_or_else(|_| Err(self.too_late(within, is_sent)))?;
        let replies = replies.into_iter().map(Value::extract_error);
        let replies = replies.collect::<Result<_, _>>();
        replies.map_err(|error| CommandError::Refused(ServerError::of(&error)))
    }

    fn too_late(&self, within: Duration, was_sent: bool) -> CommandError {
        let text = self.server.silence(within);
        match was_sent {
            true => CommandError::Unknown(Error::timeout(text)),
            false => CommandError::NotSent(Error::connection(text)),
        }
    }

    /// The connection that is up, or a new one; who comes meanwhile waits for that one too.
    async fn connection(&self) -> Result<Connection, Error> {
        let mut ended = {
            let mut state = lock(&self.state);
            if let Some(kept) = &state.kept
                && kept.connection.is_up()
            {
                return Ok(kept.connection.clone());
            }
            state.kept = None;
            if let Some((error, until)) = &state.failed
                && clock::now() < *until
            {
                return Err(error.again());
            }
            // One that was ended from outside has not said so.
            state.attempt.take_if(|attempt| attempt.task.is_finished());
            let attempt = state.attempt.get_or_insert_with(|| self.attempt());
            attempt.ended.clone()
        };
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Ok(connection))) => Ok(connection.clone()),
            Ok(Some(Err(error))) => Err(error.again()),
            Ok(None) | Err(_) => Err(Error::connection("the attempt to connect was given up")),
        }
    }

    /// Connects on a task of its own.
    fn attempt(&self) -> Attempt {
        let (server, state) = (Arc::clone(&self.server), Arc::clone(&self.state));
        let (end, ended) = watch::channel(None);
        let task = tokio::spawn(async move {
            let connecting = caught(server.within(ATTEMPT, connect(&server)));
            let connected = connecting
                .await
                .unwrap_or_else(|| Err(Error::connection("the attempt to connect panicked")));
            let connected = connected.map_err(Arc::new);
            let mut state = lock(&state);
            state.attempt = None;
            match &connected {
                Ok(connection) => {
                    state.backoff.reset();
                    state.failed = None;
                    state.kept = Some(Kept {
                        connection: connection.clone(),
                        silent_since: None,
                    });
                }
                Err(error) => {
                    let until = clock::now() + state.backoff.next();
                    state.failed = Some((Arc::clone(error), until));
                }
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
        if let Some(attempt) = &lock(&self.state).attempt {
            attempt.task.abort();
        }
    }
}

async fn connect(server: &Server) -> Result<Connection, Error> {
    let greeting = server.greeting(ATTEMPT).await?;
    if server.tls().is_none() && matches!(server.address(), ConnectionAddr::TcpTls { .. }) {
        return server.manage(&greeting, ATTEMPT, |config| config).await;
    }
    let stream = server.dial().await?;
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let (connection, driver) = MultiplexedConnection::new_with_config(&greeting, stream, config)
        .await
        .map_err(|error| server.refused(Some(&greeting), error))?;
    Ok(Connection::driven(connection, tokio::spawn(driver)))
}

/// A command that has been sent. When it is dropped unanswered, as by a caller that gives up, and
/// nothing has been answered for too long, the next command gets another connection: nobody else
/// would notice that the server is gone.
struct Waiting<'s> {
    state: &'s Mutex<LazyState>,
    connection: Connection,
    is_over: bool,
}

impl<'s> Waiting<'s> {
    fn begin(state: &'s Mutex<LazyState>, connection: &Connection) -> Self {
        let waiting = Self {
            state,
            connection: connection.clone(),
            is_over: false,
        };
        waiting.with_kept(|kept| {
            kept.silent_since.get_or_insert_with(clock::now);
        });
        waiting
    }

    fn answered(mut self) {
        self.is_over = true;
        self.with_kept(|kept| kept.silent_since = None);
    }

    fn lost(mut self) {
        self.is_over = true;
        self.discard();
    }

    fn discard(&self) {
        let mut state = lock(self.state);
        state
            .kept
            .take_if(|kept| kept.connection.is(&self.connection));
    }

    fn with_kept(&self, change: impl FnOnce(&mut Kept)) {
        let mut state = lock(self.state);
        if let Some(kept) = &mut state.kept
            && kept.connection.is(&self.connection)
        {
            change(kept);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut is_silent = false;
        self.with_kept(|kept| {
            is_silent = kept
                .silent_since
                .is_some_and(|since| clock::now() - since >= SILENCE);
        });
        if is_silent {
            self.discard();
        }
    }
}

fn lock(state: &Mutex<LazyState>) -> MutexGuard<'_, LazyState> {
    // Nothing in here runs foreign code, so the state is whole.
    state.lock()
}
