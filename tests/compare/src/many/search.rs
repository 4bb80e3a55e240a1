//! The search for the highest rate that holds.

use serde::{Deserialize, Serialize};

use crate::Result;

/// The bounds of a search, in messages a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    pub(super) start: u64,
    pub(super) least: u64,
    pub(super) most: u64,
    /// How often the interval between the highest rate that holds and the lowest that does not is
    /// halved, once both are known.
    pub(super) steps: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Highest {
    /// The highest rate that holds. `None` if the least does not.
    pub(super) holds: Option<u64>,
    /// The lowest rate above it that does not. `None` if the most holds.
    pub(super) fails: Option<u64>,
}

impl Search {
    /// Doubles the rate until it does not hold, or halves it until it does, and then steps between the
    /// two, by equal factors.
    pub(super) fn run(self, mut holds: impl FnMut(u64) -> Result<bool>) -> Result<Highest> {
        let mut found = Highest {
            holds: None,
            fails: None,
        };
        let mut rate = self.start;
        loop {
            if holds(rate)? {
                found.holds = Some(rate);
                if found.fails.is_some() || rate == self.most {
                    break;
                }
                rate = (2 * rate).min(self.most);
            } else {
                found.fails = Some(rate);
                if found.holds.is_some() || rate == self.least {
                    break;
                }
                rate = (rate / 2).max(self.least);
            }
        }
        let (Some(mut low), Some(mut high)) = (found.holds, found.fails) else {
            return Ok(found);
        };
        for _ in 0..self.steps {
            let middle = (low as f64 * high as f64).sqrt().round() as u64;
            if middle == low || middle == high {
                break;
            }
            if holds(middle)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(Highest {
            holds: Some(low),
            fails: Some(high),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search {
        start: 100,
        least: 10,
        most: 10_000,
        steps: 4,
    };

    fn highest(limit: u64) -> Highest {
        SEARCH.run(|rate| Ok(rate <= limit)).unwrap()
    }

    #[test]
    fn the_limit_lies_between_what_holds_and_what_fails() {
        for limit in [10, 11, 70, 100, 101, 1_000, 4_321, 9_999] {
            let found = highest(limit);
            let (holds, fails) = (found.holds.unwrap(), found.fails.unwrap());
            assert!(holds <= limit && limit < fails, "{limit}: {found:?}");
            assert!(
                (fails as f64) < 1.05 * holds as f64 || fails - holds == 1,
                "{limit}: {found:?}"
            );
        }
    }

    #[test]
    fn the_search_ends_at_its_bounds() {
        assert_eq!(highest(10_000).fails, None);
        assert_eq!(highest(1_000_000).holds, Some(10_000));
        assert_eq!(highest(9).holds, None);
        assert_eq!(highest(0).fails, Some(10));
    }
}
