//! Passwords and private keys are never shown: not in a log at any level, an error or its sources, a
//! `Debug` output or a panic.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use redis_push::{BoxError, Credentials, Error, Subscriber, Subscription};
use tests::{Server, eventually, overheard, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{linked, plain, recorder, subscriber};

/// The texts that must not be shown, and everything that was shown to the caller.
#[derive(Default)]
struct Secrets {
    canaries: Vec<String>,
    said: Vec<String>,
}

impl Secrets {
    /// Creates a password that must be escaped in a URL, and returns it plain and escaped. The test
    /// searches for its unique beginning, so that it also finds a password that is cut.
    fn password(&mut self) -> (String, String) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let start = format!("canary-{}-", COUNT.fetch_add(1, Relaxed));
        self.canaries.push(start.clone());
        (
            format!("{start}p@ss/w#rd"),
            format!("{start}p%40ss%2Fw%23rd"),
        )
    }

    fn hear(&mut self, what: &impl Debug) {
        self.said.push(format!("{what:?} {what:#?}"));
    }

    fn hear_error(&mut self, error: &Error) {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = next {
            self.said.push(format!("{error} {error:?} {error:#?}"));
            next = error.source();
        }
    }

    async fn hear_refusal(&mut self, subscriber: Subscriber) -> Error {
        self.hear(&subscriber);
        let (mount, _) = recorder("a", Subscription::channel("a"));
        let error = within("the start", subscriber.handlers([mount]).start())
            .await
            .expect_err("the start must fail");
        self.hear_error(&error);
        error
    }

    /// Asserts that no secret was shown, and that something was logged that contains `expected`.
    fn assert_kept(&self, expected: &str) {
        let heard = overheard::lines_with(expected);
        assert!(!heard.is_empty(), "nothing was logged of {expected}");
        for canary in &self.canaries {
            let hits = overheard::lines_with(canary);
            assert!(hits.is_empty(), "{hits:#?}");
            let said = self.said.iter().filter(|said| said.contains(canary));
            let said: Vec<_> = said.collect();
            assert!(said.is_empty(), "{said:#?}");
        }
    }
}

pub(crate) async fn passwords_stay_secret_through_every_fault(server: Server) {
    let mut secrets = Secrets::default();
    let (password, in_url) = secrets.password();
    let (other, _) = secrets.password();
    server.set_password(Some(&password)).await;
    let url = server
        .url()
        .replace("redis://", &format!("redis://default:{in_url}@"));
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let ping = Duration::from_millis(200);
    let subscriber = subscriber(&url)
        .ping(ping, ping)
        .connect_timeout(Duration::from_millis(500))
        .handlers([mount]);
    secrets.hear(&subscriber);
    let handle = within("the start", subscriber.start()).await.unwrap();
    secrets.hear(&handle);
    journal.begins().await;
    for payload in ["panic", "error", "fine"] {
        server.publish("a", payload).await;
    }
    journal.message("a", "fine").await;

    server.kill_connections().await;
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;

    server.set_password(Some(&other)).await;
    server.kill_connections().await;
    eventually("the refusal", async || {
        let addr = server.addr().to_string();
        let lines = overheard::lines_with("refused the credentials");
        lines.iter().any(|line| line.contains(&addr))
    })
    .await;
    server.set_password(Some(&password)).await;
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;

    server.freeze(true);
    eventually("the silence to be noticed", async || !handle.is_ready()).await;
    server.freeze(false);
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;

    server.stop().await;
    eventually("the outage to be noticed", async || !handle.is_ready()).await;
    server.start_again().await;
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;

    server.set_password(Some(&other)).await;
    let error = secrets.hear_refusal(plain(&url)).await;
    assert!(error.is_auth(), "{error}");
    let client = redis::Client::open(url).unwrap();
    let subscriber = linked(Subscriber::with_client(client));
    assert!(secrets.hear_refusal(subscriber).await.is_auth());
    let credentials = Credentials::new("default", &*password);
    secrets.hear(&credentials);
    let subscriber = plain(server.url()).credentials(move || {
        let credentials = credentials.clone();
        async { Ok::<_, BoxError>(credentials) }
    });
    assert!(secrets.hear_refusal(subscriber).await.is_auth());

    let report = handle.shutdown(Duration::from_secs(1)).await;
    secrets.hear(&report);
    secrets.said.push(report.to_string());
    secrets.assert_kept(&server.addr().to_string());
}

pub(crate) async fn passwords_stay_secret_in_invalid_urls() {
    let mut secrets = Secrets::default();
    let (raw, escaped) = secrets.password();
    for url in [
        format!("redis://user:{raw}@127.0.0.1/"),
        format!("redis://user:{escaped}@ho st/"),
        format!("http://user:{escaped}@127.0.0.1/"),
        format!("redis://user:{escaped}@127.0.0.1/?protocol=resp2"),
        format!("redis://user:{escaped}@127.0.0.1/?protocol=9"),
        format!("redis://user:{escaped}@127.0.0.1/not-a-number"),
        format!("redis://user:{escaped}@0.0.0.0/"),
        format!("redis://:wo#{raw}@127.0.0.1/"),
        format!("redis://:wo?{raw}@127.0.0.1/"),
        format!("rediss://:{escaped}@127.0.0.1/#insecure"),
        format!("rediss://:{escaped}@127.0.0.1/#{escaped}"),
        format!("redis+unix:///tmp/none?pass={escaped}&db=x"),
        escaped,
    ] {
        let error = secrets.hear_refusal(plain(url)).await;
        assert!(error.is_config(), "{error}");
    }
    for canary in &secrets.canaries {
        let said = secrets.said.iter().find(|said| said.contains(canary));
        assert_eq!(said, None);
    }
}

/// Replies of a server to the handshake. `{}` stands for the password, which the server repeats.
const REFUSALS: [&str; 6] = [
    "-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' '{}' \r\n",
    "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `{}`, \r\n",
    "-WRONGPASS '{}' it is not\r\n",
    "-{} is not a password\r\n",
    "-ERR Syntax error in HELLO option '{}'\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n{}",
];

pub(crate) async fn passwords_stay_secret_when_the_server_repeats_them() {
    let parrots = REFUSALS
        .into_iter()
        .flat_map(|answer| [100, 12].map(|length| meet(answer, length)));
    join_all(parrots).await;
}

/// Connects to a server that repeats the first `length` characters of the password.
async fn meet(answer: &'static str, length: usize) {
    let mut secrets = Secrets::default();
    let (_, in_url) = secrets.password();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let parrot = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(repeat(client, answer, length));
        }
    });
    let url = format!("redis://:{in_url}@{addr}/");
    let error = secrets
        .hear_refusal(plain(url).start_deadline(Duration::from_secs(2)))
        .await;
    assert!(!error.to_string().contains("did not answer"), "{error}");
    secrets.assert_kept(&addr.to_string());
    parrot.abort();
}

async fn repeat(mut client: TcpStream, answer: &str, length: usize) {
    let mut said = [0; 4096];
    let count = client.read(&mut said).await.unwrap_or(0);
    let said = String::from_utf8_lossy(&said[..count]).into_owned();
    let mut words = said.lines().skip_while(|word| *word != "AUTH").skip(4);
    let password: String = words
        .next()
        .unwrap_or_default()
        .chars()
        .take(length)
        .collect();
    assert!(password.starts_with("canary-"), "the handshake was: {said}");
    // redis-rs sends three commands in its handshake, and waits for three replies.
    let answer = answer.replace("{}", &password).repeat(3);
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.read(&mut [0]).await;
}

#[cfg(any(feature = "native-tls", feature = "rustls"))]
pub(crate) async fn keys_stay_secret_through_every_fault_of_tls(server: Server) {
    use redis_push::Tls;
    use tests::{Authority, TlsProxy};

    let mut secrets = Secrets::default();
    let (password, in_url) = secrets.password();
    server.set_password(Some(&password)).await;
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let mut tls = |authority: &Authority| {
        let client = authority.client("me");
        let line = client.key.lines().nth(1).unwrap();
        secrets.canaries.push(line[30..].to_owned());
        let tls = Tls::new().root_certificate(ours.pem());
        tls.client_certificate(client.certificate, client.key)
    };
    let (known, stranger) = (tls(&theirs), tls(&ours));
    let proxy = TlsProxy::for_clients_of(&theirs, server.addr(), &ours.server()).await;
    let url = proxy
        .url()
        .replace("rediss://", &format!("rediss://:{in_url}@"));
    secrets.hear(&known);
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let subscriber = subscriber(&url).tls(known.clone()).handlers([mount]);
    secrets.hear(&subscriber);
    let handle = within("the start", subscriber.start()).await.unwrap();
    secrets.hear(&handle);
    journal.begins().await;
    proxy.cut();
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    let attempts = proxy.attempts();
    proxy.show(&Authority::new("another").server());
    proxy.close();
    eventually("several attempts", async || {
        proxy.attempts() >= attempts + 3
    })
    .await;
    proxy.show(&ours.server());
    journal.lost_connection().await;
    drop(handle);

    let proxy = TlsProxy::for_clients_of(&theirs, server.addr(), &ours.server()).await;
    let url = proxy.url();
    let short = |tls| {
        let deadline = Duration::from_secs(2);
        plain(&url).start_deadline(deadline).tls(tls)
    };
    secrets.hear_refusal(short(stranger)).await;
    // TLS succeeds here, and the server requires the password.
    assert!(secrets.hear_refusal(short(known.clone())).await.is_auth());
    let plainly = server.url().replace("redis://", "rediss://");
    secrets.hear_refusal(plain(plainly).tls(known)).await;
    secrets.assert_kept(&proxy.addr().to_string());
}
