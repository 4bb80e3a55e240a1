#[derive(PushMessage)]
#[push(channel = "wrapped", codec = codecs::Cbor)]
struct Wrapped<T> {
    id: u64,
    body: T,
}
// becomes
#[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
const _: () = {
    use ::redis_push::__private as __p;
    impl<T> __p::PushMessage for Wrapped<T> {
        const SUBSCRIPTIONS: &'static [__p::Subscription] = &[
            __p::Subscription::from_static(__p::Kind::Channel, "wrapped"),
        ];
        const FIELDS: &'static [&'static str] = &["id", "body"];
        const CODEC: &'static str = "codecs::Cbor";
    }
    type __Field0<'__x> = u64;
    type __Field1<'__x, T> = T;
    #[derive(__p::serde::Serialize, __p::serde::Deserialize)]
    #[serde(
        crate = "__p::serde",
        remote = "Wrapped",
        bound(
            serialize = "for<'__x> __Field0<'__x>: __p::Serialize, for<'__x> __Field1<'__x, T>: __p::Serialize",
            deserialize = "T: __p::Deserialize<'de>"
        ),
    )]
    #[allow(dead_code, nonstandard_style)]
    struct __Wire<T> {
        id: u64,
        body: T,
    }
    struct __Whole<__T>(__T);
    impl<'__p, T> __p::Deserialize<'__p> for __Whole<Wrapped<T>>
    where
        T: __p::Deserialize<'__p>,
    {
        fn deserialize<__D: __p::Deserializer<'__p>>(
            __from: __D,
        ) -> __p::Made<Self, __D::Error> {
            __Wire::deserialize(__from).map(__Whole)
        }
    }
    impl<'__p, T, __S> __p::FromPush<'__p, __S> for Wrapped<T>
    where
        T: __p::Deserialize<'__p>,
    {
        const MESSAGE: ::core::option::Option<__p::MessageDescriptor> = ::core::option::Option::Some(
            __p::MessageDescriptor::of::<Self>(),
        );
        fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
            __p::coded::<codecs::Cbor, __Whole<_>>(__push, "Wrapped")
                .map(|__whole| __whole.0)
        }
    }
    struct __Written<'__w, __T>(&'__w __T);
    impl<'__w, T> __p::Serialize for __Written<'__w, Wrapped<T>>
    where
        for<'__x> u64: __p::Serialize,
        for<'__x> T: __p::Serialize,
    {
        fn serialize<__S: __p::Serializer>(
            &self,
            __into: __S,
        ) -> __p::Made<__S::Ok, __S::Error> {
            __Wire::serialize(self.0, __into)
        }
    }
    impl<T> __p::ToPayload for Wrapped<T>
    where
        for<'__x> u64: __p::Serialize,
        for<'__x> T: __p::Serialize,
        for<'__x> codecs::Cbor: __p::Codec,
    {
        fn to_payload(&self) -> __p::Written<__p::Cow<'_, [u8]>> {
            __p::to_coded::<codecs::Cbor>("Wrapped", &__Written(self))
        }
    }
    impl<T> __p::Publishable for Wrapped<T>
    where
        for<'__x> Self: __p::ToPayload,
    {
        fn to_channel(&self) -> __p::Written<::std::string::String> {
            __p::channel(<Self as __p::PushMessage>::SUBSCRIPTIONS, "Wrapped", &[])
        }
    }
    #[allow(clippy::too_many_arguments, dead_code)]
    impl<T> Wrapped<T> {
        ///Returns the address of the channel `wrapped`.
        fn at() -> __p::Address<Self> {
            __p::Address::any()
        }
        ///Returns the address of the channel `wrapped`.
        fn at_any() -> __p::Address<Self> {
            __p::Address::any()
        }
    }
};
