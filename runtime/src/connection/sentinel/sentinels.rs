//! The sentinels of one primary, and what all connections to it share.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::ConnectionAddr;

use super::News;
use super::watch::Watch;
use crate::connection::node_address::NodeAddress;
use crate::connection::options::{Options, named_server, of_several, sentinel};
use crate::connection::server::Server;
use crate::error::Error;
use crate::util::Mutex;
use crate::util::clock::{LONGEST, SHORTEST};

/// The sentinels that know a primary by a name.
pub(crate) struct Sentinels {
    name: Arc<str>,
    each: Vec<Arc<Server>>,
    /// The options of the connections to the primary.
    options: Options,
    /// Whether these connections are encrypted.
    is_tls: bool,
    interval: Duration,
    /// The watch, while there is somebody whom it tells.
    watch: Mutex<Weak<Watch>>,
    shared: Mutex<Shared>,
}

/// Without the options, which have credentials.
impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sentinels").field(&self.name).finish()
    }
}

#[derive(Default)]
struct Shared {
    /// The servers that were named last, with what was read of their certificates' authorities.
    servers: Vec<(NodeAddress, Arc<Server>)>,
    /// The last one that has said that it is the primary.
    confirmed: Option<NodeAddress>,
}

/// How often the sentinels are asked, unless users say otherwise.
const INTERVAL: Duration = Duration::from_secs(1);

/// The number of servers whose settings are kept.
const MOST_SERVERS: usize = 16;

impl Sentinels {
    /// Checks the URLs and the options.
    ///
    /// # Errors
    ///
    /// Returns an error if the list of URLs is empty, if a URL does not parse, or if a URL or an option
    /// requires something that is not possible.
    pub(in crate::connection) fn new(
        name: String,
        urls: &[String],
        options: Options,
    ) -> Result<Self, Error> {
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Error::config(format!(
                "`sentinel` needs the name by which the sentinels know the primary, such as `mymaster`, \
                 and not {name:?}"
            )));
        }
        if urls.is_empty() {
            return Err(Error::config(
                "`sentinel` needs the URL of at least one sentinel, such as `redis://10.0.0.1:26379/`",
            ));
        }
        let each = urls.iter().enumerate().map(|(at, url)| {
            let sentinel = sentinel(url, &options);
            let sentinel = sentinel.map_err(|error| of_several(error, at, urls.len()))?;
            Ok(Arc::new(sentinel))
        });
        let each = each.collect::<Result<Vec<_>, Error>>()?;
        let encrypted = each.iter().filter(|sentinel| {
            let address = sentinel.address();
            matches!(address, ConnectionAddr::TcpTls { .. })
        });
        let encrypted = encrypted.count();
        if encrypted != 0 && encrypted != each.len() {
            return Err(Error::config(
                "some URLs of sentinels begin with `rediss://` and some do not: the connection to the \
                 server would be encrypted or not by chance",
            ));
        }
        let is_tls = encrypted > 0 || options.tls.is_some();
        // The options are the same for each server, so a mistake in them is found now.
        let checked = Options {
            address_map: None,
            ..options.clone()
        };
        named_server(&NodeAddress::new("localhost", 1), &checked, is_tls)?;
        Ok(Self {
            name: name.into(),
            each,
            is_tls,
            interval: options
                .topology_interval
                .unwrap_or(INTERVAL)
                .clamp(SHORTEST, LONGEST),
            options,
            watch: Mutex::default(),
            shared: Mutex::default(),
        })
    }

    /// The name by which the sentinels know the primary.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn each(&self) -> &[Arc<Server>] {
        &self.each
    }

    /// Returns how to connect to a server that the sentinels have named.
    pub(super) fn server(&self, address: &NodeAddress) -> Result<Arc<Server>, Error> {
        let known = |shared: &Shared| {
            let mut servers = shared.servers.iter();
            let server = servers.find(|(known, _)| known == address);
            server.map(|(_, server)| Arc::clone(server))
        };
        if let Some(server) = known(&self.shared.lock()) {
            return Ok(server);
        }
        // Without the lock, because this asks the user's map of addresses.
        let server = Arc::new(named_server(address, &self.options, self.is_tls)?);
        let mut shared = self.shared.lock();
        if let Some(server) = known(&shared) {
            return Ok(server);
        }
        if shared.servers.len() == MOST_SERVERS {
            shared.servers.remove(0);
        }
        let server_of = (address.clone(), Arc::clone(&server));
        shared.servers.push(server_of);
        Ok(server)
    }

    /// Returns the watch over the primary, which all connections share. It ends with the last of them.
    pub(super) fn watch(&self) -> Arc<Watch> {
        let mut watch = self.watch.lock();
        if let Some(watch) = watch.upgrade() {
            return watch;
        }
        let begun = Arc::new(Watch::begin(&self.name, &self.each, self.interval));
        *watch = Arc::downgrade(&begun);
        begun
    }

    /// Returns the address of each sentinel, whether it names a primary, and if not, why, if it was asked.
    pub(crate) fn states(&self) -> Vec<(String, bool, Option<String>)> {
        let watch = self.watch.lock().upgrade();
        let mut states = watch.map(|watch| watch.states()).unwrap_or_default();
        states.resize(self.each.len(), (false, None));
        let each = self.each.iter().zip(states);
        each.map(|(sentinel, (names_one, problem))| {
            (sentinel.address().to_string(), names_one, problem)
        })
        .collect()
    }

    /// Returns what waits for another primary, and keeps the watch alive.
    pub(crate) fn news(&self) -> News {
        News::of(self.watch())
    }

    /// Records that a server has said that it is the primary, and logs the first one and each other one.
    pub(super) fn confirm(&self, address: &NodeAddress, epoch: u64) {
        let previous = {
            let mut shared = self.shared.lock();
            if shared.confirmed.as_ref() == Some(address) {
                return;
            }
            shared.confirmed.replace(address.clone())
        };
        let name = &*self.name;
        match previous {
            Some(previous) => tracing::info!(
                target: "redis_push",
                name,
                primary = %address,
                %previous,
                epoch,
                "the primary has changed"
            ),
            None => tracing::info!(
                target: "redis_push",
                name,
                primary = %address,
                epoch,
                "the primary is found"
            ),
        }
    }
}
