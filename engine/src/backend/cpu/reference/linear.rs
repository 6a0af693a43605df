//! Matrix products over tokens.

use super::{Real, Tensor, map_rows};

/// `x·wᵀ + b`, or `res + s ⊙ (x·wᵀ + b)`.
pub(super) fn forward<T: Real>(x: &[Tensor<'_, T>], bias: bool, residual: bool) -> Vec<T> {
    let (a, w) = (x[0], x[1]);
    let (out, inner) = (w.dims[0], w.dims[1]);
    // Transposed, so that the inner loop runs over outputs.
    let mut wt = vec![0.0; inner * out];
    for o in 0..out {
        for i in 0..inner {
            wt[i * out + o] = w.at(o * inner + i);
        }
    }
    let epilogue = 2 + usize::from(bias);
    map_rows(a.tokens(), out, |t, y| {
        if bias {
            for (o, y) in y.iter_mut().enumerate() {
                *y = x[2].at(o);
            }
        }
        for (i, row) in wt.chunks_exact(out).enumerate() {
            let a = a.at(t * inner + i);
            for (y, w) in y.iter_mut().zip(row) {
                *y += a * w;
            }
        }
        if residual {
            for (o, y) in y.iter_mut().enumerate() {
                *y = x[epilogue].at(t * out + o) + x[epilogue + 1].at(o) * *y;
            }
        }
    })
}

/// `gy·w`
pub(super) fn backward_input<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (gy, w) = (x[0], x[1]);
    let (out, inner) = (w.dims[0], w.dims[1]);
    let wide = w.widened();
    map_rows(gy.tokens(), inner, |t, gx| {
        for (o, row) in wide.chunks_exact(inner).enumerate() {
            let g = gy.at(t * out + o);
            for (gx, w) in gx.iter_mut().zip(row) {
                *gx += g * w;
            }
        }
    })
}

/// `gyᵀ·x`
pub(super) fn backward_weight<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (gy, x) = (x[0], x[1]);
    let (out, inner) = (gy.channels(), x.channels());
    map_rows(out, inner, |o, gw| {
        for (t, row) in x.data.chunks_exact(inner).enumerate() {
            let g = gy.at(t * out + o);
            for (gw, x) in gw.iter_mut().zip(row) {
                *gw += g * x.wide();
            }
        }
    })
}

/// Sum over the tokens.
pub(super) fn sum_tokens<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let gy = x[0];
    map_rows(1, gy.channels(), |_, sum| {
        for row in gy.data.chunks_exact(sum.len()) {
            for (s, g) in sum.iter_mut().zip(row) {
                *s += g.wide();
            }
        }
    })
}

/// `w [O, I], s [O] → s ⊙ w`
pub(super) fn scale_rows<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let (w, s) = (x[0], x[1]);
    let inner = w.channels();
    map_rows(w.tokens(), inner, |o, y| {
        for (i, y) in y.iter_mut().enumerate() {
            *y = s.at(o) * w.at(o * inner + i);
        }
    })
}

/// `w [O, I], s [O], g [O, I] → s ⊙ g, Σ_I w ⊙ g`
pub(super) fn scale_rows_backward<T: Real>(x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    let (w, s, g) = (x[0], x[1], x[2]);
    let inner = w.channels();
    let gs = map_rows(w.tokens(), 1, |o, sum| {
        sum[0] = (o * inner..(o + 1) * inner)
            .map(|i| w.at(i) * g.at(i))
            .sum();
    });
    vec![scale_rows(&[g, s]), gs]
}
