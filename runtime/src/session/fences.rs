//! The fences of the test kit: requested from outside, sent over the session's connection.

use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::{Phase, Session, Status};
use crate::connection::Connection;
use crate::error::Error;
use crate::subscription::KitFence;
use crate::util::Mutex;

/// The requests for a fence. They wait while there is no connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fences(Arc<Requests>);

#[derive(Debug, Default)]
struct Requests {
    waiting: Mutex<Waiting>,
    requested: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    requests: Vec<oneshot::Sender<Result<(), Error>>>,
}

impl Fences {
    /// Requests a fence. The receiver gets the answer when the dispatcher has seen the fence. If the
    /// connection is lost before, the receiver gets none, and asks again.
    pub(crate) fn request(&self) -> oneshot::Receiver<Result<(), Error>> {
        let (sender, receiver) = oneshot::channel();
        self.0.waiting.lock().requests.push(sender);
        self.0.requested.notify_one();
        receiver
    }

    /// Waits for requests. One fence answers all that wait.
    async fn next(&self) -> (KitFence, Vec<oneshot::Sender<Result<(), Error>>>) {
        loop {
            {
                let mut waiting = self.0.waiting.lock();
                if !waiting.requests.is_empty() {
                    waiting.last += 1;
                    let requests = std::mem::take(&mut waiting.requests);
                    return (KitFence(waiting.last), requests);
                }
            }
            self.0.requested.notified().await;
        }
    }
}

impl Session {
    /// Answers requests for fences until the connection is lost, while every name is confirmed or denied.
    pub(super) async fn keep_fencing(&self, mut connection: Connection) -> Error {
        let mut status = self.board.subscribe();
        loop {
            let (fence, requests) = self.fences.next().await;
            // Before, what the server sends is not all that it will: a gap may be about to begin.
            let is_answered = |status: &Status| status.phase != Phase::Pending;
            let _ = status.wait_for(is_answered).await;
            let answer = match connection.send_fence(fence).await {
                Ok(()) => {
                    self.dispatcher.passed(self.node, fence).await;
                    Ok(())
                }
                Err(error) if error.is_denied() => Err(error),
                Err(error) => return error,
            };
            for request in requests {
                let _ = request.send(answer.as_ref().copied().map_err(Error::again));
            }
        }
    }
}
