use std::sync::Arc;

use crate::connection::options::{Options, Target};
use crate::connection::{Destination, Server};
use crate::error::Error;

/// Returns the nodes at these URLs. All are connected to like the first one.
///
/// # Errors
///
/// Returns an error if there is none, if a URL does not parse, or if it or an option requires something that
/// is not possible in a cluster.
pub(in crate::connection) fn seeds(
    urls: &[String],
    options: Options,
) -> Result<Vec<Arc<Server>>, Error> {
    let Some((first, others)) = urls.split_first() else {
        return Err(Error::config(
            "a cluster needs the URL of at least one node",
        ));
    };
    let first = node(first, options)?;
    if first.has_database() {
        return Err(Error::config(
            "a cluster has no databases but the first: remove the number from the URL",
        ));
    }
    let others = others.iter().map(|url| {
        let other = node(url, Options::default())?;
        let address = other.node_address().ok_or_else(not_a_socket)?;
        first.at(&address).map(Arc::new)
    });
    let others: Vec<_> = others.collect::<Result<_, _>>()?;
    Ok([first].into_iter().chain(others).collect())
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
