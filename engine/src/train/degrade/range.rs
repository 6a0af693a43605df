//! A setting that is fixed or drawn anew for each sample.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A range to draw from evenly, both ends included; a single number in a
/// configuration is a range of that number alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Range {
    low: f32,
    high: f32,
}

/// How a range is written in a configuration.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a number, or [low, high]")]
enum Written {
    One(f32),
    Two([f32; 2]),
}

impl From<Written> for Range {
    fn from(written: Written) -> Self {
        match written {
            Written::One(value) => Self::new(value, value),
            Written::Two([low, high]) => Self::new(low, high),
        }
    }
}

impl From<Range> for Written {
    fn from(range: Range) -> Self {
        if range.low == range.high {
            Self::One(range.low)
        } else {
            Self::Two([range.low, range.high])
        }
    }
}

impl From<f32> for Range {
    fn from(value: f32) -> Self {
        Self::new(value, value)
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.low == self.high {
            write!(f, "{}", self.low)
        } else {
            write!(f, "[{}, {}]", self.low, self.high)
        }
    }
}

impl Range {
    /// The range from `low` to `high`.
    pub fn new(low: f32, high: f32) -> Self {
        Self { low, high }
    }

    /// The smallest value.
    pub fn low(self) -> f32 {
        self.low
    }

    /// The largest value.
    pub fn high(self) -> f32 {
        self.high
    }

    /// Whether the range is in order and lies in [low, high].
    pub fn within(self, low: f32, high: f32) -> bool {
        low <= self.low && self.low <= self.high && self.high <= high
    }

    /// Draws a value. A number is drawn even from a range of one value, so that
    /// narrowing one setting leaves the other draws as they were.
    pub fn draw(self, rng: &mut ChaCha8Rng) -> f32 {
        let t: f32 = rng.random();
        (self.low + (self.high - self.low) * t).min(self.high)
    }
}
