//! Depthwise 3×3 convolutions, vectorised over channels, with the activation in the epilogue.

use rayon::prelude::*;

use super::simd::{Lanes, WIDTH, clones, gelu, load, mul_add, sigmoid, silu, store};
use super::{Kernel, Site};
use crate::graph::Activation;

/// What is made of the convolution's result.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Epilogue {
    /// f of each channel.
    Activation(Option<Activation>),
    /// GELU of the first half of the channels times the second half.
    GeluGate,
}

struct Depthwise {
    height: usize,
    width: usize,
    channels: usize,
    /// `[9, C]`
    weight: Vec<f32>,
    bias: Vec<f32>,
    epilogue: Epilogue,
    /// The row above the first and below the last.
    zeros: Vec<f32>,
}

pub(super) fn kernel(site: &Site<'_>, bias: bool, epilogue: Epilogue) -> Option<Box<dyn Kernel>> {
    let [_, height, width, channels] = site.bhwc(0);
    let w = site.weight(1)?;
    let weight = (0..9 * channels)
        .map(|i| w[i % channels * 9 + i / channels])
        .collect();
    let bias = match bias {
        true => site.weight(2)?.to_vec(),
        false => vec![0.0; channels],
    };
    Some(Box::new(Depthwise {
        height,
        width,
        channels,
        weight,
        bias,
        epilogue,
        zeros: vec![0.0; width * channels],
    }))
}

impl Kernel for Depthwise {
    fn run(&self, x: &[&[f32]], y: &mut [f32], _: &mut [f32]) {
        let line = self.width * self.channels;
        let results = match self.epilogue {
            Epilogue::Activation(_) => line,
            Epilogue::GeluGate => line / 2,
        };
        y.par_chunks_mut(results).enumerate().for_each(|(row, y)| {
            let above = |inside: bool, row: usize| match inside {
                true => &x[0][row * line..][..line],
                false => &self.zeros[..],
            };
            let at = row % self.height;
            let rows = [
                above(at > 0, row.wrapping_sub(1)),
                above(true, row),
                above(at + 1 < self.height, row + 1),
            ];
            depthwise_row(&rows, self, y);
        });
    }
}

clones! {
    /// One row of pixels from the three rows around it.
    fn depthwise_row(rows: &[&[f32]; 3], kernel: &Depthwise, y: &mut [f32]) = depthwise_row_body;
}

#[inline(always)]
fn depthwise_row_body<const FMA: bool>(rows: &[&[f32]; 3], kernel: &Depthwise, y: &mut [f32]) {
    let activation = match kernel.epilogue {
        Epilogue::GeluGate => return gelu_gate::<FMA>(rows, kernel, y),
        Epilogue::Activation(activation) => activation,
    };
    match activation {
        None => blocks::<FMA>(rows, kernel, y, |x| x),
        Some(Activation::Silu) => blocks::<FMA>(rows, kernel, y, silu::<FMA>),
        Some(Activation::Gelu) => blocks::<FMA>(rows, kernel, y, gelu::<FMA>),
        Some(Activation::Sigmoid) => blocks::<FMA>(rows, kernel, y, sigmoid::<FMA>),
        Some(Activation::Relu) => {
            blocks::<FMA>(rows, kernel, y, |x| if x > 0.0 { x } else { 0.0 });
        }
    }
}

/// Pixel after pixel, so that the three rows are read as three streams.
#[inline(always)]
fn blocks<const FMA: bool>(
    rows: &[&[f32]; 3],
    kernel: &Depthwise,
    y: &mut [f32],
    f: impl Fn(f32) -> f32 + Copy,
) {
    let c = kernel.channels;
    for (x, y) in y.chunks_exact_mut(c).enumerate() {
        for first in (0..c).step_by(WIDTH) {
            let lanes = WIDTH.min(c - first);
            let mut sum = convolved::<FMA>(rows, kernel, x, first, lanes);
            for s in &mut sum {
                *s = f(*s);
            }
            store(y, first, lanes, &sum);
        }
    }
}

/// [`blocks`] for the gate: two channels make one.
#[inline(always)]
fn gelu_gate<const FMA: bool>(rows: &[&[f32]; 3], kernel: &Depthwise, y: &mut [f32]) {
    let half = kernel.channels / 2;
    for (x, y) in y.chunks_exact_mut(half).enumerate() {
        for first in (0..half).step_by(WIDTH) {
            let lanes = WIDTH.min(half - first);
            let mut gate = convolved::<FMA>(rows, kernel, x, first, lanes);
            let value = convolved::<FMA>(rows, kernel, x, half + first, lanes);
            for (g, v) in gate.iter_mut().zip(value) {
                *g = gelu::<FMA>(*g) * v;
            }
            store(y, first, lanes, &gate);
        }
    }
}

/// Channels `first..first + lanes` of the convolution's result at pixel `x` of the row.
#[inline(always)]
fn convolved<const FMA: bool>(
    rows: &[&[f32]; 3],
    kernel: &Depthwise,
    x: usize,
    first: usize,
    lanes: usize,
) -> Lanes {
    let c = kernel.channels;
    // Columns of taps that are inside.
    let from = usize::from(x == 0);
    let to = if x + 1 == kernel.width { 2 } else { 3 };
    let mut sum = load(&kernel.bias, first, lanes);
    if (from, to) == (0, 3) && lanes == WIDTH {
        for tap in 0..9 {
            let at = (x + tap % 3 - 1) * c + first;
            let weight = load(&kernel.weight, tap * c + first, WIDTH);
            add::<FMA>(&mut sum, &load(rows[tap / 3], at, WIDTH), &weight);
        }
    } else {
        for tap in (0..9).filter(|tap| (from..to).contains(&(tap % 3))) {
            let at = (x + tap % 3 - 1) * c + first;
            let weight = load(&kernel.weight, tap * c + first, lanes);
            add::<FMA>(&mut sum, &load(rows[tap / 3], at, lanes), &weight);
        }
    }
    sum
}

#[inline(always)]
fn add<const FMA: bool>(sum: &mut Lanes, x: &Lanes, w: &Lanes) {
    for l in 0..WIDTH {
        sum[l] = mul_add::<FMA>(x[l], w[l], sum[l]);
    }
}
