//! A name whose readers come and go, while its commands are under way and connections end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use shuttle::thread;

use crate::broadcast::Pace;
use crate::config::Settings;
use crate::dispatch::{Confirmed, Dispatcher, RoutingTable, StreamReader};
use crate::push::{Incoming, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::model::check_some;
use crate::util::{Mutex, clock};

const KIND: Kind = Kind::Channel;
const NAME: &[u8] = b"a";

/// The connection and the server behind it, which answers in the order of the commands.
struct Connection {
    dispatcher: Arc<Dispatcher>,
    wire: Mutex<Wire>,
}

#[derive(Default)]
struct Wire {
    generation: u64,
    commands: VecDeque<Command>,
    is_subscribed: bool,
}

enum Command {
    Subscribe,
    Unsubscribe,
}

impl Connection {
    /// Begins the next generation. What was under way is lost.
    fn begin(&self) {
        let mut wire = self.wire.lock();
        let ended = wire.generation;
        *wire = Wire {
            generation: ended + 1,
            ..Wire::default()
        };
        drop(wire);
        self.dispatcher
            .accept(ended.into(), &Incoming::Disconnected);
        self.dispatcher.open((ended + 1).into());
    }

    /// Takes a turn of the session: sends what there is to send.
    fn send(&self) {
        let leaving = self
            .dispatcher
            .next_leaving(NodeId::FIRST, 10, clock::now(), true)
            .len();
        let wanted = self
            .dispatcher
            .next_wanted(NodeId::FIRST, 10, clock::wall())
            .len();
        assert!(wanted <= 1 && leaving <= 1, "one command for a name");
        let mut wire = self.wire.lock();
        wire.commands
            .extend((0..leaving).map(|_| Command::Unsubscribe));
        wire.commands
            .extend((0..wanted).map(|_| Command::Subscribe));
    }

    /// Answers the next command, if there is one.
    fn answer(&self) {
        let mut wire = self.wire.lock();
        let generation = wire.generation;
        let (kind, name) = (KIND, NAME);
        let push = match wire.commands.pop_front() {
            Some(Command::Subscribe) => {
                wire.is_subscribed = true;
                Incoming::Subscribed { kind, name }
            }
            Some(Command::Unsubscribe) => {
                wire.is_subscribed = false;
                let left = None;
                Incoming::Unsubscribed { kind, name, left }
            }
            None => return,
        };
        drop(wire);
        self.dispatcher.accept(generation.into(), &push);
    }

    /// Sends and answers until there is nothing left to do.
    fn settle(&self) {
        for _ in 0..20 {
            self.send();
            self.answer();
            let agenda = self.dispatcher.agenda(NodeId::FIRST);
            let is_idle = self.wire.lock().commands.is_empty();
            if is_idle && !agenda.has_wanted && agenda.leave_at.is_none() {
                assert_eq!(agenda.in_flight, 0);
                return;
            }
        }
        panic!(
            "it does not end: {:?}",
            self.dispatcher.agenda(NodeId::FIRST)
        );
    }

    fn subscribe(&self) -> StreamReader {
        let mut list: Arc<[_]> = [Subscription::channel("a")].into();
        let reader = self.dispatcher.subscribe(&mut list, Pace::Within(8), 100);
        reader.expect("there is no limit")
    }
}

#[test]
fn a_name_is_subscribed_exactly_while_somebody_reads_it() {
    check_some(|| {
        let settings = Settings {
            linger: Duration::ZERO,
            ..Settings::default()
        };
        let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
        let connection = Arc::new(Connection {
            dispatcher,
            wire: Mutex::default(),
        });
        connection.begin();
        let readers = [false, true].map(|stays| {
            let connection = Arc::clone(&connection);
            thread::spawn(move || {
                drop(connection.subscribe());
                stays.then(|| connection.subscribe())
            })
        });
        let link = Arc::clone(&connection);
        let link = thread::spawn(move || {
            for _ in 0..3 {
                link.answer();
                thread::yield_now();
            }
        });
        for turn in 0..4 {
            connection.send();
            if turn == 2 {
                connection.begin();
            }
            thread::yield_now();
        }
        let mut kept = None;
        for reader in readers {
            kept = reader.join().unwrap().or(kept);
        }
        link.join().unwrap();

        connection.settle();
        assert!(connection.wire.lock().is_subscribed);
        let mut kept = kept.expect("one reader stays");
        let mut context = Context::from_waker(Waker::noop());
        let confirmed = kept.poll_confirmed(&mut context);
        assert_eq!(confirmed, Poll::Ready(Confirmed::Yes));

        drop(kept);
        connection.settle();
        assert!(!connection.wire.lock().is_subscribed);
        assert!(connection.dispatcher.lock().routes.is_empty());
    });
}
