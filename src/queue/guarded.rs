//! A fault of ours over one message ends the attempt, not the worker with everything it has taken besides.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// What the work comes to; `None` when it panicked, which the panic hook has logged. In a task of its own it could not
/// borrow the worker's connection.
pub(super) async fn guarded<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    // Nothing polls it again after a panic, and what it borrowed is only left in a state, never half of one: a connection
    // that was in use is gone.
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
