//! How long the write-ahead log is, and who moves it into the database.
//!
//! A thread does that while the writer goes on. But the log starts again from its beginning only once all of it was moved,
//! and while mail comes in there is always something behind where the thread began: the log would grow, each commit would
//! have to make the file longer, which costs the disk a second write, and in the end the writer would move it all in one
//! long pause. So when the log is long and the thread has just passed, the writer moves the short rest itself, between two
//! transactions, after those of the last were answered.

use rusqlite::hooks::Wal;
use std::cell::Cell;
use std::ffi::c_int;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// New pages in the log at which the thread is woken: 16 MiB.
const PASS_PAGES: u32 = 2048;
/// Pages from which on the log is to start again. What is written until then and during a pass stays below the size the
/// file is cut to, so it is written in place.
const LONG_PAGES: u32 = 6144;
/// Should the thread not keep up, the engine moves everything inside a commit.
const PAGES_MAX: u32 = 20_000;

thread_local! {
    /// As the engine said after this thread's last commit.
    static PAGES: Cell<u32> = const { Cell::new(0) };
}

/// To be called by the engine after each commit of the writer.
pub(super) fn hook(log: &Wal, pages: c_int) -> rusqlite::Result<()> {
    let pages = u32::try_from(pages).unwrap_or_default();
    PAGES.set(pages);
    if pages >= PAGES_MAX {
        // The commit has succeeded in any case; what was not moved now is moved later.
        let _ = log.checkpoint();
    }
    Ok(())
}

#[derive(Default)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pages: u32,
    /// A pass began when there were so many.
    passed_at: u32,
    /// Something was committed that no pass has seen.
    is_behind: bool,
    /// A pass has moved all there was when it began, and the rest was not moved since.
    rest_is_short: bool,
    stopped: bool,
}

impl State {
    fn pass_is_due(&self) -> bool {
        self.pages >= self.passed_at + PASS_PAGES
    }
}

impl Log {
    /// This thread has committed.
    pub(super) fn committed(&self) {
        let pages = PAGES.get();
        let mut state = self.state();
        if pages < state.pages {
            (state.passed_at, state.rest_is_short) = (0, false);
        }
        state.pages = pages;
        state.is_behind = true;
        if state.pass_is_due() {
            self.changed.notify_one();
        }
    }

    /// Whether the writer should move the rest now.
    pub(super) fn rest_is_due(&self) -> bool {
        let mut state = self.state();
        let due = state.rest_is_short && state.pages >= LONG_PAGES;
        if due {
            state.rest_is_short = false;
        }
        due
    }

    /// A pass begins. Whether there is anything to do.
    pub(super) fn pass_begins(&self) -> bool {
        let mut state = self.state();
        state.passed_at = state.pages;
        std::mem::take(&mut state.is_behind)
    }

    pub(super) fn pass_ended(&self, moved_all: bool) {
        let mut state = self.state();
        state.rest_is_short = moved_all;
        state.is_behind |= !moved_all;
    }

    /// Waits until the log has grown by so much that a pass is due, or the time is over. `false`: no more passes.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let state = self.state();
        if state.stopped || state.pass_is_due() {
            return !state.stopped;
        }
        let waited = self.changed.wait_timeout(state, patience);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
