//! Large messages, one at a time, on a thread of their own.
//!
//! Looking at a message needs it whole in memory: it can't be mapped there without unsafe code, and scripts may ask for any
//! part of it. So memory is bounded by how many are looked at together. All by the same thread, because an allocator keeps
//! for each thread what that thread has freed: a pool of them ends up holding the largest message once for every thread.

use super::MailboxError;
use crate::store::StoreError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// A fault of ours ended the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

impl From<Died> for MailboxError {
    fn from(_: Died) -> Self {
        Self::Store(StoreError::Io("the work on a large message panicked".to_owned()))
    }
}

type Job = Box<dyn FnOnce() + Send>;

pub struct LargeMessages {
    turns: Semaphore,
    thread: mpsc::Sender<Job>,
}

/// The one who has it may have a large message in memory.
pub struct Turn<'t> {
    thread: &'t mpsc::Sender<Job>,
    _permit: SemaphorePermit<'t>,
}

impl LargeMessages {
    pub fn start() -> io::Result<Self> {
        let (thread, jobs) = mpsc::channel::<Job>();
        // It ends when the last sender is gone, and holds nothing that would need to be waited for.
        std::thread::Builder::new().name("large-messages".to_owned()).spawn(move || {
            for job in jobs {
                // A panic is a fault in one delivery; whoever waits for it hears that it died.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(Self { turns: Semaphore::new(1), thread })
    }

    pub async fn turn(&self) -> Result<Turn<'_>, Died> {
        let permit = self.turns.acquire().await.map_err(|_| Died)?;
        Ok(Turn { thread: &self.thread, _permit: permit })
    }
}

impl Turn<'_> {
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Died> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more for what a session that went away has begun.
            let _ = done.send(work());
        });
        self.thread.send(job).map_err(|_| Died)?;
        answer.await.map_err(|_| Died)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[tokio::test]
    async fn one_thread_does_all_and_survives() {
        let large = LargeMessages::start().expect("a thread");
        let first = large.turn().await.expect("free").run(|| thread::current().id()).await.expect("done");
        let turn = large.turn().await.expect("free again");
        assert!(matches!(turn.run(|| panic!("a fault")).await, Err::<(), _>(Died)));
        assert_eq!(turn.run(|| thread::current().id()).await.expect("done"), first);
        assert_ne!(first, thread::current().id());
        assert!(large.turns.try_acquire().is_err());
        drop(turn);
        assert!(large.turns.try_acquire().is_ok());
    }
}
