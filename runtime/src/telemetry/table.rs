use std::fmt;

use super::{CacheStats, FailureStats, FeedStats, HandlerStats, Stats, StreamStats};

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|column| column.always || self.all_handlers().any(|h| (column.count)(h) > 0))
            .map(|Column { name, count, .. }| {
                let cells = self.all_handlers().map(|h| count(h).to_string());
                column(std::iter::once((*name).to_owned()).chain(cells))
            })
            .collect();
        let unmounted = self
            .unmounted
            .iter()
            .map(|h| format!("{} (unmounted)", h.handler));
        let names = self
            .handlers
            .iter()
            .map(|h| h.handler.clone())
            .chain(unmounted);
        let (names, width) = column(std::iter::once("handler".to_owned()).chain(names));
        // Without handlers the heading would stand alone.
        let rows = if names.len() > 1 { names.len() } else { 0 };
        for (row, name) in names.iter().take(rows).enumerate() {
            write!(f, "{name:<width$}")?;
            for (cells, width) in &columns {
                write!(f, "  {:>width$}", cells[row])?;
            }
            writeln!(f)?;
        }
        for stream in &self.streams {
            writeln!(f, "{stream}")?;
        }
        let FeedStats {
            pushes,
            unrouted,
            unknown,
            malformed,
            stale,
            overflowed,
            oversized,
            reconnects,
        } = self.feed;
        write!(
            f,
            "{pushes} pushes, {reconnects} reconnects; unrouted {unrouted}, unknown {unknown}, \
             malformed {malformed}, stale {stale}"
        )?;
        for (count, what) in [
            (overflowed, "overflowed"),
            (oversized, "oversized"),
            (self.restarts, "restarts"),
        ] {
            if count > 0 {
                write!(f, ", {what} {count}")?;
            }
        }
        if self.failures != FailureStats::default() {
            write!(f, "\n{}", self.failures)?;
        }
        for cache in &self.caches {
            write!(f, "\n{cache}")?;
        }
        Ok(())
    }
}

impl fmt::Display for StreamStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            listens_to,
            open,
            received,
            taken,
            ..
        } = self;
        write!(
            f,
            "streams of `{listens_to}`: {open} open, received {received}, taken {taken}"
        )?;
        for (count, what) in [
            (self.rejected, "rejected"),
            (self.unmatched, "unmatched"),
            (self.dropped, "dropped"),
            (self.superseded, "superseded"),
            (self.cancelled, "cancelled"),
            (self.queued, "queued"),
            (self.gaps, "gaps"),
        ] {
            if count > 0 {
                write!(f, ", {what} {count}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for CacheStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            keys,
            hits,
            misses,
            bypasses,
            loads,
            invalidations,
            clears,
            evictions,
            entries,
        } = self;
        write!(
            f,
            "cache of `{keys}`: {entries} entries; hits {hits}, misses {misses}, bypasses {bypasses}; \
             loads {loads}, invalidations {invalidations}, clears {clears}, evictions {evictions}"
        )
    }
}

impl fmt::Display for FailureStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            told,
            failed,
            panicked,
            dropped,
            queued,
        } = self;
        write!(
            f,
            "{told} failures reported; hook failed {failed}, panicked {panicked}, dropped {dropped}, \
             queued {queued}"
        )
    }
}

/// A column of the table. A rare column is only shown if one of its counts is not 0.
struct Column {
    name: &'static str,
    count: fn(&HandlerStats) -> u64,
    always: bool,
}

const COLUMNS: &[Column] = &[
    Column::always("received", |h| h.received),
    Column::always("handled", |h| h.handled),
    Column::rare("failed", |h| h.failed),
    Column::rare("panicked", |h| h.panicked),
    Column::rare("timed out", |h| h.timed_out),
    Column::rare("rejected", |h| h.rejected),
    Column::rare("unmatched", |h| h.unmatched),
    Column::rare("skipped", |h| h.skipped),
    Column::always("dropped", |h| h.dropped),
    Column::rare("superseded", |h| h.superseded),
    Column::rare("cancelled", |h| h.cancelled),
    Column::always("queued", |h| h.queued + h.running),
    Column::always("gaps", |h| h.gaps),
    Column::rare("gap failures", |h| h.gap_failures),
    Column::rare("retries", |h| h.retries),
    Column::rare("stalls", |h| h.stalls),
];

impl Column {
    const fn always(name: &'static str, count: fn(&HandlerStats) -> u64) -> Self {
        Self {
            name,
            count,
            always: true,
        }
    }

    const fn rare(name: &'static str, count: fn(&HandlerStats) -> u64) -> Self {
        Self {
            name,
            count,
            always: false,
        }
    }
}

/// Returns the cells of a column, and the width of the widest one.
fn column(cells: impl Iterator<Item = String>) -> (Vec<String>, usize) {
    let cells: Vec<_> = cells.collect();
    let width = cells.iter().map(|cell| cell.chars().count()).max();
    (cells, width.unwrap_or(0))
}
