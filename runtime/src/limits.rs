//! How much a subscriber may hold, and how long it may take.

use std::time::Duration;

use crate::subscriber::Subscriber;

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Sets for how much of each second the [wire link](Self::wire) may stop reading for a handler
    /// whose buffer is full, while another handler has nothing to do: 50 milliseconds by default,
    /// zero for never.
    ///
    /// While every handler has messages to work on, a wait costs nobody anything and is not
    /// counted. A handler that takes nothing for 50 milliseconds is not waited for: its oldest
    /// messages go until half of its buffer is free.
    pub fn wire_wait(mut self, per_second: Duration) -> Self {
        self.settings.wire_wait = per_second;
        self
    }

    /// Sets how many bytes of messages may wait for all handlers together: 256 MiB by default.
    ///
    /// Beyond it the fullest buffers lose their oldest messages, and their handlers are told.
    /// What waits for a handler is counted once, also where several read one buffer; what a
    /// handler has in hand, a batch of at most 32 KiB and one message, is not counted.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.settings.memory_limit = bytes;
        self
    }

    /// Sets how large a payload may be, in bytes; no limit by default.
    ///
    /// A larger one is left out and counted ([`FeedStats::oversized`](crate::FeedStats)), and its
    /// handlers are told of a gap of one message.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// Sets how long [`start`](Self::start) waits for every confirmation: 30 seconds by default,
    /// `None` for as long as it takes.
    pub fn start_deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.settings.start_deadline = deadline.into();
        self
    }

    /// Lets [`start`](Self::start) return when every subscription has been answered, also where some
    /// were denied.
    ///
    /// The denied names are logged, with the server's reason, and asked for again and again. Until
    /// they are confirmed the subscriber is not [ready](crate::Health::is_ready), and
    /// [`Health`](crate::Health) names them; the other handlers work.
    pub fn allow_denied(mut self) -> Self {
        self.settings.allows_denied = true;
        self
    }

    /// Sets how long [`run`](Self::run) lets handlers finish what has arrived, 10 seconds by
    /// default.
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.settings.drain_deadline = deadline;
        self
    }

    /// Sets how long an attempt to connect may take, 5 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Sets how often the server is asked for a sign of life, and how long the answer may take: 5
    /// seconds each by default.
    ///
    /// A connection on which nothing has come for the sum of both is given up and built anew.
    /// Neither can be less than a millisecond.
    pub fn ping(mut self, interval: Duration, timeout: Duration) -> Self {
        const LEAST: Duration = Duration::from_millis(1);
        self.settings.ping_interval = interval.max(LEAST);
        self.settings.ping_timeout = timeout.max(LEAST);
        self
    }

    /// Sets the first and the longest pause between two attempts to connect: 20 milliseconds and 2
    /// seconds by default. The pauses double, with some chance in them, and there is no last one.
    pub fn reconnect_delay(mut self, first: Duration, longest: Duration) -> Self {
        self.settings.reconnect_delay = (first, longest);
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
        self.settings.exit_if_deaf = Some(after.max(Duration::from_secs(1)));
        self
    }
}
