use std::borrow::Cow;
use std::marker::PhantomData;

use super::const_name::ConstName;
use super::const_str::{contains, panic_with, same};
use super::namesakes::{NamedExtension, NamedGap, NamedPath, NamedQuery, NamedState, Reference};
use super::params::NamedParam;
use crate::extract::FromPush;
use crate::handler::{MessageType, Needs, Spec};
use crate::message::{MessageDescriptor, Source};
use crate::subscription::{Segment, Subscription};

/// Checks the argument types of a handler, in order, where they are written.
///
/// The checks run in a `const`, so a mistake is a compile error at the argument, whether or not the
/// handler is mounted.
pub struct ArgumentChecks<S> {
    listens: Listens,
    keys: Keys,
    message: Option<&'static MessageDescriptor>,
    /// The type of the message, as written.
    written: &'static str,
    needs: Needs,
    state: PhantomData<fn(S)>,
}

/// Whether the subscription carries key events.
#[derive(Clone, Copy, Debug)]
enum Keys {
    Never,
    Perhaps,
    Always,
}

/// What the attribute says the handler listens to.
#[derive(Clone, Copy, Debug)]
enum Listens {
    /// Nothing: the handler listens to what its message type names.
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
    /// For a handler whose attribute names an exact channel that may carry key events.
    pub const EXACT_KEYS: Self = Self::EXACT.with_keys(Keys::Perhaps);
    /// For a handler whose attribute names a pattern that may match channels with key events.
    pub const PATTERN_KEYS: Self = Self::PATTERN.with_keys(Keys::Perhaps);
    /// For a handler whose attribute names keys.
    pub const KEYS: Self = Self::PATTERN.with_keys(Keys::Always);
    /// For a handler that listens to what its message type names.
    pub const OWN: Self = Self::new(Listens::AsTheMessage);
    /// For a handler whose attribute names a key prefix.
    pub const INVALIDATION: Self = Self::new(Listens::ToInvalidations);
    /// For a handler whose attribute names the connection.
    pub const CONNECTION: Self = Self::new(Listens::ToTheConnection);

    const fn new(listens: Listens) -> Self {
        Self {
            listens,
            keys: Keys::Never,
            message: None,
            written: "",
            needs: Needs {
                params: &[],
                pattern: false,
                channel: None,
            },
            state: PhantomData,
        }
    }

    const fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Adds a name that is a constant. An exact name has the strictest rules.
    #[must_use]
    pub const fn also(self, name: &ConstName) -> Self {
        let listens = if name.is_invalidation() {
            Listens::ToInvalidations
        } else if name.is_pattern() {
            Listens::ByPattern
        } else {
            Listens::ByExactName
        };
        let keys = if name.is_keyspace() {
            Keys::Always
        } else if name.may_carry_key_events() {
            Keys::Perhaps
        } else {
            Keys::Never
        };
        match (self.listens, listens) {
            (Listens::AsTheMessage, _) | (Listens::ByPattern, Listens::ByExactName) => Self {
                listens,
                keys,
                ..self
            },
            _ => self,
        }
    }

    /// Records the names of the `Param` arguments, which a mount must not take away.
    #[must_use]
    pub const fn with_params(mut self, params: &'static [&'static str]) -> Self {
        self.needs.params = params;
        self.needs.channel = Some("Param");
        self
    }

    /// Checks one argument. `written` is its type as written.
    #[track_caller]
    pub const fn arg<'p, T: FromPush<'p, S>>(&mut self, written: &'static str) {
        if let Some(message) = Probe::<T, S>::MESSAGE {
            if self.message.is_some() {
                panic_with([
                    "a handler takes one message, and `",
                    written,
                    "` is a second one; remove it, or write another handler for it",
                ]);
            }
            self.check_source(message, written);
            self.message = Some(message);
            self.written = written;
        }
        self.needs.pattern |= T::NEEDS_PATTERN;
        if T::NEEDS_CHANNEL || T::NEEDS_PATTERN {
            self.needs.channel = Some(written);
            self.listens.check_has_channel(written);
        }
        if T::NEEDS_PATTERN && matches!(self.listens, Listens::ByExactName) {
            no_pattern();
        }
    }

    /// Checks an argument named `State`.
    #[track_caller]
    pub const fn state_arg<'p, T: NamedState<'p, S>>(&mut self, written: &'static str) {
        self.arg::<T>(written);
    }

    /// Checks an argument named `Extension`.
    #[track_caller]
    pub const fn extension_arg<'p, T: NamedExtension<'p, S>>(&mut self, written: &'static str) {
        self.arg::<T>(written);
    }

    /// Checks an argument named `Path`.
    #[track_caller]
    pub const fn path_arg<'p, T: NamedPath<'p, S>>(&mut self, written: &'static str) {
        self.arg::<T>(written);
    }

    /// Checks an argument named `Query`.
    #[track_caller]
    pub const fn query_arg<'p, T: NamedQuery<'p, S>>(&mut self, written: &'static str) {
        self.arg::<T>(written);
    }

    /// Checks an argument named `Gap`.
    #[track_caller]
    pub const fn gap_arg<'p, T: NamedGap<'p, S>>(&mut self, written: &'static str) {
        self.arg::<T>(written);
    }

    /// Checks an argument that is a reference.
    #[track_caller]
    pub const fn reference_arg<'p, T: Reference<'p, S>>(&mut self, written: &'static str) {
        self.arg::<T>(written);
    }

    /// Checks a `Param` argument against the params of the attribute.
    #[track_caller]
    pub const fn param<P: NamedParam<T>, T>(&self, name: &str, params: &[&str]) {
        let of_message = match (self.listens, self.message) {
            (Listens::AsTheMessage, Some(message)) => all_have(message.subscriptions, name),
            _ => false,
        };
        self.listens.check_has_channel("Param");
        if of_message || contains(params, name) {
            return;
        }
        // The macro reports a param that no name of the attribute has.
        let of_message = self.subscriptions();
        match (nth_param(of_message, 0), nth_param(of_message, 1)) {
            (Some(first), Some(second)) => panic_with([
                "the channel of the message has no param `{",
                name,
                "}`: an argument `Param` has the name of a param, as `Param(",
                first,
                ")` or `Param(",
                second,
                ")`",
            ]),
            (Some(first), None) => panic_with([
                "the channel of the message has no param `{",
                name,
                "}`, only `{",
                first,
                "}`: write `Param(",
                first,
                ")`",
            ]),
            (None, _) => panic_with(["the channel of the message has no param `{", name, "}`"]),
        }
    }

    /// Refuses a message that the subscription does not carry.
    #[track_caller]
    const fn check_source(&self, message: &MessageDescriptor, written: &str) {
        match (self.listens, message.source) {
            (Listens::AsTheMessage, _)
            | (Listens::ToInvalidations, Source::Invalidation)
            | (Listens::ToTheConnection, Source::Connection) => {}
            (Listens::ToInvalidations, _) => panic_with([
                "a handler with `invalidate` takes an `Invalidation`, not `",
                written,
                "`",
            ]),
            (Listens::ToTheConnection, _) => panic_with([
                "a handler with `connection` takes a `ConnectionEvent`, not `",
                written,
                "`",
            ]),
            (_, Source::Invalidation) => panic_with([
                "`",
                written,
                "` needs a handler with `invalidate = \"user:\"`; no channel carries it",
            ]),
            (_, Source::Connection) => panic_with([
                "`",
                written,
                "` needs a handler with `connection`; no channel carries it",
            ]),
            (_, Source::Keys) if matches!(self.keys, Keys::Never) => panic_with([
                "`",
                written,
                "` needs a handler with `keyspace = \"user:{id}\"`; no other channel carries it",
            ]),
            (_, Source::Channel)
                if matches!(self.keys, Keys::Always) && same(message.codec.as_bytes(), b"json") =>
            {
                panic_with([
                    "a key event is a plain word, but `",
                    written,
                    "` is read from JSON; take a `KeyEvent` or a `&str`",
                ]);
            }
            (_, Source::Keys | Source::Channel) => {}
        }
    }

    /// Refuses a handler for which neither the attribute nor the message names a channel.
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
            if self.needs.pattern && !first.is_pattern() {
                no_pattern();
            }
            rest = others;
        }
        self
    }

    /// Refuses a template that lacks a param of the message: no push would match. A name without
    /// params may be one that the template of the message describes.
    #[track_caller]
    pub const fn fills(&self, params: &[&str]) {
        if params.is_empty() {
            return;
        }
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
                    "}`: write it in this channel",
                ]);
            }
            rest = others;
        }
    }

    /// Refuses a key that is neither a param of the channel nor a field of the payload. If the
    /// fields of the payload are not known, any key may be one.
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
                "` is not a param of the channel; only the fields of a JSON payload can be used in \
                 `ordered_by`",
            ]);
        }
    }

    /// Creates the handler's spec with its name, its place and its message. Adds the subscriptions
    /// of the message type if the attribute names none.
    #[must_use]
    pub fn spec(&self, name: &'static str, file: &'static str, line: u32) -> Spec {
        let message = self
            .message
            .map(|message| MessageType::of(message, self.written));
        let spec = Spec::new(name)
            .at(file, line)
            .with_message(message)
            .with_needs(self.needs);
        match self.listens {
            Listens::AsTheMessage => spec.on_all(self.subscriptions()),
            _ => spec,
        }
    }

    /// Returns the subscriptions that the message type names.
    const fn subscriptions(&self) -> &'static [Subscription] {
        match self.message {
            Some(message) => message.subscriptions,
            None => &[],
        }
    }
}

impl Listens {
    /// Refuses an argument or an option that requires a channel if there is none.
    #[track_caller]
    const fn check_has_channel(self, what: &str) {
        match self {
            Self::ToInvalidations => panic_with([
                "invalidations have no channel, so there is no `",
                what,
                "`; the key is in `Invalidation::Key`",
            ]),
            Self::ToTheConnection => panic_with([
                "connection events have no channel, so there is no `",
                what,
                "`: remove it",
            ]),
            Self::AsTheMessage | Self::ByExactName | Self::ByPattern => {}
        }
    }
}

/// Returns whether the payload may be JSON. Text and bytes may be JSON that the handler parses
/// itself.
const fn may_be_json(message: &MessageDescriptor) -> bool {
    let codec = message.codec.as_bytes();
    same(codec, b"json") || (message.subscriptions.is_empty() && !same(codec, b"msgpack"))
}

/// Returns whether all subscriptions are templates with the param.
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

/// Returns the param at this position in the first template.
const fn nth_param(subscriptions: &[Subscription], position: usize) -> Option<&str> {
    let [first, ..] = subscriptions else {
        return None;
    };
    let Some(template) = first.params() else {
        return None;
    };
    let (mut rest, mut before) = (template.static_segments(), 0);
    while let [first, others @ ..] = rest {
        if let Segment::Param(Cow::Borrowed(name)) | Segment::Rest(Cow::Borrowed(name)) = first {
            if before == position {
                return Some(name);
            }
            before += 1;
        }
        rest = others;
    }
    None
}

/// Returns whether a template has the param.
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
        "a handler of an exact channel has no `MatchedPattern`: remove it, or take \
         `Option<MatchedPattern<'_>>` if a mount may set a pattern"
    );
}

/// Makes an argument's message available as a reference, because a `const fn` cannot drop a value
/// that has a destructor.
struct Probe<T, S>(PhantomData<(T, S)>);

impl<'p, T: FromPush<'p, S>, S> Probe<T, S> {
    const MESSAGE: &'static Option<MessageDescriptor> = &T::MESSAGE;
}
