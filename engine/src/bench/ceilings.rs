//! What a device can do at most: copies, products of matrices, plain arithmetic.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::{BenchError, Spread, repeat, samples};
use crate::backend::wgpu::{Arithmetic, Rung, WgpuBackend};
use crate::graph::{Graph, Op};
use crate::matrix::{Matrix, multiply};

/// Rate of square products through the engine's own kernels.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Product {
    /// Rows, columns and terms.
    pub side: usize,
    /// Kernel that did it.
    pub kernel: String,
    /// Operations a second; a multiply–add counts as two.
    pub rate: Spread,
}

/// What a graphics device can do at most.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Ceilings {
    /// Name of the device.
    pub device: String,
    /// How it keeps and multiplies numbers.
    pub rung: Rung,
    /// Bytes a second that copies move, reads and writes counted.
    pub copy: Spread,
    /// Square products of rising sides, until one takes long.
    pub products: Vec<Product>,
    /// Operations a second of 32-bit fused multiply–adds, counted as two.
    pub fma: Option<Spread>,
    /// 32-bit powers of two a second.
    pub exp2: Option<Spread>,
}

/// Longest that the repetitions of one measurement may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Sides of the products.
const SIDES: [usize; 6] = [256, 512, 1024, 2048, 4096, 8192];
/// A product that takes longer is the last, in seconds.
const LONG: f64 = 0.02;

impl Ceilings {
    /// Measures a graphics device, `runs` times each; takes some seconds.
    ///
    /// # Errors
    /// [`BenchError::Backend`] when the device fails.
    pub fn measure(backend: &WgpuBackend, runs: usize) -> Result<Self, BenchError> {
        let copy = repeat(runs, PATIENCE, || backend.copy_rate())?;
        let rate = |a| repeat(runs, PATIENCE, || backend.arithmetic_rate(a));
        let timed = backend.has_timestamps();
        let (fma, exp2) = match timed {
            true => (Some(rate(Arithmetic::Fma)?), Some(rate(Arithmetic::Exp2)?)),
            false => (None, None),
        };
        let mut products = Vec::new();
        for side in SIDES.into_iter().filter(|_| timed) {
            let product = product(backend, side, runs)?;
            let seconds = 2.0 * (side as f64).powi(3) / product.rate.median.max(1.0);
            products.push(product);
            if seconds > LONG || side * side * 4 > backend.info().max_binding_bytes as usize / 4 {
                break;
            }
        }
        Ok(Self {
            device: backend.info().name.clone(),
            rung: backend.rung(),
            copy,
            products,
            fma,
            exp2,
        })
    }

    /// Operations a second of the fastest product.
    pub fn best_product(&self) -> Option<f64> {
        let rates = self.products.iter().map(|p| p.rate.median);
        rates.reduce(f64::max)
    }
}

/// Three linear layers in a row; the middle one reads and writes what stays on the device, as
/// the layers of a network do.
fn product(backend: &WgpuBackend, side: usize, runs: usize) -> Result<Product, BenchError> {
    let mut graph = Graph::new();
    // One pixel in, one channel out: nothing worth moving between the program and the device.
    let x = graph.parameter("x", &[1, 1, side, side]);
    let w = graph.parameter("w", &[side, side]);
    let nothing = graph.input("nothing", &[1]);
    let linear = Op::Linear {
        bias: false,
        residual: false,
    };
    let mut y = x;
    for label in ["first", "middle", "last"] {
        y = graph.apply(linear, &[y, w], label)?;
    }
    let last = graph.apply(Op::SliceChannels { start: 0, len: 4 }, &[y], "out")?;
    graph.outputs = vec![last];
    let _ = nothing;
    // Small weights keep the results small, whatever the side.
    let weights: Vec<f32> = samples(side * side)
        .iter()
        .map(|v| (v - 0.5) / (side as f32).sqrt())
        .collect();
    let model = backend.load_model(&[samples(side * side), weights])?;
    let mut executable = model.prepare_program(&graph)?;
    let mut kernel = String::new();
    let rate = repeat(runs, PATIENCE, || -> Result<f64, BenchError> {
        let rows = executable.profile(&[&[0.0]])?;
        let middle = rows.iter().filter(|r| r.label == "middle");
        let mut microseconds = 0.0;
        for row in middle {
            if row.kernel.starts_with("matmul") {
                kernel = row.kernel.to_owned();
            }
            microseconds += row.microseconds;
        }
        Ok(2.0 * (side as f64).powi(3) / (microseconds / 1e6).max(1e-9))
    })?;
    Ok(Product { side, kernel, rate })
}

/// What the processor can do at most, on all its cores.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ProcessorCeilings {
    /// Threads used.
    pub threads: usize,
    /// Bytes a second that copies move, reads and writes counted.
    pub copy: Spread,
    /// Operations a second of a 32-bit product, 1024 a side.
    pub product: Spread,
}

impl ProcessorCeilings {
    /// Measures, `runs` times each; takes some seconds.
    pub fn measure(runs: usize) -> Self {
        let threads = rayon::current_num_threads();
        Self {
            threads,
            copy: infallible(repeat(runs, PATIENCE, copier())),
            product: infallible(repeat(runs, PATIENCE, multiplier(1024))),
        }
    }
}

fn infallible<T>(result: Result<T, std::convert::Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

type Measured = Result<f64, std::convert::Infallible>;

/// Copies 128 MiB, a piece a task; bytes a second.
fn copier() -> impl FnMut() -> Measured {
    const LEN: usize = 32 << 20;
    let piece = LEN.div_ceil(4 * rayon::current_num_threads());
    let from = vec![1.0f32; LEN];
    let mut to = vec![0.0f32; LEN];
    move || {
        let start = Instant::now();
        to.par_chunks_mut(piece)
            .zip(from.par_chunks(piece))
            .for_each(|(to, from)| to.copy_from_slice(from));
        std::hint::black_box(&mut to);
        Ok(8.0 * LEN as f64 / start.elapsed().as_secs_f64())
    }
}

/// Multiplies two square matrices; operations a second.
fn multiplier(side: usize) -> impl FnMut() -> Measured {
    let a = samples(side * side);
    let mut y = vec![0.0f32; side * side];
    move || {
        let start = Instant::now();
        let square = Matrix::new(&a, side, side);
        multiply(square, square, &mut y, false, gemm::Parallelism::Rayon(0));
        std::hint::black_box(&mut y);
        Ok(2.0 * (side as f64).powi(3) / start.elapsed().as_secs_f64())
    }
}
