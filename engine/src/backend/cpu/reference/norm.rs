//! LayerNorm over the channels of each token.

use super::pointwise::silu;
use super::{Real, Tensor, map_rows, narrowed};
use crate::graph::LAYER_NORM_EPSILON;

/// Mean and 1/√(variance + ε) of one token.
fn statistics<T: Real>(row: &[T]) -> (f64, f64) {
    let n = row.len() as f64;
    let mean = row.iter().map(|x| x.wide()).sum::<f64>() / n;
    let variance = row.iter().map(|x| (x.wide() - mean).powi(2)).sum::<f64>() / n;
    (
        mean,
        (variance + f64::from(LAYER_NORM_EPSILON)).sqrt().recip(),
    )
}

/// `γ ⊙ (x − mean)·rstd + β`
pub(super) fn forward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (gamma, beta) = (x[1], x[2]);
    let c = x[0].channels();
    map_rows(x[0].tokens(), c, |t, y| {
        let row = &x[0].data[t * c..][..c];
        let (mean, rstd) = statistics(row);
        for i in 0..c {
            y[i] = gamma.at(i) * (row[i].wide() - mean) * rstd + beta.at(i);
        }
    })
}

/// `LN(x) ⊙ SiLU(z)`
pub(super) fn forward_gated<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (gamma, beta, z) = (x[1], x[2], x[3]);
    let c = x[0].channels();
    map_rows(x[0].tokens(), c, |t, y| {
        let row = &x[0].data[t * c..][..c];
        let (mean, rstd) = statistics(row);
        for i in 0..c {
            let n = gamma.at(i) * (row[i].wide() - mean) * rstd + beta.at(i);
            y[i] = n * silu(z.at(t * c + i));
        }
    })
}

/// With x̂ the normalised token and q = γ ⊙ gy: `gx = rstd·(q − mean(q) − x̂·mean(q ⊙ x̂)) [+ g]`,
/// `gγ = Σ gy ⊙ x̂`, `gβ = Σ gy`.
pub(super) fn backward<T: Real>(x: &[Tensor<'_, T>], accumulate: bool) -> Vec<Vec<T>> {
    let (gamma, gy) = (x[1], x[2]);
    let c = x[0].channels();
    let gx = map_rows(x[0].tokens(), c, |t, gx| {
        let row = &x[0].data[t * c..][..c];
        let (mean, rstd) = statistics(row);
        let normalised = |i: usize| (row[i].wide() - mean) * rstd;
        let q = |i: usize| gamma.at(i) * gy.at(t * c + i);
        let mean_q = (0..c).map(q).sum::<f64>() / c as f64;
        let mean_qx = (0..c).map(|i| q(i) * normalised(i)).sum::<f64>() / c as f64;
        for (i, gx) in gx.iter_mut().enumerate() {
            *gx = rstd * (q(i) - mean_q - normalised(i) * mean_qx);
            if accumulate {
                *gx += x[3].at(t * c + i);
            }
        }
    });
    let (mut g_gamma, mut g_beta) = (vec![0.0; c], vec![0.0; c]);
    for (row, g) in x[0].data.chunks_exact(c).zip(gy.data.chunks_exact(c)) {
        let (mean, rstd) = statistics(row);
        for i in 0..c {
            g_gamma[i] += g[i].wide() * (row[i].wide() - mean) * rstd;
            g_beta[i] += g[i].wide();
        }
    }
    vec![gx, narrowed(&g_gamma), narrowed(&g_beta)]
}
