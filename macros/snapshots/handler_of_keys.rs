#[push_handler(invalidate = ["user:", "item:"])]
async fn forget(changed: Invalidation<'_>, State(cache): State<Cache>) {
    cache.forget(changed.key());
}

#[push_handler(connection)]
async fn on_connection(event: ConnectionEvent<'_>) {
    println!("{event:?}");
}
// becomes
#[doc(hidden)]
#[allow(non_camel_case_types)]
struct forget {}
const _: () = {
    use ::redis_push::__private as __p;
    const __CHECKS: __p::ArgumentChecks<__p::AnyState> = {
        let mut __checks = __p::ArgumentChecks::<__p::AnyState>::INVALIDATION;
        __checks.arg::<Invalidation<'static>>("Invalidation<'_>");
        __checks.state_arg::<State<Cache>>("State<Cache>");
        __checks
    };
    impl<__S: ::core::marker::Sync> __p::Handler<__S> for forget
    where
        for<'__p> Invalidation<'__p>: __p::FromPush<'__p, __S>,
        for<'__p> State<Cache>: __p::FromPush<'__p, __S>,
    {
        fn spec(&self) -> __p::Spec {
            __CHECKS
                .spec("forget", ::core::file!(), ::core::line!())
                .on_all(const {
                    &[
                        __p::Subscription::from_static(__p::Kind::Invalidation, "user:"),
                        __p::Subscription::from_static(__p::Kind::Invalidation, "item:"),
                    ]
                })
        }
        async fn handle(&self, __push: __p::Push<'_>, __state: &__S) -> __p::Handled {
            __p::outcome(
                forget(__p::arg(__push, __state)?, __p::arg(__push, __state)?).await,
            )
        }
    }
};
#[doc(hidden)]
#[allow(non_camel_case_types)]
struct on_connection {}
const _: () = {
    use ::redis_push::__private as __p;
    const __CHECKS: __p::ArgumentChecks<__p::AnyState> = {
        let mut __checks = __p::ArgumentChecks::<__p::AnyState>::CONNECTION;
        __checks.arg::<ConnectionEvent<'static>>("ConnectionEvent<'_>");
        __checks
    };
    impl<__S: ::core::marker::Sync> __p::Handler<__S> for on_connection
    where
        for<'__p> ConnectionEvent<'__p>: __p::FromPush<'__p, __S>,
    {
        fn spec(&self) -> __p::Spec {
            __CHECKS
                .spec("on_connection", ::core::file!(), ::core::line!())
                .on(__p::Subscription::from_static(__p::Kind::Connection, ""))
        }
        async fn handle(&self, __push: __p::Push<'_>, __state: &__S) -> __p::Handled {
            __p::outcome(on_connection(__p::arg(__push, __state)?).await)
        }
    }
};
