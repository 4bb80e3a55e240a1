//! Setters of the subscriber: its connections, its limits and its deadlines.
//!
//! Times are limited to thirty years here, so that the code that adds them up cannot overflow.

use std::time::Duration;

use super::{Origin, Subscriber};
use crate::connection::{Credentials, Endpoint, Tls};
use crate::error::BoxError;
use crate::publish::Publisher;
use crate::util::clock::{LONGEST, SHORTEST};

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Reads the socket without redis-rs: pushes are taken off the stream before redis-rs parses
    /// them. A message takes about a third of the CPU time that it takes on the default link.
    ///
    /// redis-rs still handles the greeting and the commands. Handlers and guarantees are the same.
    /// Works over TCP, TLS and unix sockets, but not with [`attach`](Subscriber::attach).
    ///
    /// ```
    /// # use redis_push::Subscriber;
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").wire();
    /// ```
    ///
    /// When a connection ends, this link delivers everything that the socket still holds. redis-rs
    /// keeps pushes in its own queue, whose contents are lost when its manager ends: on the default
    /// link they are part of the gap that every handler receives.
    ///
    /// This link can also wait when a handler's buffer is full: a burst then stays in the socket and
    /// in the server instead of being dropped. See [`wire_wait`](Self::wire_wait).
    pub fn wire(mut self) -> Self {
        self.config.settings.wire = true;
        self
    }

    /// Sets how many connections to the server there are, 1 by default. Each name is on one of them, which
    /// its text determines.
    ///
    /// Several links read and decrypt on several cores, and an outage of one is a gap for the handlers and
    /// streams with a name on it only. What one link costs the server and this process, each of them costs.
    ///
    /// ```
    /// # use redis_push::Subscriber;
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").wire().links(4);
    /// ```
    ///
    /// - The messages of a name stay in order. Between names on different links there is no order: neither
    ///   is there for a handler of several names.
    /// - The subscriber is ready when every link is connected, and every name confirmed.
    /// - Prefixes of invalidations are all on the first link, as tracking belongs to a connection.
    /// - A handler or a stream of [connection events](crate::ConnectionEvent) receives those of each link.
    ///
    /// Zero and more than 1,024 are an error of `start`, and so is more than one with
    /// [`attach`](Subscriber::attach) or [`cluster`](Subscriber::cluster).
    pub fn links(mut self, links: usize) -> Self {
        const MOST: u16 = 1_024;

        let known = u16::try_from(links).ok();
        match known.filter(|links| (1..=MOST).contains(links)) {
            Some(links) => self.config.settings.links = links,
            None => {
                let mistake = format!("`links({links})`: a subscriber has 1 to {MOST} connections");
                self.config.mistake.get_or_insert(mistake.into());
            }
        }
        self
    }

    /// Sets how often the servers are asked how they are arranged, at least a millisecond:
    ///
    /// | with | what is asked | by default |
    /// | --- | --- | --- |
    /// | [sentinels](Subscriber::sentinel) | each sentinel, which server is the primary. The times are spread over the interval, so a failover is mostly noticed after a fraction of it | 1 second |
    /// | a [cluster](Subscriber::cluster) | one node, which node has which slots, and each node, whether its links with others were reset. Slots that move and connections that are lost are noticed at once, whatever the interval: it is how late a gap may be that links between the nodes have caused | 5 seconds |
    ///
    /// With one server it has no effect.
    pub fn topology_interval(mut self, interval: Duration) -> Self {
        let interval = interval.clamp(SHORTEST, LONGEST);
        self.config.settings.topology_interval = interval;
        self.on_endpoint("topology_interval", |endpoint| {
            endpoint.topology_interval(interval)
        })
    }

    /// Sets where servers are reached whose addresses other servers tell: the nodes of a
    /// [cluster](Subscriber::cluster), and the primary that [sentinels](Subscriber::sentinel) name.
    ///
    /// It is for servers that are reached through address translation, such as the nodes of a cluster in
    /// containers, or over an SSH tunnel. The function gets the host and the port that a server tells, and
    /// returns where that is from here, or `None` if the address is right. URLs are connected to as they are
    /// written. TLS checks the host that is returned. For the nodes of a cluster,
    /// [`topology`](crate::Handle::topology) shows the address that was told.
    ///
    /// The function is called when an address is told for the first time, and what it returns is kept. It
    /// must not block, as it runs on a task of the subscriber. After a panic the server is not connected to, which is
    /// logged, and it is called again when the address is told again.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use redis_push::Subscriber;
    ///
    /// let reached = HashMap::from([
    ///     ("172.18.0.2:6379".to_owned(), ("localhost".to_owned(), 7000)),
    ///     ("172.18.0.3:6379".to_owned(), ("localhost".to_owned(), 7001)),
    /// ]);
    /// let subscriber = Subscriber::cluster(["redis://localhost:7000/"])
    ///     .address_map(move |host, port| reached.get(&format!("{host}:{port}")).cloned());
    /// ```
    ///
    /// With one server it has no effect.
    pub fn address_map(
        self,
        map: impl Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    ) -> Self {
        self.on_endpoint("address_map", |endpoint| endpoint.address_map(map))
    }

    /// Sets the trusted roots of a `rediss://` connection, and the client certificate it presents.
    /// Without this it trusts the system's authorities and presents no certificate.
    ///
    /// Needs the feature `rustls` or `native-tls`, and works on either link. It replaces the
    /// certificates of a [redis-rs client](Subscriber::with_client).
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
    /// With a URL that is not `rediss://` this is an error of `start`: nothing would be encrypted. The URLs of
    /// [sentinels](Subscriber::sentinel) are another matter.
    pub fn tls(self, tls: Tls) -> Self {
        self.on_endpoint("tls", |endpoint| endpoint.tls(tls))
    }

    /// Sets a provider of the user name and the password, which is called before each attempt to
    /// connect and replaces the credentials of the URL.
    ///
    /// After a password has changed, the subscriber reconnects with the new one as soon as the
    /// connection is lost or the server closes it. A live connection is not affected: the server
    /// does not ask again either.
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
    /// [`connect_timeout`](Self::connect_timeout) end the attempt; the next attempt calls the
    /// provider again. The text of the error is logged, so it should not contain a secret. The
    /// future is dropped at an await when it takes too long and when the subscriber ends, so it
    /// should be cancel safe.
    pub fn credentials<F, R, E>(self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.on_endpoint("credentials", |endpoint| endpoint.credentials(provider))
    }

    /// Sets the database, instead of that of the URL. Channels are the same in all databases; key events and
    /// what a cache reads are not.
    ///
    /// This is for a [primary](Subscriber::sentinel) that sentinels name, as their URLs have no database.
    pub fn database(self, index: i64) -> Self {
        self.on_endpoint("database", |endpoint| endpoint.database(index))
    }

    /// Sets a provider of the user name and the password for the [sentinels](Subscriber::sentinel), which
    /// replaces the credentials of their URLs. It is called like [`credentials`](Self::credentials), which
    /// are those for the server.
    ///
    /// Without sentinels this is an error of `start`.
    pub fn sentinel_credentials<F, R, E>(self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.on_endpoint("sentinel_credentials", |endpoint| {
            endpoint.sentinel_credentials(provider)
        })
    }

    /// Sets the name of each connection, for `CLIENT LIST` and the server's logs: `CLIENT SETNAME`.
    ///
    /// The server accepts visible ASCII without spaces; another name is an error of `start`. If the
    /// server does not allow the user to name connections, that is logged, and they have no name.
    pub fn client_name(self, name: impl Into<String>) -> Self {
        self.on_endpoint("client_name", |endpoint| endpoint.client_name(name))
    }

    /// Sets how long an attempt to connect may take: 5 seconds by default, at least a millisecond.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.settings.connect_timeout = timeout.clamp(SHORTEST, LONGEST);
        self
    }

    /// Sets the first and the longest pause between two attempts to connect: 20 milliseconds and 2
    /// seconds by default. The pauses double, with jitter, and retries never stop. Neither value can be
    /// less than a millisecond, and the first pause is not longer than the longest.
    pub fn reconnect_delay(mut self, first: Duration, longest: Duration) -> Self {
        self.config.settings.reconnect_delay =
            (first.max(SHORTEST), longest.clamp(SHORTEST, LONGEST));
        self
    }

    /// Sets how often the subscriber sends a `PING`, and how long the answer may take: 5 seconds
    /// each by default.
    ///
    /// A connection that delivers nothing for the sum of both is closed and replaced by a new one.
    /// Neither value can be less than a millisecond.
    pub fn ping(mut self, interval: Duration, timeout: Duration) -> Self {
        self.config.settings.ping_interval = interval.clamp(SHORTEST, LONGEST);
        self.config.settings.ping_timeout = timeout.clamp(SHORTEST, LONGEST);
        self
    }

    /// Sets for how much of each second the [wire link](Self::wire) may stop reading because a
    /// handler's buffer is full while another handler is idle: 50 milliseconds by default, zero for
    /// never.
    ///
    /// While every handler has messages to work on, waiting delays no handler and is not counted.
    /// The link does not wait for a handler that has received nothing from its buffer for 50
    /// milliseconds: its oldest messages are dropped until half of its buffer is free.
    ///
    /// This is a choice between losing and waiting. If messages arrive faster than one handler can
    /// process them for a long time:
    ///
    /// - With the default, that handler alone loses messages. It receives a gap with their exact number, and the
    ///   others notice nothing.
    /// - With a longer wait, all handlers become as slow as that one, and their messages wait in the server. Its
    ///   buffer for a subscriber is limited ([`client-output-buffer-limit`], by default to 32 MB, or 8 MB for a
    ///   minute). When it is full, the server closes the connection, and every handler has a gap of unknown size.
    ///
    /// So a longer wait is for bursts that end, and for handlers that should slow down together.
    ///
    /// [`client-output-buffer-limit`]: https://redis.io/docs/latest/develop/reference/clients/#output-buffer-limits
    pub fn wire_wait(mut self, per_second: Duration) -> Self {
        self.config.settings.wire_wait = per_second.min(LONGEST);
        self
    }

    /// Sets the publisher for the handlers' [answers](crate::Publish), and for handlers that take a
    /// [`Publisher`] as an argument.
    ///
    /// By default the subscriber has its own publisher, to the same server as the same user, over a
    /// second connection that is made when the first message is published. With
    /// [`attach`](Subscriber::attach) the default is the attached manager.
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

    /// Sets how much memory may hold messages that wait for your code: 256 MiB by default.
    ///
    /// The limit covers the buffers of all handlers together, whatever their
    /// [`overflow`](crate::Overflow), with their unused capacity; what handlers have received from
    /// their buffers; and what waits for receivers of [`Handle::pushes`](crate::Handle::pushes). A
    /// message that waits in a buffer shared by several handlers counts once. With a [failure
    /// hook](Self::on_failure), a quarter of the limit is for the failures that wait for the hook, and
    /// the rest for all this.
    ///
    /// Above the limit the fullest buffers lose their oldest messages, and if that is not enough,
    /// even the last one. The handlers receive the exact number in a gap. A message that has just
    /// arrived is kept, in one buffer, so a message that is larger than the limit is delivered.
    ///
    /// What a handler has received cannot be dropped: the message that it works on, and at most 80
    /// KiB for others of the same batch. If that alone exceeds the limit, nothing else waits but the
    /// newest message.
    ///
    /// The limit does not cover the channel given to [`attach`](Subscriber::attach), the queue that
    /// redis-rs has on the default link, the message that is being read from the socket, and what
    /// your code keeps, such as a [`Bytes`](crate::Bytes) payload.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.config.settings.memory_limit = bytes;
        self
    }

    /// Sets whether the server's `notify-keyspace-events` may be changed so that it publishes the key
    /// events that handlers listen to; no by default.
    ///
    /// The missing flags are added to those that are set, on each connection. The setting is the
    /// server's and concerns all its clients: publishing key events costs the server time. The user
    /// needs the rights to `CONFIG GET` and `CONFIG SET`.
    ///
    /// Without this, a subscription to events that the server does not publish counts as denied, with
    /// the missing flags as the reason. Where the user may not read the setting, a warning is logged.
    pub fn configure_keyspace_events(mut self, on: bool) -> Self {
        self.config.settings.configure_keyspace_events = on;
        self
    }

    /// Sets how large a payload may be, in bytes; no limit by default.
    ///
    /// A larger payload is left out and counted ([`FeedStats::oversized`](crate::FeedStats)), and
    /// its handlers receive a gap of one message.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.config.settings.max_payload = bytes;
        self
    }

    /// Sets how many streams there may be at a time: 100,000 by default. Another one is refused
    /// ([`Error::is_limit`](crate::Error::is_limit)).
    ///
    /// What a service listens to for its users at a time is bounded by this and by
    /// [`memory_limit`](Self::memory_limit). A name does not count once its last stream was dropped, but it
    /// stays subscribed for [`linger`](Self::linger), and then until the server has confirmed its end. So
    /// while streams come and go, there are more names than that.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.config.settings.max_streams = streams;
        self
    }

    /// Sets how long a name stays subscribed after its last [stream](crate::EventStream) was dropped:
    /// one second by default.
    ///
    /// A stream that begins again within that time costs the server nothing: when browsers reload a
    /// page, for example.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.config.settings.linger = linger.min(LONGEST);
        self
    }

    /// Sets how long [`start`](Self::start) waits for every confirmation: 30 seconds by default,
    /// `None` to wait indefinitely.
    pub fn start_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.config.settings.start_deadline = deadline.into().map(|deadline| deadline.min(LONGEST));
        self
    }

    /// Allows [`start`](Self::start) to return when every subscription has been answered, even if
    /// some were denied.
    ///
    /// The denied names are logged, with the server's reason, and retried periodically. Until they
    /// are confirmed the subscriber is not [ready](crate::Health::is_ready), and
    /// [`Health`](crate::Health) lists them; the other handlers work.
    pub fn allow_denied(mut self) -> Self {
        self.config.settings.allows_denied = true;
        self
    }

    /// Sets how long [`run`](Self::run) and `run_until`, of the subscriber or of its
    /// [handle](crate::Handle::run_until), let handlers finish what has arrived: 10 seconds by
    /// default.
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.config.settings.drain_deadline = deadline.min(LONGEST);
        self
    }

    /// Ends the process when the subscriber has been not live or not ready for this long without a
    /// break: see [`Health`](crate::Health).
    ///
    /// This is for a service that is restarted from outside, by systemd or Kubernetes: no process is
    /// better than one that looks healthy and receives nothing. The reason is logged as an error,
    /// and printed if no `tracing` subscriber is set. The exit code is
    /// [`DEAF_EXIT_CODE`](Subscriber::DEAF_EXIT_CODE). No destructor runs, and no handler finishes.
    /// The time counts from the start on, so it should be longer than any outage of the
    /// server that the service should survive. The process is never ended during a shutdown.
    ///
    /// The time is measured on a separate thread, which works even if every thread of the runtime is
    /// blocked; noticing that takes five seconds more. Less than a second counts as one second.
    pub fn exit_if_deaf(mut self, after: Duration) -> Self {
        self.config.settings.exit_if_deaf = Some(after.clamp(Duration::from_secs(1), LONGEST));
        self
    }

    /// Sets an option of the endpoint. An attached manager makes its own connections, so there the
    /// option is a mistake.
    fn on_endpoint(mut self, option: &str, set: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        match self.config.origin {
            Origin::Endpoint(endpoint) => {
                self.config.origin = Origin::Endpoint(Box::new(set(*endpoint)));
            }
            Origin::Attached(_) => {
                let mistake = not_with_attach(option);
                self.config.mistake.get_or_insert(mistake.into());
            }
        }
        self
    }
}

/// The error text for an option of connections that cannot be set on an attached manager.
pub(super) fn not_with_attach(option: &str) -> String {
    format!(
        "`{option}` cannot be used with `attach`: an attached manager makes its own connections"
    )
}
