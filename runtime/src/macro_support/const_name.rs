use redis_push_template::{Parser, Piece};

use super::const_pieces::{Pieces, count_of};
use super::const_str::{contains, panic_with, same};

/// What a channel with the events of a key begins with.
const KEYSPACE: &[Piece<'static>] = &[
    Piece::Literal("__keyspace@"),
    Piece::Param("database"),
    Piece::Literal("__:"),
];

/// A name to listen to that is a constant of the user.
///
/// The macros see the path of a constant, not its text. So what they do with a name in quotes
/// happens here, in a `const`: the text is checked, and split into the segments of its template.
/// Each list that a subscription needs is an array, whose length a method of its own returns.
#[derive(Clone, Copy)]
pub struct ConstName {
    pub(super) role: Role,
    pub(super) text: &'static str,
}

/// The option of the attribute that has the name.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Channel,
    Pattern,
    Shard,
    Keyspace,
    Invalidate,
}

impl ConstName {
    /// The value of `channel`.
    #[must_use]
    #[track_caller]
    pub const fn channel(text: &'static str) -> Self {
        let name = Self::template(Role::Channel, text, "channel template");
        if name.has_any_of(b"*?[") {
            panic_with([
                "`",
                text,
                "` is only that exact name here; use `pattern`, or a param: `orders.{id}`",
            ]);
        }
        name
    }

    /// The value of `pattern`.
    #[must_use]
    #[track_caller]
    pub const fn pattern(text: &'static str) -> Self {
        if text.is_empty() {
            panic!("this pattern is empty");
        }
        let mut parser = Parser::new(text);
        let mut is_escaped = false;
        while let Some(Ok(piece)) = parser.next_piece() {
            match piece {
                Piece::Literal(literal) => {
                    is_escaped = matches!(literal.as_bytes(), [.., b'\\']);
                }
                Piece::Param(_) | Piece::Rest(_) if is_escaped => {}
                Piece::Param(name) | Piece::Rest(name) => panic_with([
                    "`{",
                    name,
                    "}` is not a param in a pattern, which the server takes as it is; use \
                     `channel`, or `\\\\{` for a brace",
                ]),
            }
        }
        Self {
            role: Role::Pattern,
            text,
        }
    }

    /// The value of `shard`.
    #[must_use]
    #[track_caller]
    pub const fn shard(text: &'static str) -> Self {
        if text.is_empty() {
            panic!("this shard is empty");
        }
        Self {
            role: Role::Shard,
            text,
        }
    }

    /// The value of `keyspace`.
    #[must_use]
    #[track_caller]
    pub const fn keyspace(text: &'static str) -> Self {
        let name = Self::template(Role::Keyspace, text, "channel template");
        if name.has_any_of(b"*?[") {
            panic_with([
                "`",
                text,
                "` is only that exact key here; use a param, as `user:{id}`, or `{key*}` for the \
                 rest",
            ]);
        }
        let mut parser = Parser::new(text);
        while let Some(Ok(piece)) = parser.next_piece() {
            if let Piece::Param(name) | Piece::Rest(name) = piece
                && same(name.as_bytes(), b"database")
            {
                panic!("`{{database}}` is already the number of the database; use another name");
            }
        }
        name
    }

    /// The value of `invalidate`.
    #[must_use]
    #[track_caller]
    pub const fn invalidate(text: &'static str) -> Self {
        let role = Role::Invalidate;
        if text.is_empty() {
            return Self { role, text };
        }
        let name = Self::template(role, text, "key prefix");
        if name.params_len() > 0 || name.has_any_of(b"*?[") {
            panic_with([
                "`",
                text,
                "` is a key prefix here, and has neither params nor wildcards: write the text \
                 before them (or `{{` and `}}` for the braces themselves)",
            ]);
        }
        name
    }

    #[track_caller]
    const fn template(role: Role, text: &'static str, what: &str) -> Self {
        let mut parser = Parser::new(text);
        while let Some(piece) = parser.next_piece() {
            if let Err(problem) = piece {
                let [start, name, end] = problem.parts();
                panic_with(["`", text, "` is not a ", what, ": ", start, name, end]);
            }
        }
        Self { role, text }
    }

    /// Refuses a name that the list of the attribute has already.
    #[must_use]
    #[track_caller]
    pub const fn other_than(self, others: &[&str]) -> Self {
        if contains(others, self.text) {
            panic_with(["`", self.text, "` is in the list twice"]);
        }
        self
    }

    /// Returns the text of the constant.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.text
    }

    /// Returns whether the server names the matched pattern in each push.
    pub(super) const fn is_pattern(&self) -> bool {
        match self.role {
            Role::Pattern | Role::Keyspace => true,
            Role::Channel => self.params_len() > 0,
            Role::Shard | Role::Invalidate => false,
        }
    }

    pub(super) const fn is_keyspace(&self) -> bool {
        matches!(self.role, Role::Keyspace)
    }

    pub(super) const fn is_invalidation(&self) -> bool {
        matches!(self.role, Role::Invalidate)
    }

    /// Returns whether the name is that of a channel with key events, or may match one.
    pub(super) const fn may_carry_key_events(&self) -> bool {
        match (self.role, self.text.as_bytes()) {
            (Role::Shard | Role::Invalidate, _) => false,
            (_, [b'_', b'_', b'k', b'e', b'y', ..] | [b'{', ..]) => true,
            (Role::Pattern, [b'*' | b'?' | b'[' | b'\\', ..]) => true,
            _ => false,
        }
    }

    /// Returns the pieces of the name that the server knows, or from which its glob is made.
    pub(super) const fn pieces(&self) -> Pieces {
        match self.role {
            Role::Pattern | Role::Shard => Pieces::verbatim(self.text),
            Role::Invalidate if self.text.is_empty() => Pieces::verbatim(self.text),
            Role::Channel | Role::Invalidate => Pieces::of(&[], self.text),
            Role::Keyspace => Pieces::of(KEYSPACE, self.text),
        }
    }

    /// Returns whether the literal text of the constant has one of the characters.
    const fn has_any_of(&self, chars: &[u8]) -> bool {
        let mut parser = Parser::new(self.text);
        while let Some(Ok(piece)) = parser.next_piece() {
            if let Piece::Literal(literal) = piece
                && count_of(literal, chars) > 0
            {
                return true;
            }
        }
        false
    }
}
