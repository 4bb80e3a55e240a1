//! How the map of slots is learned.
//!
//! A task asks the nodes, one look at a time, whoever wants one. Those who want one while it is under way get
//! the next one: what it has seen may be older than what they know. Only those who
//! know nothing yet get the one that is under way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::known::Known;
use super::topology::{Node, Topology};
use super::view::View;
use crate::connection::{CommandError, NodeAddress};
use crate::error::Error;
use crate::util::clock;

/// The time between two looks.
const APART: Duration = Duration::from_millis(100);

/// How long a node may take to answer.
const WITHIN: Duration = Duration::from_secs(1);

/// How many nodes are asked, at most, if the first ones may be behind.
const MOST_VIEWS: usize = 5;

/// How a look has ended.
type Ended = watch::Receiver<Option<Result<(), Arc<Error>>>>;

/// The looks: one that is under way, and one that comes next.
#[derive(Default)]
pub(super) struct Look {
    under_way: Option<Ended>,
    next: Option<Ended>,
    /// When the last one began.
    begun: Option<Instant>,
    /// When the last one began that has brought a map.
    learned: Option<Instant>,
    /// Which node is asked first.
    turn: usize,
}

impl Look {
    pub(super) fn is_older_than(&self, interval: Duration) -> bool {
        let age = self.learned.map(|learned| clock::now() - learned);
        age.is_none_or(|age| age >= interval)
    }
}

/// Whether the task is still there. It is not if its runtime has ended.
fn is_alive(look: &mut Ended) -> bool {
    look.has_changed().is_ok()
}

impl Topology {
    /// Waits for a look that begins after this call.
    ///
    /// # Errors
    ///
    /// Returns an error if no node says which node has which slots.
    pub(super) async fn looked(self: &Arc<Self>) -> Result<(), Error> {
        let mut look = self.look_soon_with(&mut self.known.lock());
        match look.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(error.again()),
            Ok(_) => Ok(()),
            Err(_) => Err(Error::connection("the look at the cluster was aborted")),
        }
    }

    /// Waits for a look, also for one that is under way: whoever knows nothing yet knows nothing that it could be
    /// older than. If that one fails, waits for another.
    ///
    /// # Errors
    ///
    /// Like [`looked`](Self::looked).
    pub(super) async fn first_looked(self: &Arc<Self>) -> Result<(), Error> {
        let under_way = self.known.lock().look.under_way.clone();
        if let Some(mut look) = under_way
            && let Ok(ended) = look.wait_for(Option::is_some).await
            && matches!(&*ended, Some(Ok(())))
        {
            return Ok(());
        }
        self.looked().await
    }

    /// Has the map looked at soon.
    pub(super) fn look_soon(self: &Arc<Self>) {
        self.look_soon_with(&mut self.known.lock());
    }

    pub(super) fn look_soon_with(self: &Arc<Self>, known: &mut Known) -> Ended {
        let look = &mut known.look;
        look.next.take_if(|next| !is_alive(next));
        look.under_way.take_if(|look| !is_alive(look));
        if let Some(next) = &look.next {
            return next.clone();
        }
        let (end, ended) = watch::channel(None);
        look.next = Some(ended.clone());
        let before = look.under_way.clone();
        let (topology, stop) = (Arc::clone(self), self.stop.clone());
        tokio::spawn(async move {
            let look = async {
                let result = topology.look(before).await.map_err(Arc::new);
                end.send_replace(Some(result));
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = look => {}
            }
        });
        ended
    }

    /// Looks, after the look before.
    async fn look(self: &Arc<Self>, before: Option<Ended>) -> Result<(), Error> {
        if let Some(mut before) = before {
            let _ = before.wait_for(Option::is_some).await;
        }
        let last = self.known.lock().look.begun;
        if let Some(last) = last {
            sleep_until(last + APART).await;
        }
        let begun = clock::now();
        {
            let look = &mut self.known.lock().look;
            look.begun = Some(begun);
            look.under_way = look.next.take();
            look.turn = look.turn.wrapping_add(1);
        }
        let view = self.ask().await;
        let known = &mut *self.known.lock();
        known.look.under_way = None;
        let View { map, epoch, .. } = view?;
        known.learn(map, epoch);
        known.look.learned = Some(begun);
        Ok(())
    }

    /// Returns what the first node says that is not behind. If all are, what the best of them says.
    async fn ask(&self) -> Result<View, Error> {
        let epoch = self.known.lock().epoch;
        let mut best: Option<View> = None;
        let mut views = 0;
        let mut errors = Errors::default();
        for node in self.candidates() {
            let view = match node {
                Ok(node) => self.ask_one(&node).await,
                Err(error) => Err(error),
            };
            match view {
                Err(error) => errors.add(error),
                Ok(view) => {
                    views += 1;
                    let is_current = view.is_ok && view.epoch >= epoch;
                    if best.as_ref().is_none_or(|best| view.is_better_than(best)) {
                        best = Some(view);
                    }
                    if is_current || views == MOST_VIEWS {
                        break;
                    }
                }
            }
        }
        best.ok_or_else(|| errors.sum())
    }

    /// Returns the nodes to ask: those that answer, each in its turn, then those that the user has named, and
    /// last those that did not answer.
    fn candidates(&self) -> Vec<Result<Arc<Node>, Error>> {
        let (turn, primaries) = {
            let known = self.known.lock();
            let primaries: Vec<_> = known.map.primaries().cloned().collect();
            (known.look.turn, primaries)
        };
        let at = turn % primaries.len().max(1);
        let (front, back) = primaries.split_at(at);
        let seeds: Vec<NodeAddress> = self.seeds.each().map(|(address, _)| address).collect();
        let mut addresses: Vec<&NodeAddress> = Vec::new();
        for address in back.iter().chain(front).chain(&seeds) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let nodes = addresses.into_iter().map(|address| self.node(address));
        let is_trusted =
            |node: &Result<Arc<Node>, Error>| node.as_ref().is_ok_and(|node| !node.is_suspect());
        let (mut nodes, suspects): (Vec<_>, Vec<_>) = nodes.partition(is_trusted);
        nodes.extend(suspects);
        nodes
    }

    async fn ask_one(&self, node: &Node) -> Result<View, Error> {
        let question = View::question();
        let all = (0, question.len());
        let answer = node.connection.replies(&question, all, WITHIN).await;
        node.suspect(answer.is_err());
        let answer = answer.map_err(|error| match error {
            CommandError::NotSent(error) | CommandError::Unknown(error) => error,
            CommandError::Refused(refusal) => Error::connection(refusal.text),
        })?;
        View::read(&answer, &node.address)
    }
}

/// The errors of nodes that do not say which node has which slots.
#[derive(Default)]
struct Errors {
    /// The first one that will not pass by itself.
    lasting: Option<Error>,
    texts: Vec<String>,
}

impl Errors {
    fn add(&mut self, error: Error) {
        let text = error.to_string();
        if !self.texts.contains(&text) {
            self.texts.push(text);
        }
        if !error.is_connection() && !error.is_timeout() {
            self.lasting.get_or_insert(error);
        }
    }

    fn sum(self) -> Error {
        let texts = self.texts.join("; ");
        let text = format!("no node of the cluster says which node has which slots: {texts}");
        match self.lasting {
            Some(error) => error.in_words(|_| text),
            None => Error::connection(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::connection::cluster::seeds::Seeds;
    use crate::connection::options::Options;

    /// A publisher's first messages would wait for the next look, which comes [`APART`] later.
    #[tokio::test]
    async fn whoever_knows_nothing_waits_for_the_look_that_is_under_way() {
        // It accepts connections and does not answer.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}/", silent.local_addr().unwrap());
        let seeds = Seeds::new(&[url], Options::default()).unwrap();
        let (topology, _stop) = Topology::new(seeds, Duration::from_secs(60));
        let looks = || {
            let look = &topology.known.lock().look;
            (look.under_way.is_some(), look.next.is_some())
        };
        let calls = [(); 2].map(|()| {
            let topology = Arc::clone(&topology);
            async move { topology.first_looked().await }
        });
        let [first, second] = calls.map(tokio::spawn);
        while !looks().0 {
            tokio::task::yield_now().await;
        }
        let third = Arc::clone(&topology);
        let third = tokio::spawn(async move { third.first_looked().await });
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(looks(), (true, false), "one look for all");
        topology.look_soon();
        assert_eq!(looks(), (true, true));
        for call in [first, second, third] {
            call.abort();
        }
    }
}
