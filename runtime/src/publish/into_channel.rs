use std::borrow::Cow;

use crate::error::Result;
use crate::message::Address;
use crate::subscription::Kind;

/// What a value of the type `T` can be published on, by
/// [`Publisher::publish_to`](crate::Publisher::publish_to): the name of a channel (text or bytes), or an
/// [`Address`] of `T`.
#[diagnostic::on_unimplemented(
    message = "nothing can be published on a `{Self}`",
    label = "expected the name of a channel, or an address such as `Quote::at(..)`"
)]
pub trait IntoChannel<T: ?Sized>: sealed::Named {}

#[diagnostic::do_not_recommend]
impl<T: ?Sized, N: AsRef<[u8]>> IntoChannel<T> for N {}
impl<M> IntoChannel<M> for Address<M> {}
impl<M> IntoChannel<M> for &Address<M> {}

mod sealed {
    use super::*;

    /// The kind and the name of a channel.
    pub trait Named {
        fn channel(&self) -> Result<(Kind, Cow<'_, [u8]>)>;

        /// Returns what the message type calls its channels; `None` if only the name is known.
        fn template(&self) -> Option<String> {
            None
        }
    }

    impl<N: AsRef<[u8]>> Named for N {
        fn channel(&self) -> Result<(Kind, Cow<'_, [u8]>)> {
            Ok((Kind::Channel, self.as_ref().into()))
        }
    }

    impl<M> Named for Address<M> {
        fn channel(&self) -> Result<(Kind, Cow<'_, [u8]>)> {
            self.channel()
                .map(|(kind, name)| (kind, name.as_bytes().into()))
        }

        fn template(&self) -> Option<String> {
            let first = self.subscriptions().ok()?.first()?;
            Some(match first.params() {
                Some(template) => template.to_string(),
                None => first.text(),
            })
        }
    }

    impl<M> Named for &Address<M> {
        fn channel(&self) -> Result<(Kind, Cow<'_, [u8]>)> {
            Named::channel(*self)
        }

        fn template(&self) -> Option<String> {
            Named::template(*self)
        }
    }
}
