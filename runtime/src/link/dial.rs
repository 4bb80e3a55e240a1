use redis::{ConnectionAddr, RedisError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::client::keepalive;
use super::server::Server;
use crate::error::Error;

/// What a connection is made of.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Server {
    /// Opens a stream to the server: TCP, TLS over it, or a unix socket.
    pub(super) async fn dial(&self) -> Result<Box<dyn Stream>, Error> {
        let io = |error: std::io::Error| self.refused(None, RedisError::from(error));
        match self.address() {
            ConnectionAddr::Tcp(host, port) => Ok(Box::new(tcp(host, *port).await.map_err(io)?)),
            ConnectionAddr::TcpTls { host, port, .. } => {
                let Some(tls) = self.tls() else {
                    return Err(Error::config(
                        "the TLS of a redis-rs client cannot be used by this link",
                    ));
                };
                let stream = tcp(host, *port).await.map_err(io)?;
                tls.connect(stream, self.address()).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(io)?;
                Ok(Box::new(stream))
            }
            address => Err(Error::config(format!("there is no way to reach {address}"))),
        }
    }
}

async fn tcp(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let socket = redis::io::tcp::socket2::SockRef::from(&stream);
    socket.set_tcp_keepalive(&keepalive())?;
    Ok(stream)
}
