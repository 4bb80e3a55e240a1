//! Where the nodes of a cluster, or a primary that sentinels name, are reached from here.

use std::sync::Arc;

use super::node_address::NodeAddress;
use crate::error::Error;
use crate::util::call;

/// A user's function that says where the server is reached whose address others have told.
#[derive(Clone)]
pub(super) struct AddressMap(Arc<Map>);

type Map = dyn Fn(&str, u16) -> Option<(String, u16)> + Send + Sync;

impl AddressMap {
    pub(super) fn new(
        map: impl Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(map))
    }

    /// Returns where a server is reached that says that it is at an address.
    ///
    /// # Errors
    ///
    /// Returns an error if the function panics, or returns no address that can be reached.
    pub(super) fn reached(&self, address: &NodeAddress) -> Result<NodeAddress, Error> {
        let mapped = call(|| (self.0)(address.host(), address.port()));
        let mapped = mapped
            .map_err(|panic| Error::config(format!("`address_map` for {address}: {panic}")))?;
        match mapped {
            None => Ok(address.clone()),
            Some((host, port)) if !host.is_empty() && port != 0 => {
                Ok(NodeAddress::new(&host, port))
            }
            Some((host, port)) => Err(Error::config(format!(
                "`address_map` returned host {host:?} and port {port} for {address}: neither can be empty"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_replaced_or_kept_and_a_panic_is_an_error() {
        let map = AddressMap::new(|host, port| match host {
            "panic" => panic!("no such host"),
            "nowhere" => Some((String::new(), port)),
            "10.0.0.1" => Some(("localhost".into(), port + 1)),
            _ => None,
        });
        let reached = |host| {
            let reached = map.reached(&NodeAddress::new(host, 7000));
            reached.map(|address| address.to_string())
        };
        assert_eq!(reached("10.0.0.1").unwrap(), "localhost:7001");
        assert_eq!(reached("10.0.0.2").unwrap(), "10.0.0.2:7000");
        for (host, part) in [
            (
                "panic",
                "`address_map` for panic:7000: it panicked: no such host",
            ),
            ("nowhere", "\"\""),
        ] {
            let error = reached(host).unwrap_err();
            assert!(
                error.is_config() && error.to_string().contains(part),
                "{error}"
            );
        }
    }
}
