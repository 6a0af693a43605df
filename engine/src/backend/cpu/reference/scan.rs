//! The selective scan, token after token.

use rayon::prelude::*;

use super::pointwise::sigmoid;
use super::{Real, Tensor};
use crate::graph::ScanSpec;

/// Pixel at position `t` of direction `k`'s order over an `h × w` grid.
pub(super) fn pixel(k: usize, t: usize, h: usize, w: usize) -> usize {
    let t = if k >= 2 { h * w - 1 - t } else { t };
    match k % 2 {
        0 => t,
        _ => t % h * w + t / h,
    }
}

/// ln(1 + eˣ), the identity above 20.
fn softplus(x: f64) -> f64 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

/// softplus′, consistent with the cut above 20.
pub(super) fn softplus_slope(x: f64) -> f64 {
    if x > 20.0 { 1.0 } else { sigmoid(x) }
}

/// One direction and one channel of one picture: its parameters, and what it reads at each token.
pub(super) struct Lane<'a, T> {
    /// D_k of this channel.
    pub skip: f64,
    /// A_n, n = 1..N.
    pub decay: Vec<f64>,
    spec: ScanSpec,
    operands: &'a [Tensor<'a, T>],
    batch: usize,
    direction: usize,
    channel: usize,
}

/// What a lane reads at one token.
pub(super) struct Token<'a, T> {
    /// w_dt·r + b_dt, before the softplus.
    pub raw: f64,
    /// Δ
    pub delta: f64,
    /// The channel's value.
    pub v: f64,
    /// r of this direction, R values.
    pub r: &'a [T],
    /// B of this direction, N values.
    pub b: &'a [T],
    /// C of this direction, N values.
    pub c: &'a [T],
}

impl<'a, T: Real> Lane<'a, T> {
    /// `operands`: v, p, w_dt, b_dt, a_log, d.
    pub fn new(
        operands: &'a [Tensor<'a, T>],
        spec: &ScanSpec,
        batch: usize,
        direction: usize,
        channel: usize,
    ) -> Self {
        let lane = direction * operands[0].channels() + channel;
        let n = spec.states;
        let a_log = operands[4];
        let decay = (0..n)
            .map(|i| match spec.tied {
                true => -(i as f64 + 1.0) * a_log.at(lane).exp(),
                false => -a_log.at(lane * n + i).exp(),
            })
            .collect();
        Self {
            skip: operands[5].at(lane),
            decay,
            spec: *spec,
            operands,
            batch,
            direction,
            channel,
        }
    }

    /// Element `i` of the lane's row of w_dt.
    pub fn w_dt(&self, i: usize) -> f64 {
        let lane = self.direction * self.operands[0].channels() + self.channel;
        self.operands[2].at(lane * self.spec.rank + i)
    }

    /// The operands at position `t` of the lane's order.
    pub fn token(&self, t: usize) -> Token<'a, T> {
        let [v, p, w_dt, b_dt] = [0, 1, 2, 3].map(|i| &self.operands[i]);
        let [_, h, w, d] = v.bhwc();
        let pixel = self.batch * h * w + pixel(self.spec.direction(self.direction), t, h, w);
        let lane = self.direction * d + self.channel;
        let (rank, n) = (self.spec.rank, self.spec.states);
        let block = &p.data[pixel * p.channels() + self.direction * self.spec.projected()..];
        let r = &block[..rank];
        let product: f64 = r
            .iter()
            .enumerate()
            .map(|(i, r)| w_dt.at(lane * rank + i) * r.wide())
            .sum();
        let raw = product + b_dt.at(lane);
        Token {
            raw,
            delta: softplus(raw),
            v: v.at(pixel * d + self.channel),
            r,
            b: &block[rank..][..n],
            c: &block[rank + n..][..n],
        }
    }

    /// `h ← exp(Δ·A)·h + Δ·v·B`
    pub fn advance(&self, h: &mut [f64], token: &Token<'_, T>) {
        for ((h, a), b) in h.iter_mut().zip(&self.decay).zip(token.b) {
            *h = (token.delta * a).exp() * *h + token.delta * token.v * b.wide();
        }
    }
}

/// `v, p, w_dt, b_dt, a_log, d → y`
pub(super) fn forward<T: Real>(x: &[Tensor<'_, T>], spec: &ScanSpec) -> Vec<T> {
    let [batch, height, width, d] = x[0].bhwc();
    let len = height * width;
    let columns: Vec<Vec<f64>> = (0..batch * d)
        .into_par_iter()
        .map(|column| {
            let mut y = vec![0.0; len];
            for k in 0..spec.directions {
                let lane = Lane::new(x, spec, column / d, k, column % d);
                let mut h = vec![0.0; spec.states];
                for t in 0..len {
                    let token = lane.token(t);
                    lane.advance(&mut h, &token);
                    let read: f64 = h.iter().zip(token.c).map(|(h, c)| h * c.wide()).sum();
                    y[pixel(spec.direction(k), t, height, width)] += read + lane.skip * token.v;
                }
            }
            y
        })
        .collect();
    let at = |i: usize| columns[i / (len * d) * d + i % d][i / d % len];
    (0..batch * len * d).map(|i| T::narrow(at(i))).collect()
}
