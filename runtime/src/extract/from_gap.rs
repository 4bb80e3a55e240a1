use crate::error::Rejection;
use crate::gap::Gap;

/// Types that can be used as gap handler arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a gap handler argument",
    label = "no `FromGap` for this type",
    note = "a gap handler takes the `Gap` and `State<T>`; messages go to the push handler"
)]
pub trait FromGap<'p, S>: Sized {
    /// Extracts the argument from a gap.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] counts as a failed run of the gap handler, which is then run again.
    fn from_gap(gap: &'p Gap, state: &'p S) -> Result<Self, Rejection>;
}

impl<'p, S> FromGap<'p, S> for Gap {
    fn from_gap(gap: &'p Gap, _state: &'p S) -> Result<Self, Rejection> {
        Ok(gap.clone())
    }
}

impl<'p, S> FromGap<'p, S> for &'p Gap {
    fn from_gap(gap: &'p Gap, _state: &'p S) -> Result<Self, Rejection> {
        Ok(gap)
    }
}
