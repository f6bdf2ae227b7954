//! The one thread that writes: jobs queue up while a commit runs, then up to `COMMIT_JOBS_MAX` of them share the next.
//!
//! A job that is refused takes nothing of the others with it. Savepoints around each would see to that, but inside one
//! the engine copies every page before its first change, for jobs that hardly ever fail. So a batch runs without; when a
//! job is refused, all is undone and the batch runs once more, with a savepoint around each. Jobs must therefore bear
//! running twice: they are functions of what they captured and of the database.
//!
//! Nobody is answered before the commit; the change feed speaks between the two.

use super::error::StoreError;
use super::generations::{Generations, Stale};
use super::tx::{Begin, Session, Tx};
use super::{Observers, Touched, Waiting};
use crate::types::limits::{COMMIT_JOBS_MAX, COMMIT_OCTETS_MAX, COMMIT_WAIT_MICROSECONDS, WRITER_QUEUE_MAX};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// What the writer sees of a job: run it, then tell its caller how it ended.
trait Job: Send {
    fn octets(&self) -> usize;
    /// Whether what it wrote is to stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct TypedJob<T, F, C> {
    octets: usize,
    work: F,
    result: Option<Result<T, StoreError>>,
    /// Whom to tell.
    caller: C,
}

impl<T, F, C> Job for TypedJob<T, F, C>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send,
    C: FnOnce(Result<T, StoreError>) + Send,
{
    fn octets(&self) -> usize {
        self.octets
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // A panic is a fault of ours in one job; the thread, and with it the server's memory, must live on.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)))
            .unwrap_or_else(|_| Err(StoreError::Io("a store method panicked; what it did was undone".to_owned())));
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            // What refused by itself keeps its own cause: nothing of it was to be committed.
            (Err(_), Some(Err(own))) => Err(own),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(StoreError::Closed),
        };
        (self.caller)(result);
    }
}

/// The handle on the thread. Dropping it lets the thread finish what is queued and end.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        session: Box<dyn Session>,
        generations: Arc<Generations>,
        observers: Arc<Observers>,
    ) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel(WRITER_QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(session, jobs, &generations, &observers))
            .map_err(|error| StoreError::Io(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Waits for a place in the queue, then for the commit.
    pub(super) async fn write<T, F>(&self, octets: usize, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        // A caller who went away has no use for the answer; what was done stays done.
        let tell = move |result| drop(caller.send(result));
        let job = Box::new(TypedJob { octets, work, result: None, caller: tell });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The same from a thread that may block: it waits for the place here. The writer's own thread tells `then`.
    pub(super) fn write_then<T, F, C>(&self, octets: usize, work: F, then: C)
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        C: FnOnce(Result<T, StoreError>) + Send + 'static,
    {
        let job = Box::new(TypedJob { octets, work, result: None, caller: then });
        if let Some(queue) = &self.queue {
            // Without a thread left the job is dropped, and `then` with it.
            let _ = queue.blocking_send(job);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    mut session: Box<dyn Session>,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    generations: &Generations,
    observers: &Observers,
) {
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(COMMIT_JOBS_MAX);
    let mut together = 1;
    while let Some(first) = jobs.blocking_recv() {
        gather(first, &mut jobs, &mut batch, together);
        together = batch.len();
        let (committed, Told { touched, waiting, stale }) = commit(session.as_mut(), &mut batch);
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = batch.len(), "commit failed; nothing of it was stored");
        }
        // Caches and observers first: who is answered finds what he did in all that is held in memory.
        if committed.is_ok() {
            generations.raise(stale);
        }
        if committed.is_ok() && !touched.is_empty() {
            let told = catch_unwind(AssertUnwindSafe(|| observers.touched(&touched)));
            if told.is_err() {
                tracing::error!("an observer of the store panicked");
            }
        }
        for job in batch.drain(..) {
            job.answer(committed.clone());
        }
        if committed.is_ok() && !waiting.is_empty() {
            observers.waiting(&waiting);
        }
    }
}

/// What came in during the last commit is the batch. Those who were answered together mostly come again together, a
/// moment after the first of them: as many as there were the last time are waited for, for a part of the time a commit
/// takes. Otherwise the first would have a commit for itself, and the others would wait for that. Who is alone waits for
/// nobody.
fn gather(
    first: Box<dyn Job>,
    jobs: &mut mpsc::Receiver<Box<dyn Job>>,
    batch: &mut Vec<Box<dyn Job>>,
    together: usize,
) {
    let mut octets = first.octets();
    batch.push(first);
    let begun = Instant::now();
    while batch.len() < COMMIT_JOBS_MAX && octets < COMMIT_OCTETS_MAX {
        if let Ok(job) = jobs.try_recv() {
            octets += job.octets();
            batch.push(job);
        } else if batch.len() < together && begun.elapsed() < Duration::from_micros(COMMIT_WAIT_MICROSECONDS) {
            std::thread::yield_now();
        } else {
            break;
        }
    }
}

/// What others are to hear of a commit.
#[derive(Default)]
struct Told {
    touched: Vec<Touched>,
    waiting: Vec<Waiting>,
    stale: Stale,
}

impl Told {
    fn add(&mut self, tx: &mut Tx<'_>) {
        self.touched.append(&mut tx.touched);
        self.waiting.append(&mut tx.waiting);
        self.stale.merge(std::mem::take(&mut tx.stale));
    }
}

/// One transaction around all jobs of the batch.
fn commit(session: &mut dyn Session, batch: &mut [Box<dyn Job>]) -> (Result<(), StoreError>, Told) {
    let mut told = Told::default();
    let done = session.begin(Begin::Write).and_then(|()| {
        if run_together(session, batch, &mut told)? {
            return session.commit();
        }
        told = Told::default();
        session.rollback();
        session.begin(Begin::Write)?;
        for job in batch.iter_mut() {
            run_in_savepoint(session, job.as_mut(), &mut told)?;
        }
        session.commit()
    });
    if done.is_err() {
        session.rollback();
    }
    (done, told)
}

/// Whether all jobs were done; if not, what the transaction holds is to be thrown away. A batch of one needs no second
/// run: it was refused, and nothing else is in the transaction.
fn run_together(session: &mut dyn Session, batch: &mut [Box<dyn Job>], told: &mut Told) -> Result<bool, StoreError> {
    let alone = batch.len() == 1;
    for job in batch.iter_mut() {
        let mut tx = Tx::new(session);
        let kept = job.run(&mut tx);
        told.add(&mut tx);
        // A full disk can end the whole transaction under the job; then nothing of the batch is there any more.
        if !session.in_transaction() {
            return Err(StoreError::DiskFull);
        }
        if !kept && alone {
            *told = Told::default();
            session.rollback();
            return session.begin(Begin::Write).map(|()| true);
        }
        if !kept {
            return Ok(false);
        }
    }
    Ok(true)
}

fn run_in_savepoint(session: &mut dyn Session, job: &mut dyn Job, told: &mut Told) -> Result<(), StoreError> {
    session.savepoint()?;
    let mut tx = Tx::new(session);
    let kept = job.run(&mut tx);
    let mut by_job = Told::default();
    by_job.add(&mut tx);
    if !session.in_transaction() {
        return Err(StoreError::DiskFull);
    }
    if kept {
        told.touched.append(&mut by_job.touched);
        told.waiting.append(&mut by_job.waiting);
        told.stale.merge(by_job.stale);
        session.release()
    } else {
        session.rollback_to_savepoint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Octets(usize);

    impl Job for Octets {
        fn octets(&self) -> usize {
            self.0
        }

        fn run(&mut self, _: &mut Tx<'_>) -> bool {
            true
        }

        fn answer(self: Box<Self>, _: Result<(), StoreError>) {}
    }

    #[test]
    fn a_batch_is_what_is_there_and_bounded() {
        let check = |waiting: usize, octets: usize, together: usize, expected: usize| {
            let (queue, mut jobs) = mpsc::channel::<Box<dyn Job>>(WRITER_QUEUE_MAX);
            for _ in 0..waiting {
                assert!(queue.try_send(Box::new(Octets(octets))).is_ok());
            }
            let mut batch: Vec<Box<dyn Job>> = Vec::new();
            gather(Box::new(Octets(octets)), &mut jobs, &mut batch, together);
            assert_eq!(batch.len(), expected, "{waiting} of {octets} octets after a batch of {together}");
        };
        check(0, 1, 1, 1);
        check(3, 1, 1, 4);
        // Nobody comes again: the wait ends by itself.
        check(0, 1, 8, 1);
        check(COMMIT_JOBS_MAX + 5, 1, 8, COMMIT_JOBS_MAX);
        check(3, COMMIT_OCTETS_MAX, 8, 1);
    }
}
