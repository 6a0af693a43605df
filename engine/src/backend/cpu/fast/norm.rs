//! LayerNorm over channels, with the scan's gate where fusion put it.

use rayon::prelude::*;

use super::simd::{WIDTH, clones, mul_add, silu, sum};
use super::{Kernel, Site, rows_per_task};
use crate::graph::LAYER_NORM_EPSILON;

struct LayerNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    gated: bool,
}

pub(super) fn kernel(site: &Site<'_>, gated: bool) -> Option<Box<dyn Kernel>> {
    Some(Box::new(LayerNorm {
        gamma: site.weight(1)?.to_vec(),
        beta: site.weight(2)?.to_vec(),
        gated,
    }))
}

impl Kernel for LayerNorm {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let block = rows_per_task(self.gamma.len()) * self.gamma.len();
        y.par_chunks_mut(block).enumerate().for_each(|(i, y)| {
            let part = |x: &'_ [f32]| -> std::ops::Range<usize> {
                i * block..(i * block + y.len()).min(x.len())
            };
            let gate = match self.gated {
                true => &x[3][part(x[3])],
                false => &[],
            };
            norm_rows(&x[0][part(x[0])], &self.gamma, &self.beta, gate, y);
        });
    }
}

clones! {
    /// `y = LN(x)`, times SiLU(gate) unless that is empty; rows of `gamma.len()`.
    fn norm_rows(x: &[f32], gamma: &[f32], beta: &[f32], gate: &[f32], y: &mut [f32]) = norm_rows_body;
}

#[inline(always)]
fn norm_rows_body<const FMA: bool>(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    gate: &[f32],
    y: &mut [f32],
) {
    let c = gamma.len();
    for (t, (x, y)) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)).enumerate() {
        let mean = mean_of(x, |x| x);
        let variance = mean_of(x, |x| (x - mean) * (x - mean));
        let rstd = 1.0 / (variance + LAYER_NORM_EPSILON).sqrt();
        let affine = y.iter_mut().zip(x).zip(gamma.iter().zip(beta));
        if gate.is_empty() {
            for ((y, x), (g, b)) in affine {
                *y = mul_add::<FMA>((x - mean) * rstd, *g, *b);
            }
        } else {
            for (((y, x), (g, b)), z) in affine.zip(&gate[t * c..][..c]) {
                *y = mul_add::<FMA>((x - mean) * rstd, *g, *b) * silu::<FMA>(*z);
            }
        }
    }
}

/// Mean of `f` over a row, summed in lanes.
#[inline(always)]
fn mean_of(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; WIDTH];
    let blocks = x.chunks_exact(WIDTH);
    let rest: f32 = blocks.remainder().iter().map(|&x| f(x)).sum();
    for block in blocks {
        for l in 0..WIDTH {
            lanes[l] += f(block[l]);
        }
    }
    (sum(&lanes) + rest) / x.len() as f32
}
