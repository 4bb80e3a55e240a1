//! The slot that a name belongs to.

/// The number of slots.
pub(super) const SLOTS: u16 = 16384;

/// Returns the slot of a key or of a sharded channel: CRC16 (XMODEM) of the name, or of what stands between
/// the first `{` and the next `}` if that is not empty.
pub(super) fn slot(name: &[u8]) -> u16 {
    crc16(tag(name)) % SLOTS
}

fn tag(name: &[u8]) -> &[u8] {
    let tag = name.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &name[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        Some(&rest[..close])
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(name)
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc: u16, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        for (name, expected) in [
            ("foo", 12182),
            ("bar", 5061),
            ("a{foo}b{bar}", 12182),
            ("{}foo", slot(b"{}foo")),
            ("a{}{foo}", crc16(b"a{}{foo}") % SLOTS),
            ("a{foo", crc16(b"a{foo") % SLOTS),
            ("{{foo}", slot(b"{foo")),
            ("", 0),
        ] {
            assert_eq!(slot(name.as_bytes()), expected, "{name}");
        }
    }
}
