//! Whole-picture averages and what they weigh.

use super::{Real, Tensor, map_rows};

/// `[B,H,W,C] → [B,1,1,C]`: mean over the pixels.
pub(super) fn average<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let [b, h, w, c] = x[0].bhwc();
    let pixels = h * w;
    map_rows(b, c, |picture, y| {
        for row in x[0].data[picture * pixels * c..][..pixels * c].chunks_exact(c) {
            for (y, x) in y.iter_mut().zip(row) {
                *y += x.wide() / pixels as f64;
            }
        }
    })
}

/// `gy [B,1,1,C] → [B,H,W,C]`
pub(super) fn average_backward<T: Real>(
    x: &[Tensor<'_, T>],
    height: usize,
    width: usize,
) -> Vec<T> {
    let [b, _, _, c] = x[0].bhwc();
    let pixels = height * width;
    map_rows(b * pixels, c, |t, gx| {
        for (i, gx) in gx.iter_mut().enumerate() {
            *gx = x[0].at(t / pixels * c + i) / pixels as f64;
        }
    })
}

/// `x [B,H,W,C], s [B,1,1,C] → x ⊙ s`
pub(super) fn mul_channels<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    scale(&x[0], &x[1])
}

fn scale<T: Real>(x: &Tensor<'_, T>, s: &Tensor<'_, T>) -> Vec<T> {
    let [b, h, w, c] = x.bhwc();
    map_rows(b * h * w, c, |t, y| {
        for (i, y) in y.iter_mut().enumerate() {
            *y = x.at(t * c + i) * s.at(t / (h * w) * c + i);
        }
    })
}

/// `x, s [B,1,1,C], gy → gx, gs`
pub(super) fn mul_channels_backward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    let (x, s, gy) = (x[0], x[1], x[2]);
    let [b, h, w, c] = x.bhwc();
    let gs = map_rows(b, c, |picture, gs| {
        for pixel in 0..h * w {
            let from = (picture * h * w + pixel) * c;
            for (i, gs) in gs.iter_mut().enumerate() {
                *gs += x.at(from + i) * gy.at(from + i);
            }
        }
    });
    vec![scale(&gy, &s), gs]
}
