//! The settings of a server: `CONFIG GET` and `CONFIG SET`.

use std::collections::HashMap;

use redis::Value;

use super::commands::{Connection, Reply};
use super::exchange::is_passing;
use super::requests::Request;
use crate::error::Error;

impl Connection {
    /// Returns a setting of the server.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn setting(&mut self, name: &str) -> Result<Setting, Error> {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(name);
        let replies = self.exchange(vec![Request::new(command)]).await?;
        Ok(match replies.values.into_iter().next() {
            Some(Value::ServerError(error)) if is_passing(error.code()) => {
                Setting::NotNow(error.code().to_owned())
            }
            Some(reply @ (Value::Map(_) | Value::Array(_))) => {
                let pairs = redis::from_redis_value::<HashMap<String, String>>(reply);
                let value = pairs.ok().and_then(|mut pairs| pairs.remove(name));
                value.map_or(Setting::Unreadable, Setting::Is)
            }
            _ => Setting::Unreadable,
        })
    }

    /// Changes a setting of the server. Returns why the server has refused that.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn set_setting(
        &mut self,
        name: &str,
        value: &str,
    ) -> Result<Option<String>, Error> {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        let replies = self.each([Request::new(command)].into_iter()).await?;
        Ok(match replies.into_iter().next() {
            Some(Reply::Denied(reason) | Reply::NotNow(reason) | Reply::Moved { reason, .. }) => {
                Some(reason)
            }
            Some(Reply::Accepted) | None => None,
        })
    }
}

/// A setting of the server.
#[derive(Debug)]
pub(crate) enum Setting {
    Is(String),
    /// The user may not read it, or the server does not know it.
    Unreadable,
    /// The server does not tell it in its present state, which has this code.
    NotNow(String),
}
