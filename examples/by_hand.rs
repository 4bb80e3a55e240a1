//! The code that the macros generate, written by hand: a message, its handler and their mount.
//!
//! ```sh
//! cargo run --example by_hand
//! ```
//!
//! A handler with its own data counts the messages for it. The program publishes a hundred messages,
//! and fails if one of them does not arrive.

mod server;

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis_push::{
    Fault, FromPush, Gap, Handler, MessageDescriptor, Mount, Publishable, Publisher, Push,
    PushMessage, Rejection, Spec, Subscriber, Subscription, ToPayload,
};

/// A parcel, encoded as `7 to Lyon`. Apart from that format,
/// `#[derive(PushMessage)] #[push(channel = "example.parcels", codec = text)]` would generate the
/// impls below.
#[derive(Debug, PartialEq)]
struct Parcel<'a> {
    id: u64,
    to: Cow<'a, str>,
}

impl PushMessage for Parcel<'_> {
    const SUBSCRIPTIONS: &'static [Subscription] = &[Subscription::from_static(
        redis_push::Kind::Channel,
        "example.parcels",
    )];
    const CODEC: &'static str = "text";
}

/// Decodes the message for a handler. A value that borrows from the push lives as long as the
/// delivery.
impl<'p, S> FromPush<'p, S> for Parcel<'p> {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::of::<Self>());

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(push.payload())
            .map_err(|error| Rejection::caused_by("the payload is not UTF-8", error))?;
        let (id, to) = text
            .split_once(" to ")
            .ok_or_else(|| Rejection::new("the payload is not a parcel"))?;
        let id = id
            .parse()
            .map_err(|error| Rejection::caused_by("the id of the parcel is not a number", error))?;
        Ok(Self { id, to: to.into() })
    }
}

/// Encodes the message for publishing.
impl ToPayload for Parcel<'_> {
    fn to_payload(&self) -> redis_push::Result<Cow<'_, [u8]>> {
        let mut text = String::new();
        write!(text, "{} to {}", self.id, self.to).expect("writing to a String does not fail");
        Ok(Cow::Owned(text.into_bytes()))
    }
}

/// Names the channel to publish on.
impl Publishable for Parcel<'_> {
    fn to_channel(&self) -> redis_push::Result<String> {
        Ok("example.parcels".to_owned())
    }
}

/// The state that the handlers share.
#[derive(Default)]
struct Counts {
    parcels: AtomicU64,
    gaps: AtomicU64,
}

/// A handler with its own data. The type that `#[push_handler]` generates for a function has none.
struct CountParcels {
    only_to: &'static str,
}

impl Handler<Arc<Counts>> for CountParcels {
    fn spec(&self) -> Spec {
        Spec::new(format!("parcels to {}", self.only_to))
            .at(file!(), line!())
            .on_all(Parcel::SUBSCRIPTIONS)
            .takes("Parcel<'_>", "text")
            .timeout(Duration::from_secs(1))
    }

    async fn handle(&self, push: Push<'_>, counts: &Arc<Counts>) -> Result<(), Fault> {
        let parcel = Parcel::from_push(push, counts)?;
        if parcel.to == self.only_to {
            counts.parcels.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    async fn handle_gap(&self, gap: &Gap, counts: &Arc<Counts>) -> Result<(), Fault> {
        println!("parcels to {}: {gap}", self.only_to);
        counts.gaps.fetch_add(1, Relaxed);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = server::find().await?;
    println!("using {}", server.why);
    let counts = Arc::new(Counts::default());
    let mounts = ["Lyon", "Graz"].map(|only_to| Mount::new(CountParcels { only_to }));
    let handle = Subscriber::new(&server.url)
        .start_deadline(Duration::from_secs(5))
        .state(Arc::clone(&counts))
        .handlers(mounts)
        .start()
        .await?;
    println!("{}", handle.wiring());

    let publisher = Publisher::new(&server.url)?;
    let parcels: Vec<_> = (0..100)
        .map(|id| Parcel {
            id,
            to: if id % 4 == 0 { "Graz" } else { "Lyon" }.into(),
        })
        .collect();
    tokio::select! {
        receivers = publisher.publish_all(&parcels) => println!("{} published", receivers?.len()),
        () = server::asked_to_stop() => return Ok(()),
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    println!("{report}");
    match counts.parcels.load(Relaxed) {
        100 => Ok(()),
        fewer => Err(format!("{fewer} of 100 parcels arrived").into()),
    }
}
