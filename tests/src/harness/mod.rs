//! Runs each test once per server, on its own runtime and for a bounded time.
//!
//! ```no_run
//! use tests::harness::Suite;
//! use tests::{Server, tests};
//!
//! async fn a_message_reaches_its_subscriber(server: Server) {
//!     let mut client = server.raw3().await;
//!     client.expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#]).await;
//!     server.publish("news", "hello").await;
//!     client.hears(&[r#">["message" "news" "hello"]"#]).await;
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Suite::new("greetings").on_every_server(tests![a_message_reaches_its_subscriber]).run()
//! }
//! ```

mod several;
mod turn;

use std::any::Any;
use std::future::Future;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use redis_push::testing::Broker;
use tokio::runtime::Builder;
use tokio::time::timeout;

use turn::Turn;

use crate::real_server::{ServerBinary, kill_leftovers};
use crate::{RealServer, Server};

/// Turns names of async functions into a list of [`Test`]s.
#[macro_export]
macro_rules! tests {
    ($($test:path),* $(,)?) => {
        vec![$($crate::harness::Test::new(stringify!($test), $test)),*]
    };
}

/// The future of a test. It stays on the test's own thread, so it need not be `Send`.
type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A test with arguments `A`: an async function and its name.
pub struct Test<A> {
    name: &'static str,
    run: Arc<dyn Fn(A) -> Running + Send + Sync>,
}

impl<A> Test<A> {
    /// Wraps a function. [`tests!`](crate::tests) calls this.
    pub fn new<F: TestFn<A>>(name: &'static str, function: F) -> Self {
        Self {
            name,
            run: Arc::new(move |argument| function.start(argument)),
        }
    }
}

/// An async function of one argument, or of none when `A` is `()`.
pub trait TestFn<A>: Send + Sync + 'static {
    /// Calls the function.
    fn start(&self, argument: A) -> Running;
}

impl<F, R> TestFn<()> for F
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = ()> + 'static,
{
    fn start(&self, (): ()) -> Running {
        Box::pin(self())
    }
}

impl<F, A, R> TestFn<(A,)> for F
where
    F: Fn(A) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + 'static,
{
    fn start(&self, (argument,): (A,)) -> Running {
        Box::pin(self(argument))
    }
}

/// The tests of one binary.
pub struct Suite {
    name: &'static str,
    bound: Duration,
    variant: Option<(&'static str, fn())>,
    binaries: Vec<ServerBinary>,
    /// The oldest version of a real server that can run the tests that are added.
    since: (u32, u32),
    /// The real servers that run at least one test.
    served: Vec<String>,
    wants_real: bool,
    /// Whether the tests that are added start many servers, so that only a few run at once.
    takes_turns: bool,
    trials: Vec<Trial>,
}

impl Suite {
    /// Creates a suite without tests.
    ///
    /// It ends the process if `REAL_REDIS_BINS` lists a server that does not run.
    pub fn new(name: &'static str) -> Self {
        let binaries = ServerBinary::found().unwrap_or_else(|error| {
            eprintln!("{error}");
            std::process::exit(1);
        });
        Self {
            name,
            bound: Duration::from_secs(60),
            variant: None,
            binaries,
            since: (0, 0),
            served: Vec::new(),
            wants_real: false,
            takes_turns: false,
            trials: Vec::new(),
        }
    }

    /// Sets how long each test that is added after this call may take. The default is 60 seconds.
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Sets the oldest version of a real server, such as `(7, 0)`, that runs the tests added after
    /// this call.
    pub fn since(mut self, version: (u32, u32)) -> Self {
        self.since = version;
        self
    }

    /// Names a variant for the tests that are added after this call. `prepare` is called on the
    /// thread of each test before it begins.
    pub fn variant(mut self, name: &'static str, prepare: fn()) -> Self {
        self.variant = Some((name, prepare));
        self
    }

    /// Adds tests that run on the embedded broker and on every real server.
    pub fn on_every_server(mut self, tests: Vec<Test<(Server,)>>) -> Self {
        self.wants_real = true;
        for test in tests {
            let run = test.run.clone();
            self.add(&test, Some("embedded broker"), async move || {
                run((Server::Broker(broker().await),)).await;
            });
            for binary in self.real_servers() {
                let (run, name) = (test.run.clone(), binary.name().to_owned());
                let start =
                    async move || run((Server::Real(RealServer::start(&binary).await),)).await;
                self.add(&test, Some(&name), start);
            }
        }
        self
    }

    /// Adds tests that run on the embedded broker only.
    pub fn on_the_broker(mut self, tests: Vec<Test<(Broker,)>>) -> Self {
        for test in tests {
            let run = test.run.clone();
            self.add(&test, Some("embedded broker"), async move || {
                run((broker().await,)).await;
            });
        }
        self
    }

    /// Adds tests that run on every real server only.
    pub fn on_real_servers(mut self, tests: Vec<Test<(RealServer,)>>) -> Self {
        self.wants_real = true;
        for test in tests {
            for binary in self.real_servers() {
                let (run, name) = (test.run.clone(), binary.name().to_owned());
                self.add(&test, Some(&name), async move || {
                    run((RealServer::start(&binary).await,)).await;
                });
            }
        }
        self
    }

    /// Adds tests that need no server, or start their own.
    pub fn without_server(mut self, tests: Vec<Test<()>>) -> Self {
        for test in tests {
            let run = test.run.clone();
            self.add(&test, None, async move || run(()).await);
        }
        self
    }

    fn real_servers(&mut self) -> Vec<ServerBinary> {
        let mut binaries = self.binaries.clone();
        binaries.retain(|binary| binary.version() >= self.since);
        for name in binaries.iter().map(ServerBinary::name) {
            if !self.served.iter().any(|served| served == name) {
                self.served.push(name.to_owned());
            }
        }
        binaries
    }

    fn add<A, F, R>(&mut self, test: &Test<A>, server: Option<&str>, start: F)
    where
        F: FnOnce() -> R + Send + 'static,
        R: Future<Output = ()>,
    {
        let variant = self.variant.map(|(name, _)| name);
        let name = match (server, variant) {
            (Some(server), Some(variant)) => format!("{} [{server}, {variant}]", test.name),
            (Some(one), None) | (None, Some(one)) => format!("{} [{one}]", test.name),
            (None, None) => test.name.to_owned(),
        };
        let prepare = self.variant.map_or((|| ()) as fn(), |(_, prepare)| prepare);
        let (bound, takes_turns) = (self.bound, self.takes_turns);
        self.trials.push(Trial::test(name.clone(), move || {
            // The wait does not count.
            let _turn = takes_turns.then(Turn::wait);
            run(name, bound, move || {
                prepare();
                start()
            })
        }));
    }

    /// Runs the tests that the command line selects.
    ///
    /// The servers in use are printed to standard error, because test runners parse standard
    /// output.
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        // Most of these tests wait for a server or for a timeout and use little CPU time.
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        arguments.test_threads.get_or_insert(8 * cores);
        if self.wants_real {
            if self.served.is_empty() {
                let missing = "none found (REAL_REDIS_BINS, valkey-server or redis-server on PATH)";
                if std::env::var_os("REQUIRE_REAL_REDIS").is_some_and(|value| value == "1") {
                    eprintln!(
                        "REQUIRE_REAL_REDIS=1 requires a real server for {}: {missing}",
                        self.name
                    );
                    return ExitCode::FAILURE;
                }
                eprintln!("skipped: {} on a real server: {missing}", self.name);
            } else {
                eprintln!(
                    "{} runs on: embedded broker, {}",
                    self.name,
                    self.served.join(", ")
                );
            }
        }
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        kill_leftovers();
        conclusion.exit_code()
    }
}

async fn broker() -> Broker {
    Broker::start().await.expect("a free port")
}

/// Runs one test on its own thread and its own runtime. A test that hangs is abandoned: its tasks
/// are not waited for, and neither is its thread if the thread is blocked.
fn run<F, R>(name: String, bound: Duration, start: F) -> Result<(), Failed>
where
    F: FnOnce() -> R + Send + 'static,
    R: Future<Output = ()>,
{
    let (sender, ended) = mpsc::channel();
    let test = move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let test = || runtime.block_on(async { timeout(bound, start()).await.is_ok() });
        let result = catch_unwind(AssertUnwindSafe(test));
        runtime.shutdown_background();
        let _ = sender.send(result);
    };
    thread::Builder::new().name(name).spawn(test)?;
    match ended.recv_timeout(bound + Duration::from_secs(5)) {
        Ok(Ok(true)) => Ok(()),
        Ok(Err(panic)) => Err(message(&*panic).into()),
        Ok(Ok(false)) => {
            Err(format!("the test did not end within {bound:?} and was abandoned").into())
        }
        Err(_) => Err(format!(
            "the test blocked its thread for more than {bound:?} and was abandoned"
        )
        .into()),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("the test panicked")
        .to_owned()
}
