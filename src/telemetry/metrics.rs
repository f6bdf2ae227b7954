//! Counters and gauges, and their text for a collector. Own, because all it takes is a list of atomic numbers.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Series (names with labels) of one registry. Labels must never come from outside; if some do, this keeps the damage
/// small: what is asked for beyond it counts, but is not shown.
const SERIES_MAX: usize = 2000;

/// Only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn increment(&self) {
        self.add(1);
    }

    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn add(&self, amount: i64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one up for as long as the returned value lives.
    pub fn hold(self: &Arc<Self>) -> Held {
        self.add(1);
        Held(Arc::clone(self))
    }
}

/// One of what a gauge counts.
#[derive(Debug)]
pub struct Held(Arc<Gauge>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// All metrics of one server. Cloning shares.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Vec<Series>>>);

#[derive(Debug)]
struct Series {
    name: &'static str,
    help: &'static str,
    labels: String,
    number: Number,
}

#[derive(Clone, Debug)]
enum Number {
    Counter(Arc<Counter>),
    Gauge(Arc<Gauge>),
}

impl Metrics {
    pub fn new() -> Self {
        Self::default()
    }

    /// The counter of this name and these labels; asking again gives the same one.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Arc<Counter> {
        match self.number(name, help, labels, || Number::Counter(Arc::default())) {
            Number::Counter(counter) => counter,
            // The name is taken by a gauge: count where nobody looks rather than stop serving.
            Number::Gauge(_) => Arc::default(),
        }
    }

    /// The gauge of this name and these labels; asking again gives the same one.
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Arc<Gauge> {
        match self.number(name, help, labels, || Number::Gauge(Arc::default())) {
            Number::Gauge(gauge) => gauge,
            Number::Counter(_) => Arc::default(),
        }
    }

    fn number(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        make: impl Fn() -> Number,
    ) -> Number {
        let labels = shown_labels(labels);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = all.iter().find(|series| series.name == name && series.labels == labels) {
            return series.number.clone();
        }
        let number = make();
        if all.len() < SERIES_MAX {
            // Series of one name stand together: the text format wants them so.
            let after = all.iter().rposition(|series| series.name == name).map_or(all.len(), |index| index + 1);
            all.insert(after, Series { name, help, labels, number: number.clone() });
        }
        number
    }

    /// In the text exposition format, version 0.0.4.
    pub fn text(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        let mut previous = "";
        for Series { name, help, labels, number } in all.iter() {
            let (kind, value) = match number {
                Number::Counter(counter) => ("counter", counter.value().to_string()),
                Number::Gauge(gauge) => ("gauge", gauge.value().to_string()),
            };
            if previous != *name {
                // Writing into a String can't fail.
                let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
                previous = name;
            }
            let _ = writeln!(text, "{name}{labels} {value}");
        }
        text
    }
}

fn shown_labels(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_groups_series_by_name() {
        let metrics = Metrics::new();
        metrics.counter("sessions_total", "Sessions begun.", &[("service", "smtp")]).add(2);
        let open = metrics.gauge("sessions_open", "Sessions now.", &[]);
        metrics.counter("sessions_total", "Sessions begun.", &[("service", "im\"ap\n")]).increment();
        metrics.counter("sessions_total", "Sessions begun.", &[("service", "smtp")]).increment();
        let held = open.hold();
        assert_eq!(
            metrics.text(),
            "# HELP sessions_total Sessions begun.\n# TYPE sessions_total counter\n\
             sessions_total{service=\"smtp\"} 3\nsessions_total{service=\"im\\\"ap\\n\"} 1\n\
             # HELP sessions_open Sessions now.\n# TYPE sessions_open gauge\nsessions_open 1\n"
        );
        drop(held);
        assert_eq!(open.value(), 0);
    }

    #[test]
    fn a_name_used_for_two_kinds_harms_nobody() {
        let metrics = Metrics::new();
        metrics.counter("a", "A.", &[]).increment();
        metrics.gauge("a", "A.", &[]).set(7);
        assert!(metrics.text().ends_with("a 1\n"));
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let metrics = Metrics::new();
        for number in 0..SERIES_MAX + 10 {
            metrics.counter("a", "A.", &[("n", &number.to_string())]).increment();
        }
        assert_eq!(metrics.text().lines().count(), SERIES_MAX + 2);
    }
}
