//! A client that shows every frame as it was received, in a short notation for expectations.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::within;

/// A raw connection.
///
/// A frame is shown as `+OK`, `-ERR text`, `:1`, `"bulk"` (with escapes), `_` and `$-1` and `*-1`
/// for the three nulls, `="txt:a"` for a text, `["a" :1]` for an array, `>["message" "a" "b"]` for a push and
/// `{"key" "value"}` for a map.
pub struct RawClient {
    stream: TcpStream,
    buffer: Vec<u8>,
    fences: usize,
}

impl RawClient {
    /// Connects and sends nothing.
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

    /// Connects and switches to RESP3.
    pub async fn resp3(addr: SocketAddr) -> Self {
        let mut client = Self::connect(addr).await;
        let hello = client.ask("HELLO 3").await;
        assert!(hello.starts_with('{'), "{hello}");
        client
    }

    /// Sends bytes unchanged. Errors are ignored: the next read reports the end.
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

    /// Receives the next frame.
    ///
    /// # Panics
    ///
    /// If the server closes the connection or sends nothing for too long.
    pub async fn hear(&mut self) -> String {
        self.hear_or_end()
            .await
            .expect("the server closed the connection")
    }

    /// Receives the next frame. Returns `None` if the server closed the connection.
    pub async fn hear_or_end(&mut self) -> Option<String> {
        loop {
            if let Some((shown, length)) = show(&self.buffer) {
                self.buffer.drain(..length);
                return Some(shown);
            }
            let read = self.stream.read_buf(&mut self.buffer);
            // A reset is an end too. Which of the two comes depends on unread input.
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

    /// Sends a command and returns the next frame.
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

    /// Asserts that a command is answered with exactly these frames.
    pub async fn expect<T: AsRef<str>>(&mut self, command: &str, expected: &[T]) {
        self.say(command).await;
        let heard = self.until_fence().await;
        let expected: Vec<_> = expected.iter().map(AsRef::as_ref).collect();
        assert_eq!(heard, expected, "the reply to {command}");
    }

    /// Returns every frame that the server has sent so far. It sends a PING and reads up to the
    /// reply, which comes after all of them.
    pub async fn until_fence(&mut self) -> Vec<String> {
        self.fences += 1;
        let mark = format!("fence-{}", self.fences);
        self.say(&format!("PING {mark}")).await;
        // A RESP2 client with subscriptions gets an array.
        let replies = [format!("{mark:?}"), format!("[\"pong\" {mark:?}]")];
        let mut frames = Vec::new();
        loop {
            let frame = self.hear().await;
            if replies.contains(&frame) {
                return frames;
            }
            // Before AUTH the PING is refused too, after the reply to the command.
            if frame.starts_with("-NOAUTH") && !frames.is_empty() {
                return frames;
            }
            frames.push(frame);
        }
    }
}

/// The first frame in the bytes as text, and its length.
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
        '$' | '=' => {
            let length: usize = line.parse().expect("a length");
            let bulk = bytes.get(at..at + length + 2)?;
            at += length + 2;
            let equals = if kind == '=' { "=" } else { "" };
            format!("{equals}\"{}\"", bulk[..length].escape_ascii())
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
