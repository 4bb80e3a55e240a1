use std::future::poll_fn;
use std::task::Poll;

/// Lets other tasks run: those that this one has just woken, for example, of which tokio puts the last before all
/// others of this thread.
///
/// Unlike after [`tokio::task::yield_now`], another thread that has nothing to do may take this task meanwhile.
pub(crate) async fn step_back() {
    let mut is_back = false;
    poll_fn(|cx| match std::mem::replace(&mut is_back, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}
