//! The health in words, for people and logs.

use std::fmt;
use std::time::Duration;

use super::{Health, HealthReason, NotConfirmed, NotSynced, Stall};

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        reasons(f, "live", &self.not_live)?;
        f.write_str(", ")?;
        reasons(f, "ready", &self.not_ready)?;
        for stall in self.stalled.iter().filter(|stall| !stall.required) {
            write!(f, "; {stall}")?;
        }
        match self.streams.denied {
            0 => Ok(()),
            1 => f.write_str("; 1 name is denied to streams"),
            denied => write!(f, "; {denied} names are denied to streams"),
        }
    }
}

fn reasons(f: &mut fmt::Formatter<'_>, what: &str, reasons: &[HealthReason]) -> fmt::Result {
    let Some((first, more)) = reasons.split_first() else {
        return f.write_str(what);
    };
    write!(f, "not {what} ({first}")?;
    more.iter().try_for_each(|reason| write!(f, "; {reason}"))?;
    f.write_str(")")
}

impl fmt::Display for HealthReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected { error: None } => f.write_str("not connected"),
            Self::NotConnected { error: Some(error) } => write!(f, "not connected: {error}"),
            Self::NotConfirmed { missing, .. } if missing.is_empty() => {
                f.write_str("the last confirmations have just arrived")
            }
            Self::NotConfirmed { missing, total } => {
                const MOST: usize = 20;
                let count = missing.len();
                write!(f, "{count} of {total} subscriptions not confirmed: ")?;
                for (index, one) in missing.iter().take(MOST).enumerate() {
                    write!(f, "{}{one}", if index > 0 { ", " } else { "" })?;
                }
                match count.saturating_sub(MOST) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::PingLate { since } => write!(f, "last PING answered {} ago", Rounded(*since)),
            Self::Stalled(stall) => stall.fmt(f),
            Self::NotSynced(not_synced) => not_synced.fmt(f),
            Self::TaskEnded { task } => write!(f, "{task} has exited"),
            Self::TaskLate { task, since } => {
                write!(f, "{task} has not run for {}", Rounded(*since))
            }
            Self::ShuttingDown => f.write_str("shutting down"),
        }
    }
}

impl fmt::Display for NotConfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subscription)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        match &self.denied {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NotSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required = if self.required { "required " } else { "" };
        let what = if self.only_lagged { "lag" } else { "gap" };
        let Self { handler, .. } = self;
        write!(
            f,
            "{required}handler `{handler}` has not handled a {what} yet"
        )?;
        match &self.error {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let required = if self.required { "required " } else { "" };
        let Self { handler, .. } = self;
        let time = Rounded(self.running_for);
        write!(
            f,
            "{required}handler `{handler}` has not returned for {time}"
        )
    }
}

/// A duration for people: whole seconds, or milliseconds below ten seconds.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..10 => write!(f, "{} ms", self.0.as_millis()),
            seconds => write!(f, "{seconds} s"),
        }
    }
}
