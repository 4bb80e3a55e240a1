use bytes::Bytes;

use super::client::ClientId;
use super::error::Answer;
use super::reply::Frames;
use super::state::{BrokerState, Client};

/// One call of a command by a client.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut BrokerState,
    pub(super) id: ClientId,
    /// The client's database.
    pub(super) db: usize,
    pub(super) arguments: &'a [Bytes],
    pub(super) reply: Frames,
}

/// A key, and the client that reads or changes it.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) by: ClientId,
    pub(super) db: usize,
    pub(super) key: &'a Bytes,
}

impl Call<'_> {
    pub(super) fn client(&mut self) -> &mut Client {
        self.state
            .clients
            .get_mut(&self.id)
            .expect("a client stays registered while it runs a command")
    }

    pub(super) fn target<'k>(&self, key: &'k Bytes) -> Target<'k> {
        Target {
            by: self.id,
            db: self.db,
            key,
        }
    }

    pub(super) fn ok(&mut self) -> Answer {
        self.reply.simple("OK");
        Ok(())
    }
}
