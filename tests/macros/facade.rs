//! A crate that re-exports `redis_push`, and has a macro that writes handlers and messages for others:
//! it names everything by `$crate`.

/// The macro's users do not depend on `redis_push`, so they have no crate of that name.
pub(crate) use ::redis_push as inner;

#[derive(Clone)]
pub(crate) struct App;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Item(u32);

pub(crate) struct Symbol(String);

impl std::str::FromStr for Symbol {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) trait Source {
    type Item;
}

#[derive(serde::Deserialize)]
pub(crate) enum Items {}

impl Source for Items {
    type Item = Item;
}

pub(crate) enum Json {}

impl inner::Codec for Json {
    fn decode<'p, T: serde::Deserialize<'p>>(payload: &'p [u8]) -> Result<T, inner::BoxError> {
        Ok(serde_json::from_slice(payload)?)
    }

    fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, inner::BoxError> {
        Ok(serde_json::to_vec(value)?)
    }
}

#[inner::gap_handler(crate = inner, state = App)]
pub(crate) async fn resync(gap: inner::Gap) {
    println!("{gap}");
}

macro_rules! service {
    ($krate:path, $param:ty) => {
        #[derive($crate::facade::inner::PushMessage)]
        #[push(channel = "items.{symbol}", crate = $crate::facade::inner)]
        struct Message<'a, T: $crate::facade::Source<Item = $crate::facade::Item>> {
            symbol: $crate::facade::Symbol,
            item: $crate::facade::Item,
            text: std::borrow::Cow<'a, str>,
            associated: T::Item,
            both: (std::marker::PhantomData<T>, &'a str),
        }

        #[derive($crate::facade::inner::PushMessage)]
        #[push(channel = "whole", crate = $krate)]
        struct Whole {
            item: Option<$crate::facade::Item>,
        }

        #[derive($crate::facade::inner::PushMessage)]
        #[push(channel = "coded", codec = $crate::facade::Json, crate = $crate::facade::inner)]
        struct Coded {
            items: Vec<$crate::facade::Item>,
        }

        #[$crate::facade::inner::push_handler(
            crate = $crate::facade::inner,
            state = $crate::facade::App,
            on_gap = $crate::facade::resync
        )]
        async fn on_message(
            message: Message<'_, $crate::facade::Items>,
            $crate::facade::inner::Param(symbol): $crate::facade::inner::Param<$crate::facade::Symbol>,
        ) -> Option<$crate::facade::inner::Publish<Whole>> {
            println!("{} {symbol}", message.symbol);
            None
        }

        #[$crate::facade::inner::push_handler(crate = $krate, channel = "x.{other}.{id}")]
        async fn on_x(id: $param) {
            println!("{}", id.0);
        }

        #[$crate::facade::inner::gap_handler(crate = $krate)]
        async fn on_gap(gap: $crate::facade::inner::Gap) {
            println!("{gap}");
        }

        fn mounts() -> Vec<$crate::facade::inner::Mount<$crate::facade::App>> {
            $crate::facade::inner::handlers![crate = $crate::facade::inner; on_message, $crate::facade::inside::on_inside, on_x]
        }
    };
}

pub(crate) mod inside {
    #[super::inner::push_handler(channel = "inside", crate = super::inner)]
    pub(crate) async fn on_inside(text: &str) {
        println!("{text}");
    }
}

/// A crate that uses the macro: `redis_push` has another meaning here.
mod user {
    #![allow(dead_code)]

    mod redis_push {}

    service!(crate::facade::inner, crate::facade::inner::Param<u64>);

    #[test]
    fn everything_may_be_named_by_the_crate_of_a_macro() {
        let text = format!("{:?}", mounts());
        for expected in [
            "on_message",
            "on_inside",
            "items.*",
            "on_gap: Some(\"facade::resync\")",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert_eq!(<Coded as super::inner::PushMessage>::CODEC, "facade::Json");
    }

    #[test]
    fn a_message_of_a_macro_is_read_and_written() {
        use super::inner::{FromPush, OwnedPush, Publishable, PushMessage, ToPayload};
        let payload = r#"{"item":1,"text":"a","associated":2,"both":[null,"b"]}"#;
        let by = <Message<'_, super::Items>>::SUBSCRIPTIONS[0].clone();
        let push = OwnedPush::new(by, "items.A", payload);
        let message =
            <Message<'_, super::Items> as FromPush<'_, ()>>::from_push(push.as_push(), &())
                .unwrap();
        assert_eq!(
            (&message.associated, message.both.1),
            (&super::Item(2), "b")
        );
        assert_eq!(message.to_channel().unwrap(), "items.A");
        assert_eq!(message.to_payload().unwrap(), payload.as_bytes());
        let whole = Whole {
            item: Some(super::Item(3)),
        };
        assert_eq!(whole.to_payload().unwrap(), br#"{"item":3}"#.as_slice());
        let coded = Coded {
            items: vec![super::Item(4)],
        };
        assert_eq!(coded.to_payload().unwrap(), br#"{"items":[4]}"#.as_slice());
    }

    #[tokio::test]
    async fn the_type_of_an_argument_may_come_from_a_macro() {
        let by = crate::template("x.{other}.{id}");
        let push = super::inner::OwnedPush::new(by, "x.a.7", "");
        super::inner::Handler::handle(&on_x {}, push.as_push(), &())
            .await
            .unwrap();
    }
}
