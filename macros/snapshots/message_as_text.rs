#[derive(PushMessage)]
#[push(channel = "rooms.{room}.temperature", codec = text)]
struct Temperature {
    room: u32,
    celsius: f64,
}
// becomes
#[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
const _: () = {
    use ::redis_push::__private as __p;
    impl __p::PushMessage for Temperature {
        const SUBSCRIPTIONS: &'static [__p::Subscription] = &[
            {
                const __SEGMENTS: &[__p::Segment] = &[
                    __p::Segment::Literal(__p::Cow::Borrowed("rooms.")),
                    __p::Segment::Param(__p::Cow::Borrowed("room")),
                    __p::Segment::Literal(__p::Cow::Borrowed(".temperature")),
                ];
                __p::Subscription::from_segments("rooms.*.temperature", __SEGMENTS)
            },
        ];
        const FIELDS: &'static [&'static str] = &["room", "celsius"];
        const CODEC: &'static str = "text";
    }
    #[allow(unused_imports)]
    use __p::ConvertByFrom as _;
    impl<'__p, __S> __p::FromPush<'__p, __S> for Temperature {
        const MESSAGE: ::core::option::Option<__p::MessageDescriptor> = ::core::option::Option::Some(
            __p::MessageDescriptor::of::<Self>(),
        );
        fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
            let [__0] = __p::params(
                __push,
                <Self as __p::PushMessage>::SUBSCRIPTIONS,
                ["room"],
            )?;
            ::core::result::Result::Ok(Self {
                room: __p::param("room", __p::Conversion::<u32>::convert(__0))?,
                celsius: __p::text(
                    __p::Conversion::<
                        f64,
                    >::convert(
                        __p::payload_text(
                            __push,
                            "the field `celsius` of `Temperature`",
                        )?,
                    ),
                    "the field `celsius` of `Temperature`",
                )?,
            })
        }
    }
    impl __p::ToPayload for Temperature
    where
        for<'__x> f64: ::core::fmt::Display,
    {
        fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
            __p::to_text(&self.celsius)
        }
    }
    impl __p::Publishable for Temperature
    where
        for<'__x> Self: __p::ToPayload,
        for<'__x> u32: ::core::fmt::Display,
    {
        fn to_channel(&self) -> __p::Written<::std::string::String> {
            __p::channel(
                <Self as __p::PushMessage>::SUBSCRIPTIONS,
                "Temperature",
                &[("room", &self.room)],
            )
        }
    }
    #[allow(clippy::too_many_arguments, dead_code)]
    impl Temperature {
        ///Returns the address of the channel `rooms.{room}.temperature` with these params.
        fn at(room: u32) -> __p::Address<Self> {
            __p::Address::new(&[("room", &room)])
        }
        ///Returns the address of every channel `rooms.{room}.temperature`.
        fn at_any() -> __p::Address<Self> {
            __p::Address::any()
        }
    }
};
