//! Training losses, averaged over all elements.

use super::{Real, Tensor, map_rows};
use crate::graph::Loss;

/// `prediction, target → [1]`
pub(super) fn forward<T: Real>(x: &[Tensor<'_, T>], kind: Loss) -> Vec<T> {
    let n = x[0].data.len();
    let sum: f64 = (0..n)
        .map(|i| {
            let error = x[0].at(i) - x[1].at(i);
            match kind {
                Loss::Charbonnier { epsilon } => error.hypot(f64::from(epsilon)),
                Loss::L1 => error.abs(),
            }
        })
        .sum();
    vec![T::narrow(sum / n as f64)]
}

/// `prediction, target → ∂loss/∂prediction`; L1 has slope 0 where they are equal.
pub(super) fn backward<T: Real>(x: &[Tensor<'_, T>], kind: Loss) -> Vec<T> {
    let n = x[0].data.len();
    let c = x[0].channels();
    map_rows(n / c, c, |t, g| {
        for (i, g) in g.iter_mut().enumerate() {
            let error = x[0].at(t * c + i) - x[1].at(t * c + i);
            let slope = match kind {
                Loss::Charbonnier { epsilon } => error / error.hypot(f64::from(epsilon)),
                Loss::L1 if error == 0.0 => 0.0,
                Loss::L1 => error.signum(),
            };
            *g = slope / n as f64;
        }
    })
}
