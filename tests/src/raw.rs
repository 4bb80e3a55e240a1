//! A client that shows every frame as it came, in a notation short enough for expectations.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::within;

/// A raw connection.
///
/// A frame is shown as `+OK`, `-ERR text`, `:1`, `"bulk"` (with escapes), `_` and `$-1` and `*-1`
/// for the three nulls, `["a" :1]` for an array, `>["message" "a" "b"]` for a push and
/// `{"key" "value"}` for a map.
pub struct RawClient {
    stream: TcpStream,
    buffer: Vec<u8>,
    fences: usize,
}

impl RawClient {
    /// Connects, and says nothing yet.
    pub async fn connect(addr: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(addr))
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
            fences: 0,
        }
    }

    /// Connects and changes to RESP3.
    pub async fn resp3(addr: SocketAddr) -> Self {
        let mut client = Self::connect(addr).await;
        let hello = client.ask("HELLO 3").await;
        assert!(hello.starts_with('{'), "{hello}");
        client
    }

    /// Sends bytes as they are. Errors stay unsaid: the next read tells.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Sends a command of binary words.
    pub async fn say_words<T: AsRef<[u8]>>(&mut self, words: &[T]) {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            bytes.extend(format!("${}\r\n", word.len()).bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        self.send(&bytes).await;
    }

    /// Sends a command of words separated by single spaces.
    pub async fn say(&mut self, command: &str) {
        self.say_words(&command.split(' ').collect::<Vec<_>>())
            .await;
    }

    /// The next frame.
    ///
    /// # Panics
    ///
    /// When the server closes the connection or sends nothing for too long.
    pub async fn hear(&mut self) -> String {
        self.hear_or_end()
            .await
            .expect("the server closed the connection")
    }

    /// The next frame, or `None` when the server closed the connection.
    pub async fn hear_or_end(&mut self) -> Option<String> {
        loop {
            if let Some((shown, length)) = show(&self.buffer) {
                self.buffer.drain(..length);
                return Some(shown);
            }
            let read = self.stream.read_buf(&mut self.buffer);
            // A reset is an end too: which of the two comes is up to the unread input.
            if within("a frame", read).await.unwrap_or(0) == 0 {
                assert!(
                    self.buffer.is_empty(),
                    "half a frame: {}",
                    self.buffer.escape_ascii()
                );
                return None;
            }
        }
    }

    /// Sends a command and gives back the next frame.
    pub async fn ask(&mut self, command: &str) -> String {
        self.say(command).await;
        self.hear().await
    }

    /// Asserts that the next frames are these.
    pub async fn hears<T: AsRef<str>>(&mut self, expected: &[T]) {
        let mut heard = Vec::new();
        for frame in expected {
            heard.push(self.hear().await);
            if heard.last().map(String::as_str) != Some(frame.as_ref()) {
                let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
                panic!("\n    heard {heard:#?}\n expected {expected:#?}");
            }
        }
    }

    /// Asserts what a command is answered: these frames, and none after them.
    pub async fn expect<T: AsRef<str>>(&mut self, command: &str, expected: &[T]) {
        self.say(command).await;
        let heard = self.until_fence().await;
        let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
        assert_eq!(heard, expected, "the answer to {command}");
    }

    /// Every frame that the server sent up to now: a reply is behind all of them.
    pub async fn until_fence(&mut self) -> Vec<String> {
        self.fences += 1;
        let mark = format!("fence-{}", self.fences);
        self.say(&format!("PING {mark}")).await;
        // A client with subscriptions in RESP2 gets an array.
        let replies = [format!("{mark:?}"), format!("[\"pong\" {mark:?}]")];
        let mut frames = Vec::new();
        loop {
            let frame = self.hear().await;
            if replies.contains(&frame) {
                return frames;
            }
            // Before AUTH the fence itself is refused, behind what was asked.
            if frame.starts_with("-NOAUTH") && !frames.is_empty() {
                return frames;
            }
            frames.push(frame);
        }
    }
}

/// The first frame of the bytes, shown, and its length.
fn show(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (kind, line) = (
        char::from(bytes[0]),
        str::from_utf8(&bytes[1..end]).expect("a line of text"),
    );
    let mut at = end + 2;
    let shown = match kind {
        '$' | '*' if line == "-1" => format!("{kind}-1"),
        '_' => "_".into(),
        '+' | '-' | ':' | '#' | ',' => format!("{kind}{line}"),
        '$' => {
            let length: usize = line.parse().expect("a length");
            let bulk = bytes.get(at..at + length + 2)?;
            at += length + 2;
            format!("\"{}\"", bulk[..length].escape_ascii())
        }
        '*' | '>' | '%' | '~' => {
            let length: usize = line.parse().expect("a length");
            let mut items = Vec::new();
            for _ in 0..if kind == '%' { length * 2 } else { length } {
                let (item, length) = show(&bytes[at..])?;
                items.push(item);
                at += length;
            }
            let items = items.join(" ");
            match kind {
                '%' => format!("{{{items}}}"),
                '>' => format!(">[{items}]"),
                '~' => format!("~[{items}]"),
                _ => format!("[{items}]"),
            }
        }
        _ => panic!("a frame of unknown kind: {}", bytes.escape_ascii()),
    };
    Some((shown, at))
}
