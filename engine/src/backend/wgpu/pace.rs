//! How much work goes into one submission.
//!
//! A submission of 50–100 ms keeps the desktop smooth and stays far below the
//! two seconds after which drivers reset. The speed is learned while running.

use std::ops::Range;
use std::time::Duration;

use super::adapter::DeviceKind;
use super::pipeline::Launch;

/// Aimed-at duration of one submission in seconds.
const TARGET: f64 = 0.075;
/// Work of the smallest launch: about what its overhead costs on a fast card.
const OVERHEAD: f64 = 1e6;

/// The device's speed as seen so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Work a second.
    speed: f64,
}

impl Pace {
    /// A careful guess for a device that was not measured yet.
    pub(super) fn guess(kind: DeviceKind) -> Self {
        let speed = match kind {
            DeviceKind::Discrete => 5e11,
            DeviceKind::Other | DeviceKind::Integrated => 5e10,
            DeviceKind::Software => 5e8,
        };
        Self { speed }
    }

    /// As slow as it gets: one launch a submission.
    #[cfg(test)]
    pub(super) fn slow_down(&mut self) {
        self.learn(1.0, 1.0);
    }

    /// Launches of each submission, in order.
    pub(super) fn split(&self, launches: &[Launch]) -> Vec<Range<usize>> {
        let work: Vec<f64> = launches.iter().map(|l| l.work).collect();
        self.parts(&work)
    }

    fn parts(&self, work: &[f64]) -> Vec<Range<usize>> {
        let limit = self.speed * TARGET;
        let mut parts = Vec::new();
        let (mut start, mut sum) = (0, 0.0);
        for (i, &w) in work.iter().enumerate() {
            let w = w + OVERHEAD;
            if sum + w > limit && i > start {
                parts.push(start..i);
                (start, sum) = (i, 0.0);
            }
            sum += w;
        }
        parts.push(start..work.len());
        parts
    }

    /// Learns from launches that took `elapsed` together.
    pub(super) fn observe(&mut self, launches: &[Launch], elapsed: Duration) {
        let work: f64 = launches.iter().map(|l| l.work + OVERHEAD).sum();
        self.learn(work, elapsed.as_secs_f64());
    }

    fn learn(&mut self, work: f64, seconds: f64) {
        let seen = work / seconds.max(1e-6);
        // Slowing down is believed at once; speeding up by degrees, for a slow launch
        // may hide among fast ones.
        self.speed = seen.min(4.0 * self.speed).max(1e6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_in_order() {
        let pace = Pace { speed: 1e9 };
        let work = [1e7, 5e7, 5e7, 9e8, 1e3, 1e3];
        let parts = pace.parts(&work);
        let flat: Vec<usize> = parts.iter().cloned().flatten().collect();
        assert_eq!(flat, (0..work.len()).collect::<Vec<_>>());
        assert!(parts.len() > 2);
        // A launch larger than a whole submission stands alone.
        assert!(parts.contains(&(3..4)));
        assert_eq!(pace.parts(&[]), vec![0..0]);
    }

    #[test]
    fn a_slow_device_gets_smaller_parts() {
        let mut pace = Pace { speed: 1e12 };
        let work = [1e9; 10];
        assert_eq!(pace.parts(&work).len(), 1);
        pace.learn(1e10, 1.0);
        assert_eq!(pace.parts(&work).len(), 10);
    }
}
