//! Real sentinels with the servers that they watch, which live for one test.

mod access;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Value, from_redis_value};

use crate::RealServer;
use crate::wait::eventually;

/// What [`RealSentinels`] consists of.
#[derive(Clone, Debug)]
pub struct SentinelShape {
    /// How many replicas the primary has.
    pub replicas: usize,
    /// How many sentinels there are. A failover needs more than half of them.
    pub sentinels: usize,
    /// How long a server may be silent until a sentinel takes it for down.
    pub down_after: Duration,
    /// After how long a failed failover is tried again, in the half.
    pub failover_timeout: Duration,
}

impl Default for SentinelShape {
    fn default() -> Self {
        Self {
            replicas: 2,
            sentinels: 3,
            down_after: Duration::from_millis(500),
            failover_timeout: Duration::from_secs(2),
        }
    }
}

/// A primary, its replicas and its sentinels, on free ports of this machine. All are killed on drop.
///
/// ```no_run
/// # async fn example(binary: tests::ServerBinary) {
/// let sentinels = tests::RealSentinels::start(&binary).await;
/// let old = sentinels.primary().await;
/// sentinels.kill(old).await;
/// let new = sentinels.new_primary(old).await;
/// assert_ne!(new.addr(), old.addr());
/// # }
/// ```
pub struct RealSentinels {
    servers: Vec<RealServer>,
    sentinels: Vec<RealServer>,
    /// Those that were killed or frozen, which cannot be asked.
    silent: Mutex<BTreeSet<SocketAddr>>,
}

impl RealSentinels {
    /// The name by which the sentinels know the primary.
    pub const NAME: &str = "mymaster";

    /// The name and version of the servers, such as `redis-server 7.0.15`.
    pub fn name(&self) -> &str {
        self.servers[0].name()
    }

    /// The servers: the primary of the start, then the replicas of the start.
    pub fn servers(&self) -> &[RealServer] {
        &self.servers
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[RealServer] {
        &self.sentinels
    }

    /// The URLs of the sentinels, without credentials.
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RealServer::url).collect()
    }

    /// The primary, as soon as all sentinels agree about it, and it says so too.
    ///
    /// # Panics
    ///
    /// If they do not agree for too long.
    pub async fn primary(&self) -> &RealServer {
        self.agreed("a primary on which all sentinels agree", |_| true)
            .await
    }

    /// The primary that has replaced this one, as soon as all sentinels agree about it, and it says so
    /// too.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn new_primary(&self, old: &RealServer) -> &RealServer {
        let what = format!("another primary than {}", old.addr());
        self.agreed(&what, |addr| addr != old.addr()).await
    }

    /// The servers that are not the primary.
    pub async fn replicas(&self) -> Vec<&RealServer> {
        let primary = self.primary().await.addr();
        let servers = self.servers.iter();
        servers.filter(|server| server.addr() != primary).collect()
    }

    /// Lets the sentinels replace a primary that works (`SENTINEL FAILOVER`), and returns the new one.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn fail_over(&self) -> &RealServer {
        let old = self.primary().await;
        let asked = self.answering(&self.sentinels)[0];
        // It refuses while the last failover is not over, and while it is connected to no replica.
        eventually("a sentinel to begin a failover", async || {
            let begun = asked.ask(&["SENTINEL", "FAILOVER", Self::NAME]).await;
            begun.is_ok()
        })
        .await;
        self.new_primary(old).await
    }

    /// Kills a server or a sentinel (SIGKILL). Returns before the others notice it.
    pub async fn kill(&self, server: &RealServer) {
        self.silent().insert(server.addr());
        server.stop().await;
    }

    /// Starts a server or a sentinel again that was killed. Returns when it answers. A server begins in
    /// the role that it was started in at first, until a sentinel notices it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn restart(&self, server: &RealServer) {
        server.start_again().await;
        self.silent().remove(&server.addr());
    }

    /// Freezes a server or a sentinel (SIGSTOP): it is silent, and its connections stay open. Returns
    /// before the others notice it.
    pub fn freeze(&self, server: &RealServer) {
        self.silent().insert(server.addr());
        server.freeze(true);
    }

    /// Resumes a frozen server or sentinel (SIGCONT). Returns before a sentinel tells it what has
    /// happened meanwhile.
    pub fn thaw(&self, server: &RealServer) {
        server.freeze(false);
        self.silent().remove(&server.addr());
    }

    /// Waits until the sentinels have nothing left to do: each is connected to all others, and knows
    /// every running server as the primary or as a replica with a link to it.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn settle(&self) {
        let sentinels = self.answering(&self.sentinels);
        let servers = self.answering(&self.servers).len();
        eventually("all sentinels to know everything", async || {
            let known = sentinels.iter().map(async |sentinel| {
                let [primary, replicas, others] =
                    ["MASTERS", "REPLICAS", "SENTINELS"].map(|what| ask(sentinel, what));
                let (primary, replicas, others) = (primary.await, replicas.await, others.await);
                let are = |entries: &[Entry], flags: &str| {
                    let good = entries.iter().filter(|entry| entry["flags"] == flags);
                    good.count()
                };
                let linked = replicas
                    .iter()
                    .filter(|entry| entry["master-link-status"] == "ok");
                are(&primary, "master") == 1
                    && are(&replicas, "slave") == servers - 1
                    && linked.count() == servers - 1
                    && are(&others, "sentinel") == sentinels.len() - 1
            });
            join_all(known).await.into_iter().all(|is_good| is_good)
        })
        .await;
    }

    async fn agreed(&self, what: &str, is_fit: impl Fn(SocketAddr) -> bool) -> &RealServer {
        let mut found = None;
        eventually(what, async || {
            let said = self.answering(&self.sentinels).into_iter().map(said);
            let said: BTreeSet<_> = join_all(said).await.into_iter().collect();
            let (Some(Some(addr)), 1) = (said.first(), said.len()) else {
                return false;
            };
            let mut servers = self.answering(&self.servers).into_iter();
            found = servers.find(|server| server.addr() == *addr && is_fit(*addr));
            match found {
                Some(server) => is_primary(server).await,
                None => false,
            }
        })
        .await;
        found.expect("a primary")
    }

    /// Those that were neither killed nor frozen.
    fn answering<'a>(&self, of: &'a [RealServer]) -> Vec<&'a RealServer> {
        let silent = self.silent();
        let answering = of.iter().filter(|server| !silent.contains(&server.addr()));
        answering.collect()
    }

    fn silent(&self) -> MutexGuard<'_, BTreeSet<SocketAddr>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a sentinel tells of a server.
type Entry = BTreeMap<String, String>;

async fn ask(sentinel: &RealServer, what: &str) -> Vec<Entry> {
    let words = ["SENTINEL", what, RealSentinels::NAME];
    // The list of primaries is that of all names.
    let words = if what == "MASTERS" {
        &words[..2]
    } else {
        &words
    };
    from_redis_value(sentinel.command(words).await).expect("a list of servers")
}

/// The address of the primary, as a sentinel says it.
async fn said(sentinel: &RealServer) -> Option<SocketAddr> {
    let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", RealSentinels::NAME];
    let addr: Option<(String, u16)> = from_redis_value(sentinel.command(&words).await).unwrap();
    let (host, port) = addr?;
    Some((host.parse::<std::net::IpAddr>().ok()?, port).into())
}

/// A server closes its connections when its role changes, so that an error is no answer.
async fn is_primary(server: &RealServer) -> bool {
    let Ok(role) = server.ask(&["ROLE"]).await else {
        return false;
    };
    let role: Vec<Value> = from_redis_value(role).expect("a role");
    role[0] == Value::BulkString("master".into())
}
