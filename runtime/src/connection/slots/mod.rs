//! The slots of a cluster: which one a name belongs to, and which node owns it.
//!
//! redis-rs has both, and keeps the number of a slot and its map of slots to itself.

pub(crate) mod changes;
mod map;
mod reply;

use std::fmt;

pub(crate) use map::SlotMap;

/// One of the 16,384 slots of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u16);

impl Slot {
    pub(crate) const COUNT: u16 = 16_384;

    /// The slot with a number, if there is one.
    pub(crate) fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// The slot of a name: of a key or of a channel.
    pub(crate) fn of(name: &[u8]) -> Self {
        Self(crc16(hashed_part(name)) % Self::COUNT)
    }

    pub(crate) fn number(self) -> u16 {
        self.0
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is between the first `{` and the first `}` after it, unless that is nothing. Otherwise the whole
/// name.
fn hashed_part(name: &[u8]) -> &[u8] {
    let position = |bytes: &[u8], wanted: u8| bytes.iter().position(|byte| *byte == wanted);
    let Some(open) = position(name, b'{') else {
        return name;
    };
    let inside = &name[open + 1..];
    match position(inside, b'}') {
        None | Some(0) => name,
        Some(close) => &inside[..close],
    }
}

/// CRC-16/XMODEM, which the protocol of clusters prescribes.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (crc << 8) ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b""), 0);
    }

    /// The numbers are those that `CLUSTER KEYSLOT` of Redis 7.0.15 returns.
    #[test]
    fn the_slot_is_that_of_the_first_hash_tag() {
        for (name, slot) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("bar", 5_061),
            ("", 0),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("user1000", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("{bar", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("a}{foo}", 12_182),
        ] {
            assert_eq!(Slot::of(name.as_bytes()).number(), slot, "{name}");
        }
        assert_eq!(Slot::of(b"{\xff\x00}x"), Slot::of(b"\xff\x00"));
    }

    #[test]
    fn there_are_16384_slots() {
        assert_eq!(Slot::new(16_383).map(Slot::number), Some(16_383));
        assert_eq!(Slot::new(16_384), None);
        assert_eq!(Slot::of(b"foo").to_string(), "12182");
    }
}
