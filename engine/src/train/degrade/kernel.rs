//! Blur kernels. Every one sums to 1, so that flat areas keep their value.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A square kernel of odd side, row by row.
pub(crate) struct Kernel {
    /// (side - 1) / 2.
    pub(crate) radius: usize,
    /// side * side weights.
    pub(crate) weights: Vec<f32>,
}

impl Kernel {
    /// Normalised from values at whole-pixel offsets; a sum of 0 gives the
    /// kernel that changes nothing.
    fn from_values(radius: usize, value: impl Fn(f64, f64) -> f64) -> Self {
        let offset = |i: usize| i as f64 - radius as f64;
        let side = 2 * radius + 1;
        let mut values: Vec<f64> = (0..side * side)
            .map(|i| value(offset(i % side), offset(i / side)))
            .collect();
        let sum: f64 = values.iter().sum();
        if sum <= 0.0 {
            values[side * side / 2] = 1.0;
        }
        let sum: f64 = values.iter().sum();
        Self {
            radius,
            weights: values.into_iter().map(|v| (v / sum) as f32).collect(),
        }
    }
}

/// Weights of a Gaussian along one axis: `taps` of them at most, the outer ones
/// left out where they are too small to count in 32-bit.
pub(crate) fn gaussian(sigma: f32, taps: usize) -> Vec<f32> {
    // exp(-x^2 / 2 sigma^2) falls below 2^-26 at 6 sigma.
    let radius = (taps / 2).min((6.0 * sigma).ceil() as usize);
    if radius == 0 || sigma <= 0.0 {
        return vec![1.0];
    }
    let spread = 2.0 * f64::from(sigma) * f64::from(sigma);
    let values: Vec<f64> = (0..=2 * radius)
        .map(|i| (-(i as f64 - radius as f64).powi(2) / spread).exp())
        .collect();
    let sum: f64 = values.iter().sum();
    values.into_iter().map(|v| (v / sum) as f32).collect()
}

/// A Gaussian of standard deviation `a` along `angle` (radians) and `b` across.
pub(crate) fn anisotropic(a: f32, b: f32, angle: f32) -> Kernel {
    // Narrower than this, a sampled Gaussian is a single pixel anyway.
    let (a, b) = (f64::from(a).max(0.1), f64::from(b).max(0.1));
    let (sin, cos) = f64::from(angle).sin_cos();
    Kernel::from_values((4.0 * a.max(b)).ceil() as usize, |x, y| {
        let (along, across) = (x * cos + y * sin, y * cos - x * sin);
        let squared = (along / a).powi(2) + (across / b).powi(2);
        // Beyond four deviations lies 0.03 % of the light, and most of the work.
        if squared <= 16.0 {
            (-0.5 * squared).exp()
        } else {
            0.0
        }
    })
}

/// An evenly bright disc; a pixel on the rim counts by the part covered
/// (found on an 8 by 8 grid).
pub(crate) fn disc(radius: f32) -> Kernel {
    let radius = f64::from(radius);
    let inside = |x: f64, y: f64| {
        let sub = |i: usize| (i as f64 + 0.5) / 8.0 - 0.5;
        (0..64)
            .filter(|&i| (x + sub(i % 8)).hypot(y + sub(i / 8)) <= radius)
            .count() as f64
    };
    Kernel::from_values((radius + 0.5).ceil() as usize, inside)
}

/// The path of a shaking camera, `length` pixels long: a heading that drifts
/// smoothly and now and then jumps, walked in quarter pixels (after Boracchi
/// and Foi 2012, without their pull to the start), centred on its mean.
pub(crate) fn trajectory(length: f32, rng: &mut ChaCha8Rng) -> Kernel {
    const STEP: f64 = 0.25;
    let steps = (f64::from(length) / STEP).round() as usize;
    let mut heading = rng.random::<f64>() * std::f64::consts::TAU;
    let mut turn = 0.0f64;
    let (mut x, mut y) = (0.0, 0.0);
    let mut path = vec![(x, y)];
    for _ in 0..steps {
        let push: f64 = StandardNormal.sample(rng);
        turn = 0.9 * turn + 0.02 * push;
        if rng.random::<f64>() < 0.01 {
            heading += std::f64::consts::PI * (rng.random::<f64>() - 0.5);
        }
        heading += turn;
        x += STEP * heading.cos();
        y += STEP * heading.sin();
        path.push((x, y));
    }
    let n = path.len() as f64;
    let (sum_x, sum_y) = path.iter().fold((0.0, 0.0), |(a, b), p| (a + p.0, b + p.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let reach = path
        .iter()
        .map(|p| (p.0 - mean_x).abs().max((p.1 - mean_y).abs()))
        .fold(0.0, f64::max);
    let radius = reach.ceil() as usize + 1;
    // Each point is spread over the four pixels around it (bilinear).
    let side = 2 * radius + 1;
    let mut values = vec![0.0; side * side];
    for (px, py) in path {
        let (cx, cy) = (px - mean_x + radius as f64, py - mean_y + radius as f64);
        let (ix, iy) = (cx.floor() as usize, cy.floor() as usize);
        let (fx, fy) = (cx - cx.floor(), cy - cy.floor());
        for (dx, dy, w) in [
            (0, 0, (1.0 - fx) * (1.0 - fy)),
            (1, 0, fx * (1.0 - fy)),
            (0, 1, (1.0 - fx) * fy),
            (1, 1, fx * fy),
        ] {
            values[(iy + dy) * side + ix + dx] += w / n;
        }
    }
    Kernel {
        radius,
        weights: values.into_iter().map(|v| v as f32).collect(),
    }
}
