//! How blurred a picture is, from what blurring it again does to its edges.
//!
//! After S. Zhuo and T. Sim, "Defocus map estimation from a single image" (Pattern Recognition
//! 2011): where a step edge blurred by σ is blurred again by σ₀, its gradient falls by
//! R = √(1 + σ₀²/σ²), whatever its height, so that σ follows from R. Here both gradients are of
//! pictures smoothed a little first, against noise, which is then taken off in quadrature. Most
//! edges of a photograph are no steps but lines, texture and soft shadows: the few steepest are
//! believed, and their median is told.

use crate::image::Rgb;
use crate::train::degrade::{kernel, separable};

/// Smoothing before all, in pixels.
const FIRST: f32 = 1.0;

/// Second blur, in pixels.
const AGAIN: f32 = 1.5;

/// Share of the edge pixels that is believed, the steepest.
const STEEPEST: f64 = 0.02;

/// Fewest edge pixels to tell anything from, and fewest that are believed.
const LEAST: usize = 50;

/// Estimates the standard deviation in pixels of a Gaussian blur, given σ of the noise (0 to 1).
///
/// None where there are no edges to tell from.
pub fn gaussian_blur(picture: &Rgb<'_>, noise: f32) -> Option<f32> {
    let (width, height) = (picture.width(), picture.height());
    if width < 16 || height < 16 {
        return None;
    }
    let once = separable(picture, &kernel::gaussian(FIRST, 61));
    let twice = separable(&once, &kernel::gaussian(AGAIN, 61));
    let (a, b) = (luma(&once), luma(&twice));
    // Noise left in a central difference of the smoothed luma: σ·√(Σw²)·|∂G| for a Gaussian of
    // FIRST, 1/√(8π)/FIRST² for white noise in one channel; the luma's weights make it smaller.
    let left = 0.67 * noise * (8.0 * std::f32::consts::PI).sqrt().recip() / (FIRST * FIRST);
    let threshold = (8.0 * left).max(0.02);
    // Strength and width.
    let mut found: Vec<(f32, f32)> = Vec::new();
    let edge = 8;
    for y in edge..height - edge {
        for x in edge..width - edge {
            let [gx, gy] = gradient(&a, width, x, y);
            let strength = gx.hypot(gy);
            if strength < threshold {
                continue;
            }
            // Only the ridge of an edge: no neighbour across it is steeper.
            let (dx, dy) = step(gx, gy);
            let beside = |sign: i64| {
                let (x, y) = (
                    (x as i64 + sign * dx) as usize,
                    (y as i64 + sign * dy) as usize,
                );
                let [gx, gy] = gradient(&a, width, x, y);
                gx.hypot(gy)
            };
            if beside(1) > strength || beside(-1) > strength {
                continue;
            }
            let [hx, hy] = gradient(&b, width, x, y);
            let ratio = strength / hx.hypot(hy).max(1e-6);
            if ratio > 1.0 {
                found.push((strength, AGAIN / (ratio * ratio - 1.0).sqrt()));
            }
        }
    }
    if found.len() < LEAST {
        return None;
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.truncate(((found.len() as f64 * STEEPEST) as usize).max(LEAST));
    let middle = found.len() / 2;
    let (_, (_, total), _) = found.select_nth_unstable_by(middle, |a, b| a.1.total_cmp(&b.1));
    Some((*total * *total - FIRST * FIRST).max(0.0).sqrt())
}

fn luma(picture: &Rgb<'_>) -> Vec<f32> {
    let weigh = |p: &[f32; 3]| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2];
    picture
        .samples()
        .as_chunks::<3>()
        .0
        .iter()
        .map(weigh)
        .collect()
}

/// Central differences.
fn gradient(plane: &[f32], width: usize, x: usize, y: usize) -> [f32; 2] {
    let at = |x: usize, y: usize| plane[y * width + x];
    [
        (at(x + 1, y) - at(x - 1, y)) / 2.0,
        (at(x, y + 1) - at(x, y - 1)) / 2.0,
    ]
}

/// The neighbour in the gradient's direction.
fn step(gx: f32, gy: f32) -> (i64, i64) {
    let steep = gy.abs() / gx.abs().max(1e-9);
    let sign = |v: f32| if v < 0.0 { -1 } else { 1 };
    match steep {
        s if s < 0.414 => (sign(gx), 0),
        s if s > 2.414 => (0, sign(gy)),
        _ => (sign(gx), sign(gy)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::image::Rgb32;

    #[test]
    fn a_blurred_disc_tells_its_blur() {
        // Fine enough that the disc's own edge is a step of no width.
        let samples = (0..96 * 96).flat_map(|i| {
            let (x, y) = ((i % 96) as f32, (i / 96) as f32);
            let inside = (30.0 - (x - 47.3).hypot(y - 48.1)).clamp(-0.5, 0.5) + 0.5;
            [0.2 + 0.6 * inside; 3]
        });
        let disc = Rgb32::new(96, 96, samples.collect()).unwrap();
        for sigma in [1.0f32, 2.0, 3.0] {
            let blurred = separable(&disc, &kernel::gaussian(sigma, 61));
            let found = gaussian_blur(&blurred, 0.0).unwrap();
            assert!((found - sigma).abs() < 0.25, "{found} instead of {sigma}");
        }
        let flat = Rgb32::new(40, 40, vec![0.5; 40 * 40 * 3]).unwrap();
        assert_eq!(gaussian_blur(&flat, 0.0), None);
    }
}
