use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::error::{BoxError, Error};
use crate::util::caught;

/// A user name and a password, as [`Subscriber::credentials`](crate::Subscriber::credentials) gives
/// them. `Debug` shows no password.
///
/// ```
/// use redis_push::Credentials;
///
/// let credentials = Credentials::new("quotes-reader", "s3cret");
/// assert!(!format!("{credentials:?}").contains("s3cret"));
/// ```
#[derive(Clone)]
pub struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: String,
}

impl Credentials {
    /// A user of the server's access control list, and its password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: Some(username.into()),
            password: password.into(),
        }
    }

    /// The password of the default user: `requirepass`.
    pub fn of_default_user(password: impl Into<String>) -> Self {
        Self {
            username: None,
            password: password.into(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Who is asked for credentials before each attempt to connect.
pub(crate) struct Provider(Box<dyn Fn() -> Asked + Send + Sync>);

type Asked = Pin<Box<dyn Future<Output = Result<Credentials, BoxError>> + Send>>;

impl Provider {
    pub(crate) fn new<F, R, E>(provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Box::new(move || {
            let asked = provider();
            Box::pin(async { asked.await.map_err(Into::into) })
        }))
    }

    /// Asks once. Dropping this drops the user's future too.
    pub(crate) async fn ask(&self, within: Duration) -> Result<Credentials, Error> {
        let asked = caught(async { (self.0)().await });
        match timeout(within, asked).await {
            Ok(Some(Ok(credentials))) => Ok(credentials),
            Ok(Some(Err(error))) => Err(Error::connection(format!(
                "there are no credentials to connect with: {error}"
            ))
            .caused_by(error)),
            Ok(None) => Err(Error::connection(
                "there are no credentials to connect with: their provider panicked",
            )),
            Err(_) => Err(Error::connection(format!(
                "there are no credentials to connect with: their provider did not give them \
                 within {within:?}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn ask(provider: &Provider) -> Result<Credentials, Error> {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(provider.ask(SHORT))
    }

    #[test]
    fn what_a_provider_gives_is_taken() {
        let provider =
            Provider::new(|| async { Ok::<_, BoxError>(Credentials::of_default_user("pw")) });
        let given = ask(&provider).unwrap();
        assert_eq!((given.username, &*given.password), (None, "pw"));
    }

    #[test]
    fn a_provider_that_fails_hangs_or_panics_is_an_error_of_the_connection() {
        let failing = Provider::new(|| async { Err::<Credentials, _>("the vault is sealed") });
        let hanging = Provider::new(std::future::pending::<Result<Credentials, BoxError>>);
        let panicking = Provider::new(|| -> std::future::Ready<Result<Credentials, BoxError>> {
            panic!("asked to panic")
        });
        for (provider, reason) in [
            (failing, "the vault is sealed"),
            (hanging, "within 20ms"),
            (panicking, "panicked"),
        ] {
            let error = ask(&provider).unwrap_err();
            assert!(error.is_connection(), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
