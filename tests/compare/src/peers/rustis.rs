//! rustis: a stream for each channel. It refuses a second stream on a channel, so several handlers
//! of one channel share its stream through a broadcast channel of shared messages.

use std::sync::Arc;

use futures_util::StreamExt;
use rustis::client::{Client, PubSubMessage, PubSubStream};
use rustis::commands::PubSubCommands;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use super::{BUFFER, Running};
use crate::Result;
use crate::job::Job;
use crate::lanes::{Lane, Lanes};

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    let client = Client::connect(format!("redis://127.0.0.1:{port}")).await?;
    lanes.reports_loss();
    for (index, channel) in job.channel_names().into_iter().enumerate() {
        let stream = client.subscribe(channel).await?;
        if job.fan_out() == 1 {
            tokio::spawn(run(stream, lanes.lane(index), lanes.clone()));
            continue;
        }
        let (sender, _) = broadcast::channel(BUFFER.get());
        for copy in 0..job.fan_out() {
            let lane = lanes.lane(index + copy * job.channels);
            tokio::spawn(run_shared(sender.subscribe(), lane, lanes.clone()));
        }
        tokio::spawn(fan_out(stream, sender, lanes.clone()));
    }
    Ok(Running::new(client))
}

async fn run(mut stream: PubSubStream, lane: Arc<Lane>, lanes: Lanes) {
    let mut dropped = 0;
    while let Some(Ok(message)) = stream.next().await {
        lane.serve(message.payload()).await;
        note_dropped(&stream, &mut dropped, &lanes);
    }
}

async fn fan_out(mut stream: PubSubStream, sender: Sender<Arc<PubSubMessage>>, lanes: Lanes) {
    let mut dropped = 0;
    while let Some(Ok(message)) = stream.next().await {
        let _ = sender.send(Arc::new(message));
        note_dropped(&stream, &mut dropped, &lanes);
    }
}

async fn run_shared(mut messages: Receiver<Arc<PubSubMessage>>, lane: Arc<Lane>, lanes: Lanes) {
    loop {
        match messages.recv().await {
            Ok(message) => lane.serve(message.payload()).await,
            Err(RecvError::Lagged(count)) => lanes.add_lost(count),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Adds the stream's new losses. The stream drops the oldest messages, so a message always follows a
/// loss and this is called again.
fn note_dropped(stream: &PubSubStream, known: &mut usize, lanes: &Lanes) {
    let dropped = stream.dropped_messages();
    if dropped != *known {
        lanes.add_lost((dropped - *known) as u64);
        *known = dropped;
    }
}
