//! Backward ops against central finite differences of the forward ops, in 64-bit.

mod network;
mod ops;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Half the distance between the two evaluations of a central difference.
const STEP: f64 = 1e-5;

/// Values in ±1 at least 0.01 from zero, so that no kink lies within [`STEP`].
fn values(rng: &mut ChaCha8Rng, dims: &[usize]) -> Vec<f64> {
    (0..dims.iter().product())
        .map(|_| {
            let size = 0.01 + 0.99 * rng.random::<f64>();
            if rng.random::<bool>() { size } else { -size }
        })
        .collect()
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// `(f(x + STEP·e_i) − f(x − STEP·e_i)) / (2·STEP)`
fn slope(x: &mut [f64], i: usize, f: &dyn Fn(&[f64]) -> f64) -> f64 {
    let kept = x[i];
    x[i] = kept + STEP;
    let above = f(x);
    x[i] = kept - STEP;
    let below = f(x);
    x[i] = kept;
    (above - below) / (2.0 * STEP)
}

/// Asserts that two numbers agree relative to `scale`, the size of their tensor's gradient.
fn assert_close(got: f64, want: f64, scale: f64, tolerance: f64, what: &str) {
    let error = (got - want).abs() / scale.max(1e-3);
    assert!(
        error <= tolerance,
        "{what}: backward {got:e}, finite difference {want:e}, relative error {error:e}"
    );
}
