//! Adjoint of the selective scan.
//!
//! With g_t = ∂L/∂y_t and a_t = exp(Δ_t·A), a reverse scan gives q_t = ∂L/∂h_t:
//! ```text
//! q_t  = g_t·C_t + a_{t+1}·q_{t+1}          m_t  = h_t − Δ_t·B_t·v_t  (= a_t·h_{t−1})
//! ∂C_t = Σ_d g_t·h_t                        ∂B_t = Σ_d q_t·Δ_t·v_t
//! ∂v_t = D·g_t + Σ_n q_t·Δ_t·B_t            ∂D   = Σ_t g_t·v_t
//! ∂Δ_t = Σ_n q_t·(B_t·v_t + A·m_t)          ∂p_t = ∂Δ_t·softplus′(p_t)
//! ∂A   = Σ_t q_t·Δ_t·m_t                    ∂A_log = A·∂A  (summed over n when tied)
//! ```

use rayon::prelude::*;

use super::scan::{Lane, pixel, softplus_slope};
use super::{Real, Tensor, narrowed};
use crate::graph::ScanSpec;

/// Gradients of one direction of one picture.
struct Gradients {
    /// `[L, D]`, image order.
    v: Vec<f64>,
    /// `[L, R+2N]`, image order.
    p: Vec<f64>,
    /// `[D, R]`
    w_dt: Vec<f64>,
    /// `[D]`
    b_dt: Vec<f64>,
    /// `[D]` or `[D, N]`
    a_log: Vec<f64>,
    /// `[D]`
    d: Vec<f64>,
}

/// `v, p, w_dt, b_dt, a_log, d, gy → gv, gp, gw_dt, gb_dt, ga_log, gd`
pub(super) fn backward<T: Real>(x: &[Tensor<'_, T>], spec: &ScanSpec) -> Vec<Vec<T>> {
    let batch = x[0].dims[0];
    let k = spec.directions;
    let parts: Vec<Gradients> = (0..batch * k)
        .into_par_iter()
        .map(|i| direction(x, spec, i / k, i % k))
        .collect();
    let mut sums: Vec<Vec<f64>> = x[..6].iter().map(|t| vec![0.0; t.data.len()]).collect();
    for (i, part) in parts.iter().enumerate() {
        let (picture, k) = (i / k, i % k);
        add(&mut sums[0], picture, &part.v);
        let (stride, width) = (x[1].channels(), spec.projected());
        let tokens = part.v.len() / x[0].channels();
        for t in 0..tokens {
            let to = (picture * tokens + t) * stride + k * width;
            add(&mut sums[1][to..], 0, &part.p[t * width..][..width]);
        }
        add(&mut sums[2], k, &part.w_dt);
        add(&mut sums[3], k, &part.b_dt);
        add(&mut sums[4], k, &part.a_log);
        add(&mut sums[5], k, &part.d);
    }
    sums.iter().map(|s| narrowed(s)).collect()
}

/// Adds `part` to the `block`-th block of its length.
fn add(sum: &mut [f64], block: usize, part: &[f64]) {
    for (s, p) in sum[block * part.len()..].iter_mut().zip(part) {
        *s += p;
    }
}

fn direction<T: Real>(x: &[Tensor<'_, T>], spec: &ScanSpec, picture: usize, k: usize) -> Gradients {
    let [_, height, width, channels] = x[0].bhwc();
    let len = height * width;
    let per_channel = if spec.tied { 1 } else { spec.states };
    let mut g = Gradients {
        v: vec![0.0; len * channels],
        p: vec![0.0; len * spec.projected()],
        w_dt: vec![0.0; channels * spec.rank],
        b_dt: vec![0.0; channels],
        a_log: vec![0.0; channels * per_channel],
        d: vec![0.0; channels],
    };
    for channel in 0..channels {
        let lane = Lane::new(&x[..6], spec, picture, k, channel);
        let gy = |t: usize| {
            x[6].at(
                (picture * len + pixel(spec.direction(k), t, height, width)) * channels + channel,
            )
        };
        add_lane(
            &lane,
            spec,
            len,
            &gy,
            &|t| pixel(spec.direction(k), t, height, width),
            channel,
            &mut g,
        );
    }
    g
}

/// Adds the gradients of one lane.
fn add_lane<T: Real>(
    lane: &Lane<'_, T>,
    spec: &ScanSpec,
    len: usize,
    gy: &dyn Fn(usize) -> f64,
    pixel: &dyn Fn(usize) -> usize,
    channel: usize,
    sums: &mut Gradients,
) {
    let (n, rank) = (spec.states, spec.rank);
    let channels = sums.d.len();
    let mut states = vec![0.0; len * n];
    let mut h = vec![0.0; n];
    for (t, kept) in states.chunks_exact_mut(n).enumerate() {
        lane.advance(&mut h, &lane.token(t));
        kept.copy_from_slice(&h);
    }
    // a_{t+1}·q_{t+1} of the token after.
    let mut carried = vec![0.0; n];
    let w_dt: Vec<f64> = (0..rank).map(|i| lane.w_dt(i)).collect();
    for t in (0..len).rev() {
        let token = lane.token(t);
        let (g, at) = (gy(t), pixel(t));
        let gp = &mut sums.p[at * spec.projected()..][..spec.projected()];
        let mut gv = lane.skip * g;
        let mut g_delta = 0.0;
        for i in 0..n {
            let (a, b) = (lane.decay[i], token.b[i].wide());
            let h = states[t * n + i];
            let q = g * token.c[i].wide() + carried[i];
            let m = h - token.delta * b * token.v;
            gp[rank + n + i] += g * h;
            gp[rank + i] += q * token.delta * token.v;
            gv += q * token.delta * b;
            g_delta += q * (b * token.v + a * m);
            let slot = if spec.tied { channel } else { channel * n + i };
            sums.a_log[slot] += a * q * token.delta * m;
            carried[i] = (token.delta * a).exp() * q;
        }
        sums.v[at * channels + channel] = gv;
        sums.d[channel] += g * token.v;
        let g_raw = g_delta * softplus_slope(token.raw);
        sums.b_dt[channel] += g_raw;
        for i in 0..rank {
            sums.w_dt[channel * rank + i] += g_raw * token.r[i].wide();
            gp[i] += g_raw * w_dt[i];
        }
    }
}
