//! Depthwise 3×3 convolutions, vectorised over channels, with the activation in the epilogue.

use std::ops::Range;

use rayon::prelude::*;

use super::simd::{Lanes, WIDTH, clones, gelu, load, mul_add, prefetch, sigmoid, silu, store};
use super::{Kernel, Site};
use crate::graph::Activation;

/// Pixels of a row that are handled block of channels after block of channels.
const STRIP: usize = 32;

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
        None => activated::<FMA>(rows, kernel, y, |x| x),
        Some(Activation::Silu) => activated::<FMA>(rows, kernel, y, silu::<FMA>),
        Some(Activation::Gelu) => activated::<FMA>(rows, kernel, y, gelu::<FMA>),
        Some(Activation::Sigmoid) => activated::<FMA>(rows, kernel, y, sigmoid::<FMA>),
        Some(Activation::Relu) => {
            activated::<FMA>(rows, kernel, y, |x| if x > 0.0 { x } else { 0.0 });
        }
    }
}

#[inline(always)]
fn activated<const FMA: bool>(
    rows: &[&[f32]; 3],
    kernel: &Depthwise,
    y: &mut [f32],
    f: impl Fn(f32) -> f32 + Copy,
) {
    let c = kernel.channels;
    let mut sums = [[0.0; WIDTH]; STRIP];
    for part in parts(kernel.width, c) {
        convolve::<FMA>(rows, kernel, part.first, &part, &mut sums);
        for (x, sum) in part.pixels.clone().zip(&mut sums) {
            for s in &mut *sum {
                *s = f(*s);
            }
            store(y, x * c + part.first, part.lanes, sum);
        }
    }
}

/// Two channels make one.
#[inline(always)]
fn gelu_gate<const FMA: bool>(rows: &[&[f32]; 3], kernel: &Depthwise, y: &mut [f32]) {
    let half = kernel.channels / 2;
    let mut gates = [[0.0; WIDTH]; STRIP];
    let mut values = [[0.0; WIDTH]; STRIP];
    for part in parts(kernel.width, half) {
        convolve::<FMA>(rows, kernel, part.first, &part, &mut gates);
        convolve::<FMA>(rows, kernel, half + part.first, &part, &mut values);
        for (x, (gate, value)) in part.pixels.clone().zip(gates.iter_mut().zip(&values)) {
            for l in 0..WIDTH {
                gate[l] = gelu::<FMA>(gate[l]) * value[l];
            }
            store(y, x * half + part.first, part.lanes, gate);
        }
    }
}

/// A block of channels of a strip of pixels.
struct Part {
    pixels: Range<usize>,
    /// First channel, of as many as there are results.
    first: usize,
    lanes: usize,
}

/// All of a row, strip by strip: a strip's pages stay at hand while its blocks of channels follow
/// each other.
fn parts(width: usize, channels: usize) -> impl Iterator<Item = Part> {
    let strips = (0..width).step_by(STRIP);
    strips.flat_map(move |start| {
        (0..channels).step_by(WIDTH).map(move |first| Part {
            pixels: start..(start + STRIP).min(width),
            first,
            lanes: WIDTH.min(channels - first),
        })
    })
}

/// The channels from `first` on of each of the part's pixels.
#[inline(always)]
fn convolve<const FMA: bool>(
    rows: &[&[f32]; 3],
    kernel: &Depthwise,
    first: usize,
    part: &Part,
    sums: &mut [Lanes; STRIP],
) {
    match part.lanes == WIDTH {
        true => convolve_lanes::<FMA, true>(rows, kernel, first, part, sums),
        false => convolve_lanes::<FMA, false>(rows, kernel, first, part, sums),
    }
}

/// Column by column: each is loaded once, and added to the sums of the pixel before, of its own and
/// of the one after, which so do not wait for each other. `FULL` says that all lanes are channels.
#[inline(always)]
fn convolve_lanes<const FMA: bool, const FULL: bool>(
    rows: &[&[f32]; 3],
    kernel: &Depthwise,
    first: usize,
    part: &Part,
    sums: &mut [Lanes; STRIP],
) {
    let lanes = if FULL { WIDTH } else { part.lanes };
    let (c, pixels) = (kernel.channels, &part.pixels);
    let mut weight = [[0.0; WIDTH]; 9];
    for (tap, weight) in weight.iter_mut().enumerate() {
        *weight = load(&kernel.weight, tap * c + first, lanes);
    }
    let bias = load(&kernel.bias, first, lanes);
    let columns = pixels.start.saturating_sub(1)..(pixels.end + 1).min(kernel.width);
    let [above, own, below] = rows.map(|row| row[columns.start * c + first..].chunks(c));
    let (mut before, mut here) = (bias, bias);
    for (x, ((above, own), below)) in columns.zip(above.zip(own).zip(below)) {
        // Of the row that is new: the block that follows, and the next strip's first.
        prefetch(rows[2], (x * c + first + WIDTH) as isize);
        if part.first == 0 {
            prefetch(rows[2], ((x + STRIP) * c + first) as isize);
        }
        let mut after = bias;
        for (row, column) in [above, own, below].into_iter().enumerate() {
            let column = load(column, 0, lanes);
            add::<FMA>(&mut before, &column, &weight[3 * row + 2]);
            add::<FMA>(&mut here, &column, &weight[3 * row + 1]);
            add::<FMA>(&mut after, &column, &weight[3 * row]);
        }
        if x > pixels.start {
            sums[x - 1 - pixels.start] = before;
        }
        (before, here) = (here, after);
    }
    if pixels.end == kernel.width {
        sums[pixels.len() - 1] = before;
    }
}

#[inline(always)]
fn add<const FMA: bool>(sum: &mut Lanes, x: &Lanes, w: &Lanes) {
    for l in 0..WIDTH {
        sum[l] = mul_add::<FMA>(x[l], w[l], sum[l]);
    }
}
