//! As whom a subscriber comes to its server, over what, and beside what.

use crate::credentials::{Credentials, Provider};
use crate::extract::BoxError;
use crate::publish::Publisher;
use crate::subscriber::Subscriber;
use crate::tls::Tls;

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Sets whom a `rediss://` connection trusts, and which certificate it shows. Without this it
    /// trusts the system's authorities and shows none.
    ///
    /// Needs the feature `rustls` or `native-tls`, and holds for either link. It replaces the
    /// certificates of a [client of redis-rs](Subscriber::with_client).
    ///
    /// ```no_run
    /// use redis_push::{Subscriber, Tls};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let tls = Tls::new().root_certificate(std::fs::read("ca.pem")?);
    /// let subscriber = Subscriber::new("rediss://redis.internal:6380/").tls(tls);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// With a URL that is not `rediss://` it is an error of `start`: nothing would be encrypted.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// Asks for the user name and the password before each attempt to connect, instead of taking
    /// the URL's.
    ///
    /// After a password has been changed and the server has closed the connection, or it was lost,
    /// the subscriber comes back with the new one. A connection that is up is not touched: the
    /// server does not ask again either.
    ///
    /// ```
    /// use redis_push::{Credentials, Subscriber};
    /// use std::sync::Arc;
    ///
    /// # struct Vault;
    /// # impl Vault {
    /// #     async fn read(&self, _name: &str) -> std::io::Result<String> { Ok("s3cret".into()) }
    /// # }
    /// let vault = Arc::new(Vault);
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").credentials(move || {
    ///     let vault = Arc::clone(&vault);
    ///     async move {
    ///         let password = vault.read("redis/quotes-reader").await?;
    ///         Ok::<_, std::io::Error>(Credentials::new("quotes-reader", password))
    ///     }
    /// });
    /// ```
    ///
    /// An error, a panic, and an answer that takes longer than
    /// [`connect_timeout`](Self::connect_timeout) end the attempt; the next one asks again. The
    /// text of the error is logged, and so should hold no secret. The future is dropped at an await
    /// when it takes too long and when the subscriber ends, so it should be cancel safe.
    pub fn credentials<F, R, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.options.credentials = Some(Provider::new(provider));
        self
    }

    /// Sets what publishes for the handlers: their [answers](crate::Publish), and what they publish
    /// by a [`Publisher`] that they take as an argument.
    ///
    /// Without this it is a publisher of the subscriber's own, to the same server as the same user,
    /// over a second connection that is made when the first message is published. For
    /// [`attach`](Subscriber::attach) it is the attached manager.
    ///
    /// ```
    /// use redis_push::{Publisher, Subscriber};
    ///
    /// let subscriber = Subscriber::new("redis://replica.internal/")
    ///     .publisher(Publisher::new("redis://primary.internal/")?);
    /// # Ok::<(), redis_push::Error>(())
    /// ```
    pub fn publisher(mut self, publisher: Publisher) -> Self {
        self.publisher = Some(publisher);
        self
    }

    /// Names each connection, for `CLIENT LIST` and the server's logs: `CLIENT SETNAME`.
    ///
    /// The server takes visible ASCII without spaces; another name is an error of `start`. Where
    /// the server does not let the user name connections, that is logged, and they go without.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.options.client_name = Some(name.into());
        self
    }
}
