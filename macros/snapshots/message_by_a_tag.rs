#[derive(PushMessage)]
#[push(channel = "events", tag = "type", receive_only)]
enum Event {
    SignedIn { user: u64 },
    SignedOut { user: u64 },
}
// becomes
#[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
const _: () = {
    use ::redis_push::__private as __p;
    impl __p::PushMessage for Event {
        const SUBSCRIPTIONS: &'static [__p::Subscription] = &[
            __p::Subscription::from_static(__p::Kind::Channel, "events"),
        ];
        const FIELDS: &'static [&'static str] = &[];
    }
    #[derive(__p::serde::Deserialize)]
    #[serde(
        crate = "__p::serde",
        remote = "Event",
        bound(deserialize = ""),
        tag = "type",
    )]
    #[allow(dead_code, nonstandard_style)]
    enum __Wire {
        SignedIn { user: u64 },
        SignedOut { user: u64 },
    }
    impl<'__p, __S> __p::FromPush<'__p, __S> for Event {
        const MESSAGE: ::core::option::Option<__p::MessageDescriptor> = ::core::option::Option::Some(
            __p::MessageDescriptor::of::<Self>(),
        );
        fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
            __p::json(__push, "Event", |__json| __Wire::deserialize(__json))
        }
    }
    #[allow(clippy::too_many_arguments, dead_code)]
    impl Event {
        ///Returns the address of the channel `events`.
        fn at() -> __p::Address<Self> {
            __p::Address::any()
        }
        ///Returns the address of the channel `events`.
        fn at_any() -> __p::Address<Self> {
            __p::Address::any()
        }
    }
};
