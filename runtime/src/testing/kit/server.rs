//! The server of a kit.

use std::time::Duration;

use super::line::Line;
use super::{Broker, refuse_paused};
use crate::error::{Error, Result};

/// An embedded broker, or a live server.
#[derive(Debug)]
pub(super) enum KitServer {
    Broker(Broker),
    Live(Live),
}

#[derive(Debug)]
pub(super) struct Live {
    url: String,
    /// `None` where nothing can stand between: over TLS, which checks the server's name, and unix sockets.
    line: Option<Line>,
}

impl KitServer {
    pub(super) async fn broker() -> Result<Self> {
        let broker = Broker::start().await.map_err(|error| {
            Error::connection(format!("the embedded broker cannot start: {error}")).caused_by(error)
        })?;
        // A real server has to be configured for handlers of key events.
        broker.set_key_events("KEA");
        Ok(Self::Broker(broker))
    }

    pub(super) async fn live(url: String) -> Result<Self> {
        let line = Line::to(&url).await?;
        Ok(Self::Live(match line {
            Some((line, url)) => Live {
                url,
                line: Some(line),
            },
            None => Live { url, line: None },
        }))
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::Broker(broker) => broker.url(),
            Self::Live(live) => live.url.clone(),
        }
    }

    pub(super) fn as_broker(&self) -> Option<&Broker> {
        match self {
            Self::Broker(broker) => Some(broker),
            Self::Live(_) => None,
        }
    }

    /// Refuses a paused clock in a live run: the test may have paused it meanwhile.
    pub(super) fn refuse_paused(&self) -> Result<()> {
        match self {
            Self::Broker(_) => Ok(()),
            Self::Live(_) => refuse_paused(),
        }
    }

    /// How often to look for what is not notified.
    pub(super) fn tick(&self) -> Duration {
        match self {
            // The session's own timer of a second lets a paused clock jump no further than that.
            Self::Broker(_) if super::clock::is_paused() => Duration::from_secs(1),
            _ => Duration::from_millis(5),
        }
    }

    /// Ends every connection, and refuses new ones.
    pub(super) async fn cut(&self) -> Result<()> {
        match self {
            Self::Broker(broker) => broker.stop().await,
            Self::Live(live) => live.line("outage")?.cut().await,
        }
        Ok(())
    }

    /// Accepts connections again.
    pub(super) async fn restore(&self) -> Result<()> {
        match self {
            Self::Broker(broker) => broker.start_again().await.map_err(|error| {
                Error::connection(format!("the embedded broker cannot start again: {error}"))
                    .caused_by(error)
            }),
            Self::Live(live) => {
                live.line("outage")?.restore();
                Ok(())
            }
        }
    }

    /// Reads and writes nothing, or goes on.
    pub(super) fn freeze(&self, on: bool) -> Result<()> {
        match self {
            Self::Broker(broker) => broker.pause(on),
            Self::Live(live) => live.line("slow")?.freeze(on),
        }
        Ok(())
    }
}

impl Live {
    fn line(&self, verb: &str) -> Result<&Line> {
        self.line.as_ref().ok_or_else(|| {
            Error::config(format!(
                "`{verb}` needs a live server with a `redis://` URL: the test kit cannot stand in the middle \
                 of TLS or a unix socket"
            ))
        })
    }
}
