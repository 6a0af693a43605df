//! How far a batch is, by pixels, and how long it will still take.

use std::time::{Duration, Instant};

/// No forecast from less work than this.
const LEAST_WORK: Duration = Duration::from_secs(2);

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Pixels restored by this run.
    pub done: u64,
    /// Pixels of all pictures that this run has restored or will; sizes not known yet are taken
    /// as the mean of the others.
    pub total: u64,
    /// Time left at the speed so far, pauses left out; absent while too little is done to tell.
    pub left: Option<Duration>,
}

impl Progress {
    /// `done` of `total`, 0 to 1; nothing to do is all done.
    pub fn share(&self) -> f64 {
        match self.total {
            0 => 1.0,
            total => (self.done as f64 / total as f64).min(1.0),
        }
    }
}

/// Measures work: time while there is some and no pause.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    worked: Duration,
    since: Option<Instant>,
}

impl Clock {
    /// Runs from now on, unless it does.
    pub fn start(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Stands still from now on.
    pub fn stop(&mut self, now: Instant) {
        self.worked = self.worked(now);
        self.since = None;
    }

    /// How long it has run.
    pub fn worked(&self, now: Instant) -> Duration {
        let running = self.since.map(|s| now.saturating_duration_since(s));
        self.worked + running.unwrap_or_default()
    }

    /// Time for `left` pixels at the speed of `done`.
    pub fn forecast(&self, done: u64, left: u64, now: Instant) -> Option<Duration> {
        let worked = self.worked(now);
        if worked < LEAST_WORK || done == 0 {
            return None;
        }
        let seconds = worked.as_secs_f64() * left as f64 / done as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_leaves_pauses_out() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut clock = Clock::default();
        clock.start(start);
        assert_eq!(clock.forecast(100, 300, at(1)), None, "too early to tell");
        assert_eq!(
            clock.forecast(100, 300, at(4)),
            Some(Duration::from_secs(12))
        );
        clock.stop(at(4));
        assert_eq!(
            clock.forecast(100, 300, at(4000)),
            Some(Duration::from_secs(12))
        );
        clock.start(at(4000));
        clock.start(at(4003));
        assert_eq!(clock.worked(at(4004)), Duration::from_secs(8));
        assert_eq!(clock.forecast(0, 300, at(4004)), None);
    }
}
