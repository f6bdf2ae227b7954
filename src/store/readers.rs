//! A small pool of threads that read, each with its own connection that can't write. One job sees one snapshot.

use super::engine::{Engine, Reading};
use super::error::StoreError;
use super::tx::{Begin, Session, Tx};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut dyn Session) + Send>;

pub(super) struct Readers {
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(engine: &dyn Engine, reading: Reading, count: usize) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let mut session = engine.reader(reading)?;
            let jobs = Arc::clone(&jobs);
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || {
                    while let Some(job) = next(&jobs) {
                        job(session.as_mut());
                    }
                })
                .map_err(|error| StoreError::Io(error.to_string()))?;
            threads.push(thread);
        }
        Ok(Self { queue: Some(queue), threads })
    }

    /// Queues a read; its answer comes through the channel, for callers that await as for those that block.
    pub(super) fn read<T, F>(&self, work: F) -> oneshot::Receiver<Result<T, StoreError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job: Job = Box::new(move |session| {
            let result = catch_unwind(AssertUnwindSafe(|| in_snapshot(session, work)))
                .unwrap_or_else(|_| Err(StoreError::Io("a store method panicked while reading".to_owned())));
            session.rollback();
            let _ = caller.send(result);
        });
        if let Some(queue) = &self.queue {
            // Without a thread left the job is dropped, and with it the caller's channel: that reads as closed.
            let _ = queue.send(job);
        }
        answer
    }
}

fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
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
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
