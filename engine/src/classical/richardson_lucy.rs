//! Richardson–Lucy deconvolution (W. H. Richardson 1972, L. B. Lucy 1974).

use std::ops::ControlFlow;

use super::Blur;
use crate::image::Rgb32;
use crate::train::degrade::separable;

/// Undoes a blur: x ← x · Hᵀ(y / Hx), each channel apart, from a flat picture of y's mean: begun
/// at y itself, the noise in it would be there from the start. Negative samples count as 0.
///
/// `each` sees the picture after every iteration, counted from 1, and says whether to go on; at
/// most `most` are done. A mirrored blur with a symmetric kernel is its own transpose.
pub fn richardson_lucy(
    blurred: &Rgb32,
    blur: &Blur,
    most: usize,
    mut each: impl FnMut(usize, &Rgb32) -> ControlFlow<()>,
) -> Rgb32 {
    // Light that would have to be divided by nothing.
    const LEAST: f32 = 1e-4;
    let mut seen = blurred.clone();
    let floor = |v: &mut f32| *v = v.max(LEAST);
    seen.samples_mut().iter_mut().for_each(floor);
    let pixels = (seen.width() * seen.height()).max(1) as f64;
    let mut mean = [0f64; 3];
    for pixel in seen.samples().as_chunks::<3>().0 {
        mean.iter_mut()
            .zip(pixel)
            .for_each(|(m, &v)| *m += f64::from(v) / pixels);
    }
    let mut estimate = seen.clone();
    for pixel in estimate.samples_mut().as_chunks_mut::<3>().0 {
        *pixel = mean.map(|m| m as f32);
    }
    for iteration in 1..=most {
        let mut ratio = separable(&estimate, &blur.taps);
        for (r, &y) in ratio.samples_mut().iter_mut().zip(seen.samples()) {
            *r = y / r.max(LEAST);
        }
        let correction = separable(&ratio, &blur.taps);
        let pairs = estimate.samples_mut().iter_mut().zip(correction.samples());
        pairs.for_each(|(x, c)| *x *= c);
        if each(iteration, &estimate).is_break() {
            break;
        }
    }
    estimate
}
