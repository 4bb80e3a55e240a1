//! A client of HTTP and of WebSockets that a browser cannot be: one that does not read, or says what a page
//! would not say.

use std::net::SocketAddr;

use tests::within;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::stage::Application;

/// How little a client that does not read lets its system receive.
const RECEIVED: u32 = 4 * 1024;

/// Sends a request, and reads nothing.
pub(crate) async fn request(application: &Application, head: &str) -> TcpStream {
    let (_, address) = application.urls[0].rsplit_once('/').unwrap();
    let address: SocketAddr = address.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(RECEIVED).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let head = format!("{head}\r\nHost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The head of a request for a WebSocket, without `Host`.
pub(crate) fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    )
}

/// Reads the status of a response.
pub(crate) async fn status(stream: &mut TcpStream) -> u16 {
    let mut line = [0; "HTTP/1.1 200".len()];
    let reading = within("the status", stream.read_exact(&mut line));
    reading.await.unwrap();
    let (_, status) = str::from_utf8(&line).unwrap().split_once(' ').unwrap();
    status.parse().unwrap()
}

/// Sends a text over a WebSocket.
pub(crate) async fn say(stream: &mut TcpStream, text: &str) {
    const FINAL_TEXT: u8 = 0x81;
    const MASKED: u8 = 0x80;
    const TWO_BYTES: u8 = 126;
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    let mut frame = vec![FINAL_TEXT, MASKED | TWO_BYTES, length[0], length[1]];
    frame.extend([0; 4]); // a mask that changes nothing
    frame.extend(text.as_bytes());
    stream.write_all(&frame).await.unwrap();
}

/// Reads to the end.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    // A connection that is reset has ended too.
    let _ = within("the end", stream.read_to_end(&mut read)).await;
    read
}
