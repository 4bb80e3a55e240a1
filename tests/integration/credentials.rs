//! Credentials that change, and the name of the connection.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_push::{BoxError, Credentials, Subscription};
use tests::{RealServer, Server, eventually, within};

use crate::support::{plain, recorder, subscriber};

pub(crate) async fn a_changed_password_is_requested_before_each_attempt(server: Server) {
    server.set_password(Some("first")).await;
    let current = Arc::new(Mutex::new("first"));
    let asked = Arc::new(AtomicUsize::new(0));
    let provider = {
        let (current, asked) = (Arc::clone(&current), Arc::clone(&asked));
        move || {
            asked.fetch_add(1, SeqCst);
            let password = *current.lock().unwrap();
            async move { Ok::<_, BoxError>(Credentials::of_default_user(password)) }
        }
    };
    // The provider overrides the credentials in the URL.
    let url = server.url().replace("redis://", "redis://nobody:wrong@");
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = subscriber(url)
        .credentials(provider)
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    assert_eq!(asked.load(SeqCst), 1);

    server.set_password(Some("second")).await;
    assert!(handle.is_ready(), "an open connection must stay open");
    server.kill_connections().await;
    // The server has the new password, and the provider still returns the old one.
    eventually("attempts with the old password", async || {
        asked.load(SeqCst) >= 4
    })
    .await;
    assert!(!handle.is_ready());
    *current.lock().unwrap() = "second";
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    server.publish("a", "again").await;
    journal.message("a", "again").await;
}

pub(crate) async fn a_provider_that_hangs_fails_or_panics_costs_only_an_attempt(server: Server) {
    server.set_password(Some("right")).await;
    let asked = AtomicUsize::new(0);
    let provider = move || {
        let time = asked.fetch_add(1, SeqCst);
        async move {
            match time {
                0 => pending().await,
                1 => Err("the vault is sealed"),
                2 => panic!("asked to panic"),
                _ => Ok(Credentials::of_default_user("right")),
            }
        }
    };
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = subscriber(server.url())
        .connect_timeout(Duration::from_millis(500))
        .credentials(provider)
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    assert!(handle.is_ready());
    journal.begins().await;
}

pub(crate) async fn the_error_of_a_credentials_provider_is_shown() {
    let (mount, _) = recorder("a", Subscription::channel("a"));
    let starting = plain("redis://127.0.0.1/")
        .credentials(|| async { Err::<Credentials, _>("the vault is sealed") })
        .start_deadline(Duration::from_millis(500))
        .handlers([mount])
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_timeout() && error.is_connection(), "{error}");
    assert!(error.to_string().contains("the vault is sealed"), "{error}");
}

/// Records that it was dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

pub(crate) async fn a_shutdown_does_not_wait_for_credentials() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let was_asked = Arc::new(AtomicBool::new(false));
    let was_dropped = Arc::new(AtomicBool::new(false));
    let provider = {
        let (asked, dropped) = (Arc::clone(&was_asked), Arc::clone(&was_dropped));
        move || {
            asked.store(true, SeqCst);
            let dropped = Dropped(Arc::clone(&dropped));
            async move {
                pending::<()>().await;
                drop(dropped);
                Err::<Credentials, _>("never")
            }
        }
    };
    let (mount, _) = recorder("a", Subscription::channel("a"));
    let running = tokio::spawn(
        plain("redis://127.0.0.1/")
            .connect_timeout(Duration::from_secs(3600))
            .credentials(provider)
            .handlers([mount])
            .run_until(async { stopped.await.unwrap() }),
    );
    eventually("the provider to be asked", async || was_asked.load(SeqCst)).await;
    stop.send(()).unwrap();
    within("the end", running).await.unwrap().unwrap();
    eventually("the provider's future to be dropped", async || {
        was_dropped.load(SeqCst)
    })
    .await;
}

/// The database and the name of each named connection.
async fn named(server: &Server) -> Vec<(String, String)> {
    let Server::Real(real) = server else {
        unreachable!("the broker lists no clients");
    };
    let list: String = redis::from_redis_value(real.command(&["CLIENT", "LIST"]).await).unwrap();
    let word = |line: &str, key: &str| {
        let mut words = line.split(' ').filter_map(|word| word.split_once('='));
        let found = words.find(|(name, _)| *name == key);
        found.map(|(_, value)| value.to_owned()).unwrap()
    };
    list.lines()
        .map(|line| (word(line, "db"), word(line, "name")))
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

pub(crate) async fn the_name_and_the_database_are_set_on_every_connection(server: RealServer) {
    let server = Server::Real(server);
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = subscriber(format!("{}3", server.url()))
        .client_name("quotes-reader")
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    let expected = [("3".to_owned(), "quotes-reader".to_owned())];
    for _ in 0..3 {
        assert_eq!(named(&server).await, expected);
        server.kill_connections().await;
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
    }
}

pub(crate) async fn an_invalid_client_name_is_reported_without_a_connection() {
    for name in ["", "two words", "line\nbreak", "Lärm"] {
        let (mount, _) = recorder("a", Subscription::channel("a"));
        let starting = plain("redis://127.0.0.1/")
            .client_name(name)
            .handlers([mount])
            .start();
        let error = within("the start", starting).await.unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains("client name"), "{error}");
    }
}
