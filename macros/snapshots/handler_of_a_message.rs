#[push_handler]
pub async fn on_quote(quote: Quote<'_>, State(db): State<Db>, channel: ChannelName<'_>) -> Result<(), DbError> {
    db.store(channel.as_str(), quote).await
}
// becomes
#[doc(hidden)]
#[allow(non_camel_case_types)]
pub struct on_quote {}
const _: () = {
    use ::redis_push::__private as __p;
    const __CHECKS: __p::ArgumentChecks<__p::AnyState> = {
        let mut __checks = __p::ArgumentChecks::<__p::AnyState>::OWN;
        __checks.arg::<Quote<'static>>("Quote<'_>");
        __checks.state_arg::<State<Db>>("State<Db>");
        __checks.arg::<ChannelName<'static>>("ChannelName<'_>");
        __checks.listens()
    };
    impl<__S: ::core::marker::Sync> __p::Handler<__S> for on_quote
    where
        for<'__p> Quote<'__p>: __p::FromPush<'__p, __S>,
        for<'__p> State<Db>: __p::FromPush<'__p, __S>,
        for<'__p> ChannelName<'__p>: __p::FromPush<'__p, __S>,
    {
        fn spec(&self) -> __p::Spec {
            __CHECKS.spec("on_quote", ::core::file!(), ::core::line!())
        }
        async fn handle(&self, __push: __p::Push<'_>, __state: &__S) -> __p::Handled {
            __p::send(
                    __p::answer::<
                        Result<(), DbError>,
                    >(
                        on_quote(
                                __p::arg(__push, __state)?,
                                __p::arg(__push, __state)?,
                                __p::arg(__push, __state)?,
                            )
                            .await,
                    ),
                    __push,
                )
                .await
        }
    }
};
