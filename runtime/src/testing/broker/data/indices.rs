//! Indices of elements. A negative one counts from the end: -1 is the last element.

use std::ops::Range;

/// Returns the index of one element, if it exists.
pub(super) fn index(place: i64, length: usize) -> Option<usize> {
    let index = from_start(place, length);
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// Returns the elements from `start` to `stop`, both included, as far as they exist.
pub(super) fn span(start: i64, stop: i64, length: usize) -> Range<usize> {
    let start = usize::try_from(from_start(start, length)).unwrap_or(0);
    let end = usize::try_from(from_start(stop, length).saturating_add(1)).unwrap_or(0);
    let end = end.min(length);
    start.min(end)..end
}

fn from_start(place: i64, length: usize) -> i64 {
    match place {
        0.. => place,
        _ => place.saturating_add_unsigned(length as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_holds_the_elements_that_exist() {
        for (start, stop, span_of_five) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-100, 100, 0..5),
            (3, 1, 2..2),
            (5, 9, 5..5),
            (0, -100, 0..0),
            (i64::MIN, i64::MAX, 0..5),
            (i64::MAX, i64::MIN, 0..0),
        ] {
            assert_eq!(span(start, stop, 5), span_of_five, "{start} to {stop}");
        }
        assert_eq!((index(-5, 5), index(-6, 5)), (Some(0), None));
        assert_eq!((index(4, 5), index(5, 5)), (Some(4), None));
    }
}
