//! One interface to the embedded broker and the real servers.

use std::net::SocketAddr;

use redis_push::testing::Broker;

use crate::wait::{eventually, within};
use crate::{RawClient, RealServer};

/// A server that belongs to one test.
pub enum Server {
    /// The embedded broker.
    Broker(Broker),
    /// A real server.
    Real(RealServer),
}

impl Server {
    /// The name that test names show.
    pub fn name(&self) -> &str {
        match self {
            Self::Broker(_) => "embedded broker",
            Self::Real(server) => server.name(),
        }
    }

    /// The URL, without credentials.
    pub fn url(&self) -> String {
        match self {
            Self::Broker(broker) => broker.url(),
            Self::Real(server) => server.url(),
        }
    }

    /// The address. It stays the same across restarts.
    pub fn addr(&self) -> SocketAddr {
        match self {
            Self::Broker(broker) => broker.addr(),
            Self::Real(server) => server.addr(),
        }
    }

    /// Drops all connections. The server keeps running.
    pub async fn kill_connections(&self) {
        match self {
            Self::Broker(broker) => {
                broker.kill_connections();
            }
            Self::Real(server) => {
                server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                server
                    .command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
                    .await;
            }
        }
    }

    /// Stops the server as a crash would: connections end, and new ones are refused.
    pub async fn stop(&self) {
        match self {
            Self::Broker(broker) => within("the broker's stop", broker.stop()).await,
            Self::Real(server) => server.stop().await,
        }
    }

    /// Starts the server on the same port again.
    ///
    /// A real server has lost its keys, settings and password; the broker keeps them.
    ///
    /// # Panics
    ///
    /// If the server does not start.
    pub async fn start_again(&self) {
        match self {
            Self::Broker(broker) => within("the broker's start", broker.start_again())
                .await
                .unwrap(),
            Self::Real(server) => server.start_again().await,
        }
    }

    /// Freezes the server, which neither reads nor writes while its connections stay open, or
    /// resumes it.
    pub fn freeze(&self, on: bool) {
        match self {
            Self::Broker(broker) => broker.pause(on),
            Self::Real(server) => server.freeze(on),
        }
    }

    /// Sets the password that new connections need, or removes it.
    pub async fn set_password(&self, password: Option<&str>) {
        match self {
            Self::Broker(broker) => broker.set_password(password),
            Self::Real(server) => server.set_password(password).await,
        }
    }

    /// Enables key events: sets `notify-keyspace-events`.
    pub async fn set_key_events(&self, classes: &str) {
        match self {
            Self::Broker(broker) => broker.set_key_events(classes),
            Self::Real(_) => self.configure("notify-keyspace-events", classes).await,
        }
    }

    /// Sets a configuration parameter.
    ///
    /// # Panics
    ///
    /// If the server does not know the parameter, or if it is a broker with a password.
    pub async fn configure(&self, name: &str, value: &str) {
        match self {
            Self::Broker(_) => {
                let mut client = RawClient::connect(self.addr()).await;
                client.say_words(&["CONFIG", "SET", name, value]).await;
                assert_eq!(client.hear().await, "+OK", "CONFIG SET {name} {value}");
            }
            Self::Real(server) => {
                server.command(&["CONFIG", "SET", name, value]).await;
            }
        }
    }

    /// Refuses subscriptions to a channel, and closes the connections that have one.
    ///
    /// On a real server only one name can be denied at a time. The server then also denies
    /// publishing to it, and denies every pattern.
    pub async fn deny(&self, channel: &str) {
        match self {
            Self::Broker(broker) => broker.deny(channel),
            Self::Real(server) => {
                // An ACL can only grant channels. So this grants every name that is shorter than
                // the denied one, differs from it in some byte, or is longer.
                let mut words = vec![
                    "ACL".to_owned(),
                    "SETUSER".into(),
                    "default".into(),
                    "resetchannels".into(),
                ];
                let bytes = channel.as_bytes();
                for (index, byte) in bytes.iter().enumerate() {
                    let start = str::from_utf8(&bytes[..index]).expect("an ASCII name");
                    words.push(format!("&{start}[^{}]*", char::from(*byte)));
                    if index > 0 {
                        words.push(format!("&{start}"));
                    }
                }
                words.push(format!("&{channel}?*"));
                server
                    .command(&words.iter().map(String::as_str).collect::<Vec<_>>())
                    .await;
            }
        }
    }

    /// Reverts every [`deny`](Self::deny) of this channel.
    pub async fn allow(&self, channel: &str) {
        match self {
            Self::Broker(broker) => broker.allow(channel),
            Self::Real(server) => {
                server
                    .command(&["ACL", "SETUSER", "default", "allchannels"])
                    .await;
            }
        }
    }

    /// Publishes a message, and returns how many subscriptions it was sent to.
    pub async fn publish(&self, channel: &str, payload: &str) -> usize {
        match self {
            Self::Broker(broker) => broker.publish(channel, payload),
            Self::Real(server) => {
                let count = server.command(&["PUBLISH", channel, payload]).await;
                redis::from_redis_value(count).unwrap()
            }
        }
    }

    /// Waits until at least `n` connections are subscribed to a channel or sharded channel. With
    /// `n = 0` it waits until none is.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn wait_for_subscribers_of(&self, name: &str, n: usize) {
        let what = format!("{n} subscribers of {name}");
        match self {
            Self::Broker(broker) => within(&what, broker.wait_for_subscribers_of(name, n)).await,
            Self::Real(server) => {
                let subcommands: &[_] = if server.has_shards() {
                    &["NUMSUB", "SHARDNUMSUB"]
                } else {
                    &["NUMSUB"]
                };
                let enough = async || {
                    let mut sum = 0;
                    for subcommand in subcommands {
                        let reply = server.command(&["PUBSUB", subcommand, name]).await;
                        let [(_, count)] =
                            redis::from_redis_value::<[(String, usize); 1]>(reply).unwrap();
                        sum += count;
                    }
                    if n == 0 { sum == 0 } else { sum >= n }
                };
                eventually(&what, enough).await;
            }
        }
    }

    /// A raw connection in RESP2, in which every connection begins.
    pub async fn raw(&self) -> RawClient {
        RawClient::connect(self.addr()).await
    }

    /// A raw connection in RESP3.
    pub async fn raw3(&self) -> RawClient {
        RawClient::resp3(self.addr()).await
    }
}
