use std::time::Duration;

/// The settings of a subscriber, its connection and its buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How often a node of a cluster is asked which node has which slots.
    pub(crate) topology_interval: Duration,
    /// How many connections to the server there are.
    pub(crate) links: u16,
    /// Whether the wire link reads the socket, instead of redis-rs.
    pub(crate) wire: bool,
    /// For how much of each second the wire link may keep an idle handler waiting for a busy one.
    pub(crate) wire_wait: Duration,
    /// How many bytes of memory may hold messages that wait for user code.
    pub(crate) memory_limit: usize,
    /// The largest payload that is accepted.
    pub(crate) max_payload: usize,
    /// How long `start` waits for every confirmation. `None` means that it waits without a limit.
    pub(crate) start_deadline: Option<Duration>,
    /// Whether `start` succeeds although some names are denied.
    pub(crate) allows_denied: bool,
    /// How long `run` waits at its end for handlers to finish what has arrived.
    pub(crate) drain_deadline: Duration,
    /// The largest number of streams.
    pub(crate) max_streams: usize,
    /// How long a name stays subscribed after the last stream of it was dropped.
    pub(crate) linger: Duration,
    /// Whether the server's setting for key events may be changed.
    pub(crate) configure_keyspace_events: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) ping_timeout: Duration,
    /// The first and the longest pause between two attempts to connect.
    pub(crate) reconnect_delay: (Duration, Duration),
    /// How long a subscriber may be deaf before the process exits. `None` means that it never
    /// exits.
    pub(crate) exit_if_deaf: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topology_interval: Duration::from_secs(5),
            links: 1,
            wire: false,
            wire_wait: Duration::from_millis(50),
            memory_limit: 256 * 1024 * 1024,
            max_payload: usize::MAX,
            start_deadline: Some(Duration::from_secs(30)),
            allows_denied: false,
            drain_deadline: Duration::from_secs(10),
            max_streams: 100_000,
            linger: Duration::from_secs(1),
            configure_keyspace_events: false,
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(5),
            reconnect_delay: (Duration::from_millis(20), Duration::from_secs(2)),
            exit_if_deaf: None,
        }
    }
}
