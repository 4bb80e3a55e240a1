//! How servers and sentinels are started, and when they are ready.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;

use futures_util::future::join_all;
use redis::{Value, from_redis_value};

use super::{RealSentinels, SentinelShape};
use crate::wait::eventually;
use crate::{RealServer, ServerBinary};

impl RealSentinels {
    /// Starts a primary, two replicas and three sentinels, and waits until they know each other. That
    /// takes about a second.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn start(binary: &ServerBinary) -> Self {
        Self::start_with(binary, SentinelShape::default()).await
    }

    /// Like [`start`](Self::start), with others of a number and with other times.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    pub async fn start_with(binary: &ServerBinary, shape: SentinelShape) -> Self {
        let servers = servers(binary, shape.replicas).await;
        let mut sentinels: Vec<_> = (0..shape.sentinels)
            .map(|_| RealServer::unstarted(binary))
            .collect();
        for index in 0..sentinels.len() {
            let config = config(index, &shape, &servers, &sentinels);
            sentinels[index].configure(&config, &["--sentinel"]);
        }
        join_all(sentinels.iter().map(RealServer::start_again)).await;
        let started = Self {
            servers,
            sentinels,
            silent: Mutex::new(BTreeSet::new()),
        };
        started.settle().await;
        started
    }
}

/// A primary and its replicas, which are up to date.
async fn servers(binary: &ServerBinary, replicas: usize) -> Vec<RealServer> {
    let quick = ["--repl-diskless-sync-delay", "0"];
    let primary = RealServer::start_with(binary, &quick).await;
    let port = primary.addr().port().to_string();
    let arguments = [&quick[..], &["--replicaof", "127.0.0.1", &port]].concat();
    let replicas = (0..replicas).map(|_| RealServer::start_with(binary, &arguments));
    let mut servers = join_all(replicas).await;
    for replica in &servers {
        // A sentinel asks a replica for its state at once, and then only every ten seconds.
        eventually("a replica to be connected", async || {
            let role = replica.command(&["ROLE"]).await;
            let role: Vec<Value> = from_redis_value(role).expect("a role");
            role[3] == Value::BulkString("connected".into())
        })
        .await;
    }
    servers.insert(0, primary);
    servers
}

/// The configuration of a sentinel. It names the others and the replicas, which would take two seconds to
/// find out.
fn config(
    index: usize,
    shape: &SentinelShape,
    servers: &[RealServer],
    sentinels: &[RealServer],
) -> String {
    let name = RealSentinels::NAME;
    let id = |index: usize| format!("{:040x}", index + 1);
    let (primary, replicas) = servers.split_first().expect("a primary");
    let quorum = shape.sentinels / 2 + 1;
    let (down_after, failover) = (shape.down_after, shape.failover_timeout);
    let mut lines = format!(
        "sentinel myid {}\n\
         sentinel monitor {name} 127.0.0.1 {} {quorum}\n\
         sentinel down-after-milliseconds {name} {}\n\
         sentinel failover-timeout {name} {}\n",
        id(index),
        primary.addr().port(),
        down_after.as_millis(),
        failover.as_millis(),
    );
    for replica in replicas {
        let port = replica.addr().port();
        let _ = writeln!(lines, "sentinel known-replica {name} 127.0.0.1 {port}");
    }
    for (other, sentinel) in sentinels
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != index)
    {
        let (port, id) = (sentinel.addr().port(), id(other));
        let _ = writeln!(
            lines,
            "sentinel known-sentinel {name} 127.0.0.1 {port} {id}"
        );
    }
    lines
}
