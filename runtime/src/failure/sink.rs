use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use redis::Pipeline;
use serde::Serializer as _;
use tokio::time::sleep;

use super::{Failure, FailureHook};
use crate::connection::{CommandConnection, CommandError, Endpoint, ServerError};
use crate::error::{BoxError, Error, Result};
use crate::util::{Backoff, clock};

/// Writes failures to a capped stream or list of a Redis server, for
/// [`Subscriber::on_failure`](crate::Subscriber::on_failure).
///
/// ```
/// use redis_push::{FailureSink, Subscriber};
///
/// let url = "redis://127.0.0.1/";
/// let subscriber = Subscriber::new(url)
///     .on_failure(FailureSink::stream(url, "failures", 10_000)?);
/// # Ok::<(), redis_push::Error>(())
/// ```
///
/// The sink has its own connection, which it opens for the first failure. A write is retried for
/// six seconds, to cover a restart of the server. A write that does not succeed is counted in
/// [`FailureStats::failed`](crate::FailureStats::failed) and logged at a limited rate. A write
/// whose reply was lost is retried as well, so a failure may be written twice.
///
/// Entries contain the payload: restrict access to the key accordingly.
pub struct FailureSink {
    server: CommandConnection,
    key: String,
    max_len: usize,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Stream,
    List,
}

/// How long one attempt may take, including the time to connect.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long a write is retried.
const RETRY_FOR: Duration = Duration::from_secs(6);

impl FailureSink {
    /// Creates a sink that writes to a stream: `XADD key MAXLEN ~ max_len * handler … outcome …
    /// reason … channel … payload …`. Channel and payload are written as received.
    ///
    /// # Errors
    ///
    /// When the URL is not valid ([`is_config`](crate::Error::is_config)). No connection is made.
    pub fn stream(
        server: impl Into<Endpoint>,
        key: impl Into<String>,
        max_len: usize,
    ) -> Result<Self> {
        Self::new(server.into(), key.into(), max_len, Form::Stream)
    }

    /// Creates a sink that writes to a list, newest first: `LPUSH` and `LTRIM` in one transaction.
    /// Each element is a JSON object with the same names. A channel or payload that is not UTF-8 is
    /// written as `channel_hex` or `payload_hex` instead.
    ///
    /// # Errors
    ///
    /// When the URL is not valid ([`is_config`](crate::Error::is_config)). No connection is made.
    pub fn list(
        server: impl Into<Endpoint>,
        key: impl Into<String>,
        max_len: usize,
    ) -> Result<Self> {
        Self::new(server.into(), key.into(), max_len, Form::List)
    }

    fn new(server: Endpoint, key: String, max_len: usize, form: Form) -> Result<Self> {
        Ok(Self {
            server: server.into_commands()?,
            key,
            // With 0, the last index of `LTRIM` would be -1, which keeps the whole list. The server
            // reads numbers as `i64`.
            max_len: max_len.clamp(1, usize::try_from(i64::MAX).unwrap_or(usize::MAX)),
            form,
        })
    }

    fn commands(&self, failure: &Failure) -> Pipeline {
        let mut pipeline = Pipeline::new();
        match self.form {
            Form::Stream => {
                let xadd = pipeline.cmd("XADD").arg(&self.key);
                xadd.arg("MAXLEN").arg("~").arg(self.max_len).arg("*");
                xadd.arg("handler").arg(failure.handler());
                xadd.arg("outcome").arg(failure.kind().as_str());
                xadd.arg("reason").arg(failure.detail());
                xadd.arg("channel").arg(failure.channel());
                xadd.arg("payload").arg(failure.payload());
            }
            Form::List => {
                pipeline.atomic();
                pipeline.cmd("LPUSH").arg(&self.key).arg(json(failure));
                let last = self.max_len - 1;
                pipeline.cmd("LTRIM").arg(&self.key).arg(0).arg(last);
            }
        }
        pipeline
    }
}

impl FailureHook for FailureSink {
    async fn tell(&self, failure: Failure) -> std::result::Result<(), BoxError> {
        let commands = self.commands(&failure);
        // The commands have a copy of the payload. One is enough while they are retried.
        drop(failure);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let started = clock::now();
        loop {
            let problem = match self.server.write(&commands, ATTEMPT).await {
                Ok(()) => return Ok(()),
                Err(CommandError::Refused(refusal)) if !is_transient(&refusal) => {
                    return Err(refusal.text.into());
                }
                Err(CommandError::NotSent(error)) if !may_connect(&error) => {
                    return Err(error.into());
                }
                Err(CommandError::Refused(refusal)) => BoxError::from(refusal.text),
                Err(CommandError::NotSent(error) | CommandError::Unknown(error)) => error.into(),
            };
            if clock::now() - started >= RETRY_FOR {
                return Err(problem);
            }
            sleep(backoff.next()).await;
        }
    }
}

/// Returns whether a write that the server refused with this error may succeed later.
fn is_transient(refusal: &ServerError) -> bool {
    matches!(
        refusal.code.as_deref(),
        Some("LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" | "ASK")
    )
}

/// Returns whether another attempt to connect may succeed after this error.
fn may_connect(error: &Error) -> bool {
    !error.is_auth() && !error.is_config() && !error.is_tls()
}

fn json(failure: &Failure) -> Vec<u8> {
    let texts = [
        ("handler", Cow::Borrowed(failure.handler())),
        ("outcome", Cow::Borrowed(failure.kind().as_str())),
        ("reason", Cow::Owned(failure.detail())),
        text("channel", "channel_hex", failure.channel()),
        text("payload", "payload_hex", failure.payload()),
    ];
    let mut json = Vec::new();
    serde_json::Serializer::new(&mut json)
        .collect_map(texts)
        .expect("text is written to memory");
    json
}

/// Returns bytes as text with its name, or in hexadecimal with the other name if they are not UTF-8.
fn text<'f>(
    name: &'static str,
    hex_name: &'static str,
    bytes: &'f [u8],
) -> (&'static str, Cow<'f, str>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (name, text.into()),
        Err(_) => (hex_name, hex(bytes).into()),
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)] as char);
    bytes.iter().flat_map(digits).collect()
}

impl fmt::Debug for FailureSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureSink")
            .field("key", &self.key)
            .field("max_len", &self.max_len)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
