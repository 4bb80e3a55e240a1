//! Where the values of a cache come from.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::decode::Decode;
use crate::connection::{CommandConnection, CommandError, KeyRead, ServerError};
use crate::error::{BoxError, Error, Result};
use crate::util::clock::{self, LONGEST};
use crate::util::{Ended, Shown, attempt, call};

/// What loads the values.
pub(super) enum Source<K, V> {
    Get(Get<V>),
    Loader(Loader<K, V>),
}

/// What a load has brought.
pub(super) struct Loaded<V> {
    /// `None` if the key is absent.
    pub(super) value: Option<V>,
    /// The end of the key's time to live, if it is known to have one.
    pub(super) until: Option<Instant>,
}

impl<V> Loaded<V> {
    fn lasting(value: Option<V>) -> Self {
        Self { value, until: None }
    }
}

/// The user's function that loads a value.
pub struct Loader<K, V>(pub(super) Box<dyn Fn(K) -> Loading<V> + Send + Sync>);

/// The user's future.
pub(super) type Loading<V> =
    Pin<Box<dyn Future<Output = std::result::Result<Option<V>, BoxError>> + Send>>;

impl<K, V> Loader<K, V> {
    /// Loads the value of a key.
    ///
    /// # Errors
    ///
    /// Returns an error if the user's function does, and if it panics.
    pub(super) async fn load(&self, key: K, name: &str) -> Result<Loaded<V>> {
        match attempt(pin!(None), || self.0(key)).await {
            Ended::Returned(Ok(value)) => Ok(Loaded::lasting(value)),
            Ended::Returned(Err(error)) => {
                let text = format!("the loader of `{name}` has failed: {}", Shown(&error));
                Err(Error::load(text).caused_by(error))
            }
            Ended::Panicked(panic) => {
                let text = format!("the loader of `{name}` has failed: {panic}");
                Err(Error::load(text))
            }
            Ended::TimedOut => unreachable!("a loader has no timeout"),
        }
    }
}

/// Reads values from the server with `GET`.
pub(super) struct Get<V> {
    pub(super) commands: Arc<CommandConnection>,
    /// How long one round trip may take, including connecting.
    pub(super) timeout: Duration,
    pub(super) decode: Decode<V>,
}

impl<V> Get<V> {
    pub(super) async fn read_one(&self, name: String) -> Result<Loaded<V>> {
        let mut read = self.read(&[name]).await;
        read.pop().expect("one for each key")
    }

    /// Reads keys in one round trip. Returns what that has brought for each of them.
    pub(super) async fn read(&self, names: &[String]) -> Vec<Result<Loaded<V>>> {
        // Before the server is asked, so that no entry lasts longer than its key.
        let asked = clock::now();
        match self.commands.get(names, self.timeout).await {
            Ok(replies) => {
                let both = names.iter().zip(replies);
                both.map(|(name, reply)| self.loaded(name, reply, asked))
                    .collect()
            }
            Err(error) => {
                let error = match error {
                    CommandError::NotSent(error) | CommandError::Unknown(error) => error,
                    CommandError::Refused(refusal) => refused("keys", &refusal),
                };
                names.iter().map(|_| Err(error.again())).collect()
            }
        }
    }

    fn loaded(
        &self,
        name: &str,
        reply: std::result::Result<KeyRead, CommandError>,
        asked: Instant,
    ) -> Result<Loaded<V>> {
        let read = reply.map_err(|error| match error {
            CommandError::NotSent(error) | CommandError::Unknown(error) => error,
            CommandError::Refused(refusal) => refused(&format!("`{name}`"), &refusal),
        })?;
        let Some(bytes) = read.value else {
            return Ok(Loaded::lasting(None));
        };
        let until = read.time_to_live.map(|time| asked + time.min(LONGEST));
        match call(|| (self.decode)(bytes)) {
            Ok(Ok(value)) => Ok(Loaded {
                value: Some(value),
                until,
            }),
            Ok(Err(rejection)) => {
                let text = format!("the value of `{name}` is not usable: {rejection}");
                Err(Error::load(text).caused_by(rejection))
            }
            // The message of a panic may quote the value, as a source may.
            Err(panic) => Err(
                Error::load(format!("decoding the value of `{name}` has panicked"))
                    .caused_by(panic.to_string()),
            ),
        }
    }
}

/// Returns the error for what the server has not read.
fn refused(what: &str, refusal: &ServerError) -> Error {
    let text = &refusal.text;
    if refusal.is_passing() {
        return Error::connection(format!("the server cannot read {what} now: {text}"));
    }
    if refusal.code.as_deref() == Some("WRONGTYPE") {
        let text = format!("{what} holds no string: use `load_with` ({text})");
        return Error::load(text);
    }
    Error::denied(format!("the server refused to read {what}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(reply: &str) -> Error {
        let reply = redis::parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap();
        refused(
            "`user:7`",
            &ServerError::of(&reply.extract_error().unwrap_err()),
        )
    }

    #[test]
    fn a_state_of_the_server_that_passes_is_no_denial() {
        for reply in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "CLUSTERDOWN The cluster is down",
            "MASTERDOWN Link with MASTER is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "READONLY You can't write against a read only replica.",
        ] {
            let error = error(reply);
            assert!(error.is_connection() && !error.is_denied(), "{error}");
        }
        assert!(error("NOPERM No permissions to access a key").is_denied());
    }

    #[test]
    fn a_key_of_another_type_is_an_error_of_the_load_that_says_what_to_use() {
        let error = error("WRONGTYPE Operation against a key holding the wrong kind of value");
        assert!(error.is_load() && !error.is_denied(), "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("`user:7` holds no string: use `load_with`"),
            "{text}"
        );
    }
}
