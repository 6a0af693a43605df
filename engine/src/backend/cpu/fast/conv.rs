//! 3×3 convolutions as one matrix product for each row of pixels.
//!
//! A padded line holds, for each column, the channels of three rows; the window of a
//! pixel is then nine consecutive pieces of it, and windows of neighbours overlap.

use std::cell::RefCell;

use rayon::prelude::*;

use super::{Kernel, Site};
use crate::matrix::{Matrix, multiply};

struct Conv3x3 {
    height: usize,
    width: usize,
    inner: usize,
    out: usize,
    /// `[3 columns, 3 rows, I, O]`
    weight: Vec<f32>,
    bias: Vec<f32>,
}

pub(super) fn kernel(site: &Site<'_>) -> Option<Box<dyn Kernel>> {
    let [_, height, width, inner] = site.bhwc(0);
    let out = site.dims(1)[0];
    let w = site.weight(1)?;
    let mut weight = vec![0.0; w.len()];
    for o in 0..out {
        for i in 0..inner {
            for (ky, kx) in (0..9).map(|tap| (tap / 3, tap % 3)) {
                let from = ((o * inner + i) * 3 + ky) * 3 + kx;
                weight[((kx * 3 + ky) * inner + i) * out + o] = w[from];
            }
        }
    }
    Some(Box::new(Conv3x3 {
        height,
        width,
        inner,
        out,
        weight,
        bias: site.weight(2)?.to_vec(),
    }))
}

thread_local! {
    /// The padded line of the row a thread is at.
    static LINE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Kernel for Conv3x3 {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let rows = y.par_chunks_mut(self.width * self.out).enumerate();
        rows.for_each(|(row, y)| {
            LINE.with_borrow_mut(|line| {
                line.clear();
                line.resize((self.width + 2) * 3 * self.inner, 0.0);
                self.fill(line, x[0], row);
                for y in y.chunks_exact_mut(self.out) {
                    y.copy_from_slice(&self.bias);
                }
                let terms = 9 * self.inner;
                let windows = Matrix::new(line, self.width, terms).every(3 * self.inner);
                let weight = Matrix::new(&self.weight, terms, self.out);
                multiply(windows, weight, y, true, gemm::Parallelism::None);
            });
        });
    }
}

impl Conv3x3 {
    /// Copies the three rows around `row` (counted over the batch) into a line of zeros.
    fn fill(&self, line: &mut [f32], x: &[f32], row: usize) {
        let inner = self.inner;
        for ky in 0..3 {
            let inside = (1..=self.height).contains(&(row % self.height + ky));
            if !inside {
                continue;
            }
            let from = &x[(row + ky - 1) * self.width * inner..][..self.width * inner];
            let columns = line[3 * inner..].chunks_exact_mut(3 * inner);
            for (column, from) in columns.zip(from.chunks_exact(inner)) {
                column[ky * inner..][..inner].copy_from_slice(from);
            }
        }
    }
}
