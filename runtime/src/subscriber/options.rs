//! As whom a subscriber comes to its server, over what, and beside what.
//!
//! How much a subscriber may hold, and how long it may take.

use std::time::Duration;

use super::{Origin, Subscriber};
use crate::connection::{Credentials, Endpoint, Tls};
use crate::error::BoxError;
use crate::publish::Publisher;

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Sets whom a `rediss://` connection trusts, and which certificate it shows. Without this it
    /// trusts the system's authorities and shows none.
    ///
    /// Needs the feature `rustls` or `native-tls`, and holds for either link. It replaces the
    /// certificates of a [client of redis-rs](Subscriber::with_client).
    ///
    /// ```no_run
    /// use redis_push::{Subscriber, Tls};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let tls = Tls::new().root_certificate(std::fs::read("ca.pem")?);
    /// let subscriber = Subscriber::new("rediss://redis.internal:6380/").tls(tls);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With a URL that is not `rediss://` it is an error of `start`: nothing would be encrypted.
    pub fn tls(self, tls: Tls) -> Self {
        self.on_endpoint("tls", |endpoint| endpoint.tls(tls))
    }

    /// Asks for the user name and the password before each attempt to connect, instead of taking
    /// the URL's.
    ///
    /// After a password has been changed and the server has closed the connection, or it was lost,
    /// the subscriber comes back with the new one. A connection that is up is not touched: the
    /// server does not ask again either.
    ///
    /// ```
    /// use redis_push::{Credentials, Subscriber};
    /// use std::sync::Arc;
    ///
    /// # struct Vault;
    /// # impl Vault {
    /// #     async fn read(&self, _name: &str) -> std::io::Result<String> { Ok("s3cret".into()) }
    /// # }
    /// let vault = Arc::new(Vault);
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").credentials(move || {
    ///     let vault = Arc::clone(&vault);
    ///     async move {
    ///         let password = vault.read("redis/quotes-reader").await?;
    ///         Ok::<_, std::io::Error>(Credentials::new("quotes-reader", password))
    ///     }
    /// });
    /// ```
    ///
    /// An error, a panic, and an answer that takes longer than
    /// [`connect_timeout`](Self::connect_timeout) end the attempt; the next one asks again. The
    /// text of the error is logged, and so should hold no secret. The future is dropped at an await
    /// when it takes too long and when the subscriber ends, so it should be cancel safe.
    pub fn credentials<F, R, E>(self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.on_endpoint("credentials", |endpoint| endpoint.credentials(provider))
    }

    /// Sets what publishes for the handlers: their [answers](crate::Publish), and what they publish
    /// by a [`Publisher`] that they take as an argument.
    ///
    /// Without this it is a publisher of the subscriber's own, to the same server as the same user,
    /// over a second connection that is made when the first message is published. For
    /// [`attach`](Subscriber::attach) it is the attached manager.
    ///
    /// ```
    /// use redis_push::{Publisher, Subscriber};
    ///
    /// let subscriber = Subscriber::new("redis://replica.internal/")
    ///     .publisher(Publisher::new("redis://primary.internal/")?);
    /// # Ok::<(), redis_push::Error>(())
    /// ```
    pub fn publisher(mut self, publisher: Publisher) -> Self {
        self.config.publisher = Some(publisher);
        self
    }

    /// Names each connection, for `CLIENT LIST` and the server's logs: `CLIENT SETNAME`.
    ///
    /// The server takes visible ASCII without spaces; another name is an error of `start`. Where
    /// the server does not let the user name connections, that is logged, and they go without.
    pub fn client_name(self, name: impl Into<String>) -> Self {
        self.on_endpoint("client_name", |endpoint| endpoint.client_name(name))
    }

    /// Sets an option of the connections, which an attached manager makes by itself.
    fn on_endpoint(mut self, option: &str, set: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        match self.config.origin {
            Origin::Endpoint(endpoint) => self.config.origin = Origin::Endpoint(set(endpoint)),
            Origin::Attached(_) => {
                let mistake = does_not_go_with_attach(option);
                self.config.mistake.get_or_insert(mistake.into());
            }
        }
        self
    }

    /// Sets for how much of each second the [wire link](Self::wire) may stop reading for a handler
    /// whose buffer is full, while another handler has nothing to do: 50 milliseconds by default,
    /// zero for never.
    ///
    /// While every handler has messages to work on, a wait costs nobody anything and is not
    /// counted. A handler that takes nothing for 50 milliseconds is not waited for: its oldest
    /// messages go until half of its buffer is free.
    pub fn wire_wait(mut self, per_second: Duration) -> Self {
        self.config.settings.wire_wait = per_second;
        self
    }

    /// Sets how many bytes of messages may wait for all handlers together: 256 MiB by default.
    ///
    /// Beyond it the fullest buffers lose their oldest messages, and their handlers are told.
    /// What waits for a handler is counted once, also where several read one buffer; what a
    /// handler has in hand, a batch of at most 32 KiB and one message, is not counted.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.config.settings.memory_limit = bytes;
        self
    }

    /// Sets how large a payload may be, in bytes; no limit by default.
    ///
    /// A larger one is left out and counted ([`FeedStats::oversized`](crate::FeedStats)), and its
    /// handlers are told of a gap of one message.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.settings.max_payload = bytes;
        self
    }

    /// Sets how long [`start`](Self::start) waits for every confirmation: 30 seconds by default,
    /// `None` for as long as it takes.
    pub fn start_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.config.settings.start_deadline = deadline.into();
        self
    }

    /// Lets [`start`](Self::start) return when every subscription has been answered, also where some
    /// were denied.
    ///
    /// The denied names are logged, with the server's reason, and asked for again and again. Until
    /// they are confirmed the subscriber is not [ready](crate::Health::is_ready), and
    /// [`Health`](crate::Health) names them; the other handlers work.
    pub fn allow_denied(mut self) -> Self {
        self.config.settings.allows_denied = true;
        self
    }

    /// Sets how long [`run`](Self::run) lets handlers finish what has arrived, 10 seconds by
    /// default.
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.config.settings.drain_deadline = deadline;
        self
    }

    /// Sets how long an attempt to connect may take, 5 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.settings.connect_timeout = timeout;
        self
    }

    /// Sets how often the server is asked for a sign of life, and how long the answer may take: 5
    /// seconds each by default.
    ///
    /// A connection on which nothing has come for the sum of both is given up and built anew.
    /// Neither can be less than a millisecond.
    pub fn ping(mut self, interval: Duration, timeout: Duration) -> Self {
        const LEAST: Duration = Duration::from_millis(1);
        self.config.settings.ping_interval = interval.max(LEAST);
        self.config.settings.ping_timeout = timeout.max(LEAST);
        self
    }

    /// Sets the first and the longest pause between two attempts to connect: 20 milliseconds and 2
    /// seconds by default. The pauses double, with some chance in them, and there is no last one.
    pub fn reconnect_delay(mut self, first: Duration, longest: Duration) -> Self {
        self.config.settings.reconnect_delay = (first, longest);
        self
    }

    /// Ends the process when the subscriber has been not live or not ready for this long without a
    /// break: see [`Health`](crate::Health).
    ///
    /// For a service whose supervisor (systemd, Kubernetes) starts it again: better no process than
    /// one that looks well and hears nothing. The reason is logged as an error, and printed where
    /// nothing takes logs; the exit code is [`DEAF_EXIT_CODE`](Subscriber::DEAF_EXIT_CODE). No
    /// destructor runs, and no handler finishes. It counts from [`start`](Self::start) on, so it
    /// should be longer than an outage of the server that the service is to sit out, and it never
    /// ends a process during a shutdown.
    ///
    /// The time is kept on a thread of its own, which works when every thread of the runtime is
    /// blocked; it takes five seconds more to notice that. Less than a second counts as one.
    pub fn exit_if_deaf(mut self, after: Duration) -> Self {
        self.config.settings.exit_if_deaf = Some(after.max(Duration::from_secs(1)));
        self
    }
}

/// An option that is about connections, where those are made by a manager of the user's.
pub(super) fn does_not_go_with_attach(option: &str) -> String {
    format!("an attached manager makes its own connections: `{option}` does not go with `attach`")
}
