//! The Wiener filter (N. Wiener 1949), in the frequency domain.

use std::f64::consts::PI;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::Blur;
use crate::image::Rgb32;

/// What is believed about pictures: the ratio of the noise's power to the picture's at an angular
/// frequency ω (radians a pixel).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prior {
    /// The same at all frequencies: this.
    Flat(f64),
    /// This times |ω|²: the power of photographs falls with the square of the frequency
    /// (Field 1987).
    Falling(f64),
}

impl Prior {
    fn ratio(self, omega: [f64; 2]) -> f64 {
        match self {
            Self::Flat(ratio) => ratio,
            Self::Falling(ratio) => ratio * (omega[0] * omega[0] + omega[1] * omega[1]),
        }
    }
}

/// Undoes a blur: X = H*·Y / (|H|² + noise-to-signal), each channel apart.
///
/// The picture is mirrored to twice its size first. There a mirrored blur with a symmetric kernel
/// is an ordinary periodic one, and its spectrum is real, so the edges are exact.
pub fn wiener(blurred: &Rgb32, blur: &Blur, prior: Prior) -> Rgb32 {
    let (width, height) = (blurred.width(), blurred.height());
    if width == 0 || height == 0 {
        return blurred.clone();
    }
    let (wide, high) = (2 * width, 2 * height);
    let across = response(blur, wide);
    let down = response(blur, high);
    let mut fourier = Fourier::new(wide, high);
    let mut out = vec![0f32; width * height * 3];
    for c in 0..3 {
        let mut plane = Vec::with_capacity(wide * high);
        for y in 0..high {
            let y = y.min(high - 1 - y);
            for x in 0..wide {
                let x = x.min(wide - 1 - x);
                let v = blurred.samples()[(y * width + x) * 3 + c];
                plane.push(Complex::new(v, 0.0));
            }
        }
        fourier.transform(&mut plane, false);
        for (i, value) in plane.iter_mut().enumerate() {
            let (x, y) = (i % wide, i / wide);
            let h = down[y] * across[x];
            let ratio = prior.ratio([frequency(y, high), frequency(x, wide)]);
            let gain = h / (h * h + ratio).max(1e-12);
            *value *= (gain / (wide * high) as f64) as f32;
        }
        fourier.transform(&mut plane, true);
        for (y, row) in plane.chunks_exact(wide).take(height).enumerate() {
            for (x, value) in row[..width].iter().enumerate() {
                out[(y * width + x) * 3 + c] = value.re;
            }
        }
    }
    Rgb32::from_parts(width, height, out)
}

/// Angular frequency of the k-th of n coefficients, −π to π.
fn frequency(k: usize, n: usize) -> f64 {
    let k = if 2 * k > n {
        k as f64 - n as f64
    } else {
        k as f64
    };
    2.0 * PI * k / n as f64
}

/// Spectrum of a symmetric kernel over n coefficients: Σ taps·cos(ω·offset), real.
fn response(blur: &Blur, n: usize) -> Vec<f64> {
    let radius = (blur.taps.len() / 2) as f64;
    let at = |omega: f64| {
        let taps = blur.taps.iter().enumerate();
        taps.map(|(i, &w)| f64::from(w) * (omega * (i as f64 - radius)).cos())
            .sum()
    };
    (0..n).map(|k| at(frequency(k, n))).collect()
}

/// Two-dimensional transforms of one size.
struct Fourier {
    wide: usize,
    high: usize,
    planner: FftPlanner<f32>,
    turned: Vec<Complex<f32>>,
}

impl Fourier {
    fn new(wide: usize, high: usize) -> Self {
        Self {
            wide,
            high,
            planner: FftPlanner::new(),
            turned: vec![Complex::default(); wide * high],
        }
    }

    /// Rows, then columns, in place; not divided by the number of values.
    fn transform(&mut self, plane: &mut [Complex<f32>], inverse: bool) {
        let mut plan = |length| match inverse {
            true => self.planner.plan_fft_inverse(length),
            false => self.planner.plan_fft_forward(length),
        };
        let (rows, columns) = (plan(self.wide), plan(self.high));
        rows.process(plane);
        transpose(plane, &mut self.turned, self.wide);
        columns.process(&mut self.turned);
        transpose(&self.turned, plane, self.high);
    }
}

/// [n, width] to [width, n].
fn transpose(from: &[Complex<f32>], to: &mut [Complex<f32>], width: usize) {
    let height = from.len() / width;
    for (y, row) in from.chunks_exact(width).enumerate() {
        for (x, value) in row.iter().enumerate() {
            to[x * height + y] = *value;
        }
    }
}
