//! Registers a handler, if the feature `collect` is on.

#[cfg(feature = "collect")]
pub use crate::router::{Collected, Fit, Named, Stateless, Unfit};
#[cfg(feature = "collect")]
pub use inventory::submit;

/// Called by generated code: `collect!(on_order)`, or `collect!(on_order, App)` if the attribute
/// names a state.
#[cfg(feature = "collect")]
#[doc(hidden)]
#[macro_export]
macro_rules! __collect {
    ($name:ident) => {
        $crate::__collect!(
            $name,
            "",
            $crate::__private::collect::Stateless,
            $crate::__private::AnyState
        );
    };
    ($name:ident, $state:ty) => {
        $crate::__collect!($name, ::core::stringify!($state), $state, $state);
    };
    ($name:ident, $written:expr, $state:ty, $probed:ty) => {
        #[allow(unused_imports)]
        use $crate::__private::collect::Unfit as _;
        impl $crate::__private::collect::Named for $name {
            fn make() -> Self {
                $name {}
            }
        }
        $crate::__private::collect::submit! {
            $crate::__private::collect::Collected {
                place: (::core::module_path!(), ::core::file!(), ::core::line!()),
                name: ::core::stringify!($name),
                state: $written,
                mount: $crate::__private::collect::Fit::<$name, $state>::MOUNT,
                spec: $crate::__private::collect::Fit::<$name, $probed>::SPEC,
            }
        }
    };
}

/// Does nothing without the feature.
#[cfg(not(feature = "collect"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __collect {
    ($($anything:tt)*) => {};
}
