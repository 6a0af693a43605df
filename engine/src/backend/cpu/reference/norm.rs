//! LayerNorm over the channels of each token.

use super::pointwise::{silu, silu_slope};
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

/// `x, γ, β, z, gy → gx, gγ, gβ, gz` of `LN(x) ⊙ SiLU(z)`.
pub(super) fn gated_backward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    let (z, gy) = (x[3], x[4]);
    // In 64 bits between the gate and the norm, as one op has it.
    let wide = |x: &Tensor<'_, T>| x.widened();
    let data: Vec<Vec<f64>> = x.iter().map(wide).collect();
    let tensor = |i: usize| Tensor {
        dims: x[i].dims,
        data: data[i].as_slice(),
    };
    let n: Vec<f64> = forward(&[tensor(0), tensor(1), tensor(2)]);
    let (mut gn, mut gz) = (vec![0.0; n.len()], vec![0.0; n.len()]);
    for i in 0..n.len() {
        gn[i] = gy.at(i) * silu(z.at(i));
        gz[i] = gy.at(i) * n[i] * silu_slope(z.at(i));
    }
    let gn = Tensor {
        dims: gy.dims,
        data: gn.as_slice(),
    };
    let mut results = backward(&[tensor(0), tensor(1), gn], false, false);
    results.push(gz);
    results.iter().map(|r| narrowed(r)).collect()
}

/// With x̂ the normalised token, gy the gradient or the sum of a pair, and q = γ ⊙ gy: `gx = rstd·(q − mean(q) − x̂·mean(q ⊙ x̂)) [+ g]`,
/// `gγ = Σ gy ⊙ x̂`, `gβ = Σ gy`.
pub(super) fn backward<T: Real>(x: &[Tensor<'_, T>], pair: bool, accumulate: bool) -> Vec<Vec<T>> {
    let gamma = x[1];
    let c = x[0].channels();
    let gradient = |i: usize| x[2].at(i) + if pair { x[3].at(i) } else { 0.0 };
    let gx = map_rows(x[0].tokens(), c, |t, gx| {
        let row = &x[0].data[t * c..][..c];
        let (mean, rstd) = statistics(row);
        let normalised = |i: usize| (row[i].wide() - mean) * rstd;
        let q = |i: usize| gamma.at(i) * gradient(t * c + i);
        let mean_q = (0..c).map(q).sum::<f64>() / c as f64;
        let mean_qx = (0..c).map(|i| q(i) * normalised(i)).sum::<f64>() / c as f64;
        for (i, gx) in gx.iter_mut().enumerate() {
            *gx = rstd * (q(i) - mean_q - normalised(i) * mean_qx);
            if accumulate {
                *gx += x[x.len() - 1].at(t * c + i);
            }
        }
    });
    let (mut g_gamma, mut g_beta) = (vec![0.0; c], vec![0.0; c]);
    for (t, row) in x[0].data.chunks_exact(c).enumerate() {
        let (mean, rstd) = statistics(row);
        for i in 0..c {
            let g = gradient(t * c + i);
            g_gamma[i] += g * (row[i].wide() - mean) * rstd;
            g_beta[i] += g;
        }
    }
    vec![gx, narrowed(&g_gamma), narrowed(&g_beta)]
}
