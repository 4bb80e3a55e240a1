//! A test's server, applications and driver. All of them end with the test, however it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use leash::Leashed;
use redis_push::testing::Broker;
use tests::{RealServer, Server, ServerBinary, eventually_in};
use thirtyfour::{ChromiumLikeCapabilities as _, DesiredCapabilities, WebDriver};
use tokio::sync::{Mutex, MutexGuard};

use crate::page::Page;

/// How long something may take that has to happen. A browser on a busy machine is slow.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Browsers take much memory and time, so one test runs at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// Fields are dropped in this order: browsers before their driver, applications before their server.
pub(crate) struct Stage {
    _driver: Leashed,
    _folder: Folder,
    driver_url: String,
    /// The server of the applications. A restart keeps its data.
    pub(crate) server: Server,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// Starts a server and a driver. Returns `None` if there is no browser, and says so.
    pub(crate) async fn set() -> Option<Self> {
        let Some(chromedriver) = on_path("chromedriver") else {
            let missing =
                "no chromedriver on PATH (on Debian, install chromium and chromium-driver)";
            assert!(
                !is_required("REQUIRE_CHROMIUM"),
                "REQUIRE_CHROMIUM=1: {missing}"
            );
            // What `eprintln!` prints is shown only if the test fails.
            let skipped = format!("skipped: {missing}\n");
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        };
        let turn = TURN.lock().await;
        let folder = Folder::create();
        let mut driver = Leashed::spawn(chromedriver, |driver| {
            let driver = driver.arg("--port=0").env("TMPDIR", &folder.0);
            driver.stdout(Stdio::piped())
        })
        .unwrap();
        let port = output(&mut driver, 1, |line| {
            let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        Some(Self {
            _driver: driver,
            _folder: folder,
            driver_url: format!("http://127.0.0.1:{}", port[0]),
            server: server().await,
            _turn: turn,
        })
    }

    /// Starts an application on a free port, and returns it when it listens.
    pub(crate) fn run(&self, program: &str) -> Application {
        self.run_with(program, &["--port", "0"], 1)
    }

    /// Starts an application by this command, and returns it when all of its processes listen.
    pub(crate) fn run_with(
        &self,
        program: &str,
        arguments: &[&str],
        processes: usize,
    ) -> Application {
        Application::start(program, arguments, &self.server.url(), processes)
    }

    /// Opens a page in a browser of its own.
    pub(crate) async fn open(&self, url: &str) -> Page {
        let mut chromium = DesiredCapabilities::chrome();
        if let Some(path) = on_path("chromium") {
            chromium.set_binary(path.to_str().unwrap()).unwrap();
        }
        for argument in [
            "--headless=new",
            // A sandbox needs rights that a container does not have.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            // The browser ends with its driver, even if that is killed.
            "--remote-debugging-pipe",
        ] {
            chromium.add_arg(argument).unwrap();
        }
        let driver = WebDriver::builder(&self.driver_url, chromium).request_timeout(BOUND);
        Page::open(driver.await.expect("a browser"), url).await
    }
}

/// A folder for temporary files, such as those that browsers leave behind.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn create() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("redis-push-tests-{}-{count}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running application.
pub(crate) struct Application {
    program: String,
    server: String,
    process: Leashed,
    /// The addresses of its pages, such as `http://127.0.0.1:4711`, one for each of its processes.
    pub(crate) urls: Vec<String>,
}

impl Application {
    pub(crate) fn start(program: &str, arguments: &[&str], server: &str, processes: usize) -> Self {
        let mut process = Leashed::spawn(program, |application| {
            let application = application.args(arguments).env("REDIS_URL", server);
            application.stdout(Stdio::piped())
        })
        .unwrap();
        let urls = output(&mut process, processes, |line| {
            let (_, address) = line.split_once("http://")?;
            Some(format!("http://{}", address.split('/').next()?))
        });
        Self {
            program: program.to_owned(),
            server: server.to_owned(),
            process,
            urls,
        }
    }

    /// The address of a page.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.urls[0])
    }

    /// Kills the application.
    pub(crate) fn kill(self) -> Killed {
        let (_, port) = self.urls[0].rsplit_once(':').unwrap();
        Killed {
            port: port.to_owned(),
            program: self.program,
            server: self.server,
        }
    }

    /// Asks the application to end, and returns whether it ended well.
    pub(crate) async fn terminate(mut self) -> bool {
        let id = self.process.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &id]).status();
        assert!(kill.unwrap().success());
        let ends = async || self.process.has_ended();
        eventually_in(BOUND, "the end of the application", ends).await;
        self.process.wait().unwrap().success()
    }
}

/// An application that was killed.
pub(crate) struct Killed {
    program: String,
    server: String,
    port: String,
}

impl Killed {
    /// Starts the application on the same port again.
    pub(crate) fn start_again(self) -> Application {
        Application::start(&self.program, &["--port", &self.port], &self.server, 1)
    }
}

/// Finds something in this many lines of a process's output, within [`BOUND`].
fn output(process: &mut Leashed, lines: usize, find: fn(&str) -> Option<String>) -> Vec<String> {
    let output = BufReader::new(process.stdout().expect("a pipe")).lines();
    let (sender, found) = mpsc::channel();
    // It reads to the end, because a process cannot write to a pipe that nobody reads.
    std::thread::spawn(move || {
        for text in output.map_while(Result::ok).filter_map(|line| find(&line)) {
            let _ = sender.send(text);
        }
    });
    let each = (0..lines).map(|_| found.recv_timeout(BOUND));
    each.collect::<Result<_, _>>()
        .expect("an address in the output")
}

/// The first real server that is found, with its data on disk, else the embedded broker.
pub(crate) async fn server() -> Server {
    let Some(binary) = ServerBinary::found().unwrap().into_iter().next() else {
        assert!(
            !is_required("REQUIRE_REAL_REDIS"),
            "REQUIRE_REAL_REDIS=1: no real server found"
        );
        return Server::Broker(Broker::start().await.unwrap());
    };
    let keeps_data = ["--appendonly", "yes", "--appendfsync", "always"];
    Server::Real(RealServer::start_with(&binary, &keeps_data).await)
}

pub(crate) fn is_required(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}
