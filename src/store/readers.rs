//! A small pool of threads that read, each with its own connection that can't write. One job sees one snapshot.
//!
//! A job wakes one thread, the one that has worked last: what it read lies in its connection's cache and the processor's. A
//! channel whose receiver the threads share was rejected: whoever gets a job from it has to wake the next to wait for
//! more, so that each job wakes two, and they take turns.

use super::engine::{Engine, Reading};
use super::error::StoreError;
use super::tx::{Begin, Session, Tx};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut dyn Session) + Send>;

pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Threads without a job, the last one to have had one last.
    idle: Vec<Thread>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) {
        let idle = {
            let mut waiting = self.lock();
            waiting.jobs.push_back(job);
            waiting.idle.pop()
        };
        if let Some(thread) = idle {
            thread.unpark();
        }
    }

    /// Waits for a job; `None` when there will be no more.
    fn next(&self) -> Option<Job> {
        let me = std::thread::current();
        loop {
            {
                let mut waiting = self.lock();
                // Waking up without having been woken is possible.
                waiting.idle.retain(|thread| thread.id() != me.id());
                if let Some(job) = waiting.jobs.pop_front() {
                    return Some(job);
                }
                if waiting.closed {
                    return None;
                }
                waiting.idle.push(me.clone());
            }
            std::thread::park();
        }
    }

    /// What is queued is still done.
    fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.idle.drain(..).for_each(|thread| thread.unpark());
    }
}

impl Readers {
    pub(super) fn start(engine: &dyn Engine, reading: Reading, count: usize) -> Result<Self, StoreError> {
        // Dropped if a thread can't be started: those before it end.
        let mut readers = Self { queue: Arc::default(), threads: Vec::with_capacity(count) };
        for number in 0..count {
            let mut session = engine.reader(reading)?;
            let jobs = Arc::clone(&readers.queue);
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    while let Some(job) = jobs.next() {
                        job(session.as_mut());
                    }
                })
                .map_err(|error| StoreError::Io(error.to_string()))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Queues a read; its answer comes through the channel, for callers that await as for those that block.
    pub(super) fn read<T, F>(&self, work: F) -> oneshot::Receiver<Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            // Whoever asked has gone away while this was waiting.
            if caller.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| in_snapshot(session, work)))
                .unwrap_or_else(|_| Err(StoreError::Io("a store method panicked while reading".to_owned())));
            session.rollback();
            let _ = caller.send(result);
        });
        self.queue.push(job);
        answer
    }
}

fn in_snapshot<T>(
    session: &mut dyn Session,
    work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    session.begin(Begin::Read)?;
    work(&mut Tx::new(session))
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
