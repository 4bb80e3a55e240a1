use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// How many futures run at once.
const MOST: usize = 32;

/// Runs futures to their ends, up to 32 at once.
///
/// A wake-up polls all that run, of which there are few.
pub(super) async fn all<F: Future<Output = ()>>(futures: impl IntoIterator<Item = F>) {
    let mut waiting = futures.into_iter();
    let mut running: Vec<Pin<Box<F>>> = Vec::new();
    poll_fn(|cx| {
        running.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        while running.len() < MOST
            && let Some(future) = waiting.next()
        {
            let mut future = Box::pin(future);
            if future.as_mut().poll(cx).is_pending() {
                running.push(future);
            }
        }
        if running.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn futures_run_together_but_not_all_at_once() {
        let [running, most, ended] = [const { Cell::new(0) }; 3];
        all((0..100).map(|number| {
            let (running, most, ended) = (&running, &most, &ended);
            async move {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                for _ in 0..number % 7 {
                    yield_now().await;
                }
                running.set(running.get() - 1);
                ended.set(ended.get() + 1);
            }
        }))
        .await;
        let most = usize::try_from(most.get()).unwrap();
        assert!((MOST / 2..=MOST).contains(&most), "{most}");
        assert_eq!(ended.get(), 100);
    }

    #[tokio::test]
    async fn no_futures_take_no_time() {
        all(Vec::<std::future::Ready<()>>::new()).await;
    }
}
