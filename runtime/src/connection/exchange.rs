//! One exchange with the server: commands, their replies, and the proof that the replies belong to the
//! commands.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use redis::{Pipeline, Value};

use super::Connection;
use super::commands::lost;
use super::requests::Request;
use crate::error::Error;

/// What the server has replied to the commands of an exchange.
pub(super) struct Replies {
    pub(super) values: Vec<Value>,
    /// Whether the replies are proven to belong to the commands. If they are not, the server is in a
    /// passing state, and its refusals do not mean anything.
    pub(super) are_proven: bool,
}

impl Connection {
    /// Sends commands in one write, and after them a `PING` with a nonce.
    ///
    /// redis-rs assigns replies to commands by counting. It counts a push about a subscription that
    /// nobody asked for as a reply (see [`Awaited`](super::Awaited)), and from then on each command
    /// gets the reply to the one before it. So the replies are believed only if the `PING` has got
    /// its nonce.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost, or if the replies are out of step. A connection
    /// whose replies were out of step must not be used any more.
    pub(super) async fn exchange(&mut self, requests: Vec<Request>) -> Result<Replies, Error> {
        let mut pipeline = Pipeline::new();
        let mut confirmations = Vec::with_capacity(requests.len());
        for request in requests {
            pipeline.add_command(request.command);
            confirmations.push(request.confirmed_by);
        }
        let Some(awaited) = self.awaited.clone() else {
            return self.send_with_nonce(pipeline).await;
        };
        confirmations
            .iter()
            .flatten()
            .for_each(|one| awaited.add(one.clone()));
        let replies = self.send_with_nonce(pipeline).await?;
        for (confirmation, value) in confirmations.iter().zip(&replies.values) {
            // No push confirms a command that was refused.
            if let (Some(confirmation), Value::ServerError(_)) = (confirmation, value) {
                awaited.remove(confirmation);
            }
        }
        Ok(replies)
    }

    /// Sends the commands of a publisher over a connection with subscriptions, like
    /// [`exchange`](Self::exchange).
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost, or if the replies are out of step.
    pub(crate) async fn send_in_step(&mut self, commands: &Pipeline) -> Result<Vec<Value>, Error> {
        Ok(self.send_with_nonce(commands.clone()).await?.values)
    }

    async fn send_with_nonce(&mut self, mut commands: Pipeline) -> Result<Replies, Error> {
        let nonce = nonce();
        commands.cmd("PING").arg(&nonce);
        let mut values = self
            .send_all(&commands, 0, commands.len())
            .await
            .map_err(|error| lost(&error))?;
        let pong = values.pop().unwrap_or(Value::Nil);
        let are_proven = proves(&pong, &nonce)?;
        Ok(Replies { values, are_proven })
    }
}

/// Returns a text that no other command of this process is answered with.
fn nonce() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("redis-push:{}", COUNT.fetch_add(1, Relaxed))
}

/// Returns whether the reply to a `PING` proves that the replies before it are in step. `false` means
/// that this is not known.
fn proves(pong: &Value, nonce: &str) -> Result<bool, Error> {
    let is_nonce =
        |value: &Value| matches!(value, Value::BulkString(text) if text == nonce.as_bytes());
    let is_proven = match pong {
        // A subscribed connection in RESP2 answers with a list.
        Value::Array(values) => values.iter().any(is_nonce),
        Value::ServerError(error) => {
            let details = error.details().unwrap_or_default();
            if is_passing(error.code()) {
                return Ok(false);
            }
            // The server repeats the name of a command that it does not know, or does not allow. And
            // while it cannot write its data to the disk, it refuses `PING` and commands that write:
            // none of the others that are sent here.
            error.code() == "MISCONF" || details.to_ascii_lowercase().contains("'ping'")
        }
        value => is_nonce(value),
    };
    if is_proven {
        return Ok(true);
    }
    Err(Error::connection(
        "a reply of the server belongs to another command, as happens when the server ends a \
         subscription on its own while commands are under way; no reply on this connection is \
         believed any more",
    ))
}

/// Returns whether an error reply describes a state of the server that passes: the same command may
/// succeed later.
pub(super) fn is_passing(code: &str) -> bool {
    const PASSING: [&str; 5] = ["BUSY", "LOADING", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN"];
    PASSING.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Value {
        redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn only_the_nonce_and_an_error_about_ping_itself_prove_that_replies_are_in_step() {
        let nonce = "redis-push:7";
        let text = |text: &str| Value::BulkString(text.into());
        for (pong, proven) in [
            (text(nonce), Some(true)),
            (Value::Array(vec![text("pong"), text(nonce)]), Some(true)),
            (
                error("NOPERM User a has no permissions to run the 'ping' command"),
                Some(true),
            ),
            (
                error("ERR unknown command 'PING', with args beginning with: "),
                Some(true),
            ),
            (error("BUSY Redis is busy running a script."), Some(false)),
            (
                error("MISCONF Errors writing to the AOF file: No space left on device"),
                Some(true),
            ),
            (
                error("LOADING Redis is loading the dataset in memory"),
                Some(false),
            ),
            (text("redis-push:6"), None),
            (Value::SimpleString("PONG".into()), None),
            (Value::Okay, None),
            (Value::Int(1), None),
            (error("NOPERM No permissions to access a channel"), None),
            (error("MOVED 7 127.0.0.1:7001"), None),
        ] {
            assert_eq!(proves(&pong, nonce).ok(), proven, "{pong:?}");
        }
    }
}
