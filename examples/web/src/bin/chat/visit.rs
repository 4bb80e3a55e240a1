//! One browser in one room.

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use redis_push::{BoxError, Event, EventStream};
use serde_json::json;
use web::Failed;

use crate::room::{BEAT, Presence, Rooms, Said, Visitor};

/// How long the name of a room or of a visitor can be, and how many bytes a browser can send at a time.
const LONGEST: usize = 64;
const MOST: usize = 4 * 1024;

pub(crate) async fn open(
    socket: WebSocketUpgrade,
    State(rooms): State<Rooms>,
    Path((room, name)): Path<(String, String)>,
) -> Result<Response, Failed> {
    if [&room, &name]
        .iter()
        .any(|text| text.chars().count() > LONGEST)
    {
        let answer = (StatusCode::BAD_REQUEST, "this name is too long");
        return Ok(answer.into_response());
    }
    // Both streams begin here, so that a room that cannot be is an answer, and not a socket that closes.
    let said = rooms.handle.subscribe(Said::at(&room)).now()?;
    let presence = rooms.handle.subscribe(Presence::at(&room)).latest().now()?;
    let visitor = Visitor {
        room,
        name,
        number: fastrand::u64(..),
    };
    let socket = socket.max_message_size(MOST).max_frame_size(MOST);
    Ok(socket.on_upgrade(async move |socket| {
        let mut leaving = rooms.clone();
        // After an error, the browser connects again and begins with what is current.
        let _ = visit(socket, rooms, &visitor, said, presence).await;
        // If this fails too, the visit ends by itself a little later.
        let _ = leaving.leave(&visitor).await;
    }))
}

/// Passes on what is said and who is there, until either side ends.
async fn visit(
    mut socket: WebSocket,
    mut rooms: Rooms,
    visitor: &Visitor,
    mut said: EventStream<Said>,
    mut presence: EventStream<Presence>,
) -> Result<(), BoxError> {
    let mut beat = tokio::time::interval(BEAT);
    loop {
        let message = tokio::select! {
            event = said.next() => match event {
                Some(Event::Message(said)) => json!({ "said": said }).to_string(),
                // First of all, and whenever something may be missing.
                Some(Event::Gap(_)) => rooms.said(visitor).await?,
                Some(_) => continue, // a message that does not decode
                None => return Ok(()), // the service ends
            },
            event = presence.next() => match event {
                Some(_) => json!({ "present": rooms.present(visitor).await? }).to_string(),
                None => return Ok(()),
            },
            // A socket must be read even if the browser says nothing: its end is noticed here.
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let sent = rooms.say(visitor, text.to_string()).await.is_ok();
                    json!({ "sent": sent }).to_string()
                }
                Some(Ok(_)) => continue, // a ping or a pong
                Some(Err(_)) | None => return Ok(()),
            },
            _ = beat.tick() => {
                // During an outage this fails. When it is over, the next one succeeds.
                let _ = rooms.stay(visitor).await;
                socket.send(Message::Ping(Vec::new().into())).await?;
                continue;
            }
        };
        socket.send(message.into()).await?;
    }
}
