use std::error::Error;
use std::io::{ErrorKind, Write as _};
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis_push::{Handle, Subscriber};
use tokio::net::TcpListener;

use crate::origin::refuse_other_sites;
use crate::processes::{self, ATTACHED};
use crate::{live, probes, server};

/// The result of an application.
pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// Where an application listens if nothing else is said.
const PORT: u16 = 8080;

/// How long responses may take to end after the subscriber. A client that does not read, such as a suspended
/// phone, would keep the process from ending for as long as its connection lasts.
const FINISH: Duration = Duration::from_secs(5);

/// The server, the port and the end of an application.
pub struct Site {
    server: server::Server,
    listener: TcpListener,
    /// Whether the application ends with the process that has started it.
    is_attached: bool,
}

impl Site {
    /// Finds or starts a server, as the other examples do, and binds the port of `--port`.
    ///
    /// Without `--port` it binds 8080, or any free port if that is taken.
    ///
    /// # Errors
    ///
    /// Returns an error if the arguments are not understood, if the server that it starts does not
    /// run, and if the port is not free.
    pub async fn open() -> Result<Self> {
        tracing_subscriber::fmt().without_time().init();
        let (port, is_attached) = arguments()?;
        let listener = match port {
            Some(port) => listen(port).await?,
            None => match listen(PORT).await {
                Err(taken) if taken.kind() == ErrorKind::AddrInUse => listen(0).await?,
                other => other?,
            },
        };
        let server = server::find().await?;
        if !is_attached {
            println!("using {}", server.why);
        }
        Ok(Self {
            server,
            listener,
            is_attached,
        })
    }

    /// Returns the address that the application listens on.
    ///
    /// # Errors
    ///
    /// Returns an error if the system does not know it.
    pub fn address(&self) -> Result<String> {
        Ok(self.listener.local_addr()?.to_string())
    }

    /// Returns a subscriber of the server.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber::new(&self.server.url)
    }

    /// Returns a client of the server, for connections of one's own.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL of the server is not valid.
    pub fn client(&self) -> Result<redis::Client> {
        Ok(redis::Client::open(&*self.server.url)?)
    }

    /// Returns a connection for commands, which is made with the first of them and made again after it
    /// was lost.
    ///
    /// A command fails soon during an outage, so that a browser learns of it, and succeeds soon after.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL of the server is not valid.
    pub fn redis(&self) -> Result<ConnectionManager> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_response_timeout(Some(Duration::from_secs(2)));
        Ok(self.client()?.get_connection_manager_lazy(config)?)
    }

    /// Serves the pages until Ctrl-C or SIGTERM, then lets the subscriber and the web server finish: up to
    /// five seconds after the subscriber, if a client does not read.
    ///
    /// # Errors
    ///
    /// Returns an error if the system does not let it listen for signals or for connections.
    pub async fn serve(self, handle: Handle, router: Router, path: &str) -> Result {
        let router = router
            .merge(live::route(handle.clone()))
            .merge(probes::route(handle.clone()))
            .layer(from_fn(refuse_other_sites));
        println!("open http://{}{path}", self.listener.local_addr()?);
        std::io::stdout().flush()?;
        let serving = axum::serve(self.listener, router)
            .with_graceful_shutdown(handle.stopping())
            .into_future();
        let running = async {
            if self.is_attached {
                handle.run_until(processes::parent_ended()).await;
                return Ok(());
            }
            handle.run().await.map(|_| ())
        };
        // A client that does not read keeps its response from ending.
        let waited = async {
            handle.stopped().await;
            tokio::time::sleep(FINISH).await;
        };
        let serving = async {
            tokio::select! {
                served = serving => served,
                () = waited => {
                    eprintln!("some clients have not read their responses to the end");
                    Ok(())
                }
            }
        };
        // The subscriber stops first. That ends the streams, so that the responses end too.
        let (stopped, served) = tokio::join!(running, serving);
        stopped?;
        Ok(served?)
    }
}

async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// The port, and whether the application ends with the process that has started it.
fn arguments() -> Result<(Option<u16>, bool)> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [] => Ok((None, false)),
        ["--port", port] => Ok((Some(port.parse()?), false)),
        ["--port", port, ATTACHED] => Ok((Some(port.parse()?), true)),
        _ => Err("usage: [--port N]".into()),
    }
}
