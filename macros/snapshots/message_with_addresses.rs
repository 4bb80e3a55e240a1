#[derive(PushMessage)]
#[push(channel = ["rooms.{room}.{user}.{tag}", "old:{user}:{tag}:{room}"], at = address, receive_only)]
pub(crate) struct Joined<'a> {
    user: Cow<'a, str>,
    room: rooms::Id,
    tag: Tag<'a>,
}
// becomes
#[allow(deprecated, nonstandard_style, single_use_lifetimes, type_alias_bounds)]
const _: () = {
    use ::redis_push::__private as __p;
    impl<'a> __p::PushMessage for Joined<'a> {
        const SUBSCRIPTIONS: &'static [__p::Subscription] = &[
            {
                const __SEGMENTS: &[__p::Segment] = &[
                    __p::Segment::Literal(__p::Cow::Borrowed("rooms.")),
                    __p::Segment::Param(__p::Cow::Borrowed("room")),
                    __p::Segment::Literal(__p::Cow::Borrowed(".")),
                    __p::Segment::Param(__p::Cow::Borrowed("user")),
                    __p::Segment::Literal(__p::Cow::Borrowed(".")),
                    __p::Segment::Param(__p::Cow::Borrowed("tag")),
                ];
                __p::Subscription::from_segments("rooms.*.*.*", __SEGMENTS)
            },
            {
                const __SEGMENTS: &[__p::Segment] = &[
                    __p::Segment::Literal(__p::Cow::Borrowed("old:")),
                    __p::Segment::Param(__p::Cow::Borrowed("user")),
                    __p::Segment::Literal(__p::Cow::Borrowed(":")),
                    __p::Segment::Param(__p::Cow::Borrowed("tag")),
                    __p::Segment::Literal(__p::Cow::Borrowed(":")),
                    __p::Segment::Param(__p::Cow::Borrowed("room")),
                ];
                __p::Subscription::from_segments("old:*:*:*", __SEGMENTS)
            },
        ];
        const FIELDS: &'static [&'static str] = &["user", "room", "tag"];
    }
    #[allow(unused_imports)]
    use __p::ConvertByFrom as _;
    impl<'__p, 'a, __S> __p::FromPush<'__p, __S> for Joined<'a>
    where
        '__p: 'a,
    {
        const MESSAGE: ::core::option::Option<__p::MessageDescriptor> = ::core::option::Option::Some(
            __p::MessageDescriptor::of::<Self>(),
        );
        fn from_push(__push: __p::Push<'__p>, _: &'__p __S) -> __p::Taken<Self> {
            let [__0, __1, __2] = __p::params(
                __push,
                <Self as __p::PushMessage>::SUBSCRIPTIONS,
                ["room", "user", "tag"],
            )?;
            ::core::result::Result::Ok(Self {
                user: __p::param(
                    "user",
                    <Cow<'a, str> as __p::FromText<'_, __p::Borrowed>>::from_text(__1),
                )?,
                room: __p::param("room", __p::Conversion::<rooms::Id>::convert(__0))?,
                tag: __p::param("tag", __p::Conversion::<Tag<'a>>::convert(__2))?,
            })
        }
    }
    #[allow(clippy::too_many_arguments, dead_code)]
    impl<'a> Joined<'a> {
        ///Returns the address of the channels `rooms.{room}.{user}.{tag}`, `old:{user}:{tag}:{room}` with these params.
        pub(crate) fn address(
            room: rooms::Id,
            user: &str,
            tag: Tag<'_>,
        ) -> __p::Address<Self>
        where
            for<'__x> rooms::Id: ::core::fmt::Display,
            for<'__x> Tag<'__x>: ::core::fmt::Display,
        {
            __p::Address::new(&[("room", &room), ("user", &user), ("tag", &tag)])
        }
        ///Returns the address of every channel `rooms.{room}.{user}.{tag}`, `old:{user}:{tag}:{room}`.
        pub(crate) fn address_any() -> __p::Address<Self> {
            __p::Address::any()
        }
    }
};
