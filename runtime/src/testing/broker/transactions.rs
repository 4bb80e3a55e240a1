//! Transactions: MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//!
//! After MULTI, commands are checked and queued. EXEC runs them in one turn, so nobody sees half of
//! them. It runs none if one was refused while it was queued, or if a watched key has changed.

use std::mem;

use bytes::Bytes;

use super::call::Call;
use super::client::ClientId;
use super::cluster::routing;
use super::command::{Command, When, command};
use super::error::{Answer, ErrorReply};
use super::reply::Frames;
use super::state::BrokerState;
use super::transaction::Queued;
use super::value::owned;

pub(super) const COMMANDS: &[Command] = &[
    command("multi", 1, When::Loading, multi),
    command("exec", 1, When::Loading, exec),
    command("discard", 1, When::Loading, discard),
    command("watch", -2, When::Loading, watch),
    command("unwatch", 1, When::Loading, unwatch),
];

/// Whether a command that is called now waits for EXEC.
pub(super) fn is_queued(call: &mut Call<'_>, command: &Command) -> bool {
    call.client().transaction.queue.is_some()
        && !matches!(command.name, "exec" | "discard" | "quit" | "reset")
}

pub(super) fn queue(call: &mut Call<'_>, command: &'static Command) -> Answer {
    let arguments = call.arguments.to_vec();
    let queue = call.client().transaction.queue.get_or_insert_default();
    queue.push(Queued { command, arguments });
    call.reply.simple("QUEUED");
    Ok(())
}

/// Records that a command was refused. Returns the error to reply with.
pub(super) fn refused(call: &mut Call<'_>, error: ErrorReply) -> ErrorReply {
    let name = call.arguments.first();
    if name.is_some_and(|name| name.eq_ignore_ascii_case(b"exec")) {
        call.state.discard(call.id);
        if routing::is_redirection(&error) {
            return error;
        }
        let reason = error.0.strip_prefix(b"ERR ").unwrap_or(&error.0);
        let text = b"EXECABORT Transaction discarded because of: ";
        return [text, reason].concat().into();
    }
    let transaction = &mut call.client().transaction;
    transaction.is_refused = transaction.queue.is_some();
    error
}

fn multi(call: &mut Call<'_>) -> Answer {
    call.client().transaction.queue = Some(Vec::new());
    call.ok()
}

fn exec(call: &mut Call<'_>) -> Answer {
    let transaction = &mut call.client().transaction;
    let queue = transaction.queue.take().ok_or("ERR EXEC without MULTI")?;
    let (is_refused, is_stale) = (transaction.is_refused, transaction.is_stale);
    call.state.discard(call.id);
    if is_refused {
        return Err("EXECABORT Transaction discarded because of previous errors.".into());
    }
    if is_stale {
        call.reply.null_array();
        return Ok(());
    }
    call.reply.array(queue.len());
    for Queued { command, arguments } in queue {
        let protocol = call.reply.protocol;
        let mut nested = Call {
            db: call.client().db,
            state: call.state,
            id: call.id,
            arguments: &arguments,
            reply: mem::replace(&mut call.reply, Frames::new(protocol)),
        };
        if let Err(error) = command.call(&mut nested) {
            nested.reply.error(&error.0);
        }
        call.reply = nested.reply;
    }
    Ok(())
}

fn discard(call: &mut Call<'_>) -> Answer {
    if call.client().transaction.queue.is_none() {
        return Err("ERR DISCARD without MULTI".into());
    }
    call.state.discard(call.id);
    call.ok()
}

fn watch(call: &mut Call<'_>) -> Answer {
    for key in &call.arguments[1..] {
        let place = (call.db, owned(key));
        call.client().transaction.watched.insert(place.clone());
        call.state
            .watchers
            .entry(place)
            .or_default()
            .insert(call.id);
    }
    call.ok()
}

fn unwatch(call: &mut Call<'_>) -> Answer {
    call.state.unwatch(call.id);
    call.ok()
}

impl BrokerState {
    /// Ends a client's transaction and its watches.
    pub(super) fn discard(&mut self, id: ClientId) {
        self.unwatch(id);
        if let Some(client) = self.clients.get_mut(&id) {
            client.transaction = Default::default();
        }
    }

    fn unwatch(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        client.transaction.is_stale = false;
        for place in mem::take(&mut client.transaction.watched) {
            if let Some(watchers) = self.watchers.get_mut(&place) {
                watchers.remove(&id);
                if watchers.is_empty() {
                    self.watchers.remove(&place);
                }
            }
        }
    }

    /// Makes the transactions stale that watch a key which has changed.
    pub(super) fn spoil_watches(&mut self, db: usize, key: &Bytes) {
        if self.watchers.is_empty() {
            return;
        }
        for id in self.watchers.get(&(db, key.clone())).into_iter().flatten() {
            if let Some(client) = self.clients.get_mut(id) {
                client.transaction.is_stale = true;
            }
        }
    }
}
