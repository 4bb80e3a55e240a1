//! Messages that are decoded once, for handlers and for streams.

use std::sync::{Arc, Mutex};

use redis_push::{
    ChannelName, Event, EventStream, Json, PushMessage, Rejection, State, handlers, push_handler,
};
use tests::{Server, eventually, within};

use crate::support::subscriber;

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: String,
    bid: u32,
}

/// What the handlers have received.
#[derive(Default)]
struct Received {
    quotes: Mutex<Vec<Arc<Quote>>>,
    rejections: Mutex<Vec<String>>,
}

#[push_handler]
async fn first(quote: Arc<Quote>, State(received): State<Arc<Received>>) {
    received.quotes.lock().unwrap().push(quote);
}

#[push_handler]
async fn second(
    channel: ChannelName<'_>,
    quote: Arc<Quote>,
    State(received): State<Arc<Received>>,
) {
    assert_eq!(channel.as_str(), format!("quotes.{}", quote.symbol));
    received.quotes.lock().unwrap().push(quote);
}

#[push_handler]
async fn third(quote: Result<Arc<Quote>, Rejection>, State(received): State<Arc<Received>>) {
    match quote {
        Ok(quote) => received.quotes.lock().unwrap().push(quote),
        Err(why) => received.rejections.lock().unwrap().push(why.to_string()),
    }
}

/// Another view of the same payload.
#[push_handler(channel = "quotes.{symbol}")]
async fn fourth(value: Arc<Json<serde_json::Value>>) {
    assert!(value.0.is_object());
}

pub(crate) async fn handlers_of_a_name_share_each_message(server: Server) {
    let received = Arc::<Received>::default();
    let subscriber = subscriber(server.url())
        .state(Arc::clone(&received))
        .handlers(handlers![first, second, third, fourth]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    for bid in 0..100 {
        server
            .publish("quotes.X", &format!(r#"{{"bid": {bid}}}"#))
            .await;
    }
    server.publish("quotes.X", "{}").await;
    eventually("every delivery to have ended", async || {
        let stats = handle.stats();
        stats
            .handlers
            .iter()
            .all(|handler| handler.delivered() == 101)
    })
    .await;
    let mut quotes = std::mem::take(&mut *received.quotes.lock().unwrap());
    assert_eq!(quotes.len(), 300);
    quotes.sort_by_key(|quote| quote.bid);
    for (same, bid) in quotes.chunks(3).zip(0..) {
        assert_eq!((&*same[0].symbol, same[0].bid), ("X", bid));
        assert!(same.iter().all(|quote| Arc::ptr_eq(quote, &same[0])));
    }
    let rejected = handle
        .stats()
        .handlers
        .iter()
        .map(|handler| handler.rejected)
        .sum::<u64>();
    assert_eq!(
        rejected, 2,
        "`third` takes the rejection, and `fourth` any object"
    );
    let rejections = received.rejections.lock().unwrap();
    assert_eq!(rejections.len(), 1);
    assert!(rejections[0].starts_with("the payload is not the JSON of `Quote`"));
}

async fn message(stream: &mut EventStream<Arc<Quote>>) -> Arc<Quote> {
    loop {
        match within("the next event", stream.next()).await {
            Some(Event::Message(quote)) => return quote,
            Some(Event::Gap(gap)) if gap.cause == redis_push::GapCause::Initial => {}
            _ => panic!("expected a message"),
        }
    }
}

pub(crate) async fn streams_of_a_name_share_each_message(server: Server) {
    let handle = within("the start", subscriber(server.url()).start())
        .await
        .unwrap();
    let mut streams = Vec::new();
    for _ in 0..10 {
        let shared = handle.subscribe(Quote::at("X")).shared().into_future();
        streams.push(within("the confirmation", shared).await.unwrap());
    }
    let own = handle.subscribe(Quote::at("X")).into_future();
    let mut own = within("the confirmation", own).await.unwrap();
    own.next().await;
    for bid in 0..100 {
        server
            .publish("quotes.X", &format!(r#"{{"bid": {bid}}}"#))
            .await;
        let quote = message(&mut streams[0]).await;
        for stream in &mut streams[1..] {
            let same = message(stream).await;
            assert!(Arc::ptr_eq(&same, &quote) && same.bid == bid);
        }
        let Some(Event::Message(other)) = within("the next event", own.next()).await else {
            panic!("expected a message");
        };
        assert_eq!(other, *quote);
    }
}
