//! The functions of a message type that make its addresses.

/// Adds the return type to the functions `at` and `at_any` of a message type.
///
/// The macro exists for its name. In a type that has an `at` of its own, the compiler reports
/// duplicate definitions: no macro can see that, and the text is not ours. But it ends with the name
/// of the macro that the definition comes from, and so with the remedy: `#[push(at = name)]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __rename_with_push_at {
    ($(
        #[doc = $doc:literal]
        $vis:vis fn $name:ident($($argument:ident: $ty:ty),*) $(where [$($bounds:tt)*])? $body:block
    )*) => {$(
        #[doc = $doc]
        $vis fn $name($($argument: $ty),*) -> $crate::Address<Self> $(where $($bounds)*)? $body
    )*};
}
