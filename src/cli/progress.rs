//! How far a long act has come, on standard error, and only where somebody watches: on a terminal.

use super::output::{Form, Output};
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const WIDTH: usize = 30;
/// Nobody reads faster.
const PAUSE: Duration = Duration::from_millis(80);

/// Cleared when it goes.
pub(super) struct Bar {
    label: &'static str,
    /// When it was last drawn; none while nobody watches.
    drawn: Option<Mutex<Option<Instant>>>,
}

impl Bar {
    pub(super) fn new(label: &'static str, output: &Output) -> Self {
        let watched = std::io::stderr().is_terminal() && output.form == Form::People;
        Self { label, drawn: watched.then(Mutex::default) }
    }

    pub(super) fn tell(&self, done: u64, all: u64) {
        let Some(drawn) = &self.drawn else { return };
        let Ok(mut drawn) = drawn.lock() else { return };
        if drawn.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        *drawn = Some(Instant::now());
        let _ = write!(std::io::stderr().lock(), "\r{}\x1b[K", line(self.label, done, all));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.drawn.as_ref().is_some_and(|drawn| drawn.lock().is_ok_and(|last| last.is_some())) {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn line(label: &str, done: u64, all: u64) -> String {
    let share = if all == 0 { 0.0 } else { (done.min(all) as f64) / (all as f64) };
    let filled = (share * WIDTH as f64) as usize;
    format!("{label} [{}{}] {:3.0} %", "#".repeat(filled), ".".repeat(WIDTH - filled), share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_never_overflows() {
        assert_eq!(line("x", 0, 0), "x [..............................]   0 %");
        assert_eq!(line("x", 1, 2), "x [###############...............]  50 %");
        assert_eq!(line("x", 9, 2), "x [##############################] 100 %");
    }
}
