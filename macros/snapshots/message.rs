#[derive(PushMessage)]
#[push(channel = "alerts")]
struct Alert<'a> {
    text: Cow<'a, str>,
    level: u8,
}
// becomes
#[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
const _: () = {
    use ::redis_push::__private as __p;
    impl<'a> __p::PushMessage for Alert<'a> {
        const SUBSCRIPTIONS: &'static [__p::Subscription] = &[
            __p::Subscription::from_static(__p::Kind::Channel, "alerts"),
        ];
        const FIELDS: &'static [&'static str] = &["text", "level"];
    }
    type __Field0<'__x> = Cow<'__x, str>;
    type __Field1<'__x> = u8;
    #[derive(__p::serde::Serialize, __p::serde::Deserialize)]
    #[serde(
        crate = "__p::serde",
        remote = "Alert",
        bound(
            serialize = "for<'__x> __Field0<'__x>: __p::Serialize, for<'__x> __Field1<'__x>: __p::Serialize",
            deserialize = ""
        ),
    )]
    #[allow(dead_code, nonstandard_style)]
    struct __Wire<'a> {
        #[serde(borrow)]
        text: Cow<'a, str>,
        level: u8,
    }
    impl<'__p, 'a, __S> __p::FromPush<'__p, __S> for Alert<'a>
    where
        '__p: 'a,
    {
        const MESSAGE: ::core::option::Option<__p::MessageDescriptor> = ::core::option::Option::Some(
            __p::MessageDescriptor::of::<Self>(),
        );
        fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
            __p::json(__push, "Alert", |__json| __Wire::deserialize(__json))
        }
    }
    impl<'a> __p::ToPayload for Alert<'a>
    where
        for<'__x> Cow<'__x, str>: __p::Serialize,
        for<'__x> u8: __p::Serialize,
    {
        fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
            __p::to_json("Alert", |__json| __Wire::serialize(self, __json))
        }
    }
    impl<'a> __p::Publishable for Alert<'a>
    where
        for<'__x> Self: __p::ToPayload,
    {
        fn to_channel(&self) -> __p::Written<::std::string::String> {
            __p::channel(<Self as __p::PushMessage>::SUBSCRIPTIONS, "Alert", &[])
        }
    }
    #[allow(clippy::too_many_arguments, dead_code)]
    impl<'a> Alert<'a> {
        ///Returns the address of the channel `alerts`.
        fn at() -> __p::Address<Self> {
            __p::Address::any()
        }
        ///Returns the address of the channel `alerts`.
        fn at_any() -> __p::Address<Self> {
            __p::Address::any()
        }
    }
};
