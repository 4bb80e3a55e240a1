//! The rights that a user needs on the server: exactly those in the docs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::Value;
use redis_push::{BoxError, Credentials, Subscriber, Subscription};
use tests::{RealCluster, RealServer, Server, eventually, within};

use crate::support::{Journal, recorder, subscriber};

const COMMANDS: [&str; 8] = [
    "+subscribe",
    "+psubscribe",
    "+ssubscribe",
    "+unsubscribe",
    "+punsubscribe",
    "+sunsubscribe",
    "+ping",
    "+client|tracking",
];
const SET_INFO: &str = "+client|setinfo";

/// The commands that the server knows. It refuses a rule about an unknown command.
fn commands(server: &RealServer) -> Vec<&'static str> {
    let mut commands = COMMANDS.to_vec();
    if !server.has_shards() {
        commands.retain(|command| !["+ssubscribe", "+sunsubscribe"].contains(command));
    }
    commands
}

/// Creates a user `reader` with the given commands. Servers of version 7.0 do not know `CLIENT
/// SETINFO` and refuse a rule about it. Older servers accept any rule.
async fn make_user(server: &RealServer, commands: &[&str]) {
    let user = [
        "ACL",
        "SETUSER",
        "reader",
        "reset",
        "on",
        ">first",
        "resetchannels",
        "&news",
        "&quotes.*",
        "&shard",
        "-@all",
    ];
    server.command(&[&user, commands].concat()).await;
    let known = server.command(&["COMMAND", "INFO", "client|setinfo"]).await;
    let is_known = !matches!(&known, Value::Array(known) if known[..] == [Value::Nil]);
    if is_known || !server.has_shards() {
        server
            .command(&["ACL", "SETUSER", "reader", SET_INFO])
            .await;
    }
    server.command(&["ACL", "LOG", "RESET"]).await;
}

/// The commands and channels that the server has denied since [`make_user`].
async fn denied(server: &RealServer) -> Vec<Value> {
    redis::from_redis_value(server.command(&["ACL", "LOG"]).await).unwrap()
}

async fn clients(server: &Server) -> String {
    let Server::Real(server) = server else {
        unreachable!("the broker lists no clients");
    };
    redis::from_redis_value(server.command(&["CLIENT", "LIST"]).await).unwrap()
}

/// Subscribes to a name of each kind, loses the connection, pings and shuts down. Returns whether it
/// got that far.
async fn session(server: &Server, journals: bool) -> bool {
    let (news, mut news_journal) = recorder("news", Subscription::channel("news"));
    let template = Subscription::template("quotes.{symbol}").unwrap();
    let (quotes, mut quotes_journal) = recorder("quotes", template);
    // A server without sharded channels has three kinds.
    let last = match server {
        Server::Real(server) if !server.has_shards() => Subscription::channel("shard"),
        _ => Subscription::shard("shard"),
    };
    let (last, mut last_journal) = recorder("last", last);
    let (users, mut users_journal) = recorder("users", Subscription::invalidation("user:"));
    let starting = subscriber(server.url().replace("redis://", "redis://reader:first@"))
        .ping(Duration::from_millis(20), Duration::from_secs(5))
        .handlers([news, quotes, last, users])
        .start();
    let Ok(handle) = within("the start", starting).await else {
        return false;
    };
    let begin = async |journal: &mut Journal| journal.begins().await;
    begin(&mut news_journal).await;
    begin(&mut quotes_journal).await;
    begin(&mut last_journal).await;
    begin(&mut users_journal).await;
    if journals {
        server.publish("news", "1").await;
        news_journal.message("news", "1").await;
        server.publish("quotes.acme", "2").await;
        quotes_journal.message("quotes.acme", "2").await;
        server.kill_connections().await;
        last_journal.lost_connection().await;
        within("ready again", handle.ready()).await;
    }
    eventually("a ping", async || {
        clients(server).await.contains("cmd=ping user=reader")
    })
    .await;
    handle.shutdown(Duration::from_millis(500)).await;
    true
}

pub(crate) async fn a_user_with_the_documented_rights_is_denied_nothing(server: RealServer) {
    const DOCS: &str = include_str!("../../runtime/docs/server-rights.md");
    for right in COMMANDS.into_iter().chain([SET_INFO]) {
        assert!(DOCS.contains(right), "the docs do not name {right}");
    }
    let commands = commands(&server);
    make_user(&server, &commands).await;
    let server = Server::Real(server);
    assert!(session(&server, true).await);
    let Server::Real(real) = &server else {
        unreachable!();
    };
    assert_eq!(denied(real).await, [], "a user with these rights");
    // Every right is needed.
    for left_out in &commands {
        let mut rest = commands.clone();
        rest.retain(|command| command != left_out);
        make_user(real, &rest).await;
        session(&server, false).await;
        assert_ne!(denied(real).await, [], "{left_out} is not needed");
    }
}

pub(crate) async fn a_user_with_a_changed_password_reconnects_without_a_restart(
    server: RealServer,
) {
    make_user(&server, &commands(&server)).await;
    let current = Arc::new(Mutex::new("first"));
    let provider = {
        let current = Arc::clone(&current);
        move || {
            let password = *current.lock().unwrap();
            async move { Ok::<_, BoxError>(Credentials::new("reader", password)) }
        }
    };
    let (mount, mut journal) = recorder("news", Subscription::channel("news"));
    let starting = subscriber(server.url())
        .credentials(provider)
        // A user without the right to name connections has no name.
        .client_name("reader-of-news")
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    for password in ["second", "third"] {
        let rule = format!(">{password}");
        server
            .command(&["ACL", "SETUSER", "reader", "resetpass", &rule])
            .await;
        *current.lock().unwrap() = password;
        server.command(&["CLIENT", "KILL", "USER", "reader"]).await;
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        server.command(&["PUBLISH", "news", password]).await;
        journal.message("news", password).await;
    }
}

pub(crate) async fn a_cluster_whose_user_may_not_ask_is_an_error_at_once(cluster: RealCluster) {
    let rights =
        "ACL SETUSER reader on >first resetchannels &news -@all +subscribe +unsubscribe +ping";
    let words: Vec<_> = rights.split_ascii_whitespace().collect();
    for node in cluster.nodes() {
        node.command(&words).await;
    }
    let url = cluster.nodes()[0].url();
    let (mount, _) = recorder("news", Subscription::channel("news"));
    let subscriber = Subscriber::cluster([url.replace("redis://", "redis://reader:first@")])
        .start_deadline(Duration::from_secs(300))
        .handlers([mount]);
    let error = within("the error", subscriber.start()).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    let text = error.to_string();
    for part in ["NOPERM", "grant `+cluster|slots`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
