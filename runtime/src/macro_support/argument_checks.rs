use std::borrow::Cow;
use std::marker::PhantomData;

use super::const_str::{contains, panic_with, same};
use super::params::NamedParam;
use crate::extract::FromPush;
use crate::handler::{MessageType, Spec};
use crate::message::{MessageDescriptor, Source};
use crate::subscription::{Segment, Subscription};

/// Checks the argument types of a handler, in their order, where they are written.
///
/// It runs in a `const`: a rule that is broken is told at the argument that breaks it, mounted or
/// not.
pub struct ArgumentChecks<S> {
    listens: Listens,
    keys: Keys,
    message: Option<&'static MessageDescriptor>,
    /// The message's type as it is written.
    written: &'static str,
    needs_pattern: bool,
    state: PhantomData<fn(S)>,
}

/// Whether what is listened to tells of keys.
#[derive(Clone, Copy, Debug)]
enum Keys {
    Never,
    Perhaps,
    Always,
}

#[derive(Clone, Copy, Debug)]
enum Listens {
    AsTheMessage,
    ByExactName,
    ByPattern,
    ToInvalidations,
    ToTheConnection,
}

impl<S> ArgumentChecks<S> {
    /// For a handler whose attribute names an exact channel.
    pub const EXACT: Self = Self::new(Listens::ByExactName);
    /// For a handler whose attribute names a pattern or a template with params.
    pub const PATTERN: Self = Self::new(Listens::ByPattern);
    /// For a handler whose attribute names an exact channel that may tell of keys.
    pub const EXACT_KEYS: Self = Self::EXACT.telling_of_keys(Keys::Perhaps);
    /// For a handler whose attribute names a pattern that may match channels that tell of keys.
    pub const PATTERN_KEYS: Self = Self::PATTERN.telling_of_keys(Keys::Perhaps);
    /// For a handler whose attribute names keys.
    pub const KEYS: Self = Self::PATTERN.telling_of_keys(Keys::Always);
    /// For a handler that listens to what its message type names.
    pub const OWN: Self = Self::new(Listens::AsTheMessage);

    /// For a handler whose attribute names the prefix of keys.
    pub const INVALIDATION: Self = Self::new(Listens::ToInvalidations);
    /// For a handler whose attribute names the connection.
    pub const CONNECTION: Self = Self::new(Listens::ToTheConnection);

    const fn new(listens: Listens) -> Self {
        Self {
            listens,
            keys: Keys::Never,
            message: None,
            written: "",
            needs_pattern: false,
            state: PhantomData,
        }
    }

    const fn telling_of_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Checks one argument, whose type is written like that.
    #[track_caller]
    pub const fn arg<'p, T: FromPush<'p, S>>(&mut self, written: &'static str) {
        if let Some(message) = Probe::<T, S>::MESSAGE {
            if self.message.is_some() {
                panic_with(["a handler takes one message; `", written, "` is the second"]);
            }
            self.check_source(message, written);
            self.message = Some(message);
            self.written = written;
        }
        self.needs_pattern |= T::NEEDS_PATTERN;
        if T::NEEDS_CHANNEL || T::NEEDS_PATTERN {
            self.listens.check_has_channel(written);
        }
        if T::NEEDS_PATTERN && matches!(self.listens, Listens::ByExactName) {
            no_pattern();
        }
    }

    /// Checks an argument that is named like a param, against the params of the attribute.
    #[track_caller]
    pub const fn param<'p, T: NamedParam<'p, Via>, Via>(&self, name: &str, params: &[&str]) {
        let of_message = match (self.listens, self.message) {
            (Listens::AsTheMessage, Some(message)) => all_have(message.subscriptions, name),
            _ => false,
        };
        self.listens.check_has_channel("Param");
        if !of_message && !contains(params, name) {
            panic_with([
                "the channel has no param `{",
                name,
                "}`; an argument `Param` is named like its param",
            ]);
        }
    }

    /// Refuses a message that is not of what is listened to.
    #[track_caller]
    const fn check_source(&self, message: &MessageDescriptor, written: &str) {
        match (self.listens, message.source) {
            (Listens::AsTheMessage, _)
            | (Listens::ToInvalidations, Source::Invalidation)
            | (Listens::ToTheConnection, Source::Connection) => {}
            (Listens::ToInvalidations, _) => panic_with([
                "a handler with `invalidate` takes an `Invalidation`; `",
                written,
                "` is not in one",
            ]),
            (Listens::ToTheConnection, _) => panic_with([
                "a handler with `connection` takes a `ConnectionEvent`; `",
                written,
                "` is not in one",
            ]),
            (_, Source::Invalidation) => panic_with([
                "`",
                written,
                "` comes to a handler with `invalidate = \"user:\"`, and by no channel",
            ]),
            (_, Source::Connection) => panic_with([
                "`",
                written,
                "` comes to a handler with `connection`, and by no channel",
            ]),
            (_, Source::Keys) if matches!(self.keys, Keys::Never) => panic_with([
                "`",
                written,
                "` comes to a handler with `keyspace = \"user:{id}\"`, and by no other channel",
            ]),
            (_, Source::Channel)
                if matches!(self.keys, Keys::Always) && same(message.codec.as_bytes(), b"json") =>
            {
                panic_with([
                    "what happens to a key is told by a word, and `",
                    written,
                    "` is read from JSON; take a `KeyEvent` or a `&str`",
                ]);
            }
            (_, Source::Keys | Source::Channel) => {}
        }
    }

    /// Refuses a handler that says nowhere what it listens to.
    #[track_caller]
    #[must_use]
    pub const fn listens(self) -> Self {
        let subscriptions = self.subscriptions();
        if subscriptions.is_empty() {
            panic!(
                "say what to listen to: `#[push_handler(channel = \"orders\")]` (or `pattern`, \
                 `shard`, `keyspace`, `invalidate`, `connection`), or take a message type that names \
                 its channel"
            );
        }
        let mut rest = subscriptions;
        while let [first, others @ ..] = rest {
            if self.needs_pattern && !first.is_pattern() {
                no_pattern();
            }
            rest = others;
        }
        self
    }

    /// Refuses a template that lacks a param of the message: no push would ever match.
    #[track_caller]
    pub const fn fills(&self, params: &[&str]) {
        let [first, ..] = self.subscriptions() else {
            return;
        };
        let Some(template) = first.params() else {
            return;
        };
        let mut rest = template.static_segments();
        while let [first, others @ ..] = rest {
            if let Segment::Param(Cow::Borrowed(name)) | Segment::Rest(Cow::Borrowed(name)) = first
                && !contains(params, name)
            {
                panic_with([
                    "the message is filled from the param `{",
                    name,
                    "}`, which is not in this channel",
                ]);
            }
            rest = others;
        }
    }

    /// Refuses a key that no message has: neither a param of the channel nor a field. A payload
    /// whose fields are not known may have any.
    #[track_caller]
    pub const fn is_ordered_by(&self, key: &str, params: &[&str]) {
        if contains(params, key) {
            return;
        }
        self.listens.check_has_channel("ordered_by");
        let fields = match self.message {
            Some(message) => message.fields,
            None => &[],
        };
        if !fields.is_empty() && !contains(fields, key) {
            panic_with([
                "`",
                key,
                "` is neither a param of the channel nor a field of the message's payload",
            ]);
        }
        if let Some(message) = self.message
            && !may_be_json(message)
            && !all_have(message.subscriptions, key)
        {
            panic_with([
                "`",
                key,
                "` is in a payload that is not JSON: only a param of the channel can order it",
            ]);
        }
    }

    /// The handler's name and place, its message, and what that names if nothing else is named.
    #[must_use]
    pub fn spec(&self, name: &'static str, file: &'static str, line: u32) -> Spec {
        let message = self.message;
        let message = message.map(|message| MessageType::of(message, self.written));
        let spec = Spec::new(name).at(file, line).with_message(message);
        match self.listens {
            Listens::AsTheMessage => spec.on_all(self.subscriptions()),
            _ => spec,
        }
    }

    /// What the message type names.
    const fn subscriptions(&self) -> &'static [Subscription] {
        match self.message {
            Some(message) => message.subscriptions,
            None => &[],
        }
    }
}

impl Listens {
    /// Refuses what is of a channel, where there is none.
    #[track_caller]
    const fn check_has_channel(self, what: &str) {
        match self {
            Self::ToInvalidations => panic_with([
                "an invalidation comes by no channel, so there is no `",
                what,
                "`; the key is in `Invalidation::Key`",
            ]),
            Self::ToTheConnection => panic_with([
                "an event of the connection comes by no channel, so there is no `",
                what,
                "`",
            ]),
            Self::AsTheMessage | Self::ByExactName | Self::ByPattern => {}
        }
    }
}

/// Text and bytes as they are may be JSON that the handler reads by itself.
const fn may_be_json(message: &MessageDescriptor) -> bool {
    let codec = message.codec.as_bytes();
    same(codec, b"json") || (message.subscriptions.is_empty() && !same(codec, b"msgpack"))
}

/// Whether each of them is a template with that param.
const fn all_have(subscriptions: &[Subscription], name: &str) -> bool {
    let mut rest = subscriptions;
    while let [first, others @ ..] = rest {
        let Some(template) = first.params() else {
            return false;
        };
        if !is_param_of(template.static_segments(), name) {
            return false;
        }
        rest = others;
    }
    !subscriptions.is_empty()
}

const fn is_param_of(segments: &[Segment], wanted: &str) -> bool {
    let mut rest = segments;
    while let [first, others @ ..] = rest {
        if let Segment::Param(Cow::Borrowed(name)) | Segment::Rest(Cow::Borrowed(name)) = first
            && same(name.as_bytes(), wanted.as_bytes())
        {
            return true;
        }
        rest = others;
    }
    false
}

#[track_caller]
const fn no_pattern() -> ! {
    panic!(
        "no pattern is matched in a handler of one exact channel; remove the `MatchedPattern`, or \
         take an `Option` of it where the mount may set a pattern"
    );
}

/// An argument's message as a reference, so that the checks drop nothing at compile time.
struct Probe<T, S>(PhantomData<(T, S)>);

impl<'p, T: FromPush<'p, S>, S> Probe<T, S> {
    const MESSAGE: &'static Option<MessageDescriptor> = &T::MESSAGE;
}
