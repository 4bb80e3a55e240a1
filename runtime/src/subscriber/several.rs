//! Constructors for several servers.

use super::Subscriber;
use crate::connection::Endpoint;

impl Subscriber {
    /// Creates a subscriber to the primary that sentinels know by a name, such as `mymaster`. The URLs are
    /// those of the sentinels: all of them, because one that cannot be reached, or was cut off from the
    /// others, must not decide.
    ///
    /// ```no_run
    /// use redis_push::{Credentials, Subscriber, handlers, push_handler};
    ///
    /// #[push_handler(channel = "orders")]
    /// async fn on_order(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> redis_push::Result<()> {
    /// let sentinels = ["redis://10.0.0.1:26379/", "redis://10.0.0.2:26379/", "redis://10.0.0.3:26379/"];
    /// Subscriber::sentinel("mymaster", sentinels)
    ///     .credentials(|| async { Ok::<_, std::io::Error>(Credentials::new("orders", "s3cret")) })
    ///     .handlers(handlers![on_order])
    ///     .run()
    ///     .await
    /// # }
    /// ```
    ///
    /// | of | where it is set |
    /// | --- | --- |
    /// | the sentinels | user and password in their URLs, or [`sentinel_credentials`](Self::sentinel_credentials) |
    /// | the server | [`credentials`](Self::credentials), [`database`](Self::database), [`client_name`](Self::client_name) |
    /// | both | TLS if the URLs begin with `rediss://`, with the authorities of [`tls`](Self::tls). If they do not, `tls` encrypts the connection to the server only |
    ///
    /// - **Before each connection** all sentinels are asked together. The one that knows of the newest
    ///   failover is believed, and the server itself must say that it is the primary before a name is
    ///   subscribed. If none names a primary, the error has the answer of each of them, and the subscriber
    ///   tries again. An unknown name is an error of `start`.
    /// - **While it is connected** each sentinel is asked again at each
    ///   [`topology_interval`](Self::topology_interval), and the server with each [`ping`](Self::ping). When
    ///   a sentinel knows of a newer failover to another server, the subscriber connects to that one, and
    ///   what was missed in between is a [gap](crate::Gap). Without this it would be deaf for ten seconds
    ///   and more: a primary that was replaced keeps the connections of its subscribers. While no sentinel
    ///   answers, that is logged, and [`Handle::topology`](crate::Handle::topology) has the reason of each.
    /// - **Publishing:** answers, the [`Publisher`](crate::Publisher) of handlers and caches go to the primary too, and change
    ///   with the subscriber. A message that was under way to a server that has failed is not sent again.
    ///
    /// A publisher that has not noticed a failover yet publishes on the old primary, whose messages do not
    /// reach the new one: [`Endpoint::sentinel`] notices it within the same interval.
    pub fn sentinel<U: Into<String>>(
        name: impl Into<String>,
        urls: impl IntoIterator<Item = U>,
    ) -> Self {
        Self::to_endpoint(Endpoint::sentinel(name, urls))
    }

    /// Creates a subscriber to a Redis Cluster or a Valkey Cluster, of which these are some of the nodes:
    /// one is enough to find the others.
    ///
    /// ```
    /// use redis_push::Subscriber;
    ///
    /// let subscriber = Subscriber::cluster(["redis://10.0.0.1/", "redis://10.0.0.2/"]);
    /// ```
    ///
    /// There is one connection to each node for its names, and one for questions about the cluster, over the [wire link](Self::wire), with the TLS options and
    /// the credentials of this subscriber, or with the user and password of the first URL. It is made to the
    /// address that the nodes tell; [`address_map`](Self::address_map) is for those that cannot be reached there.
    ///
    /// - A sharded channel is heard from the owner of its slot. When the slot moves or another node takes
    ///   over, the name follows, and its handlers and streams receive a gap
    ///   ([`Moved`](crate::GapCause::Moved) or [`ConnectionLost`](crate::GapCause::ConnectionLost)).
    /// - A channel or pattern is on the node that owned its slot when it came, and stays there while that
    ///   node can be reached: all nodes hear all of them. What the links between the nodes lose is a gap
    ///   too ([`Bus`](crate::GapCause::Bus)), at most one [`topology_interval`](Self::topology_interval)
    ///   late. Use sharded channels where this matters.
    /// - Key events and invalidations are heard from every node that owns slots, because each has those of
    ///   its own keys. Where a node owns slots that has owned none, they are asked for there at the next
    ///   look, at most one [`topology_interval`](Self::topology_interval) later, and the time until then is
    ///   a gap ([`Moved`](crate::GapCause::Moved)). Each of these names counts once for each node. When keys
    ///   move between nodes, the nodes have events for that too, such as `restore` and `del`.
    /// - A node that is lost is a gap of the names on it, and of no others.
    ///
    /// It is ready when the owners of all slots that its names are in are connected, and every name confirmed.
    ///
    /// The [`Publisher`](crate::Publisher) of its handlers publishes at the node that has the slot of the
    /// channel, as [`Publisher::cluster`](crate::Publisher::cluster) does.
    ///
    /// A user of the cluster needs the right `+cluster|slots`. Without `+cluster|links`, what the links between
    /// the nodes lose is not reported, which is logged once. Without `+cluster|info`, a node that is cut off
    /// from the others is noticed only by its links.
    pub fn cluster<U: Into<String>>(nodes: impl IntoIterator<Item = U>) -> Self {
        Self::to_endpoint(Endpoint::cluster(nodes))
    }
}
