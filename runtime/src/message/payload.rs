use std::borrow::Cow;

use bytes::Bytes;

use crate::error::Result;
use crate::telemetry::Carrier;

/// Types that can be published as a payload.
///
/// They are the counterparts of the types that a handler can take as its message, and encode what
/// those decode: `Json<T>` for a `T` that implements serde's `Serialize`, `Text<T>` for a `T` that
/// implements `Display`, text and bytes as they are, and `#[derive(PushMessage)]` types by their
/// codec.
///
/// ```
/// use redis_push::{Json, Text, ToPayload};
///
/// assert_eq!(Json([1, 2]).to_payload()?, b"[1,2]".as_slice());
/// assert_eq!(Text(1.5).to_payload()?, b"1.5".as_slice());
/// assert_eq!("as it is".to_payload()?, b"as it is".as_slice());
/// # Ok::<(), redis_push::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be published as a payload",
    label = "no `ToPayload` for this type",
    note = "wrap it in `Json` or `Text`, or pass text or bytes",
    note = "a `#[derive(PushMessage)]` type can be published if all of its fields can be written: by serde's `Serialize` for JSON and MessagePack, by `Display` for text"
)]
pub trait ToPayload {
    /// Encodes the value as a payload.
    ///
    /// # Errors
    ///
    /// When the value cannot be encoded ([`Error::is_encode`](crate::Error::is_encode)).
    fn to_payload(&self) -> Result<Cow<'_, [u8]>>;

    /// Returns the place of a trace context in the payload, if it has one. The derive macro implements it.
    #[doc(hidden)]
    fn trace_carrier(&self) -> Option<Carrier> {
        None
    }
}

macro_rules! as_it_is {
    ($($ty:ty),*) => {$(
        impl ToPayload for $ty {
            fn to_payload(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Borrowed(self.as_ref()))
            }
        }
    )*};
}

as_it_is!(str, String, [u8], Vec<u8>, Bytes);

impl<const N: usize> ToPayload for [u8; N] {
    fn to_payload(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(self))
    }
}

#[diagnostic::do_not_recommend]
impl<T: ToPayload + ?Sized> ToPayload for &T {
    fn to_payload(&self) -> Result<Cow<'_, [u8]>> {
        (**self).to_payload()
    }

    fn trace_carrier(&self) -> Option<Carrier> {
        (**self).trace_carrier()
    }
}
