//! Medians of repeated measurements.

use std::time::{Duration, Instant};

/// What repeated measurements gave.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// How many.
    pub runs: usize,
}

impl Spread {
    /// Of some measurements; all zero of none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
        let n = values.len();
        Self {
            median: (at(n / 2) + at(n.saturating_sub(1) / 2)) / 2.0,
            low: at(0),
            high: at(n.saturating_sub(1)),
            runs: n,
        }
    }
}

/// Fewest measurements a median is taken of, however long they take.
const FEWEST: usize = 3;

/// Warms up, then measures `runs` times, fewer if that takes longer than `patience`
/// (but at least three); `measure` returns what it measured.
///
/// # Errors
/// The first of `measure`.
pub fn repeat<E>(
    runs: usize,
    patience: Duration,
    mut measure: impl FnMut() -> Result<f64, E>,
) -> Result<Spread, E> {
    // Clocks rise with work: a fast device gets several warm runs, a slow one two.
    let start = Instant::now();
    for i in 0.. {
        measure()?;
        if i > 0 && (i >= runs || start.elapsed() > patience.min(Duration::from_millis(300))) {
            break;
        }
    }
    let start = Instant::now();
    let mut values = Vec::with_capacity(runs);
    while values.len() < runs && (values.len() < FEWEST || start.elapsed() < patience) {
        values.push(measure()?);
    }
    Ok(Spread::of(values))
}
