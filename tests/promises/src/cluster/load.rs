//! Numbered messages for the channels of a cluster.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use redis_push::Kind;
use tests::{Node, RealCluster};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::account::Acknowledged;
use crate::stream::Lane;

/// How long a node may take to accept a connection, or to answer.
const PATIENCE: Duration = Duration::from_millis(300);
/// How many messages are on the way at a time.
const AT_ONCE: u64 = 3;
/// The pause after them.
const PAUSE: Duration = Duration::from_millis(4);

/// The pause before a publisher goes to another node. What it has published before may reach the other nodes
/// later than what it publishes there.
const BETWEEN: Duration = Duration::from_millis(50);

/// Publishes to each lane until it is dropped.
pub(crate) struct Load {
    acknowledged: Vec<Arc<Mutex<Vec<Acknowledged>>>>,
    avoided: Arc<Mutex<Vec<SocketAddr>>>,
    _tasks: JoinSet<()>,
}

impl Load {
    /// Begins to publish. Sharded channels have their publisher at the owner of the slot, and every second
    /// one of the other lanes at another node, so that its messages pass the links between the nodes.
    pub(crate) async fn begin(cluster: &Arc<RealCluster>, lanes: &[Lane]) -> Self {
        let avoided = Arc::<Mutex<Vec<_>>>::default();
        let mut acknowledged = Vec::new();
        let mut tasks = JoinSet::new();
        for (index, lane) in lanes.iter().enumerate() {
            let owner = cluster.node_of(lane.subscription.name()).await;
            let nodes = cluster.members();
            let first = nodes.iter().position(|node| *node == owner).unwrap_or(0);
            let is_shard = lane.subscription.kind() == Kind::Shard;
            let away = if is_shard { 0 } else { index % 2 };
            let record = Arc::<Mutex<Vec<_>>>::default();
            acknowledged.push(Arc::clone(&record));
            let publisher = LanePublisher {
                lane: lane.clone(),
                command: if is_shard { "SPUBLISH" } else { "PUBLISH" },
                cluster: Arc::clone(cluster),
                avoided: Arc::clone(&avoided),
                record,
                next: (first + away) % nodes.len(),
                connection: None,
            };
            tasks.spawn(publisher.run());
        }
        Self {
            acknowledged,
            avoided,
            _tasks: tasks,
        }
    }

    /// Publishes at this node no more, and returns when nothing is on its way there.
    pub(crate) async fn avoid(&self, node: &Node) {
        lock(&self.avoided).push(node.addr());
        // A node answers first and passes on then, and may be interrupted in between for longer than a while.
        sleep(PATIENCE).await;
    }

    /// What was acknowledged for a lane so far.
    pub(crate) fn acknowledged(&self, lane: usize) -> Vec<Acknowledged> {
        lock(&self.acknowledged[lane]).clone()
    }
}

/// The publisher of one lane, with a connection to the node that is thought to be right.
struct LanePublisher {
    lane: Lane,
    command: &'static str,
    cluster: Arc<RealCluster>,
    avoided: Arc<Mutex<Vec<SocketAddr>>>,
    record: Arc<Mutex<Vec<Acknowledged>>>,
    next: usize,
    connection: Option<(SocketAddr, BufReader<TcpStream>)>,
}

/// What a node has answered.
enum Answer {
    Done,
    Moved(SocketAddr),
    Refused,
}

impl LanePublisher {
    async fn run(mut self) {
        let mut number = 0;
        loop {
            // A number is sent once. Whether one that is not acknowledged was published, nobody knows.
            if !self.publish(number..number + AT_ONCE).await {
                self.connection = None;
            }
            number += AT_ONCE;
            sleep(PAUSE).await;
        }
    }

    /// Publishes messages. Returns whether the connection is still the right one.
    async fn publish(&mut self, numbers: std::ops::Range<u64>) -> bool {
        let is_avoided = |addr: &SocketAddr| lock(&self.avoided).contains(addr);
        if self
            .connection
            .as_ref()
            .is_some_and(|(addr, _)| is_avoided(addr))
        {
            self.connection = None;
        }
        if self.connection.is_none() {
            sleep(BETWEEN).await;
            let nodes = self.cluster.members();
            let addr = nodes[self.next % nodes.len()].addr();
            self.next += 1;
            if is_avoided(&addr) {
                return false;
            }
            let connecting = timeout(PATIENCE, TcpStream::connect(addr)).await;
            let Ok(Ok(stream)) = connecting else {
                return false;
            };
            // A replica takes a sharded message too, and passes it on over a link.
            if self.command == "SPUBLISH" && !is_primary(addr).await {
                return false;
            }
            let _ = stream.set_nodelay(true);
            self.connection = Some((addr, BufReader::new(stream)));
        }
        let Some((addr, connection)) = &mut self.connection else {
            return false;
        };
        // Messages of a sharded channel have an order wherever they are published.
        let at = match self.command {
            "SPUBLISH" => 0,
            _ => addr.port(),
        };
        let mut commands = String::new();
        for number in numbers.clone() {
            let channels = &self.lane.channels;
            let channel = &channels[number as usize % channels.len()];
            commands.push_str("*3\r\n");
            for word in [self.command, channel, &number.to_string()] {
                commands.push_str(&format!("${}\r\n{word}\r\n", word.len()));
            }
        }
        let sent = SystemTime::now();
        let answers = timeout(PATIENCE, async {
            connection.get_mut().write_all(commands.as_bytes()).await?;
            let mut is_right = true;
            for number in numbers {
                match answer(connection).await? {
                    Answer::Done => lock(&self.record).push(Acknowledged {
                        number,
                        at,
                        sent,
                        answered: SystemTime::now(),
                    }),
                    Answer::Moved(to) => {
                        is_right = false;
                        let nodes = self.cluster.members();
                        let to = nodes.iter().position(|node| node.addr() == to);
                        self.next = to.unwrap_or(self.next);
                    }
                    Answer::Refused => is_right = false,
                }
            }
            std::io::Result::Ok(is_right)
        });
        matches!(answers.await, Ok(Ok(true)))
    }
}

/// Whether a node says that it is a primary.
async fn is_primary(addr: SocketAddr) -> bool {
    let asking = async {
        let mut stream = BufReader::new(TcpStream::connect(addr).await?);
        stream.get_mut().write_all(b"*1\r\n$4\r\nROLE\r\n").await?;
        let mut reply = String::new();
        // The role is the first of several entries.
        for _ in 0..3 {
            stream.read_line(&mut reply).await?;
        }
        std::io::Result::Ok(reply.contains("master"))
    };
    matches!(timeout(PATIENCE, asking).await, Ok(Ok(true)))
}

/// Reads the answer to one command.
async fn answer(connection: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let mut line = String::new();
    if connection.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    if line.starts_with(':') {
        return Ok(Answer::Done);
    }
    let to = line.strip_prefix("-MOVED ").and_then(|moved| {
        let addr = moved.trim_end().split(' ').next_back()?;
        addr.parse().ok()
    });
    Ok(to.map_or(Answer::Refused, Answer::Moved))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
