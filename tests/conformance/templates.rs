//! Templates: the server's glob matches every channel that a template accepts, so that it arrives.

use fastrand::Rng;
use redis_push::{OwnedPush, Subscription};
use tests::harness::Test;
use tests::{RawClient, Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![whatever_a_template_accepts_the_server_delivers]
}

const TEMPLATES: u64 = 500;
const CHANNELS: usize = 20;

/// The characters of literals: some mean something in globs or templates, and some do not.
const LITERALS: [&str; 14] = [
    "a", "quotes", ".", ":", "/", "*", "?", "[", "]", "\\", "^-", "{{", "}}", "é",
];
const TEXTS: [&str; 10] = ["x", "ACME", "*", "[a]", "\\", "é", "?", "-", "a", ""];

/// A random template.
fn template(random: &mut Rng) -> String {
    let mut text = String::new();
    let params = random.usize(1..=3);
    for index in 0..params {
        for _ in 0..random.usize(1..=3) {
            text.push_str(LITERALS[random.usize(..LITERALS.len())]);
        }
        let rest = if index + 1 == params && random.bool() {
            "*"
        } else {
            ""
        };
        text.push_str(&format!("{{p{index}{rest}}}"));
    }
    text
}

/// A channel that the template is likely to accept.
fn channel(random: &mut Rng, template: &str) -> String {
    let mut channel = String::new();
    let mut rest = template;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("{{") || rest.starts_with("}}") {
            channel.push(next);
            rest = &rest[2..];
        } else if next == '{' {
            for _ in 0..random.usize(1..=2) {
                channel.push_str(TEXTS[random.usize(..TEXTS.len())]);
            }
            rest = rest.split_once('}').expect("a param ends").1;
        } else {
            // Sometimes a channel of another form.
            if random.u8(0..40) > 0 {
                channel.push(next);
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    channel
}

async fn whatever_a_template_accepts_the_server_delivers(server: Server) {
    let mut listener = RawClient::resp3(server.addr()).await;
    let mut publisher = RawClient::resp3(server.addr()).await;
    let (mut accepted, mut others) = (0, 0);
    for seed in 0..TEMPLATES {
        let random = &mut Rng::with_seed(seed);
        let text = template(random);
        let subscription = Subscription::template(&text).unwrap();
        listener
            .say_words(&["PSUBSCRIBE", subscription.name()])
            .await;
        listener.hear().await;
        for _ in 0..CHANNELS {
            let channel = channel(random, &text);
            let push = OwnedPush::new(subscription.clone(), &channel, "");
            let is_accepted = push.as_push().param("p0").is_some();
            publisher.say_words(&["PUBLISH", &channel, ""]).await;
            let receivers = publisher.hear().await;
            if is_accepted {
                accepted += 1;
            } else {
                others += 1;
            }
            assert!(
                !is_accepted || receivers == ":1",
                "with seed {seed}, {text:?} accepts {channel:?}, but {:?} does not match it",
                subscription.name()
            );
            if receivers == ":1" {
                listener.hear().await;
            }
        }
        listener
            .say_words(&["PUNSUBSCRIBE", subscription.name()])
            .await;
        listener.hear().await;
    }
    assert!(accepted > 5_000 && others > 500, "{accepted} and {others}");
}
