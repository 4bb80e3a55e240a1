use std::fmt::{Debug, Write as _};

use super::call::Call;
use super::difference::{difference, distance};
use super::ledger::{GapRecord, Page};
use crate::extract::FromPush;
use crate::gap::{Gap, GapCause};

/// The deliveries to one handler so far, and its gaps: what
/// [`TestKit::handler`](super::TestKit::handler) returns. Or what the streams of one name have returned.
///
/// It is a copy: what happens later is not in it.
///
/// The methods that assert something panic with the name of the handler, its place, and what it has
/// received instead.
#[derive(Clone, Debug)]
pub struct Calls {
    label: String,
    page: Page,
}

impl Calls {
    pub(super) fn new(label: String, page: Page) -> Self {
        Self { label, page }
    }

    /// Returns the deliveries, in the order in which they have ended. Those whose channel the template does
    /// not match are not among them.
    #[must_use]
    pub fn all(&self) -> &[Call] {
        &self.page.calls
    }

    /// Asserts how many deliveries there were, whatever their outcome.
    ///
    /// # Panics
    ///
    /// Panics if there were more or fewer.
    #[track_caller]
    pub fn called(&self, times: usize) -> &Self {
        let count = self.page.calls.len();
        assert!(
            count == times,
            "{} was {}, expected {}{}",
            self.label,
            done("called", count),
            in_words(times),
            self.list()
        );
        self
    }

    /// Asserts that there was one delivery, and returns it.
    ///
    /// # Panics
    ///
    /// Panics if there was none, or several.
    #[track_caller]
    pub fn assert_once(&self) -> &Call {
        self.called(1);
        &self.page.calls[0]
    }

    /// Asserts that there was no delivery.
    ///
    /// # Panics
    ///
    /// Panics if there was one.
    #[track_caller]
    pub fn assert_never(&self) {
        self.called(0);
    }

    /// Returns the last delivery.
    ///
    /// # Panics
    ///
    /// Panics if there was none.
    #[track_caller]
    pub fn last(&self) -> &Call {
        match self.page.calls.last() {
            Some(last) => last,
            None => panic!("{} was not called{}", self.label, self.list()),
        }
    }

    /// Asserts that one of the deliveries was with this value, and returns it.
    ///
    /// # Panics
    ///
    /// Panics if none was. The message shows the nearest difference.
    #[track_caller]
    pub fn assert_with<T>(&self, expected: &T) -> &Call
    where
        T: for<'p> FromPush<'p, ()> + PartialEq + Debug,
    {
        let decoded = self
            .page
            .calls
            .iter()
            .map(|call| (call, call.decode::<T>()));
        let decoded: Vec<_> = decoded
            .filter_map(|(call, message)| Some((call, message.ok()?)))
            .collect();
        if let Some((call, _)) = decoded.iter().find(|(_, message)| message == expected) {
            return call;
        }
        match (decoded.iter()).min_by_key(|(_, message)| distance(expected, message)) {
            Some((_, nearest)) => panic!(
                "{} was not called with the expected message; the nearest one:\n{}{}",
                self.label,
                difference(expected, nearest),
                self.list()
            ),
            None => panic!(
                "{} was not called with a message that decodes as the expected one: {expected:?}{}",
                self.label,
                self.list()
            ),
        }
    }

    /// Asserts that every delivery was handled, and that there was one.
    ///
    /// # Panics
    ///
    /// Panics if one was not.
    #[track_caller]
    pub fn handled(&self) -> &Self {
        self.last();
        if let Some(other) = self.page.calls.iter().find(|call| !call.is_handled()) {
            other.handled();
        }
        self
    }

    /// Asserts that a gap with this cause was reported, and that its gap handler has succeeded, if there is
    /// one. Returns the last of these gaps.
    ///
    /// The times in a gap are those of the system's clock, also where the clock of the runtime is paused.
    ///
    /// # Panics
    ///
    /// Panics if there was none.
    #[track_caller]
    pub fn assert_gap(&self, cause: GapCause) -> ReportedGap<'_> {
        let of_cause = self.page.gaps.iter().rev();
        let mut of_cause = of_cause.filter(|told| told.gap.cause == cause).peekable();
        let last = of_cause.peek().copied();
        let handled = of_cause.find(|told| told.problem.is_none());
        match (handled, last) {
            (Some(told), _) => ReportedGap { calls: self, told },
            (None, Some(failed)) => panic!(
                "{} has not handled the gap ({cause}): its gap handler has failed: {}",
                self.label,
                failed.problem.as_deref().unwrap_or_default()
            ),
            (None, None) => panic!(
                "{} has received no gap with the cause `{cause:?}` ({cause}); its gaps: {}",
                self.label,
                self.causes()
            ),
        }
    }

    /// Asserts that no gap was reported but the initial one.
    ///
    /// # Panics
    ///
    /// Panics if there was another one.
    #[track_caller]
    pub fn assert_no_gap(&self) -> &Self {
        let mut gaps = self.page.gaps.iter();
        assert!(
            gaps.all(|told| told.gap.cause == GapCause::Initial),
            "{} has received gaps: {}",
            self.label,
            self.causes()
        );
        self
    }

    /// Returns the gaps, in order. A gap whose gap handler has failed is here once for each attempt.
    pub fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.page.gaps.iter().map(|told| &told.gap)
    }

    /// Returns how many messages were not the handler's, because their channel was none of its template.
    #[must_use]
    pub fn unmatched(&self) -> u64 {
        self.page.unmatched
    }

    fn causes(&self) -> String {
        let mut causes = String::new();
        for (index, gap) in self.gaps().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(causes, "{comma}{:?}", gap.cause);
        }
        if causes.is_empty() {
            causes.push_str("none");
        }
        causes
    }

    /// Lists the deliveries, for the message of a failed assertion.
    fn list(&self) -> String {
        const MOST: usize = 20;
        let calls = &self.page.calls;
        let mut text = String::new();
        let hidden = calls.len().saturating_sub(MOST);
        if hidden > 0 {
            let _ = write!(text, "\n    … {hidden} more");
        }
        for (index, call) in calls.iter().enumerate().skip(hidden) {
            let _ = write!(text, "\n    {}. {call:?}", index + 1);
        }
        if self.page.unmatched > 0 {
            let _ = write!(
                text,
                "\n    {} messages were on channels that its template does not match",
                self.page.unmatched
            );
        }
        text
    }
}

/// A gap that was reported to a handler: what [`Calls::assert_gap`] returns.
#[derive(Clone, Copy, Debug)]
pub struct ReportedGap<'c> {
    calls: &'c Calls,
    told: &'c GapRecord,
}

impl<'c> ReportedGap<'c> {
    /// Asserts which gap handler has handled it.
    ///
    /// # Panics
    ///
    /// Panics if it was another one, or none.
    #[track_caller]
    pub fn by(self, gap_handler: &str) -> Self {
        let label = &self.calls.label;
        match self.told.on_gap.as_deref() {
            Some(name) if name == gap_handler => self,
            Some(name) => {
                panic!("the gap of {label} was handled by `{name}`, expected `{gap_handler}`")
            }
            None => panic!(
                "the gap of {label} was handled by nobody, expected `{gap_handler}`: it has no gap \
                 handler; name one with `on_gap`"
            ),
        }
    }

    /// Returns the gap.
    #[must_use]
    pub fn gap(self) -> &'c Gap {
        &self.told.gap
    }
}

/// Says that something was done so often.
pub(super) fn done(what: &str, times: usize) -> String {
    match times {
        0 => format!("never {what}"),
        times => format!("{what} {}", in_words(times)),
    }
}

pub(super) fn in_words(times: usize) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}
