use std::sync::Arc;

use crate::connection::options::{Options, Target, of_several};
use crate::connection::{Destination, NodeAddress, Server};
use crate::error::Error;

/// The nodes of a cluster that the user has named, at least one. The others are connected to like the first.
#[derive(Clone)]
pub(crate) struct Seeds(Vec<Arc<Server>>);

impl Seeds {
    /// Returns the nodes at these URLs. All are connected to like the first one.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none, if a URL does not parse, or if it or an option requires something that
    /// is not possible in a cluster.
    pub(in crate::connection) fn new(urls: &[String], options: Options) -> Result<Self, Error> {
        let Some((first, others)) = urls.split_first() else {
            return Err(Error::config(
                "a cluster needs the URL of at least one node",
            ));
        };
        let of = urls.len();
        let first = node(first, options).map_err(|error| of_several(error, 0, of))?;
        if first.has_database() {
            return Err(Error::config(
                "a cluster has no databases but the first: remove the number from the URL",
            ));
        }
        let others = others.iter().zip(1..).map(|(url, at)| {
            let other = node(url, Options::default());
            let other = other.map_err(|error| of_several(error, at, of))?;
            let address = other.node_address().ok_or_else(not_a_socket)?;
            first.at(&address).map(Arc::new)
        });
        let others: Vec<_> = others.collect::<Result<_, _>>()?;
        Ok(Self([first].into_iter().chain(others).collect()))
    }

    pub(crate) fn first(&self) -> &Arc<Server> {
        &self.0[0]
    }

    /// Returns each of them, with its address.
    pub(crate) fn each(&self) -> impl Iterator<Item = (NodeAddress, &Arc<Server>)> {
        let each = self.0.iter();
        each.filter_map(|seed| Some((seed.node_address()?, seed)))
    }

    /// Returns the node at an address that another one has told, or that is one of these.
    ///
    /// # Errors
    ///
    /// Returns an error if a certificate cannot contain its host, or if the user's map of addresses fails.
    pub(crate) fn node(&self, address: &NodeAddress) -> Result<Arc<Server>, Error> {
        // The user has written where it is reached.
        let mut named = self.each().filter(|(named, _)| named == address);
        match named.next() {
            Some((_, seed)) => Ok(Arc::clone(seed)),
            None => self.first().announced(address).map(Arc::new),
        }
    }
}

fn node(url: &str, options: Options) -> Result<Arc<Server>, Error> {
    match Target::Url(url.to_owned()).into_destination(options, true)? {
        Destination::Server(server) if server.node_address().is_some() => Ok(server),
        _ => Err(not_a_socket()),
    }
}

fn not_a_socket() -> Error {
    Error::config("the nodes of a cluster are not reached over a unix socket: use a `redis://` URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_which_of_several_urls_it_is_about() {
        let error = |urls: &[&str]| {
            let urls: Vec<_> = urls.iter().map(ToString::to_string).collect();
            let error = Seeds::new(&urls, Options::default()).err();
            error.unwrap().to_string()
        };
        let good = "redis://a:1/";
        assert!(error(&["b"]).starts_with("the server's URL"));
        assert!(error(&["b", good]).starts_with("URL 1 of 2: the server's URL"));
        assert!(error(&[good, good, "b"]).starts_with("URL 3 of 3: the server's URL"));
    }
}
