//! Moving elements, and bicubic enlargement.

use super::{Real, Tensor, map_rows};
use crate::graph::RearrangeOrder;

/// `a [.., A], b [.., B] → [.., A+B]`
pub(super) fn concat<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let rows = |i: usize| x[i].data.chunks_exact(x[i].channels());
    rows(0)
        .zip(rows(1))
        .flat_map(|(a, b)| [a, b].concat())
        .collect()
}

/// `x[.., start..start+len]`
pub(super) fn slice<T: Real>(x: &[Tensor<'_, T>], start: usize, len: usize) -> Vec<T> {
    x[0].data
        .chunks_exact(x[0].channels())
        .flat_map(|row| &row[start..start + len])
        .copied()
        .collect()
}

/// Channel on the deep side of channel `c` (of `channels`) at offset (dy, dx) in its block.
fn deep(order: RearrangeOrder, f: usize, channels: usize, c: usize, dy: usize, dx: usize) -> usize {
    match order {
        RearrangeOrder::PixelShuffle => c * f * f + dy * f + dx,
        RearrangeOrder::PatchMerge => (dx * f + dy) * channels + c,
    }
}

/// Calls `f(flat index, deep index)` for every element of a flat `[b, h, w, c]` tensor.
fn pairs(
    [b, h, w, c]: [usize; 4],
    factor: usize,
    order: RearrangeOrder,
    mut f: impl FnMut(usize, usize),
) {
    for row in 0..b * h {
        // Blocks never straddle pictures: h is a multiple of the factor.
        let (by, dy) = (row / factor, row % factor);
        for x in 0..w {
            let block = by * (w / factor) + x / factor;
            for ch in 0..c {
                let channel = deep(order, factor, c, ch, dy, x % factor);
                f(
                    (row * w + x) * c + ch,
                    block * c * factor * factor + channel,
                );
            }
        }
    }
}

/// `[B, fH, fW, C] → [B, H, W, f²C]`
pub(super) fn space_to_depth<T: Real>(
    x: &[Tensor<'_, T>],
    factor: usize,
    order: RearrangeOrder,
) -> Vec<T> {
    let mut y = x[0].data.to_vec();
    pairs(x[0].bhwc(), factor, order, |flat, deep| {
        y[deep] = x[0].data[flat];
    });
    y
}

/// `[B, H, W, f²C] → [B, fH, fW, C]`
pub(super) fn depth_to_space<T: Real>(
    x: &[Tensor<'_, T>],
    factor: usize,
    order: RearrangeOrder,
) -> Vec<T> {
    let [b, h, w, c] = x[0].bhwc();
    let flat = [b, h * factor, w * factor, c / (factor * factor)];
    let mut y = x[0].data.to_vec();
    pairs(flat, factor, order, |flat, deep| {
        y[flat] = x[0].data[deep];
    });
    y
}

/// Keys' cubic kernel, a = −0.5.
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x <= 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// The four source positions (edges replicated) and weights of destination `i`.
fn taps(i: usize, factor: usize, len: usize) -> [(usize, f64); 4] {
    let centre = (i as f64 + 0.5) / factor as f64 - 0.5;
    let first = centre.floor() as i64 - 1;
    std::array::from_fn(|k| {
        let position = first + k as i64;
        let clamped = position.clamp(0, len as i64 - 1) as usize;
        (clamped, cubic(centre - position as f64))
    })
}

/// `[B,H,W,C] → [B,fH,fW,C]`: half-pixel centres.
pub(super) fn upsample_bicubic<T: Real>(x: &[Tensor<'_, T>], factor: usize) -> Vec<T> {
    let [b, h, w, c] = x[0].bhwc();
    let (oh, ow) = (h * factor, w * factor);
    map_rows(b * oh * ow, c, |i, y| {
        let picture = i / (oh * ow);
        for (row, wy) in taps(i / ow % oh, factor, h) {
            for (column, wx) in taps(i % ow, factor, w) {
                let from = ((picture * h + row) * w + column) * c;
                for (ch, y) in y.iter_mut().enumerate() {
                    *y += wy * wx * x[0].at(from + ch);
                }
            }
        }
    })
}
