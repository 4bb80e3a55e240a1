//! A TLS proxy in front of a server without TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoClientAuth, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::certificates::{Authority, Certificate};

/// A proxy that speaks TLS with its clients and plain TCP with the server.
pub struct TlsProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    target: SocketAddr,
    acceptor: watch::Sender<TlsAcceptor>,
    /// How many times the open connections were ended, and how they were ended last.
    end: watch::Sender<(usize, End)>,
    attempts: AtomicUsize,
    established: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// With `close_notify`.
    Closed,
    /// The TCP connection ends without `close_notify`.
    Cut,
}

impl TlsProxy {
    /// Starts a proxy in front of a server.
    pub async fn start(target: SocketAddr, certificate: &Certificate) -> Self {
        Self::with(target, acceptor(certificate, None)).await
    }

    /// Starts a proxy that requires a client certificate of an authority.
    pub async fn for_clients_of(
        authority: &Authority,
        target: SocketAddr,
        certificate: &Certificate,
    ) -> Self {
        Self::with(target, acceptor(certificate, Some(authority))).await
    }

    async fn with(target: SocketAddr, acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let shared = Arc::new(Shared {
            target,
            acceptor: watch::Sender::new(acceptor),
            end: watch::Sender::new((0, End::Closed)),
            attempts: AtomicUsize::new(0),
            established: AtomicUsize::new(0),
        });
        Self {
            addr: listener.local_addr().unwrap(),
            accepting: tokio::spawn(accept(listener, Arc::clone(&shared))),
            shared,
        }
    }

    /// The URL, without credentials.
    pub fn url(&self) -> String {
        format!("rediss://{}/", self.addr)
    }

    /// The address of the TLS port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many TCP connections were accepted.
    pub fn attempts(&self) -> usize {
        self.shared.attempts.load(Ordering::SeqCst)
    }

    /// How many of the connections completed the handshake and reached the server.
    pub fn established(&self) -> usize {
        self.shared.established.load(Ordering::SeqCst)
    }

    /// Presents another certificate on new connections.
    pub fn show(&self, certificate: &Certificate) {
        let acceptor = acceptor(certificate, None);
        self.shared.acceptor.send_replace(acceptor);
    }

    /// Ends the open connections with `close_notify`, as TLS requires.
    pub fn close(&self) {
        self.end(End::Closed);
    }

    /// Ends the open connections without `close_notify`, as a network failure or a crash would.
    pub fn cut(&self) {
        self.end(End::Cut);
    }

    fn end(&self, how: End) {
        self.shared
            .end
            .send_modify(|(count, end)| (*count, *end) = (*count + 1, how));
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn acceptor(certificate: &Certificate, clients_of: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let verifier = match clients_of {
        None => Arc::new(NoClientAuth),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_slice(authority.pem().as_bytes());
            roots.add(authority.unwrap()).unwrap();
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .unwrap()
        }
    };
    let chain = CertificateDer::pem_slice_iter(certificate.certificate.as_bytes());
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config).into()
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropping the set ends the connections.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.attempts.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(client, Arc::clone(&shared)));
    }
}

async fn serve(client: TcpStream, shared: Arc<Shared>) -> Option<()> {
    let mut end = shared.end.subscribe();
    let acceptor = shared.acceptor.borrow().clone();
    client.set_nodelay(true).ok()?;
    let mut client = acceptor.accept(client).await.ok()?;
    let mut server = TcpStream::connect(shared.target).await.ok()?;
    server.set_nodelay(true).ok()?;
    shared.established.fetch_add(1, Ordering::SeqCst);
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = end.changed() => {
            if end.borrow().1 == End::Closed {
                client.shutdown().await.ok()?;
            }
        }
    }
    Some(())
}
