use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{BoxError, Error};
use crate::util::{Ended, Shown, Timer, attempt_within};

/// A user name and a password, for [`Subscriber::credentials`](crate::Subscriber::credentials).
/// `Debug` does not show the password.
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
    /// Creates the credentials of a user in the server's access control list.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: Some(username.into()),
            password: password.into(),
        }
    }

    /// Creates the credentials of the default user, whose password is the server's `requirepass`.
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

/// The user's function that returns the credentials, called before each attempt to connect.
#[derive(Clone)]
pub(crate) struct Provider(Arc<dyn Fn() -> Provided + Send + Sync>);

type Provided = Pin<Box<dyn Future<Output = Result<Credentials, BoxError>> + Send>>;

impl Provider {
    pub(crate) fn new<F, R, E>(provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self(Arc::new(move || {
            let provided = provider();
            Box::pin(async { provided.await.map_err(Into::into) })
        }))
    }

    /// Calls the provider once. Dropping the returned future drops the user's future too.
    pub(crate) async fn ask(&self, within: Duration) -> Result<Credentials, Error> {
        match attempt_within(Some(within), &mut Timer::default(), pin!(None), &*self.0).await {
            Ended::Returned(Ok(credentials)) => Ok(credentials),
            Ended::Returned(Err(error)) => {
                let text = format!("the credentials provider failed: {}", Shown(&error));
                Err(Error::connection(text).caused_by(error))
            }
            Ended::Panicked(message) => Err(Error::connection(format!(
                "the credentials provider failed: {message}"
            ))),
            Ended::TimedOut => Err(Error::connection(format!(
                "the credentials provider did not return within {within:?}"
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
    fn the_credentials_of_a_provider_are_returned() {
        let provider =
            Provider::new(|| async { Ok::<_, BoxError>(Credentials::of_default_user("pw")) });
        let provided = ask(&provider).unwrap();
        assert_eq!((provided.username, &*provided.password), (None, "pw"));
    }

    #[test]
    fn a_provider_that_fails_hangs_or_panics_is_a_connection_error() {
        let failing = Provider::new(|| async { Err::<Credentials, _>("the vault is sealed") });
        let hanging = Provider::new(std::future::pending::<Result<Credentials, BoxError>>);
        let panicking = Provider::new(|| -> std::future::Ready<Result<Credentials, BoxError>> {
            panic!("a test has requested this panic")
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
