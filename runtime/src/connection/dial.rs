use redis::{ConnectionAddr, RedisError};

use super::server::Server;
use super::stream::{Stream, connect_tcp};
use crate::error::Error;

impl Server {
    /// Opens a stream to the server: TCP, TLS over it, or a unix socket.
    pub(crate) async fn dial(&self) -> Result<Box<dyn Stream>, Error> {
        let io = |error: std::io::Error| self.refused(None, RedisError::from(error));
        match self.address() {
            ConnectionAddr::Tcp(host, port) => {
                Ok(Box::new(connect_tcp(host, *port).await.map_err(io)?))
            }
            ConnectionAddr::TcpTls { host, port, .. } => {
                let Some(tls) = self.tls() else {
                    return Err(Error::config(
                        "this link cannot use the TLS settings of a redis-rs client; pass the \
                         certificates to `Subscriber::tls`",
                    ));
                };
                let stream = connect_tcp(host, *port).await.map_err(io)?;
                tls.connect(stream, self.address()).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(io)?;
                Ok(Box::new(stream))
            }
            address => Err(Error::config(format!(
                "cannot connect to {address}: this kind of address is not supported"
            ))),
        }
    }
}
