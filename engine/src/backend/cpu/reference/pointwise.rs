//! What happens element by element.

use super::{Real, Tensor, map_rows};
use crate::graph::Activation;

/// σ(x) = 1 / (1 + e^(−x))
pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// x·σ(x)
pub(super) fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

pub(super) fn silu_slope(x: f64) -> f64 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

/// √(2/π)
const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
const GELU_CUBIC: f64 = 0.044_715;

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + (GELU_SCALE * (x + GELU_CUBIC * x.powi(3))).tanh())
}

fn gelu_slope(x: f64) -> f64 {
    let t = (GELU_SCALE * (x + GELU_CUBIC * x.powi(3))).tanh();
    let inner = GELU_SCALE * (1.0 + 3.0 * GELU_CUBIC * x * x);
    0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
}

/// f(x)
pub(super) fn activate(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Relu => x.max(0.0),
        Activation::Gelu => gelu(x),
        Activation::Silu => silu(x),
        Activation::Sigmoid => sigmoid(x),
    }
}

/// f′(x)
pub(super) fn slope(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Gelu => gelu_slope(x),
        Activation::Silu => silu_slope(x),
        Activation::Sigmoid => sigmoid(x) * (1.0 - sigmoid(x)),
    }
}

/// One result for each element of the first operand; `f` gets its index.
fn map<T: Real>(x: &[Tensor<'_, T>], f: impl Fn(usize) -> f64 + Sync) -> Vec<T> {
    let c = x[0].channels();
    map_rows(x[0].tokens(), c, |t, y| {
        for (i, y) in y.iter_mut().enumerate() {
            *y = f(t * c + i);
        }
    })
}

pub(super) fn activation<T: Real>(x: &[Tensor<'_, T>], kind: Activation) -> Vec<T> {
    map(x, |i| activate(kind, x[0].at(i)))
}

pub(super) fn activation_backward<T: Real>(x: &[Tensor<'_, T>], kind: Activation) -> Vec<T> {
    map(x, |i| x[1].at(i) * slope(kind, x[0].at(i)))
}

/// `n ⊙ SiLU(z)`
pub(super) fn silu_gate<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    map(x, |i| x[0].at(i) * silu(x[1].at(i)))
}

/// `n, z, gy → gn, gz`
pub(super) fn silu_gate_backward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    let (n, z, gy) = (x[0], x[1], x[2]);
    vec![
        map(x, |i| gy.at(i) * silu(z.at(i))),
        map(x, |i| gy.at(i) * n.at(i) * silu_slope(z.at(i))),
    ]
}

/// `GELU(x[.., ..E]) ⊙ x[.., E..]`
pub(super) fn gelu_gate<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let x = x[0];
    let e = x.channels() / 2;
    map_rows(x.tokens(), e, |t, y| {
        for (i, y) in y.iter_mut().enumerate() {
            *y = gelu(x.at(t * 2 * e + i)) * x.at(t * 2 * e + e + i);
        }
    })
}

/// `x [.., 2E], gy [.., E] → gx [.., 2E]`
pub(super) fn gelu_gate_backward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (x, gy) = (x[0], x[1]);
    let e = gy.channels();
    map_rows(x.tokens(), 2 * e, |t, gx| {
        for i in 0..e {
            let (a, b) = (x.at(t * 2 * e + i), x.at(t * 2 * e + e + i));
            let g = gy.at(t * e + i);
            gx[i] = g * b * gelu_slope(a);
            gx[e + i] = g * gelu(a);
        }
    })
}

/// `x + s ⊙ f`
pub(super) fn add_scaled<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let c = x[0].channels();
    map(x, |i| x[0].at(i) + x[2].at(i % c) * x[1].at(i))
}

/// `f, s [C], gy → gf, gs [C]`
pub(super) fn add_scaled_backward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    let (f, s, gy) = (x[0], x[1], x[2]);
    let c = f.channels();
    let gf = map(x, |i| s.at(i % c) * gy.at(i));
    let gs = map_rows(c, 1, |i, sum| {
        sum[0] = (0..f.tokens())
            .map(|t| f.at(t * c + i) * gy.at(t * c + i))
            .sum();
    });
    vec![gf, gs]
}

/// `a + b`
pub(super) fn add<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    map(x, |i| x[0].at(i) + x[1].at(i))
}
