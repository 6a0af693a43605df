//! How long a job will still take.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How much a new measurement weighs against what was known.
const WEIGHT: f64 = 0.5;

/// Seconds a pixel, for each model, learned from the jobs done so far.
#[derive(Debug, Default)]
pub struct Paces {
    known: HashMap<String, f64>,
}

impl Paces {
    /// Takes in a finished job.
    pub fn learn(&mut self, model: &str, pixels: u64, seconds: f64) {
        if pixels == 0 {
            return;
        }
        let pace = seconds / pixels as f64;
        self.known
            .entry(model.to_owned())
            .and_modify(|old| *old += WEIGHT * (pace - *old))
            .or_insert(pace);
    }

    /// Seconds that a job of so many pixels is expected to take.
    pub fn expect(&self, model: &str, pixels: u64) -> Option<f64> {
        self.known.get(model).map(|pace| pace * pixels as f64)
    }

    /// Forgets everything: another device has another pace.
    pub fn clear(&mut self) {
        self.known.clear();
    }
}

/// One job's time.
#[derive(Clone, Debug)]
pub struct Course {
    start: Instant,
    /// When the last tile was done, and what fraction of the picture that was.
    mark: (Instant, f64),
    /// What the job is expected to take, from earlier ones.
    expected: Option<f64>,
}

impl Course {
    /// Starts now.
    pub fn new(now: Instant, expected: Option<f64>) -> Self {
        Self {
            start: now,
            mark: (now, 0.0),
            expected,
        }
    }

    /// `fraction` of the tiles are done.
    pub fn progress(&mut self, now: Instant, fraction: f64) {
        self.mark = (now, fraction);
    }

    /// Seconds the whole takes, as well as can be told.
    fn whole(&self) -> Option<f64> {
        let (at, fraction) = self.mark;
        let spent = (at - self.start).as_secs_f64();
        // Tiles of this very job tell more than other pictures did, once there are a few.
        match self.expected {
            Some(expected) if fraction < 0.2 => Some(expected),
            _ if fraction > 0.0 => Some(spent / fraction),
            other => other,
        }
    }

    /// What is done, 0 to 1, between tiles as well; never quite 1 before the end.
    pub fn fraction(&self, now: Instant) -> f32 {
        let by_tiles = self.mark.1;
        let by_time = self
            .whole()
            .map_or(0.0, |w| (now - self.start).as_secs_f64() / w.max(1e-3));
        by_tiles.max(by_time.min(0.97)) as f32
    }

    /// What is left.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.whole()? - (now - self.start).as_secs_f64();
        Some(Duration::from_secs_f64(left.max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn remaining_time_follows_tiles_and_earlier_jobs() {
        let start = Instant::now();
        let at = |s: f64| start + Duration::from_secs_f64(s);
        let mut course = Course::new(start, None);
        assert_eq!(course.left(at(1.0)), None);
        course.progress(at(2.0), 0.25);
        assert_eq!(course.left(at(3.0)), Some(Duration::from_secs(5)));
        assert!((course.fraction(at(3.0)) - 0.375).abs() < 1e-6);
        assert!(course.fraction(at(100.0)) < 1.0);

        let mut paces = Paces::default();
        assert_eq!(paces.expect("m", 10), None);
        paces.learn("m", 100, 1.0);
        paces.learn("m", 100, 2.0);
        let expected = paces.expect("m", 200).unwrap();
        assert!((expected - 3.0).abs() < 1e-9);
        let course = Course::new(start, Some(expected));
        assert_eq!(course.left(at(1.0)), Some(Duration::from_secs(2)));
        assert_eq!(course.left(at(9.0)), Some(Duration::ZERO));
    }
}
