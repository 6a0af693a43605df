//! Linear layers: one matrix product for each block of tokens, with bias and residual around it.

use rayon::prelude::*;

use super::{Kernel, Site};
use crate::matrix::{Matrix, multiply};

/// Tokens a task handles at once.
const BLOCK: usize = 128;

/// `x·w + b`, plus a residual; the scale of the latter's branch is folded into w and b.
struct Linear {
    inner: usize,
    out: usize,
    /// `[I, O]`
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    /// Operand that is added.
    residual: Option<usize>,
}

pub(super) fn kernel(site: &Site<'_>, bias: bool, residual: bool) -> Option<Box<dyn Kernel>> {
    let (out, inner) = (site.dims(1)[0], site.dims(1)[1]);
    let w = site.weight(1)?;
    let added = 2 + usize::from(bias);
    let scale = match residual {
        true => site.weight(added + 1)?.to_vec(),
        false => vec![1.0; out],
    };
    let mut weight = vec![0.0; inner * out];
    for o in 0..out {
        for i in 0..inner {
            weight[i * out + o] = scale[o] * w[o * inner + i];
        }
    }
    let bias = match bias {
        true => Some(
            site.weight(2)?
                .iter()
                .zip(&scale)
                .map(|(b, s)| b * s)
                .collect(),
        ),
        false => None,
    };
    Some(Box::new(Linear {
        inner,
        out,
        weight,
        bias,
        residual: residual.then_some(added),
    }))
}

impl Kernel for Linear {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let block = |(i, y): (usize, &mut [f32])| {
            let first = i * BLOCK;
            let rows = y.len() / self.out;
            let rows = Matrix::new(&x[0][first * self.inner..], rows, self.inner);
            if let Some(operand) = self.residual {
                y.copy_from_slice(&x[operand][first * self.out..][..y.len()]);
            }
            if let Some(bias) = &self.bias {
                for y in y.chunks_exact_mut(self.out) {
                    match self.residual {
                        Some(_) => y.iter_mut().zip(bias).for_each(|(y, b)| *y += b),
                        None => y.copy_from_slice(bias),
                    }
                }
            }
            let accumulate = self.residual.is_some() || self.bias.is_some();
            let weight = Matrix::new(&self.weight, self.inner, self.out);
            multiply(rows, weight, y, accumulate, gemm::Parallelism::None);
        };
        y.par_chunks_mut(BLOCK * self.out)
            .enumerate()
            .for_each(block);
    }
}
