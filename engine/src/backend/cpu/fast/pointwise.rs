//! Element by element, and averages of whole pictures.

use rayon::prelude::*;

use super::simd::{clones, gelu, mul_add, sigmoid, silu};
use super::{Kernel, Site, rows_per_task};
use crate::graph::{Activation, Op};

/// A pointwise op on rows of channels.
struct Pointwise {
    op: Op,
    /// Channels of the result.
    width: usize,
    /// Rows that belong to one picture.
    pixels: usize,
}

pub(super) fn kernel(site: &Site<'_>) -> Option<Box<dyn Kernel>> {
    let [_, height, width, channels] = site.bhwc(0);
    let pixels = height * width;
    if site.node.op == Op::GlobalAveragePool {
        return Some(Box::new(Average { pixels, channels }));
    }
    Some(Box::new(Pointwise {
        op: site.node.op,
        width: site.result()[3],
        pixels,
    }))
}

impl Kernel for Pointwise {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let rows = rows_per_task(self.width).min(self.pixels);
        // Blocks end where pictures end, so that each has one vector of channel factors.
        let pictures = y.par_chunks_mut(self.pixels * self.width).enumerate();
        pictures.for_each(|(picture, y)| {
            let blocks = y.par_chunks_mut(rows * self.width).enumerate();
            blocks.for_each(|(i, y)| {
                let first = picture * self.pixels + i * rows;
                let count = y.len() / self.width;
                let part = |x: &'_ [f32], width: usize| -> std::ops::Range<usize> {
                    let end = ((first + count) * width).min(x.len());
                    (first * width).min(end)..end
                };
                let a = match self.op {
                    Op::GeluGate => &x[0][part(x[0], 2 * self.width)],
                    _ => &x[0][part(x[0], self.width)],
                };
                let (b, s): (&[f32], &[f32]) = match self.op {
                    Op::SiluGate | Op::Add => (&x[1][part(x[1], self.width)], &[]),
                    Op::AddScaled => (&x[1][part(x[1], self.width)], x[2]),
                    Op::MulChannels => (&[], &x[1][picture * self.width..][..self.width]),
                    _ => (&[], &[]),
                };
                pointwise_rows(&self.op, self.width, a, b, s, y);
            });
        });
    }
}

clones! {
    /// `y` from rows of `a` and `b` and one row `s` for all.
    fn pointwise_rows(op: &Op, width: usize, a: &[f32], b: &[f32], s: &[f32], y: &mut [f32]) = pointwise_rows_body;
}

#[inline(always)]
fn pointwise_rows_body<const FMA: bool>(
    op: &Op,
    width: usize,
    a: &[f32],
    b: &[f32],
    s: &[f32],
    y: &mut [f32],
) {
    let pairs = || a.iter().zip(b);
    match op {
        Op::Activation(kind) => match kind {
            Activation::Relu => each(y, a, |a| if a > 0.0 { a } else { 0.0 }),
            Activation::Gelu => each(y, a, gelu::<FMA>),
            Activation::Silu => each(y, a, silu::<FMA>),
            Activation::Sigmoid => each(y, a, sigmoid::<FMA>),
        },
        Op::SiluGate => {
            for (y, (a, b)) in y.iter_mut().zip(pairs()) {
                *y = a * silu::<FMA>(*b);
            }
        }
        Op::GeluGate => {
            for (y, a) in y.chunks_exact_mut(width).zip(a.chunks_exact(2 * width)) {
                let (gate, value) = a.split_at(width);
                for (y, (g, v)) in y.iter_mut().zip(gate.iter().zip(value)) {
                    *y = gelu::<FMA>(*g) * v;
                }
            }
        }
        Op::AddScaled => {
            let rows = a.chunks_exact(width).zip(b.chunks_exact(width));
            for (y, (a, b)) in y.chunks_exact_mut(width).zip(rows) {
                for ((y, (a, b)), s) in y.iter_mut().zip(a.iter().zip(b)).zip(s) {
                    *y = mul_add::<FMA>(*s, *b, *a);
                }
            }
        }
        Op::MulChannels => {
            for (y, a) in y.chunks_exact_mut(width).zip(a.chunks_exact(width)) {
                for (y, (a, s)) in y.iter_mut().zip(a.iter().zip(s)) {
                    *y = a * s;
                }
            }
        }
        _ => {
            for (y, (a, b)) in y.iter_mut().zip(pairs()) {
                *y = a + b;
            }
        }
    }
}

#[inline(always)]
fn each(y: &mut [f32], a: &[f32], f: impl Fn(f32) -> f32) {
    for (y, a) in y.iter_mut().zip(a) {
        *y = f(*a);
    }
}

/// Mean over the pixels of each picture.
struct Average {
    pixels: usize,
    channels: usize,
}

/// Pixels summed before they join the total: short sums keep their last bits.
const AVERAGED: usize = 256;

impl Kernel for Average {
    fn scratch(&self) -> usize {
        self.pixels.div_ceil(AVERAGED) * self.channels
    }

    fn run(&self, x: &[&[f32]], y: &mut [f32], scratch: &mut [f32]) {
        let c = self.channels;
        let pictures = x[0].chunks_exact(self.pixels * c);
        for (x, y) in pictures.zip(y.chunks_exact_mut(c)) {
            let blocks = scratch.par_chunks_mut(c).zip(x.par_chunks(AVERAGED * c));
            blocks.for_each(|(sum, x)| add_rows(sum, x));
            add_rows(y, scratch);
            for y in y {
                *y /= self.pixels as f32;
            }
        }
    }
}

/// `sum` = the sum of the rows of `x`.
fn add_rows(sum: &mut [f32], x: &[f32]) {
    sum.fill(0.0);
    for x in x.chunks_exact(sum.len()) {
        for (s, x) in sum.iter_mut().zip(x) {
            *s += x;
        }
    }
}
