//! What the applications refuse, whatever sends it.

use redis::AsyncCommands as _;
use reqwest::header::ORIGIN;
use reqwest::{Client, RequestBuilder};
use tests::Server;

use crate::client::{read_to_end, request, say, status, upgrade};
use crate::stage::{Application, server};

async fn start(program: &str) -> (Server, Application) {
    let server = server().await;
    let application = Application::start(program, &["--port", "0"], &server.url(), 1);
    (server, application)
}

async fn redis(server: &Server) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn send(request: RequestBuilder) -> u16 {
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_short_and_the_newest_fifty_are_kept() {
    let (server, application) = start(env!("CARGO_BIN_EXE_notifications")).await;
    let client = Client::new();
    let notify = |text: String| {
        send(
            client
                .post(application.page("/ann/notifications"))
                .body(text),
        )
    };
    assert_eq!(notify("x".repeat(1_025)).await, 413);
    for number in 0..60 {
        assert_eq!(notify(format!("{number:01024}")).await, 200);
    }
    let kept: Vec<String> = redis(&server)
        .await
        .lrange("example:notifications:ann", 0, -1)
        .await
        .unwrap();
    assert_eq!(kept.len(), 50);
    assert!(kept[0].contains("059"), "the newest is the first");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_are_refused() {
    let (_server, application) = start(env!("CARGO_BIN_EXE_notifications")).await;
    let client = Client::new();
    let notify = || {
        client
            .post(application.page("/ann/notifications"))
            .body("x")
    };
    let own = application.urls[0].clone();
    assert_eq!(send(notify()).await, 200, "a program that is not a browser");
    assert_eq!(send(notify().header(ORIGIN, own)).await, 200);
    for other in ["http://elsewhere.example", "http://127.0.0.1:1", "null"] {
        assert_eq!(send(notify().header(ORIGIN, other)).await, 403, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_of_other_sites_are_refused() {
    let (_server, application) = start(env!("CARGO_BIN_EXE_chat")).await;
    let head = upgrade("/lobby/ann/socket");
    let own = &application.urls[0];
    for (head, expected) in [
        (head.clone(), 101),
        (format!("{head}\r\nOrigin: {own}"), 101),
        (format!("{head}\r\nOrigin: http://elsewhere.example"), 403),
    ] {
        let mut socket = request(&application, &head).await;
        assert_eq!(status(&mut socket).await, expected, "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_messages_of_a_chat_are_short() {
    let (server, application) = start(env!("CARGO_BIN_EXE_chat")).await;
    let (name, long) = ("n".repeat(64), "n".repeat(65));
    for (path, expected) in [
        (format!("/{name}/{name}/socket"), 101),
        (format!("/{long}/ann/socket"), 400),
        (format!("/lobby/{long}/socket"), 400),
    ] {
        let mut socket = request(&application, &upgrade(&path)).await;
        assert_eq!(status(&mut socket).await, expected, "{path}");
    }
    let mut socket = request(&application, &upgrade("/lobby/ann/socket")).await;
    say(&mut socket, &"a".repeat(4 * 1024)).await;
    say(&mut socket, &"b".repeat(4 * 1024 + 1)).await;
    // The service closes the connection.
    let heard = read_to_end(&mut socket).await;
    assert!(String::from_utf8_lossy(&heard).contains(r#"{"sent":true}"#));
    let kept: Vec<String> = redis(&server)
        .await
        .lrange("example:chat:lobby:said", 0, -1)
        .await
        .unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains("aaaa"));
}

#[tokio::test(flavor = "multi_thread")]
async fn items_have_short_names_and_quantities_are_numbers() {
    let (_server, application) = start(env!("CARGO_BIN_EXE_sync")).await;
    let client = Client::new();
    let edit = |item: &str, quantity: &'static str| {
        let url = application.page(&format!("/items/{item}"));
        send(client.post(url).body(quantity))
    };
    assert_eq!(edit(&"x".repeat(40), "1").await, 204);
    assert_eq!(edit(&"x".repeat(41), "1").await, 400);
    assert_eq!(edit("pears", "many").await, 400);
    assert_eq!(edit("pears", "99999999999").await, 400);
}
