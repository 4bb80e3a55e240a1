//! The params of a name that is a constant, and what a message type says of them.

use redis_push_template::Piece;

use super::const_name::ConstName;
use super::const_str::{Text, contains};

impl ConstName {
    /// Returns the number of the params.
    #[must_use]
    pub const fn params_len(&self) -> usize {
        let mut len = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            if !matches!(piece, Piece::Literal(_)) {
                len += 1;
            }
        }
        len
    }

    /// Returns the names of the params.
    #[must_use]
    pub const fn params<const N: usize>(&self) -> [&'static str; N] {
        let mut params = [""; N];
        let mut at = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            if let Piece::Param(name) | Piece::Rest(name) = piece {
                params[at] = name;
                at += 1;
            }
        }
        params
    }

    /// Refuses params, of which the derive would have to know. `option` is the option as written.
    #[track_caller]
    pub const fn has_no_params(&self, option: &str) {
        if self.params_len() == 0 {
            return;
        }
        let mut text = Text::new();
        text.push("the derive cannot read the params of a constant: write `#[push(");
        text.push(option);
        text.push(", ");
        self.push_params(&mut text);
        text.push(")]`");
        text.panic()
    }

    /// Refuses a list of params that is not that of the template.
    #[track_caller]
    pub const fn has_params(&self, listed: &[&str]) {
        let mut found = 0;
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            if let Piece::Param(name) | Piece::Rest(name) = piece
                && contains(listed, name)
            {
                found += 1;
            }
        }
        if found == listed.len() && found == self.params_len() {
            return;
        }
        let mut text = Text::new();
        text.push("these are not the params of the channel `");
        text.push(self.text);
        if self.params_len() == 0 {
            text.push("`, which has none: remove `params(..)`");
        } else {
            text.push("`: write `");
            self.push_params(&mut text);
            text.push("`");
        }
        text.panic()
    }

    /// Appends `params(..)` as it is to be written.
    const fn push_params(&self, text: &mut Text) {
        let mut before = "params(";
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            if let Piece::Param(name) | Piece::Rest(name) = piece {
                text.push(before);
                text.push(name);
                before = ", ";
            }
        }
        text.push(")");
    }
}
