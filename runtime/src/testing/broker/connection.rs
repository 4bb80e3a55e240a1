//! The connection of one client: reads commands from the socket, and writes the client's outbox to it.

use std::sync::Arc;

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::ClientId;
use super::commands;
use super::outbox::Outbox;
use super::reply::Frames;
use super::request::{Parser, ProtocolError};
use super::state::Shared;

/// The largest number of bytes in one read. The commands of one read run in one turn of the broker, and
/// their changes are invalidated together.
const READ: usize = 16 * 1024;

/// Serves a connection until the client leaves or is dropped. Dropping this future drops the
/// connection.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    id: ClientId,
    outbox: Arc<Outbox>,
) {
    let _registered = Registered {
        shared: &shared,
        id,
    };
    let (reader, writer) = stream.into_split();
    let reading = async {
        if read(&shared, reader, id).await.is_some() {
            outbox.finish();
            // The client gets the rest of its outbox: the writer ends the connection.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = outbox.closed() => {}
        _ = write(&shared, writer, &outbox) => {}
        () = reading => {}
    }
}

/// Removes the client from the state, however its task ends.
struct Registered<'a> {
    shared: &'a Shared,
    id: ClientId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shared.lock().disconnect(self.id);
    }
}

/// Says that the broker closes the connection, after a command such as QUIT or a protocol error.
struct Leaving;

/// Runs the client's commands. Returns `None` if the client has disconnected or was dropped.
async fn read(
    shared: &Shared,
    mut reader: impl AsyncRead + Unpin,
    id: ClientId,
) -> Option<Leaving> {
    let mut wire = shared.wire.subscribe();
    let mut parser = Parser::default();
    loop {
        wire.wait_for(|wire| !wire.paused).await.ok()?;
        let buffer = parser.buffer();
        let room = buffer.capacity() - buffer.len();
        if (&mut reader)
            .take(room.min(READ) as u64)
            .read_buf(buffer)
            .await
            .ok()?
            == 0
        {
            return None;
        }
        // Requests that were read just before a pause are not answered until its end.
        while !turn(shared, &mut parser, id)? {
            wire.wait_for(|wire| !wire.paused).await.ok()?;
        }
        if shared.lock().clients.get(&id)?.leaving {
            return Some(Leaving);
        }
    }
}

/// Runs all complete requests under one lock. Returns false if the broker is paused, `None` if the
/// client was dropped.
fn turn(shared: &Shared, parser: &mut Parser, id: ClientId) -> Option<bool> {
    let mut state = shared.lock();
    if shared.wire.borrow().paused {
        return Some(false);
    }
    let first_deadline = state.next_deadline();
    loop {
        let client = state.clients.get_mut(&id)?;
        if client.leaving {
            break;
        }
        match parser.next(client.authenticated) {
            Ok(Some(arguments)) => commands::run(&mut state, id, &arguments),
            Ok(None) => break,
            Err(ProtocolError(reason)) => {
                let mut reply = Frames::new(client.protocol);
                reply.error(format!("ERR Protocol error: {reason}"));
                client.outbox.append(&reply.bytes);
                client.leaving = true;
            }
        }
    }
    state.flush_invalidations();
    let deadline = state.next_deadline();
    if deadline.is_some() && deadline != first_deadline {
        shared.deadline.notify_one();
    }
    Some(true)
}

/// Writes the outbox until it is finished or the client has disconnected.
async fn write(
    shared: &Shared,
    mut writer: impl AsyncWrite + Unpin,
    outbox: &Outbox,
) -> Option<()> {
    let mut wire = shared.wire.subscribe();
    while let Some(mut bytes) = outbox.next().await {
        while bytes.has_remaining() {
            let chunk = wire.wait_for(|wire| !wire.paused).await.ok()?.chunk;
            let end = if chunk == 0 {
                bytes.len()
            } else {
                chunk.min(bytes.len())
            };
            tokio::select! {
                biased;
                // A write may wait for the client to read; a pause must take effect before that.
                changed = wire.changed() => changed.ok()?,
                written = writer.write(&bytes[..end]) => {
                    let written = written.ok().filter(|written| *written > 0)?;
                    bytes.advance(written);
                    outbox.written(written);
                    if chunk != 0 {
                        writer.flush().await.ok()?;
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }
    writer.shutdown().await.ok()
}
