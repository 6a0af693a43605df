//! Halves of a block as one op: the ops they are made of, in 64 bits between them.

use super::{Real, Tensor, conv, linear, narrowed, norm, rearrange};
use crate::graph::{Activation, RearrangeOrder};

/// A tensor in 64 bits.
struct Wide {
    dims: Vec<usize>,
    data: Vec<f64>,
}

impl Wide {
    fn of<T: Real>(x: &Tensor<'_, T>) -> Self {
        Self {
            dims: x.dims.to_vec(),
            data: x.widened(),
        }
    }

    /// What an op makes for every token of `x`.
    fn tokens<T: Real>(x: &Tensor<'_, T>, data: Vec<f64>) -> Self {
        let mut dims = x.dims.to_vec();
        dims[3] = data.len() / x.tokens();
        Self { dims, data }
    }

    fn view(&self) -> Tensor<'_, f64> {
        Tensor {
            dims: &self.dims,
            data: &self.data,
        }
    }
}

/// `LN(x)·wᵀ` of `x, γ, β` and the matrix `w`.
fn normed_product<T: Real>(x: &[Tensor<'_, T>], w: &Tensor<'_, T>) -> Wide {
    let [a, gamma, beta] = [0, 1, 2].map(|i| Wide::of(&x[i]));
    let n = norm::forward(&[a.view(), gamma.view(), beta.view()]);
    product(x, Wide::tokens(&x[0], n), w)
}

/// `a·wᵀ`
fn product<T: Real>(x: &[Tensor<'_, T>], a: Wide, w: &Tensor<'_, T>) -> Wide {
    let w = Wide::of(w);
    let y = linear::forward(&[a.view(), w.view()], false, false);
    Wide::tokens(&x[0], y)
}

/// `x + s ⊙ a·wᵀ`
fn added<T: Real>(x: &[Tensor<'_, T>], a: Wide, w: &Tensor<'_, T>, s: &Tensor<'_, T>) -> Vec<T> {
    let [w, residual, s] = [w, &x[0], s].map(Wide::of);
    let operands = [a.view(), w.view(), residual.view(), s.view()];
    narrowed(&linear::forward(&operands, false, true))
}

/// `x, γ, β, w, [b] → LN(x)·wᵀ + b`
pub(super) fn norm_linear<T: Real>(x: &[Tensor<'_, T>], bias: bool) -> Vec<T> {
    let [mut a, gamma, beta, w] = [0, 1, 2, 3].map(|i| Wide::of(&x[i]));
    a.data = norm::forward(&[a.view(), gamma.view(), beta.view()]);
    let b = bias.then(|| Wide::of(&x[4]));
    let operands: Vec<_> = [&a, &w].into_iter().chain(&b).map(Wide::view).collect();
    narrowed(&linear::forward(&operands, bias, false))
}

/// `x, γ, β, w, skip → LN([shuffle(x), skip]·wᵀ)`
pub(super) fn expand<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let [deep, gamma, beta, w, skip] = [0, 1, 2, 3, 4].map(|i| Wide::of(&x[i]));
    let shuffled = rearrange::depth_to_space(&[deep.view()], 2, RearrangeOrder::PixelShuffle);
    let shuffled = Wide::tokens(&x[4], shuffled);
    let joined = rearrange::concat(&[shuffled.view(), skip.view()]);
    let joined = Wide::tokens(&x[4], joined);
    let y = linear::forward(&[joined.view(), w.view()], false, false);
    let y = Wide::tokens(&x[4], y);
    narrowed(&norm::forward(&[y.view(), gamma.view(), beta.view()]))
}

/// `x, γ, β, w_in, w, w_out, s → x + s ⊙ GeluGate(w ∗ (LN(x)·w_inᵀ))·w_outᵀ`
pub(super) fn ffn<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let h = normed_product(x, &x[3]);
    let w = Wide::of(&x[4]);
    let g = conv::depthwise_gelu_gate(&[h.view(), w.view()], false);
    added(x, Wide::tokens(&x[0], g), &x[5], &x[6])
}

/// `x, γ, β, w_in, w, b, w_x → v = SiLU(w ∗ (LN(x)·w_inᵀ) + b), v·w_xᵀ`
pub(super) fn scan_input<T: Real>(x: &[Tensor<'_, T>]) -> Vec<Vec<T>> {
    let h = normed_product(x, &x[3]);
    let [w, b] = [4, 5].map(|i| Wide::of(&x[i]));
    let v = conv::depthwise(
        &[h.view(), w.view(), b.view()],
        true,
        Some(Activation::Silu),
    );
    let narrow = narrowed(&v);
    let p = product(x, Wide::tokens(&x[0], v), &x[6]);
    vec![narrow, narrowed(&p.data)]
}

/// `x, γ, β, w_z, y, γ₂, β₂, w_out, s → x + s ⊙ (LN₂(y) ⊙ SiLU(LN(x)·w_zᵀ))·w_outᵀ`
pub(super) fn scan_output<T: Real>(x: &[Tensor<'_, T>]) -> Vec<T> {
    let z = normed_product(x, &x[3]);
    let [y, gamma, beta] = [4, 5, 6].map(|i| Wide::of(&x[i]));
    let g = norm::forward_gated(&[y.view(), gamma.view(), beta.view(), z.view()]);
    added(x, Wide::tokens(&x[0], g), &x[7], &x[8])
}
