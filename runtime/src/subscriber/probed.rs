//! What the test kit replaces before the start of a subscriber, and what it requests and asks later.

use super::handle::Handle;
use super::{Origin, Subscriber};
use crate::delivery::Mounted;
use crate::error::{Error, Result};
use crate::probe::SharedProbe;
use crate::session::{Fences, Phase};

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Returns what comes before every name.
    pub(crate) fn name_prefix(&self) -> &str {
        self.config.prefix.as_deref().unwrap_or_default()
    }

    /// Makes the subscriber connect to another server, and report to a probe.
    ///
    /// # Errors
    ///
    /// Returns an error if a part of it has a connection that cannot be replaced.
    pub(crate) fn probed(mut self, url: &str, probe: SharedProbe) -> Result<Self> {
        // Of a cluster there is one server in a kit, as there is of a primary that sentinels name.
        let Origin::Endpoint(endpoint) = self.config.origin else {
            return Err(Error::config(
                "a test kit cannot run a subscriber that was made with `Subscriber::attach`: the \
                 connection of its manager cannot be redirected; pass one that was made with \
                 `Subscriber::new`",
            ));
        };
        let publisher = self.config.publisher.as_ref();
        if publisher.is_some_and(crate::publish::Publisher::has_given_connection) {
            return Err(Error::config(
                "a test kit cannot redirect the publisher that was passed to `Subscriber::publisher`: it \
                 was made with `Publisher::over`, and its connection is your own; make it with \
                 `Publisher::new`, or leave it out",
            ));
        }
        self.config.origin = Origin::Endpoint(Box::new(endpoint.moved_to(url)));
        self.config.probe = Some(probe);
        // It would end the process of the test.
        self.config.settings.exit_if_deaf = None;
        Ok(self)
    }
}

impl Handle {
    /// Waits until everything that the server has sent so far is in the buffers. During an outage, waits
    /// until it has answered for every name again.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not allow this, or if the subscriber has ended.
    pub(crate) async fn fence(&self) -> Result<()> {
        for fences in &self.running.fences {
            self.pass(fences).await?;
        }
        Ok(())
    }

    /// Waits for the fence of one session.
    async fn pass(&self, fences: &Fences) -> Result<()> {
        loop {
            let answer = tokio::select! {
                answer = fences.request() => answer,
                () = self.running.stopped.cancelled() => {
                    return Err(Error::config("the subscriber has ended"));
                }
            };
            // The connection was lost.
            let Ok(answer) = answer else { continue };
            return answer;
        }
    }

    /// Waits until the server has confirmed every name of a handler.
    pub(crate) async fn confirmed(&self) {
        let mut status = self.running.status.clone();
        let _ = status
            .wait_for(|status| status.phase == Phase::Confirmed)
            .await;
    }

    /// Returns what is under way: for each handler that has not settled, its label and the reason. A
    /// paused handler counts as settled.
    pub(crate) fn unsettled(&self) -> Vec<String> {
        let handlers = self.running.handlers.running();
        let unsettled = handlers.iter().filter_map(|handler| {
            let reason = unsettled(handler)?;
            Some(format!("{}: {reason}", handler.context.spec.label()))
        });
        let mut unsettled: Vec<_> = unsettled.collect();
        let failures = self.running.failures.stats().queued;
        if failures > 0 {
            unsettled.push(format!("the failure hook: {failures} failures wait for it"));
        }
        unsettled
    }

    /// Returns how many messages wait for handlers, or are being delivered.
    pub(crate) fn outstanding(&self) -> u64 {
        let handlers = self.running.handlers.running();
        let each = handlers.iter().map(|handler| handler.stats());
        each.map(|stats| stats.queued + stats.running).sum()
    }

    /// Returns how many messages wait for the readers of streams.
    pub(crate) fn queued_for_streams(&self) -> u64 {
        let streams = self.running.read_stats().streams;
        streams.iter().map(|stream| stream.queued).sum()
    }

    /// Makes a handler miss messages, as if its buffer had overflowed.
    ///
    /// # Errors
    ///
    /// Returns an error if no handler has this name, or if it keeps the latest messages.
    pub(crate) fn lag(&self, handler: &str, messages: u64) -> Result<()> {
        for mounted in self.named(handler)? {
            let mut wakers = Vec::new();
            if !mounted.meter.channel().lose(messages, &mut wakers) {
                return Err(Error::config(format!(
                    "{} cannot lag: with `overflow = \"latest\"`, a message replaces the one before it, \
                     and that is no gap",
                    mounted.context.spec.label()
                )));
            }
            wakers.into_iter().for_each(std::task::Waker::wake);
        }
        Ok(())
    }
}

fn unsettled(handler: &Mounted) -> Option<String> {
    let stats = handler.stats();
    if stats.is_paused {
        return None;
    }
    let unhandled = handler.context.unhandled(handler.meter.losses());
    if unhandled.gap || unhandled.lag {
        return Some(match handler.context.sync.problem() {
            Some(problem) => format!("its gap handler does not succeed: {problem}"),
            None => "a gap is not handled yet".to_owned(),
        });
    }
    if stats.running > 0 {
        let running = stats.running;
        return Some(format!("{running} deliveries are under way"));
    }
    if stats.queued > 0 || stats.received != stats.accounted() {
        return Some(format!("{} messages wait for it", stats.queued));
    }
    None
}
