//! The errors behind [`Fault::resync`], and how they are found in the error of a handler.

use std::error::Error;
use std::fmt;

use super::{BoxError, Fault};
use crate::util::runs_without_panic;

/// Asks for a resync. Its source is always a [`Reason`].
#[derive(Debug)]
struct ResyncRequest(Reason);

/// Why a resync is requested.
///
/// It marks the request in a chain of sources. A conversion such as that from `anyhow::Error` to a boxed
/// error hides the type of the outermost error, and `#[error(transparent)]` leaves one out, so the
/// outermost error of a request cannot be the mark.
#[derive(Debug)]
struct Reason(BoxError);

/// A request of a handler that has no gap handler.
#[derive(Debug)]
struct NoGapHandler(Fault);

impl Fault {
    /// Creates a fault that also requests a resync: the handler's gap handler runs before its next
    /// message, with the cause [`Requested`](crate::GapCause::Requested).
    ///
    /// This is for a handler that finds that what it keeps is wrong, for example by a version number in
    /// its messages. The delivery counts as `failed`. The fault may be converted or wrapped: it is found
    /// anywhere in the chain of sources of the error that the handler returns.
    ///
    /// ```
    /// use redis_push::{BoxError, Fault, Gap, PushMessage, State, gap_handler, push_handler};
    /// use std::sync::{Arc, Mutex};
    ///
    /// #[derive(Default)]
    /// struct Cart {
    ///     version: u64,
    /// }
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "cart")]
    /// struct Change {
    ///     version: u64,
    /// }
    ///
    /// #[gap_handler]
    /// async fn reload(gap: Gap, State(cart): State<Arc<Mutex<Cart>>>) {
    ///     println!("{gap}"); // loads the cart
    ///     # drop(cart);
    /// }
    ///
    /// #[push_handler(on_gap = reload)]
    /// async fn on_change(change: Change, State(cart): State<Arc<Mutex<Cart>>>) -> Result<(), BoxError> {
    ///     let mut cart = cart.lock().unwrap();
    ///     if change.version != cart.version + 1 {
    ///         return Err(Fault::resync("a change of the cart is missing"))?;
    ///     }
    ///     cart.version = change.version;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// With [`workers`](crate::Spec::workers), the deliveries under way end first, and none begins before
    /// the gap handler has succeeded. Requests that wait for the gap handler are served by one run.
    ///
    /// A handler without a gap handler cannot resync. Its delivery counts as `failed` too, and the log and
    /// the [failure](crate::Failure::reason) say that the gap handler is missing.
    pub fn resync(error: impl Into<BoxError>) -> Self {
        Self::failed(ResyncRequest(Reason(error.into())))
    }

    /// Returns whether this is a [`resync`](Self::resync), or has one in its chain of sources.
    #[must_use]
    pub fn requests_resync(&self) -> bool {
        // A chain may be the user's, and may never end.
        const MOST: usize = 32;
        let mut is_found = false;
        // So may its code, which may panic.
        runs_without_panic(|| {
            let mut source = self.source();
            for _ in 0..MOST {
                let Some(error) = source else { break };
                is_found |= error.is::<Reason>();
                source = error.source();
            }
        });
        is_found
    }

    /// Says of a request that the handler has no gap handler. A rejection stays what it is.
    pub(crate) fn without_gap_handler(self) -> Self {
        match self {
            Self::Failed(_) => Self::failed(NoGapHandler(self)),
            Self::Rejected(_) => self,
        }
    }
}

impl fmt::Display for ResyncRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("resync requested")
    }
}

impl Error for ResyncRequest {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for NoGapHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler cannot resync without a gap handler: name one with `on_gap`")
    }
}

impl Error for NoGapHandler {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Rejection, WithCauses};

    /// An error of a program, with a source.
    #[derive(Debug)]
    struct Around(BoxError);

    impl fmt::Display for Around {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("around")
        }
    }

    impl Error for Around {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    /// Its chain of sources never ends.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endless")
        }
    }

    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    /// Its chain of sources panics.
    #[derive(Debug)]
    struct Panicking;

    impl fmt::Display for Panicking {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("panicking")
        }
    }

    impl Error for Panicking {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            panic!("no source")
        }
    }

    #[test]
    fn a_request_is_found_in_the_chain_of_any_fault() {
        let request = || Fault::resync("a hole");
        assert!(request().requests_resync());
        assert!(Fault::failed(request()).requests_resync());
        assert!(Fault::failed(Around(request().into())).requests_resync());
        assert!(Fault::failed(Around(Around(request().into()).into())).requests_resync());
        let rejection = Rejection::caused_by("not decoded", request());
        assert!(Fault::from(rejection).requests_resync());
        assert!(Fault::resync(Around("inside".into())).requests_resync());
    }

    #[test]
    fn other_faults_request_nothing() {
        assert!(!Fault::failed("resync requested").requests_resync());
        assert!(!Fault::from(Rejection::new("not decoded")).requests_resync());
        assert!(!Fault::failed(Endless).requests_resync());
        assert!(!Fault::failed(Panicking).requests_resync());
    }

    #[test]
    fn a_request_keeps_the_error_and_its_sources() {
        let fault = Fault::resync(Around("a hole".into()));
        let text = WithCauses(&fault).to_string();
        assert_eq!(text, "resync requested: around: a hole");
        let text = WithCauses(&fault.without_gap_handler()).to_string();
        assert_eq!(
            text,
            "the handler cannot resync without a gap handler: name one with `on_gap`: \
             resync requested: around: a hole"
        );
        let rejection = Rejection::caused_by("not decoded", Fault::resync("a hole"));
        let rejected = Fault::from(rejection).without_gap_handler();
        assert!(matches!(rejected, Fault::Rejected(_)));
    }
}
