//! What a peer does about a second reader of a name. This is tried once in each run, and not timed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::control::Control;
use crate::Result;
use crate::readers::{Client, Item, Reader};

const NAME: &str = "second";
/// Longer than redis-push's linger, after which the name would be gone if it was not counted.
const GONE: Duration = Duration::from_millis(1_500);
const ARRIVES: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Second {
    /// Both receive, and the first still does when the second has left.
    Counted,
    /// Both receive, and the first receives nothing more when the second has left.
    DeafensTheFirst,
    /// There is none.
    Refused,
    /// There is none, and the first receives nothing more either.
    RefusedAndDeafensTheFirst,
    /// Not both receive.
    NotServed,
}

pub(super) async fn attempt(client: &impl Client, control: &mut Control) -> Result<Second> {
    let mut first = client.subscribe(NAME).await?;
    let second = client.subscribe(NAME).await;
    control.publish(NAME, 1)?;
    let first_receives = receives(&mut first, 1).await;
    let Ok(mut second) = second else {
        return Ok(if first_receives {
            Second::Refused
        } else {
            Second::RefusedAndDeafensTheFirst
        });
    };
    if !first_receives || !receives(&mut second, 1).await {
        return Ok(Second::NotServed);
    }
    client.leave(second).await?;
    sleep(GONE).await;
    control.publish(NAME, 2)?;
    Ok(if receives(&mut first, 2).await {
        Second::Counted
    } else {
        Second::DeafensTheFirst
    })
}

async fn receives(reader: &mut impl Reader, number: u64) -> bool {
    let arrived = async {
        while let Some(item) = reader.next().await {
            if matches!(item, Item::Message(arrived) if arrived == number) {
                return true;
            }
        }
        false
    };
    timeout(ARRIVES, arrived).await.unwrap_or(false)
}
