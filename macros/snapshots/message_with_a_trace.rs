#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}", trace)]
struct Quote {
    symbol: String,
    bid: f64,
}
// becomes
#[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
const _: () = {
    use ::redis_push::__private as __p;
    impl __p::PushMessage for Quote {
        const SUBSCRIPTIONS: &'static [__p::Subscription] = &[
            {
                const __SEGMENTS: &[__p::Segment] = &[
                    __p::Segment::Literal(__p::Cow::Borrowed("quotes.")),
                    __p::Segment::Param(__p::Cow::Borrowed("symbol")),
                ];
                __p::Subscription::from_segments("quotes.*", __SEGMENTS)
            },
        ];
        const FIELDS: &'static [&'static str] = &["symbol", "bid"];
    }
    #[allow(unused_imports)]
    use __p::ConvertByFrom as _;
    #[derive(__p::serde::Deserialize)]
    #[serde(crate = "__p::serde", expecting = "struct Quote")]
    #[allow(dead_code, nonstandard_style)]
    struct __Wire {
        #[serde(skip)]
        symbol: __p::Ignored<String>,
        bid: f64,
    }
    impl<'__p, __S> __p::FromPush<'__p, __S> for Quote {
        const MESSAGE: ::core::option::Option<__p::MessageDescriptor> = ::core::option::Option::Some(
            __p::MessageDescriptor::of::<Self>(),
        );
        fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
            let [__0] = __p::params(
                __push,
                <Self as __p::PushMessage>::SUBSCRIPTIONS,
                ["symbol"],
            )?;
            let __wire: __Wire = __p::traced_json(
                __push,
                "Quote",
                |__from| __p::Deserialize::deserialize(__from),
            )?;
            ::core::result::Result::Ok(Self {
                symbol: __p::param("symbol", __p::Conversion::<String>::convert(__0))?,
                bid: __wire.bid,
            })
        }
    }
    type __Field0<'__x> = f64;
    #[derive(__p::serde::Serialize)]
    #[serde(
        crate = "__p::serde",
        remote = "Quote",
        bound(serialize = "for<'__x> __Field0<'__x>: __p::Serialize"),
    )]
    #[allow(dead_code, nonstandard_style)]
    struct __Out {
        #[serde(skip)]
        symbol: String,
        bid: f64,
    }
    impl __p::ToPayload for Quote
    where
        for<'__x> f64: __p::Serialize,
    {
        fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
            __p::to_json("Quote", |__json| __Out::serialize(self, __json))
        }
        fn trace_carrier(&self) -> ::core::option::Option<__p::Carrier> {
            ::core::option::Option::Some(__p::Carrier::Json)
        }
    }
    impl __p::Publishable for Quote
    where
        for<'__x> Self: __p::ToPayload,
        for<'__x> String: ::core::fmt::Display,
    {
        fn to_channel(&self) -> __p::Written<::std::string::String> {
            __p::channel(
                <Self as __p::PushMessage>::SUBSCRIPTIONS,
                "Quote",
                &[("symbol", &self.symbol)],
            )
        }
    }
    #[allow(clippy::too_many_arguments, dead_code)]
    impl Quote {
        ///Returns the address of the channel `quotes.{symbol}` with these params.
        fn at(symbol: &str) -> __p::Address<Self> {
            __p::Address::new(&[("symbol", &symbol)])
        }
        ///Returns the address of every channel `quotes.{symbol}`.
        fn at_any() -> __p::Address<Self> {
            __p::Address::any()
        }
    }
};
