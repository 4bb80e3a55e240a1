//! What only the connection of an attached manager needs: its owner may change it at any time.

use redis::Value;
use redis::aio::ConnectionManager;

use super::commands::{Connection, lost};
use super::exchange::is_passing;
use super::requests::Request;
use super::tracking;
use crate::error::Error;
use crate::subscription::Subscription;

impl Connection {
    /// Returns the present connection of the user's manager.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn attached(manager: ConnectionManager) -> Result<Self, Error> {
        let mut connection = Self::own(manager);
        connection.attached_as = connection.client_id().await?;
        if connection.attached_as.is_none() {
            return Err(Error::connection(
                "the server does not answer `CLIENT ID` at present",
            ));
        }
        Ok(connection)
    }

    /// Returns whether the connection belongs to the user. The user may subscribe to the same names.
    pub(crate) fn is_shared(&self) -> bool {
        self.attached_as.is_some()
    }

    /// Returns those of the prefixes that the server does not track on this connection.
    ///
    /// Asks only on a shared connection: on others nobody switches tracking off. No push reports the
    /// end of tracking.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn untracked(
        &mut self,
        prefixes: Vec<Subscription>,
    ) -> Result<Vec<Subscription>, Error> {
        if !self.is_shared() || prefixes.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self.exchange(vec![Request::new(tracking::ask())]).await?;
        Ok(match &replies.values[..] {
            // Otherwise the user may not run the command, or the server is older than 6.2.
            [answer @ Value::Map(_)] => tracking::not_in(answer, prefixes),
            _ => Vec::new(),
        })
    }

    /// Returns whether the connection speaks RESP3.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn speaks_resp3(&mut self) -> Result<bool, Error> {
        let replies = self
            .exchange(vec![Request::new(redis::cmd("HELLO"))])
            .await?;
        // In RESP2, the reply is a list.
        Ok(matches!(replies.values[..], [Value::Map(_)]))
    }

    /// Switches the connection to RESP3.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost, or if the server refuses it.
    pub(crate) async fn switch_to_resp3(&mut self) -> Result<(), Error> {
        let mut command = redis::cmd("HELLO");
        command.arg(3);
        let replies = self.exchange(vec![Request::new(command)]).await?;
        match replies.values.into_iter().next() {
            Some(Value::ServerError(error)) => Err(lost(&error.into())),
            _ => Ok(()),
        }
    }

    /// Checks that the user's manager still has the same connection. Its `Disconnection` may have been
    /// among the pushes that the attached channel has lost.
    pub(super) async fn check_same(&mut self) -> Result<(), Error> {
        let Some(id) = self.attached_as else {
            return Ok(());
        };
        match self.client_id().await? {
            Some(now) if now != id => {
                let text = "the attached manager has replaced its connection";
                Err(Error::connection(text))
            }
            // Otherwise the next attempt finds it out.
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the server's number of the connection; `None` if the server does not tell it in its
    /// present state.
    async fn client_id(&mut self) -> Result<Option<i64>, Error> {
        let mut command = redis::cmd("CLIENT");
        command.arg("ID");
        let replies = self.exchange(vec![Request::new(command)]).await?;
        match replies.values.into_iter().next() {
            Some(Value::Int(id)) => Ok(Some(id)),
            Some(Value::ServerError(error)) if is_passing(error.code()) => Ok(None),
            Some(Value::ServerError(error)) => Err(lost(&error.into())),
            _ => Err(Error::connection(
                "the server did not answer `CLIENT ID` with a number",
            )),
        }
    }
}
