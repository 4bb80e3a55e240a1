use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// Futures that run at once, to which others may be added. A wake-up polls all of them, of which there are hardly
/// more than nodes.
pub(super) struct InFlight<'f, T>(Vec<Pin<Box<dyn Future<Output = T> + Send + 'f>>>);

impl<'f, T> InFlight<'f, T> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, future: impl Future<Output = T> + Send + 'f) {
        self.0.push(Box::pin(future));
    }

    /// Waits for the first one that ends. Returns `None` if there is none.
    pub(super) async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| {
            for index in 0..self.0.len() {
                if let Poll::Ready(result) = self.0[index].as_mut().poll(cx) {
                    drop(self.0.swap_remove(index));
                    return Poll::Ready(Some(result));
                }
            }
            match self.0.is_empty() {
                true => Poll::Ready(None),
                false => Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn futures_end_in_their_own_order_and_others_may_come() {
        let mut in_flight = InFlight::new();
        let (first, second) = (oneshot::channel(), oneshot::channel());
        in_flight.add(async { first.1.await.unwrap() });
        in_flight.add(async { second.1.await.unwrap() });
        second.0.send(2).unwrap();
        assert_eq!(in_flight.next().await, Some(2));
        in_flight.add(async { 3 });
        assert_eq!(in_flight.next().await, Some(3));
        first.0.send(1).unwrap();
        assert_eq!(in_flight.next().await, Some(1));
        assert_eq!(in_flight.next().await, None);
    }
}
