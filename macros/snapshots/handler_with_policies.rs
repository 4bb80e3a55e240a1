#[push_handler(
    channel = ["orders.{region}", "old.orders.{region}"],
    buffer = 1024,
    overflow = "drop_newest",
    timeout = "5s",
    workers = 4,
    ordered_by = region,
    required,
    on_gap = resync,
    on_error = "resync",
    retry = 3,
    retry_delay = "50ms",
    state = App
)]
async fn on_order(Param(region): Param<&str>, body: &[u8]) -> Option<Publish<Receipt>> {
    None
}
// becomes
#[doc(hidden)]
#[allow(non_camel_case_types)]
struct on_order {}
const _: () = {
    use ::redis_push::__private as __p;
    #[allow(unused_imports)]
    use __p::ConvertByFrom as _;
    use __p::stand_in::*;
    const _: () = {
        let _ = resync;
        ::core::assert!(
            __Handler::IS_HANDLER,
            "`resync` is not a gap handler; annotate it with `#[gap_handler]`"
        )
    };
    #[allow(unused_macros)]
    macro_rules! resync {
        () => {};
    }
    use resync as __Handler;
    const __CHECKS: __p::ArgumentChecks<App> = {
        let mut __checks = __p::ArgumentChecks::<App>::PATTERN.with_params(&["region"]);
        __checks.arg::<&'static [u8]>("&[u8]");
        __checks.fills(&["region"]);
        __checks.fills(&["region"]);
        __checks.param::<Param<&'static str>, _>("region", &["region"]);
        __checks.is_ordered_by("region", &["region"]);
        __checks
    };
    impl __p::Handler<App> for on_order
    where
        for<'__p> Param<&'__p str>: __p::NamedParam<&'__p str>,
        for<'__p> &'__p [u8]: __p::FromPush<'__p, App>,
        __Handler: __p::GapHandler<App>,
    {
        fn spec(&self) -> __p::Spec {
            __CHECKS
                .spec("on_order", ::core::file!(), ::core::line!())
                .on_all(const {
                    &[
                        {
                            const __SEGMENTS: &[__p::Segment] = &[
                                __p::Segment::Literal(__p::Cow::Borrowed("orders.")),
                                __p::Segment::Param(__p::Cow::Borrowed("region")),
                            ];
                            __p::Subscription::from_segments("orders.*", __SEGMENTS)
                        },
                        {
                            const __SEGMENTS: &[__p::Segment] = &[
                                __p::Segment::Literal(__p::Cow::Borrowed("old.orders.")),
                                __p::Segment::Param(__p::Cow::Borrowed("region")),
                            ];
                            __p::Subscription::from_segments("old.orders.*", __SEGMENTS)
                        },
                    ]
                })
                .buffer(1024)
                .overflow(__p::Overflow::DropNewest)
                .timeout(::core::time::Duration::from_millis(5000u64))
                .workers(4)
                .ordered_by("region")
                .required()
                .on_gap("resync")
                .on_error(__p::OnError::Resync)
                .retry(
                    __p::Retry::times(3)
                        .delay(::core::time::Duration::from_millis(50u64)),
                )
        }
        async fn handle(&self, __push: __p::Push<'_>, __state: &App) -> __p::Handled {
            __p::send(
                    __p::answer::<
                        Option<Publish<Receipt>>,
                    >(
                        on_order(
                                __p::param_arg::<
                                    Param<&'_ str>,
                                    _,
                                >(
                                    "region",
                                    <&'_ str as __p::FromText<
                                        '_,
                                        __p::Borrowed,
                                    >>::from_text(__p::param_text("region", __push)?),
                                )?,
                                __p::arg(__push, __state)?,
                            )
                            .await,
                    ),
                    __push,
                )
                .await
        }
        async fn handle_gap(&self, __gap: &__p::Gap, __state: &App) -> __p::Handled {
            __p::GapHandler::handle(&__Handler {}, __gap, __state).await
        }
    }
};
