//! 3×3 convolutions, full and depthwise: zero padding, stride 1.

use super::linear::sum_tokens;
use super::pointwise::{activate, slope};
use super::{Real, Tensor, map_rows};
use crate::graph::Activation;

/// The pixel a tap (0..9, row by row) sees from pixel `i` of a batch of `h × w` images.
fn neighbour(i: usize, tap: usize, h: usize, w: usize) -> Option<usize> {
    let (y, x) = (i / w % h, i % w);
    let (dy, dx) = (tap / 3, tap % 3);
    let inside = (1..=h).contains(&(y + dy)) && (1..=w).contains(&(x + dx));
    inside.then(|| (i + dy * w + dx).wrapping_sub(w + 1))
}

/// Σ over taps and inputs of `kernel[tap][input][output]`.
fn correlate<T: Real>(x: &Tensor<'_, T>, kernel: &[f64], out: usize, bias: &[f64]) -> Vec<T> {
    let [b, h, w, inner] = x.bhwc();
    map_rows(b * h * w, out, |i, y| {
        y.copy_from_slice(bias);
        for tap in 0..9 {
            let Some(from) = neighbour(i, tap, h, w) else {
                continue;
            };
            for c in 0..inner {
                let a = x.at(from * inner + c);
                let row = &kernel[(tap * inner + c) * out..][..out];
                for (y, k) in y.iter_mut().zip(row) {
                    *y += a * k;
                }
            }
        }
    })
}

/// `x [B,H,W,I], w [O,I,3,3], b [O] → [B,H,W,O]`
pub(super) fn forward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let w = x[1];
    let (out, inner) = (w.dims[0], w.dims[1]);
    let mut kernel = vec![0.0; w.data.len()];
    for o in 0..out {
        for i in 0..inner {
            for tap in 0..9 {
                kernel[(tap * inner + i) * out + o] = w.at((o * inner + i) * 9 + tap);
            }
        }
    }
    correlate(&x[0], &kernel, out, &x[2].widened())
}

/// A correlation with the kernel turned by 180° and its channels exchanged.
pub(super) fn backward_input<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let w = x[1];
    let (out, inner) = (w.dims[0], w.dims[1]);
    let mut kernel = vec![0.0; w.data.len()];
    for o in 0..out {
        for i in 0..inner {
            for tap in 0..9 {
                kernel[((8 - tap) * out + o) * inner + i] = w.at((o * inner + i) * 9 + tap);
            }
        }
    }
    correlate(&x[0], &kernel, inner, &vec![0.0; inner])
}

/// `gy [B,H,W,O], x [B,H,W,I] → gw [O,I,3,3]`
pub(super) fn backward_weight<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (gy, x) = (x[0], x[1]);
    let [b, h, w, inner] = x.bhwc();
    let out = gy.channels();
    map_rows(out, inner * 9, |o, gw| {
        for pixel in 0..b * h * w {
            let g = gy.at(pixel * out + o);
            for tap in 0..9 {
                let Some(from) = neighbour(pixel, tap, h, w) else {
                    continue;
                };
                for i in 0..inner {
                    gw[i * 9 + tap] += g * x.at(from * inner + i);
                }
            }
        }
    })
}

/// `w ∗ x + b` at one pixel, into `y`; `x` is `x, w, [b], ..`.
fn depthwise_pixel<T: Real>(x: &[Tensor<'_, T>], bias: bool, pixel: usize, y: &mut [f64]) {
    let [_, h, w, c] = x[0].bhwc();
    y.fill(0.0);
    for tap in 0..9 {
        let Some(from) = neighbour(pixel, tap, h, w) else {
            continue;
        };
        for (i, y) in y.iter_mut().enumerate() {
            *y += x[1].at(i * 9 + tap) * x[0].at(from * c + i);
        }
    }
    if bias {
        for (i, y) in y.iter_mut().enumerate() {
            *y += x[2].at(i);
        }
    }
}

/// `x [B,H,W,C], w [C,1,3,3], [b [C]] → f(w ∗ x + b)`
pub(super) fn depthwise<T: Real>(
    x: &[Tensor<'_, T>],
    bias: bool,
    activation: Option<Activation>,
) -> Vec<T> {
    map_rows(x[0].tokens(), x[0].channels(), |pixel, y| {
        depthwise_pixel(x, bias, pixel, y);
        if let Some(kind) = activation {
            y.iter_mut().for_each(|y| *y = activate(kind, *y));
        }
    })
}

/// `x, w, [b], gy, [gy2] → (gy [+ gy2]) ⊙ f′(w ∗ x + b)`
pub(super) fn depthwise_activation_backward<T: Real>(
    x: &[Tensor<'_, T>],
    bias: bool,
    activation: Activation,
) -> Vec<T> {
    let c = x[0].channels();
    let gradients = &x[2 + usize::from(bias)..];
    map_rows(x[0].tokens(), c, |pixel, y| {
        depthwise_pixel(x, bias, pixel, y);
        for (i, y) in y.iter_mut().enumerate() {
            let gy: f64 = gradients.iter().map(|g| g.at(pixel * c + i)).sum();
            *y = gy * slope(activation, *y);
        }
    })
}

/// `x [B,H,W,2E], w, [b] → GELU(c[.., ..E]) ⊙ c[.., E..]`, `c = w ∗ x + b`
pub(super) fn depthwise_gelu_gate<T: Real>(x: &[Tensor<'_, T>], bias: bool) -> Vec<T> {
    let e = x[0].channels() / 2;
    map_rows(x[0].tokens(), e, |pixel, y| {
        let mut c = vec![0.0; 2 * e];
        depthwise_pixel(x, bias, pixel, &mut c);
        for (i, y) in y.iter_mut().enumerate() {
            *y = activate(Activation::Gelu, c[i]) * c[e + i];
        }
    })
}

/// `x, w, [b], gy [.., E] → gc [.., 2E]`
pub(super) fn depthwise_gelu_gate_backward<T: Real>(x: &[Tensor<'_, T>], bias: bool) -> Vec<T> {
    let e = x[0].channels() / 2;
    let gy = x[2 + usize::from(bias)];
    map_rows(x[0].tokens(), 2 * e, |pixel, gc| {
        depthwise_pixel(x, bias, pixel, gc);
        for i in 0..e {
            let (a, b, g) = (gc[i], gc[e + i], gy.at(pixel * e + i));
            gc[i] = g * b * slope(Activation::Gelu, a);
            gc[e + i] = g * activate(Activation::Gelu, a);
        }
    })
}

/// `gy [B,H,W,C], x, w [C,1,3,3] → gx, gw, [gb [C]]`
pub(super) fn depthwise_backward<T: Real>(x: &[Tensor<'_, T>], bias: bool) -> Vec<Vec<T>> {
    let (gy, weight) = (x[0], x[2]);
    let [b, h, w, c] = gy.bhwc();
    let gx = map_rows(b * h * w, c, |pixel, gx| {
        for tap in 0..9 {
            let Some(from) = neighbour(pixel, tap, h, w) else {
                continue;
            };
            for (i, gx) in gx.iter_mut().enumerate() {
                *gx += weight.at(i * 9 + 8 - tap) * gy.at(from * c + i);
            }
        }
    });
    let gw = map_rows(c, 9, |i, gw| {
        for pixel in 0..b * h * w {
            let g = gy.at(pixel * c + i);
            for (tap, gw) in gw.iter_mut().enumerate() {
                if let Some(from) = neighbour(pixel, tap, h, w) {
                    *gw += g * x[1].at(from * c + i);
                }
            }
        }
    });
    match bias {
        true => vec![gx, gw, sum_tokens(&[gy])],
        false => vec![gx, gw],
    }
}
