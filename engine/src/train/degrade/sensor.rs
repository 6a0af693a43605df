//! The noise of a digital camera as it ends up in an sRGB photograph.
//!
//! After Brooks, Mildenhall, Xue, Chen, Sharlet and Barron, "Unprocessing Images for Learned Raw
//! Denoising" (CVPR 2019, arXiv 1811.11127): noise arises where light is counted, behind a Bayer
//! mosaic, and what follows makes it unequal and correlated. The colours' gains amplify red and
//! blue, demosaicing smears each value over its neighbours, the colour matrix mixes the channels,
//! and the tone curve lifts the shadows. The picture itself is taken to be free of all that:
//! interpolation being linear, only the noise is demosaiced, so that no detail is lost.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{Range, Values};
use crate::image::Rgb32;
use crate::image::resize::mirror;

/// Settings of a sensor's noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Variance of the photon noise over the signal, in linear light (1 is white), drawn evenly
    /// on a logarithmic scale. Brooks et al.: 0.0001 (base sensitivity) to 0.012 (highest).
    /// The read noise follows it: log σ² = 2.18 log shot + 1.20, deviation 0.26.
    pub shot: Range,
    /// Gain of red and of blue over green, one drawn for each.
    #[serde(default = "default_balance")]
    pub balance: Range,
    /// Strength s of the colour matrix, (1 + s)·I − s/3: the more, the more colourful the noise.
    #[serde(default)]
    pub matrix: Range,
}

fn default_balance() -> Range {
    Range::new(1.2, 2.4)
}

impl Sensor {
    /// Adds the noise and clips to [0, 1]; returns its root mean square and what was drawn.
    pub(super) fn expose(&self, image: &mut Rgb32, rng: &mut ChaCha8Rng) -> (f32, Values) {
        let shot = Range::new(self.shot.low().ln(), self.shot.high().ln()).draw(rng);
        let push: f32 = StandardNormal.sample(rng);
        let read = (2.18 * shot + 1.20 + 0.26 * push).exp();
        let shot = shot.exp();
        let (red, blue) = (self.balance.draw(rng), self.balance.draw(rng));
        let matrix = self.matrix.draw(rng);
        let phase = [0; 2].map(|_| rng.random_range(0..2usize));
        let gains = [red, 1.0, blue];
        let (width, height) = (image.width(), image.height());
        let linear: Vec<f32> = image.samples().iter().map(|&v| to_linear(v)).collect();
        // One value a site, in the colour the mosaic has there.
        let noise: Vec<f32> = (0..width * height)
            .map(|i| {
                let c = colour(i / width, i % width, phase);
                let signal = (linear[i * 3 + c] / gains[c]).max(0.0);
                let n: f32 = StandardNormal.sample(rng);
                (shot * signal + read).sqrt() * n * gains[c]
            })
            .collect();
        let mut squares = 0.0f64;
        for (i, pixel) in image
            .samples_mut()
            .as_chunks_mut::<3>()
            .0
            .iter_mut()
            .enumerate()
        {
            let n = demosaiced(&noise, (i / width, i % width), (width, height), phase);
            let mean = matrix * (n[0] + n[1] + n[2]) / 3.0;
            for c in 0..3 {
                let before = pixel[c];
                let light = linear[i * 3 + c] + (1.0 + matrix) * n[c] - mean;
                pixel[c] = from_linear(light.clamp(0.0, 1.0));
                squares += f64::from(pixel[c] - before).powi(2);
            }
        }
        let rms = (squares / (width * height * 3).max(1) as f64).sqrt();
        let values = vec![
            ("shot", shot),
            ("read", read.sqrt()),
            ("red", red),
            ("blue", blue),
            ("matrix", matrix),
        ];
        (rms as f32, values)
    }
}

/// Red, green or blue: what the Bayer mosaic has at a site.
fn colour(y: usize, x: usize, [dy, dx]: [usize; 2]) -> usize {
    match ((y + dy) % 2, (x + dx) % 2) {
        (0, 0) => 0,
        (1, 1) => 2,
        _ => 1,
    }
}

/// All three colours at a site, by bilinear interpolation of the mosaic.
fn demosaiced(
    mosaic: &[f32],
    (y, x): (usize, usize),
    (width, height): (usize, usize),
    phase: [usize; 2],
) -> [f32; 3] {
    let at = |dy: i64, dx: i64| {
        let inside = y > 0 && x > 0 && y + 1 < height && x + 1 < width;
        let (row, column) = match inside {
            true => ((y as i64 + dy) as usize, (x as i64 + dx) as usize),
            false => (
                bounced(y as i64 + dy, height),
                bounced(x as i64 + dx, width),
            ),
        };
        mosaic[row * width + column]
    };
    let here = mosaic[y * width + x];
    let sides = (at(0, -1) + at(0, 1)) / 2.0;
    let ends = (at(-1, 0) + at(1, 0)) / 2.0;
    let corners = || (at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1)) / 4.0;
    match colour(y, x, phase) {
        0 => [here, (sides + ends) / 2.0, corners()],
        2 => [corners(), (sides + ends) / 2.0, here],
        // Green in a red row has red beside it, in a blue row above and below.
        _ if (y + phase[0]).is_multiple_of(2) => [sides, here, ends],
        _ => [ends, here, sides],
    }
}

/// Mirrors about the edge pixel, which keeps the mosaic's colours in step.
fn bounced(at: i64, side: usize) -> usize {
    match at {
        -1 if side > 1 => 1,
        _ if at == side as i64 && side > 1 => side - 2,
        _ => mirror(at, side),
    }
}

/// sRGB (IEC 61966-2-1) to linear light; negative values stay on the curve's straight part.
fn to_linear(v: f32) -> f32 {
    if v <= 0.040_45 {
        v / 12.92
    } else {
        ((v + 0.055) / 1.055).powf(2.4)
    }
}

/// Linear light to sRGB.
fn from_linear(v: f32) -> f32 {
    if v <= 0.003_130_8 {
        v * 12.92
    } else {
        1.055 * v.powf(1.0 / 2.4) - 0.055
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::{Purpose, rng};
    use super::*;

    fn flat(value: f32) -> Rgb32 {
        Rgb32::new(96, 64, vec![value; 96 * 64 * 3]).unwrap()
    }

    fn sensor(shot: f32, balance: f32) -> Sensor {
        Sensor {
            shot: shot.into(),
            balance: balance.into(),
            matrix: 0.0.into(),
        }
    }

    /// Standard deviation of a channel and correlation with its right neighbour.
    fn statistics(image: &Rgb32, c: usize) -> (f64, f64) {
        let (w, h) = (image.width(), image.height());
        let at = |y: usize, x: usize| f64::from(image.samples()[(y * w + x) * 3 + c]);
        let n = (w * h) as f64;
        let mean = (0..w * h).map(|i| at(i / w, i % w)).sum::<f64>() / n;
        let (mut square, mut product) = (0.0, 0.0);
        for y in 0..h {
            for x in 0..w - 1 {
                square += (at(y, x) - mean).powi(2);
                product += (at(y, x) - mean) * (at(y, x + 1) - mean);
            }
        }
        ((square / n).sqrt(), product / square)
    }

    #[test]
    fn the_curve_is_srgb_and_its_own_inverse() {
        // IEC 61966-2-1: 0.5 is 0.21404 in linear light.
        assert!((to_linear(0.5) - 0.214_041).abs() < 1e-5);
        for i in 0..=100 {
            let v = i as f32 / 100.0;
            assert!((from_linear(to_linear(v)) - v).abs() < 1e-5);
        }
    }

    #[test]
    fn noise_is_amplified_and_correlated_as_a_mosaic_does_it() {
        let mut noisy = flat(0.6);
        let mut random = rng(1, 2, 3, Purpose::Degrade);
        let (rms, drawn) = sensor(0.002, 2.0).expose(&mut noisy, &mut random);
        let value = |name| drawn.iter().find(|d| d.0 == name).unwrap().1;
        assert!((value("shot") - 0.002).abs() < 1e-6 && value("read") > 0.0);
        let (red, green) = (statistics(&noisy, 0), statistics(&noisy, 1));
        // A quarter of the sites is red: its noise is coarser, and twice as strong at the sites.
        assert!(red.0 > 1.1 * green.0, "{red:?} {green:?}");
        assert!(
            red.1 > 0.3 && green.1 > 0.15 && red.1 > green.1,
            "{red:?} {green:?}"
        );
        let mean = [0, 1, 2]
            .map(|c| statistics(&noisy, c).0.powi(2))
            .iter()
            .sum::<f64>()
            / 3.0;
        assert!(
            (f64::from(rms) / mean.sqrt() - 1.0).abs() < 0.02,
            "{rms} {mean}"
        );
        // At a red site: variance gain²·(shot·signal/gain + read), times the curve's slope squared.
        let signal = f64::from(to_linear(0.6));
        let slope = 1.055 / 2.4 * signal.powf(1.0 / 2.4 - 1.0);
        let site = 4.0 * (0.002 * signal / 2.0 + f64::from(value("read")).powi(2));
        // Mean over the four kinds of site of the squared weights: (1 + 1/2 + 1/2 + 1/4) / 4.
        let expected = (site * 0.5625).sqrt() * slope;
        assert!(
            (red.0 / expected - 1.0).abs() < 0.06,
            "{} {expected}",
            red.0
        );
    }

    #[test]
    fn shadows_are_noisier_than_lights_once_the_curve_lifts_them() {
        let of = |v: f32| {
            let mut image = flat(v);
            sensor(0.004, 1.0).expose(&mut image, &mut rng(0, 0, 0, Purpose::Degrade));
            statistics(&image, 1).0
        };
        assert!(of(0.3) > 1.3 * of(0.9));
    }

    #[test]
    fn single_rows_and_pixels_do_not_fail() {
        for (w, h) in [(1, 1), (1, 7), (5, 1), (2, 2)] {
            let mut image = Rgb32::new(w, h, vec![0.4; w * h * 3]).unwrap();
            sensor(0.01, 1.5).expose(&mut image, &mut rng(0, 0, 0, Purpose::Degrade));
            assert!(image.samples().iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
