//! Who works where: destinations that are due, in the order in which they became so, each with as many workers as it can
//! bear and all together with as many as there are places.
//!
//! What is known of the queue in memory is bounded: names of destinations, up to a limit. The others stay in the store,
//! where they are found by their time. Sends of this process's own making are heard of at once.

use super::Shared;
use super::verdict::Setback;
use super::worker::{Left, Worker};
use crate::store::Waiting;
use crate::types::Timestamp;
use crate::types::limits::{
    QUEUE_CONNECTIONS_FIRST, QUEUE_LOOK_SECONDS_MAX, QUEUE_READY_MAX, QUEUE_RELAY_DOWN_SECONDS, QUEUE_TROUBLE_SECONDS,
};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};

/// What the scheduler hears while it does something else.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<News>,
    arrived: Notify,
    /// Destinations that wait for a place.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct News {
    destinations: VecDeque<Waiting>,
    /// There was no room for all of them, or somebody wants it looked at: the store knows.
    look: bool,
    /// Setbacks count no longer.
    forgive: bool,
}

impl Inbox {
    /// Called by the store's writer: takes no time and never fails.
    pub(super) fn hear(&self, waiting: &[Waiting]) {
        let mut news = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for one in waiting {
            if news.destinations.len() >= QUEUE_READY_MAX {
                news.look = true;
                break;
            }
            if news.destinations.back() != Some(one) {
                news.destinations.push_back(one.clone());
            }
        }
        drop(news);
        self.arrived.notify_one();
    }

    /// A worker sees more than it can do soon.
    pub(super) fn more(&self, destination: &str) {
        self.hear(&[Waiting { destination: destination.to_owned(), due: Timestamp(i64::MIN) }]);
    }

    pub(super) fn wake(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).look = true;
        self.arrived.notify_one();
    }

    pub(super) fn forgive(&self) {
        let mut news = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (news.look, news.forgive) = (true, true);
        drop(news);
        self.arrived.notify_one();
    }

    pub(super) fn somebody_waits(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn take(&self) -> News {
        std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What destinations share: their server, where an administrator has named one; else each its own.
pub(super) struct Hop {
    limit: AtomicUsize,
    limit_max: usize,
    is_shared: bool,
    down: Mutex<Option<(Timestamp, Setback)>>,
}

impl Hop {
    fn new(limit_max: usize, is_shared: bool) -> Self {
        let first = QUEUE_CONNECTIONS_FIRST.min(limit_max).max(1);
        Self { limit: AtomicUsize::new(first), limit_max: limit_max.max(1), is_shared, down: Mutex::default() }
    }

    /// A server that takes mail may get more of it at a time.
    pub(super) fn succeeded(&self) {
        let raise = |limit: usize| (limit < self.limit_max).then_some(limit + 1);
        // Where it is at its highest there is nothing to do.
        let _ = self.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise);
    }

    /// One that does not let us in gets less. What many destinations share is not tried by each of them.
    pub(super) fn failed(&self, setback: &Setback, now: Timestamp) {
        let _ = self.limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |limit| Some((limit / 2).max(1)));
        if self.is_shared && !setback.is_permanent() {
            let until = now.plus_seconds(QUEUE_RELAY_DOWN_SECONDS);
            *self.down.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, setback.clone()));
        }
    }

    fn forgive(&self) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn down(&self, now: Timestamp) -> Option<Setback> {
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.as_ref().filter(|(until, _)| now < *until).map(|(_, setback)| setback.clone())
    }
}

/// Workers at a hop, and destinations that wait for one of them to leave.
struct Place {
    hop: Arc<Hop>,
    workers: usize,
    waiting: VecDeque<String>,
}

impl Place {
    /// As many of those who wait as there is room for now.
    fn move_up(&mut self, ready: &mut VecDeque<String>) {
        let free = self.hop.limit.load(Ordering::Relaxed).saturating_sub(self.workers);
        ready.extend(self.waiting.drain(..free.min(self.waiting.len())));
    }
}

pub(super) struct Scheduler {
    shared: Arc<Shared>,
    ready: VecDeque<String>,
    /// In `ready`, or waiting at a hop.
    queued: HashSet<String>,
    /// Destinations with workers, and how many.
    working: HashMap<String, usize>,
    /// Became due while somebody worked there, who may have looked for the last time before.
    again: HashSet<String>,
    places: HashMap<String, Place>,
    tasks: JoinSet<Left>,
    destinations: HashMap<Id, String>,
    /// The store may have something due that is not known here; where the look at it has come to.
    look: bool,
    cursor: Option<Waiting>,
    next_look: Option<Timestamp>,
}

impl Scheduler {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            ready: VecDeque::new(),
            queued: HashSet::new(),
            working: HashMap::new(),
            again: HashSet::new(),
            places: HashMap::new(),
            tasks: JoinSet::new(),
            destinations: HashMap::new(),
            look: true,
            cursor: None,
            next_look: None,
        }
    }

    /// Until `stop`; then as long as workers need for what they have begun.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let shared = Arc::clone(&self.shared);
        loop {
            self.read_news();
            self.dispatch();
            if self.look && self.queued.len() < QUEUE_READY_MAX {
                self.look_for_due().await;
                continue;
            }
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(left) = self.tasks.join_next_with_id() => self.left(left),
                () = shared.inbox.arrived.notified() => {}
                () = sleep_until(self.next_look, &shared) => (self.look, self.cursor) = (true, None),
            }
        }
        shared.stop();
        while let Some(left) = self.tasks.join_next_with_id().await {
            self.left(left);
        }
        shared.pool.close().await;
    }

    fn read_news(&mut self) {
        let news = self.shared.inbox.take();
        if news.look {
            (self.look, self.cursor) = (true, None);
        }
        if news.forgive {
            self.places.values().for_each(|place| place.hop.forgive());
        }
        let now = self.shared.store.clock().now();
        for Waiting { destination, due } in news.destinations {
            if due <= now {
                self.queue(destination);
            } else {
                self.next_look = Some(self.next_look.map_or(due, |next| next.min(due)));
            }
        }
    }

    fn queue(&mut self, destination: String) {
        if self.queued.len() >= QUEUE_READY_MAX {
            self.look = true;
            return;
        }
        if self.queued.insert(destination.clone()) {
            self.ready.push_back(destination);
        }
    }

    fn dispatch(&mut self) {
        for place in self.places.values_mut() {
            place.move_up(&mut self.ready);
        }
        while self.tasks.len() < self.shared.settings.connections_max {
            let Some(destination) = self.ready.pop_front() else { break };
            self.start(destination);
        }
        self.shared.inbox.waiting.store(self.queued.len(), Ordering::Relaxed);
    }

    /// Sends a worker, or has the destination wait for one.
    fn start(&mut self, destination: String) {
        let key = self.shared.hop_of(&destination);
        let is_shared = key != destination;
        let limit_max = self.shared.settings.connections_per_destination_max;
        let place = self.places.entry(key).or_insert_with(|| Place {
            hop: Arc::new(Hop::new(limit_max, is_shared)),
            workers: 0,
            waiting: VecDeque::new(),
        });
        if place.workers >= place.hop.limit.load(Ordering::Relaxed) {
            place.waiting.push_back(destination);
            return;
        }
        place.workers += 1;
        self.queued.remove(&destination);
        *self.working.entry(destination.clone()).or_default() += 1;
        let worker = Worker::new(Arc::clone(&self.shared), destination.clone(), Arc::clone(&place.hop));
        let task = self.tasks.spawn(Box::pin(worker.run()));
        self.destinations.insert(task.id(), destination);
    }

    fn left(&mut self, left: Result<(Id, Left), tokio::task::JoinError>) {
        let (id, left) = match left {
            Ok((id, left)) => (id, left),
            Err(error) => {
                tracing::error!(%error, "a worker of the queue broke down; what it had is tried again after a restart");
                (error.id(), Left::Idle)
            }
        };
        let Some(destination) = self.destinations.remove(&id) else { return };
        if let Some(workers) = self.working.get_mut(&destination) {
            *workers -= 1;
            if *workers == 0 {
                self.working.remove(&destination);
            }
        }
        let key = self.shared.hop_of(&destination);
        if let Some(place) = self.places.get_mut(&key) {
            place.workers -= 1;
            // Those who waited go before this one's next visit.
            place.move_up(&mut self.ready);
            let now = self.shared.store.clock().now();
            if place.workers == 0 && place.waiting.is_empty() && place.hop.down(now).is_none() {
                self.places.remove(&key);
            }
        }
        let is_due_again = self.again.remove(&destination);
        match left {
            Left::Idle if is_due_again => self.queue(destination),
            Left::Idle => {}
            Left::More => self.queue(destination),
            Left::Trouble => {
                let soon = self.shared.store.clock().now().plus_seconds(QUEUE_TROUBLE_SECONDS);
                self.next_look = Some(self.next_look.map_or(soon, |next| next.min(soon)));
            }
        }
    }

    /// A page of what is due in the store and not known here.
    async fn look_for_due(&mut self) {
        const PAGE: u32 = 256;
        let store = &self.shared.store;
        let now = store.clock().now();
        let page = match store.due_destinations(self.cursor.clone(), now, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "the queue can't be looked through");
                (self.look, self.next_look) = (false, Some(now.plus_seconds(QUEUE_TROUBLE_SECONDS)));
                return;
            }
        };
        if page.len() < PAGE as usize {
            (self.look, self.cursor) = (false, None);
            self.next_look =
                store.next_destination_due(now).await.unwrap_or(Some(now.plus_seconds(QUEUE_TROUBLE_SECONDS)));
        } else {
            self.cursor = page.last().cloned();
        }
        for Waiting { destination, .. } in page {
            // Where somebody works, somebody sees what is there, or leaves and is followed by another.
            if self.working.contains_key(&destination) {
                self.again.insert(destination);
            } else {
                self.queue(destination);
            }
        }
    }
}

/// By the house's clock, and now and then in any case: clocks are set.
async fn sleep_until(time: Option<Timestamp>, shared: &Shared) {
    let now = shared.store.clock().now();
    let longest = Duration::from_secs(QUEUE_LOOK_SECONDS_MAX);
    let wait = time.map_or(longest, |time| {
        Duration::from_millis(u64::try_from(time.0.saturating_sub(now.0)).unwrap_or_default()).min(longest)
    });
    tokio::time::sleep(wait).await;
}
