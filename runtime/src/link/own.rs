use std::sync::Arc;
use std::time::Duration;

use super::{Attempt, Transport, manager, wire};
use crate::connection::{Connection, Destination, News, Sentinels};
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::push::Generation;

/// The link over connections that this crate makes.
pub(crate) struct Own {
    to: Destination,
    transport: Transport,
    /// What waits for another primary, from the first connection on. `None` without sentinels.
    news: Option<News>,
    /// The address of the server that was found last.
    address: Option<String>,
}

impl Own {
    pub(crate) fn new(to: Destination, transport: Transport) -> Self {
        Self {
            to,
            transport,
            news: None,
            address: None,
        }
    }

    /// Connects, to the present primary if sentinels name it.
    pub(super) async fn connect(
        &mut self,
        generation: Generation,
        dispatcher: &Arc<Dispatcher>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        if self.news.is_none() {
            self.news = self.to.news();
        }
        let found = self.to.find(timeout).await?;
        if let (Some(news), Some(primary)) = (&mut self.news, found.primary()) {
            news.found(primary);
        }
        let server = &found.server;
        self.address = Some(server.address().to_string());
        let greeting = server.greeting(timeout).await?;
        let attempt = Attempt {
            server,
            greeting: &greeting,
            generation,
            dispatcher,
        };
        let connecting = async {
            match self.transport {
                Transport::Manager => manager::connect(attempt, timeout).await,
                Transport::Wire { wait } => wire::connect(attempt, wait).await,
            }
        };
        // On some paths, the `connection_timeout` of redis-rs covers only the TCP and TLS handshakes.
        // The greeting of a server that hangs must not take longer either.
        let connecting = server.within(timeout, connecting);
        found.confirmed(timeout, connecting).await
    }

    pub(super) fn address(&self) -> String {
        self.address.clone().unwrap_or_else(|| self.to.to_string())
    }

    pub(super) fn sentinels(&self) -> Option<&Arc<Sentinels>> {
        match &self.to {
            Destination::Primary(sentinels) => Some(sentinels),
            Destination::Server(_) => None,
        }
    }

    pub(super) async fn news(&mut self) {
        match &mut self.news {
            Some(news) => news.next().await,
            None => std::future::pending().await,
        }
    }
}
