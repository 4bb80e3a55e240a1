//! Where the values of a cache come from.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use super::decode::Decode;
use crate::connection::{CommandConnection, CommandError, ServerError};
use crate::error::{BoxError, Error, Result};
use crate::util::{Ended, Shown, attempt, call};

/// What loads the values.
pub(super) enum Source<K, V> {
    Get(Get<V>),
    Loader(Loader<K, V>),
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
    pub(super) async fn load(&self, key: K, name: &str) -> Result<Option<V>> {
        match attempt(pin!(None), || self.0(key)).await {
            Ended::Returned(Ok(value)) => Ok(value),
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
    pub(super) async fn read_one(&self, name: String) -> Result<Option<V>> {
        let mut read = self.read(&[name]).await;
        read.pop().expect("one for each key")
    }

    /// Reads keys in one round trip. Returns what that has brought for each of them.
    pub(super) async fn read(&self, names: &[String]) -> Vec<Result<Option<V>>> {
        match self.commands.get(names, self.timeout).await {
            Ok(replies) => {
                let both = names.iter().zip(replies);
                both.map(|(name, reply)| self.value(name, reply)).collect()
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

    fn value(
        &self,
        name: &str,
        reply: std::result::Result<Option<Vec<u8>>, ServerError>,
    ) -> Result<Option<V>> {
        let bytes = reply.map_err(|refusal| refused(&format!("`{name}`"), &refusal))?;
        let Some(bytes) = bytes else { return Ok(None) };
        match call(|| (self.decode)(bytes)) {
            Ok(Ok(value)) => Ok(Some(value)),
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

fn refused(what: &str, refusal: &ServerError) -> Error {
    let text = &refusal.text;
    Error::denied(format!("the server refused to read {what}: {text}"))
}
