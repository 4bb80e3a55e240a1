//! The ports of a server.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// How far above its port a node of a cluster has the port of the cluster bus.
const BUS: u16 = 10_000;

/// A port that belongs to one server, and no other process can get while the server is down.
pub(super) struct Ports {
    pub(super) addr: SocketAddr,
    /// Bound but not listening. On Linux the server can listen on the same ports.
    _held: Vec<TcpSocket>,
}

impl Ports {
    /// A free port of this machine.
    pub(super) fn free() -> Self {
        let socket = bound(0).expect("a free port");
        let addr = socket.local_addr().unwrap();
        Self::held(addr, vec![socket])
    }

    /// A free port whose port for the cluster bus is free too.
    pub(super) fn free_with_bus() -> Self {
        // The sockets that do not fit stay bound until the end, so that each is tried once.
        let mut unfit = Vec::new();
        for _ in 0..1000 {
            let socket = bound(0).expect("a free port");
            let addr = socket.local_addr().unwrap();
            match addr.port().checked_add(BUS).and_then(bound) {
                Some(bus) => return Self::held(addr, vec![socket, bus]),
                None => unfit.push(socket),
            }
        }
        panic!("no port is free together with the port {BUS} above it");
    }

    fn held(addr: SocketAddr, sockets: Vec<TcpSocket>) -> Self {
        Self {
            addr,
            _held: if cfg!(target_os = "linux") {
                sockets
            } else {
                Vec::new()
            },
        }
    }
}

fn bound(port: u16) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, port).into()).ok()?;
    Some(socket)
}
