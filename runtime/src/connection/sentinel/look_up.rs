//! The question to all sentinels which server is the primary, and what their answers come to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Pipeline};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::{Primary, SentinelView, Sentinels, best};
use crate::connection::commands::{Connection, lost};
use crate::connection::look::LookError;
use crate::connection::server::Server;
use crate::error::Error;
use crate::util::clock;

/// How long the others may take once more than half of the sentinels have named a primary.
const MOST_HAVE_ANSWERED: Duration = Duration::from_millis(100);

/// The same, once one of them has.
const ONE_HAS_ANSWERED: Duration = Duration::from_secs(1);

/// Why a sentinel does not name a primary.
#[derive(Debug)]
pub(super) enum Failure {
    /// It has said so.
    Said(LookError),
    /// The connection was not made, or was lost.
    Unreachable(Error),
}

impl Sentinels {
    /// Asks all sentinels together, and believes the one that knows of the newest failover.
    ///
    /// A sentinel that was cut off names a primary that was replaced, and may be the first to answer. So
    /// the others are waited for, but not for long.
    ///
    /// # Errors
    ///
    /// Returns an error with the answer of each sentinel if none of them names a primary.
    pub(crate) async fn look_up(self: &Arc<Self>, timeout: Duration) -> Result<Primary, Error> {
        let answers = self.ask(timeout).await;
        let Some(view) = best(answers.views()) else {
            return Err(answers.error(self.name(), timeout));
        };
        Ok(Primary {
            server: self.server(&view.primary)?,
            address: view.primary.clone(),
            epoch: AtomicU64::new(view.epoch),
            said: answers.to_string(),
            watch: self.watch(),
            sentinels: Arc::clone(self),
        })
    }

    async fn ask(&self, timeout: Duration) -> Answers {
        let mut answers = Answers(Vec::new());
        let mut asking = JoinSet::new();
        for (index, sentinel) in self.each().iter().enumerate() {
            answers.0.push((Arc::clone(sentinel), None));
            let (sentinel, name) = (Arc::clone(sentinel), Arc::clone(self.name()));
            asking.spawn(async move {
                let config = AsyncConnectionConfig::new();
                let opening = sentinel.open(timeout, config);
                let answer = match sentinel.within(timeout, opening).await {
                    Ok(mut connection) => ask_one(&mut connection, &name).await,
                    Err(error) => Err(Failure::Unreachable(error)),
                };
                (index, answer)
            });
        }
        let mut until = clock::now() + timeout;
        while let Ok(Some(answer)) = timeout_at(until, asking.join_next()).await {
            // A task that has panicked has not answered.
            let Ok((index, answer)) = answer else {
                continue;
            };
            answers.0[index].1 = Some(answer);
            if let Some(patience) = answers.patience() {
                until = until.min(clock::now() + patience);
            }
        }
        answers
    }
}

/// Asks one sentinel.
pub(super) async fn ask_one(
    connection: &mut Connection,
    name: &str,
) -> Result<SentinelView, Failure> {
    let mut commands = Pipeline::new();
    // In this order: if a failover ends between the two, the new address has the old number, and not the
    // old address the new number, which would hide the failover.
    commands.cmd("SENTINEL").arg("MASTER").arg(name);
    commands
        .cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name);
    let replies = connection.send_all(&commands, 0, commands.len()).await;
    let replies = replies.map_err(|error| Failure::Unreachable(lost(&error)))?;
    let [primary, address] = &replies[..] else {
        let what = "there should be two replies";
        return Err(Failure::Said(LookError::unreadable(what)));
    };
    SentinelView::parse(address, primary).map_err(Failure::Said)
}

/// What a sentinel has answered, if it has.
type Answer = Option<Result<SentinelView, Failure>>;

/// What each sentinel has answered.
struct Answers(Vec<(Arc<Server>, Answer)>);

impl Answers {
    fn views(&self) -> impl Iterator<Item = &SentinelView> + Clone {
        self.0.iter().filter_map(|(_, answer)| match answer {
            Some(Ok(view)) => Some(view),
            _ => None,
        })
    }

    /// Returns how long the others may take.
    fn patience(&self) -> Option<Duration> {
        match self.views().count() {
            0 => None,
            named if 2 * named > self.0.len() => Some(MOST_HAVE_ANSWERED),
            _ => Some(ONE_HAS_ANSWERED),
        }
    }

    /// Returns the error if no sentinel names a primary.
    fn error(&self, name: &str, timeout: Duration) -> Error {
        let is_unknown =
            |answer: &Answer| matches!(answer, Some(Err(Failure::Said(LookError::Unknown(_)))));
        let unknown = self.0.iter().filter(|(_, answer)| is_unknown(answer));
        // One that has just started, or is about to be removed, does not decide.
        if 2 * unknown.count() > self.0.len() {
            return Error::config(format!(
                "the sentinels know no primary by the name `{name}`; check the name after \
                 `sentinel monitor` in their configuration, and that the URLs are those of sentinels, \
                 whose port is mostly 26379: {self}"
            ));
        }
        let is_refused = |answer: &Answer| match answer {
            Some(Err(Failure::Said(error))) => error.is_not_allowed(),
            _ => false,
        };
        let refused = self.0.iter().filter(|(_, answer)| is_refused(answer));
        if 2 * refused.count() > self.0.len() {
            return Error::auth(format!(
                "the user of the sentinels may not ask for the primary of `{name}`; grant \
                 `+sentinel|master +sentinel|get-master-addr-by-name`: {self}"
            ));
        }
        let text = format!("no sentinel names the primary of `{name}`: {self}");
        let mut errors = self.0.iter().filter_map(|(_, answer)| match answer {
            Some(Err(Failure::Unreachable(error))) => Some(error),
            _ => None,
        });
        let all = |is: fn(&Error) -> bool| {
            errors.clone().count() == self.0.len() && errors.clone().all(is)
        };
        if all(Error::is_auth) {
            Error::auth(text)
        } else if all(Error::is_tls) {
            Error::tls(text)
        } else if all(Error::is_config) {
            Error::config(text)
        } else if errors.next().is_none() && self.0.iter().all(|(_, answer)| answer.is_none()) {
            Error::connection(format!("{text} (none has answered within {timeout:?})"))
        } else {
            Error::connection(text)
        }
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (sentinel, answer)) in self.0.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{}: ", sentinel.address())?;
            match answer {
                Some(Ok(view)) => view.fmt(f)?,
                Some(Err(Failure::Said(error))) => error.fmt(f)?,
                Some(Err(Failure::Unreachable(error))) => error.fmt(f)?,
                None => f.write_str("no answer in time")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Endpoint;
    use crate::connection::destination::Destination;
    use crate::connection::node_address::NodeAddress;

    fn answers(each: impl IntoIterator<Item = Answer>) -> Answers {
        let each = each.into_iter().enumerate().map(|(index, answer)| {
            let url = format!("redis://10.0.0.{}:26379/", index + 1);
            let Ok(Destination::Server(server)) = Endpoint::new(url).into_destination(true) else {
                panic!("the URL is that of a server");
            };
            (server, answer)
        });
        Answers(each.collect())
    }

    fn named() -> Answer {
        Some(Ok(SentinelView {
            primary: NodeAddress::new("10.0.0.9", 6379),
            epoch: 7,
            is_down: true,
        }))
    }

    fn unknown() -> Answer {
        let text = "no such name".to_owned();
        Some(Err(Failure::Said(LookError::Unknown(text))))
    }

    fn not_allowed() -> Answer {
        let text = "NOPERM User a has no permissions".to_owned();
        Some(Err(Failure::Said(LookError::Refused(text))))
    }

    fn failed(error: Error) -> Answer {
        Some(Err(Failure::Unreachable(error)))
    }

    fn refused() -> Answer {
        failed(Error::connection("refused"))
    }

    #[test]
    fn the_others_are_waited_for_shortly_once_most_have_answered() {
        for (each, patience) in [
            (vec![None, None, None], None),
            (vec![refused(), refused(), None], None),
            (vec![named(), None, None], Some(ONE_HAS_ANSWERED)),
            (vec![named(), refused(), None], Some(ONE_HAS_ANSWERED)),
            (vec![named(), named(), None], Some(MOST_HAVE_ANSWERED)),
            (vec![named(), named(), None, None], Some(ONE_HAS_ANSWERED)),
            (vec![named()], Some(MOST_HAVE_ANSWERED)),
        ] {
            let answers = answers(each);
            assert_eq!(answers.patience(), patience, "{answers}");
        }
    }

    #[test]
    fn a_failure_is_final_only_where_the_sentinels_agree_about_it() {
        type Is = fn(&Error) -> bool;
        let auth = || failed(Error::auth("no password"));
        for (each, is) in [
            (
                vec![unknown(), unknown(), refused()],
                Error::is_config as Is,
            ),
            (vec![unknown(), refused(), refused()], Error::is_connection),
            (
                vec![not_allowed(), not_allowed(), refused()],
                Error::is_auth,
            ),
            (vec![not_allowed(), refused()], Error::is_connection),
            (vec![auth(), auth()], Error::is_auth),
            (vec![auth(), refused()], Error::is_connection),
            (vec![failed(Error::tls("not trusted"))], Error::is_tls),
            (vec![None, None], Error::is_connection),
        ] {
            let error = answers(each).error("mymaster", Duration::from_secs(5));
            assert!(is(&error), "{error}");
            assert!(error.to_string().contains("`mymaster`"), "{error}");
        }
    }

    #[test]
    fn the_answers_are_listed_in_the_order_of_the_urls() {
        let answers = answers([named(), refused(), None]);
        assert_eq!(
            answers.to_string(),
            "10.0.0.1:26379: names 10.0.0.9:6379 (failover 7), which it takes for down; \
             10.0.0.2:26379: refused; 10.0.0.3:26379: no answer in time"
        );
    }
}
