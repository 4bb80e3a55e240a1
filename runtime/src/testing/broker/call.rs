use bytes::Bytes;

use super::client::ClientId;
use super::reply::Frames;
use super::state::{BrokerState, Client};

/// One call of a command by a client.
pub(super) struct Call<'a> {
    pub(super) state: &'a mut BrokerState,
    pub(super) id: ClientId,
    pub(super) arguments: &'a [Bytes],
    pub(super) reply: Frames,
}

impl Call<'_> {
    pub(super) fn client(&mut self) -> &mut Client {
        self.state
            .clients
            .get_mut(&self.id)
            .expect("a client stays registered while it runs a command")
    }

    pub(super) fn ok(&mut self) {
        self.reply.simple("OK");
    }

    pub(super) fn syntax_error(&mut self) {
        self.reply.error("ERR syntax error");
    }
}
