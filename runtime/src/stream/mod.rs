//! Streams: subscriptions that a program reads itself, and that come and go while it runs.
//!
//! A handler is mounted once and receives messages for as long as the subscriber runs. A stream belongs
//! to whoever asked for it: one browser, one user, one room. It begins with
//! [`Handle::subscribe`](crate::Handle::subscribe) and ends when it is dropped.
//!
//! ```text
//! Handle::subscribe(what) ──▶ Subscribe ── await ──▶ EventStream ── next() ──▶ Event
//!        │ (builder: buffer, latest)  │ the server        │ one position in the broadcast
//!        ▼                            │ has confirmed     │ channel of the name
//!    dispatch: route, reader ─────────┘                   ▼
//!    session: SUBSCRIBE                          batch ── FromPush ──▶ message
//!
//! EventStream ── without_gaps ──▶ MessageStream ── next() ──▶ message
//!             └─ snapshot_with ─▶ UpdateStream  ── next() ──▶ Update: snapshot or message
//! ```
//!
//! | file | contents |
//! | --- | --- |
//! | `subscribe` | [`Subscribe`]: what a stream is to be, and the wait for its confirmation |
//! | `source` | [`Subscribable`]: what a stream can listen to |
//! | `event_stream` | [`EventStream`]: messages and gaps, decoded as they are read |
//! | `message_stream` | [`MessageStream`]: the messages alone |
//! | `update_stream` | [`UpdateStream`]: messages, and a snapshot in place of each gap |
//! | `event` | [`Event`] and [`StreamEnd`] |
//! | `update` | [`Update`] |
//! | `counters` | what streams count, by what they listen to |
//! | `log` | what streams log about single messages |
//!
//! # In and out
//!
//! `subscriber` and `cache` call [`Subscribe::new`]. `dispatch` gives a reader of the broadcast channel, and
//! takes it back. Messages are decoded by the extractors of `extract`. `telemetry` has the counts as plain
//! data.
//!
//! # Invariants
//!
//! - A stream has no task: whoever polls it does its work.
//! - The first item is a gap with the cause `Initial`. Nothing that is published after it is missing
//!   without another gap.
//! - Dropping a stream takes two short locks and needs no runtime.
//! - User code that decodes runs without a lock, and a panic in it rejects one message.

mod counters;
mod event;
mod event_stream;
mod log;
mod message_stream;
mod source;
mod subscribe;
mod update;
mod update_stream;

#[cfg(feature = "testing")]
pub(crate) use counters::StreamRegistry;
pub use event::{Event, StreamEnd};
pub use event_stream::EventStream;
pub use message_stream::MessageStream;
pub use source::Subscribable;
pub(crate) use subscribe::SubscribeContext;
pub use subscribe::{Subscribe, Subscribing};
pub use update::Update;
pub use update_stream::UpdateStream;
