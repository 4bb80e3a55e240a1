#[push_handler(channel = "numbers")]
async fn on_number(Json(number): Json<u32>) {
    println!("{number}");
}
// becomes
#[doc(hidden)]
#[allow(non_camel_case_types)]
struct on_number {}
const _: () = {
    use ::redis_push::__private as __p;
    const __CHECKS: __p::ArgumentChecks<__p::AnyState> = {
        let mut __checks = __p::ArgumentChecks::<__p::AnyState>::EXACT;
        __checks.arg::<Json<u32>>("Json<u32>");
        __checks
    };
    impl<__S: ::core::marker::Sync> __p::Handler<__S> for on_number
    where
        for<'__p> Json<u32>: __p::FromPush<'__p, __S>,
    {
        fn spec(&self) -> __p::Spec {
            __CHECKS
                .spec("on_number", ::core::file!(), ::core::line!())
                .on(__p::Subscription::from_static(__p::Kind::Channel, "numbers"))
        }
        async fn handle(&self, __push: __p::Push<'_>, __state: &__S) -> __p::Handled {
            __p::outcome(on_number(__p::arg(__push, __state)?).await)
        }
    }
};
