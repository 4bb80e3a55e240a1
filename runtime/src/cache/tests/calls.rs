use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

use super::feed::Feed;
use crate::cache::NearCache;
use crate::error::{BoxError, Result};
use crate::util::Mutex;

impl Feed {
    /// Begins a cache whose loads a test answers.
    pub(super) fn cache(&self) -> (Users, Loads) {
        let loads = Loads::default();
        let cache = self.builder().load_with(loads.loader()).now().unwrap();
        (cache, loads)
    }
}

/// Creates a feed that is connected, and a cache.
pub(super) fn connected() -> (Feed, Users, Loads) {
    let mut feed = Feed::new();
    let (cache, loads) = feed.cache();
    feed.connect();
    (feed, cache, loads)
}

pub(super) type Users = NearCache<u64, String>;

/// The loads of a cache that are under way.
#[derive(Clone, Default)]
pub(super) struct Loads(pub(super) Arc<Mutex<Vec<Load>>>);

pub(super) struct Load {
    pub(super) id: u64,
    answer: oneshot::Sender<Answer>,
}

/// A value, `None` for an absent key, an error, or a panic.
pub(super) type Answer = std::result::Result<Option<String>, BoxError>;

impl Loads {
    pub(super) fn loader(
        &self,
    ) -> impl Fn(u64) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync + use<> {
        let loads = Arc::clone(&self.0);
        move |id| {
            let (answer, answered) = oneshot::channel();
            loads.lock().push(Load { id, answer });
            Box::pin(async { answered.await.unwrap_or_else(|_| panic!("no answer")) })
        }
    }

    /// Takes the oldest load that is not answered.
    pub(super) fn take(&self, id: u64) -> Load {
        let mut loads = self.0.lock();
        let at = loads.iter().position(|load| load.id == id);
        loads.remove(at.unwrap_or_else(|| panic!("{id} is not loaded")))
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Load {
    pub(super) fn answer(self, value: &str) {
        let _ = self.answer.send(Ok(Some(value.to_owned())));
    }

    pub(super) fn absent(self) {
        let _ = self.answer.send(Ok(None));
    }

    pub(super) fn fails(self, error: impl Into<BoxError>) {
        let _ = self.answer.send(Err(error.into()));
    }

    pub(super) fn panics(self) {
        drop(self.answer);
    }
}

/// A call under way, which runs only when a test polls it.
pub(super) struct Call<T>(pub(super) Pin<Box<dyn Future<Output = T>>>);

impl<T> Call<T> {
    /// Begins a call, and runs it until it waits.
    pub(super) fn begin(call: impl Future<Output = T> + 'static) -> Self {
        let mut call = Self(Box::pin(call));
        assert!(call.poll().is_none(), "the call is over already");
        call
    }

    pub(super) fn poll(&mut self) -> Option<T> {
        match self
            .0
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    /// Returns the output of a call that waits for nothing more.
    pub(super) fn end(mut self) -> T {
        self.poll().expect("the call still waits")
    }
}

/// Asks for a user who has to be loaded.
pub(super) fn begin(cache: &Users, id: u64) -> Call<Result<Option<Arc<String>>>> {
    let cache = cache.clone();
    Call::begin(async move { cache.get(&id).await })
}

/// Asks for a user of whom the cache knows.
pub(super) fn get(cache: &Users, id: u64) -> Option<String> {
    let got = Box::pin(cache.get(&id))
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    match got {
        Poll::Ready(value) => value.unwrap().map(|value| (*value).clone()),
        Poll::Pending => panic!("{id} is not in the cache"),
    }
}

/// Loads a user into the cache.
pub(super) fn fill(cache: &Users, loads: &Loads, id: u64, value: &str) {
    let call = begin(cache, id);
    loads.take(id).answer(value);
    assert_eq!(text(call.end()), value);
}

#[track_caller]
pub(super) fn text(outcome: Result<Option<Arc<String>>>) -> String {
    (*outcome.unwrap().expect("a value")).clone()
}
