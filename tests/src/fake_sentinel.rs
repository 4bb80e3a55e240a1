//! A sentinel that says what a test wants: one that was cut off, or knows nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

/// A server that answers as a sentinel, with what it is told to say. It ends when it is dropped.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let sentinel = tests::FakeSentinel::start().await;
/// sentinel.names("127.0.0.1:6379".parse().unwrap(), 7);
/// let mut client = tests::RawClient::resp3(sentinel.addr()).await;
/// let named = client.ask("SENTINEL GET-MASTER-ADDR-BY-NAME mymaster").await;
/// assert_eq!(named, r#"["127.0.0.1" "6379"]"#);
/// # });
/// ```
pub struct FakeSentinel {
    addr: SocketAddr,
    said: Arc<Mutex<Said>>,
    announcements: broadcast::Sender<String>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Said {
    /// The primary, and the number of the failover.
    primary: Option<(SocketAddr, u64)>,
    is_silent: bool,
    asked: usize,
}

impl FakeSentinel {
    /// Starts one that knows no primary.
    ///
    /// # Panics
    ///
    /// Panics if no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let said = Arc::<Mutex<Said>>::default();
        let announcements = broadcast::Sender::new(16);
        let mut tasks = JoinSet::new();
        let (of_clients, to_clients) = (Arc::clone(&said), announcements.clone());
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let announced = to_clients.subscribe();
                clients.spawn(serve(stream, Arc::clone(&of_clients), announced));
            }
        });
        Self {
            addr,
            said,
            announcements,
            _tasks: tasks,
        }
    }

    /// The address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL.
    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    /// Makes it name a primary, for every name, and the number of the failover that has made it that.
    pub fn names(&self, primary: SocketAddr, epoch: u64) {
        lock(&self.said).primary = Some((primary, epoch));
    }

    /// Announces a failover of `mymaster` to its subscribers.
    pub fn announce(&self, old: SocketAddr, new: SocketAddr) {
        let (old_port, new_port) = (old.port(), new.port());
        let text = format!("mymaster {} {old_port} {} {new_port}", old.ip(), new.ip());
        // Nobody may be connected.
        let _ = self.announcements.send(text);
    }

    /// Makes it answer nothing any more, or answer again.
    pub fn be_silent(&self, on: bool) {
        lock(&self.said).is_silent = on;
    }

    /// How often it was asked for the address.
    pub fn asked(&self) -> usize {
        lock(&self.said).asked
    }
}

async fn serve(
    stream: TcpStream,
    said: Arc<Mutex<Said>>,
    mut announced: broadcast::Receiver<String>,
) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut is_subscribed = false;
    loop {
        // The length of the next command, in a line. The rest of it follows at once.
        let mut line = String::new();
        let written = tokio::select! {
            read = reader.read_line(&mut line) => {
                let Some(words) = command(read.ok(), &line, &mut reader).await else {
                    return;
                };
                is_subscribed |= words[0] == "SUBSCRIBE";
                answer(&words, &said)
            }
            text = announced.recv() => match text {
                Ok(text) if is_subscribed => Some(push(&["message", "+switch-master", &text])),
                Ok(_) => None,
                Err(_) => return,
            },
        };
        if let Some(written) = written
            && writer.write_all(written.as_bytes()).await.is_err()
        {
            return;
        }
    }
}

/// Reads the rest of a command.
async fn command(
    read: Option<usize>,
    line: &str,
    reader: &mut BufReader<tokio::net::tcp::OwnedReadHalf>,
) -> Option<Vec<String>> {
    read.filter(|bytes| *bytes > 0)?;
    let count: usize = line.trim().strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut length = String::new();
        reader.read_line(&mut length).await.ok()?;
        let length: usize = length.trim().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        reader.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).to_ascii_uppercase());
    }
    Some(words)
}

fn answer(words: &[String], said: &Mutex<Said>) -> Option<String> {
    let mut said = lock(said);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let is_address = words.get(1) == Some(&"GET-MASTER-ADDR-BY-NAME");
    said.asked += usize::from(is_address);
    if said.is_silent {
        return None;
    }
    Some(match (&words[..], said.primary) {
        (["HELLO", ..], _) => "%1\r\n$5\r\nproto\r\n:3\r\n".to_owned(),
        (["SUBSCRIBE", ..], _) => ">3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n".into(),
        (["SENTINEL", "MASTER", ..], Some((primary, epoch))) => {
            let (host, port) = (primary.ip().to_string(), primary.port().to_string());
            let epoch = epoch.to_string();
            let pairs = [
                "ip",
                &host,
                "port",
                &port,
                "flags",
                "master",
                "config-epoch",
                &epoch,
            ];
            format!("%4\r\n{}", bulks(&pairs))
        }
        (["SENTINEL", "GET-MASTER-ADDR-BY-NAME", ..], Some((primary, _))) => {
            let (host, port) = (primary.ip().to_string(), primary.port().to_string());
            format!("*2\r\n{}", bulks(&[&host, &port]))
        }
        (["SENTINEL", "MASTER", ..], None) => "-ERR No such master with that name\r\n".to_owned(),
        (["SENTINEL", ..], None) => "_\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
}

fn push(words: &[&str]) -> String {
    format!(">{}\r\n{}", words.len(), bulks(words))
}

fn bulks(words: &[&str]) -> String {
    let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
    words.iter().map(bulk).collect()
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
