#[push_handler(channel = ["orders.{id}", names::REFUNDS])]
async fn on_money(Param(id): Param<u64>) {}
// becomes
#[doc(hidden)]
#[allow(non_camel_case_types)]
struct on_money {}
const _: () = {
    use ::redis_push::__private as __p;
    #[allow(unused_imports)]
    use __p::ConvertByFrom as _;
    const __NAME_1: __p::ConstName = {
        const __TEXT: &'static str = names::REFUNDS;
        __p::ConstName::channel(__TEXT).other_than(&["orders.{id}"])
    };
    const __SUBSCRIPTION_1: __p::Subscription = {
        const __LITERALS: &[u8] = &__NAME_1.literals::<{ __NAME_1.literals_len() }>();
        const __GLOB: &[u8] = &__NAME_1.glob::<{ __NAME_1.glob_len() }>();
        const __SEGMENTS: &[__p::Segment] = &__NAME_1
            .segments::<{ __NAME_1.segments_len() }>(__LITERALS);
        __NAME_1.subscription(__LITERALS, __GLOB, __SEGMENTS)
    };
    const __CHECKS: __p::ArgumentChecks<__p::AnyState> = {
        let __checks = __p::ArgumentChecks::<__p::AnyState>::PATTERN
            .also(&__NAME_1)
            .with_params(&["id"]);
        __checks.fills(&["id"]);
        __checks.fills(&__NAME_1.params::<{ __NAME_1.params_len() }>());
        __checks.param::<Param<u64>, _>("id", &["id"]);
        __checks
            .param::<
                Param<u64>,
                _,
            >("id", &__NAME_1.params::<{ __NAME_1.params_len() }>());
        __checks
    };
    impl<__S: ::core::marker::Sync> __p::Handler<__S> for on_money
    where
        for<'__p> Param<u64>: __p::NamedParam<u64>,
    {
        fn spec(&self) -> __p::Spec {
            __CHECKS
                .spec("on_money", ::core::file!(), ::core::line!())
                .on_all(const {
                    &[
                        {
                            const __SEGMENTS: &[__p::Segment] = &[
                                __p::Segment::Literal(__p::Cow::Borrowed("orders.")),
                                __p::Segment::Param(__p::Cow::Borrowed("id")),
                            ];
                            __p::Subscription::from_segments("orders.*", __SEGMENTS)
                        },
                        __SUBSCRIPTION_1,
                    ]
                })
        }
        async fn handle(&self, __push: __p::Push<'_>, __state: &__S) -> __p::Handled {
            __p::outcome(
                on_money(
                        __p::param_arg::<
                            Param<u64>,
                            _,
                        >(
                            "id",
                            __p::Conversion::<
                                u64,
                            >::convert(__p::param_text("id", __push)?),
                        )?,
                    )
                    .await,
            )
        }
    }
};
