//! Convolution of a picture with a kernel, mirrored at the edges.

use super::kernel::Kernel;
use crate::image::resize::mirror;
use crate::image::{Rgb, Rgb32};

/// Convolves rows and columns with the same symmetric filter of odd length.
pub(crate) fn separable(image: &Rgb<'_>, taps: &[f32]) -> Rgb32 {
    let radius = taps.len() / 2;
    if radius == 0 {
        return Rgb32::from_parts(image.width(), image.height(), image.samples().to_vec());
    }
    let (width, height) = (image.width(), image.height());
    let stride = width * 3;
    let mut out = Vec::with_capacity(image.samples().len());
    let mut column = vec![0f32; stride];
    let mut padded = vec![0f32; stride + 6 * radius];
    for y in 0..height {
        column.fill(0.0);
        for (k, &w) in taps.iter().enumerate() {
            let from = mirror(y as i64 + k as i64 - radius as i64, height);
            add_scaled(
                &mut column,
                &image.samples()[from * stride..(from + 1) * stride],
                w,
            );
        }
        pad_row(&column, width, radius, &mut padded);
        let start = out.len();
        out.resize(start + stride, 0.0);
        for (k, &w) in taps.iter().enumerate() {
            add_scaled(&mut out[start..], &padded[3 * k..3 * k + stride], w);
        }
    }
    Rgb32::from_parts(width, height, out)
}

/// Convolves with a square kernel.
pub(super) fn convolve(image: &Rgb32, kernel: &Kernel) -> Rgb32 {
    let (width, height, radius) = (image.width(), image.height(), kernel.radius);
    let (stride, side) = (width * 3, 2 * radius + 1);
    let padded_stride = stride + 6 * radius;
    let mut padded = vec![0f32; padded_stride * height];
    for (row, target) in image
        .samples()
        .chunks_exact(stride.max(1))
        .zip(padded.chunks_exact_mut(padded_stride))
    {
        pad_row(row, width, radius, target);
    }
    let mut out = vec![0f32; stride * height];
    for (y, target) in out.chunks_exact_mut(stride.max(1)).enumerate() {
        for (ky, weights) in kernel.weights.chunks_exact(side).enumerate() {
            // Convolution: the kernel is turned by half a turn.
            let from = mirror(y as i64 + radius as i64 - ky as i64, height);
            let source = &padded[from * padded_stride..(from + 1) * padded_stride];
            for (kx, &w) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                let shift = 3 * (2 * radius - kx);
                add_scaled(target, &source[shift..shift + stride], w);
            }
        }
    }
    Rgb32::from_parts(width, height, out)
}

fn add_scaled(target: &mut [f32], source: &[f32], weight: f32) {
    for (t, s) in target.iter_mut().zip(source) {
        *t += weight * s;
    }
}

/// Writes a row with `radius` mirrored pixels at each end.
fn pad_row(row: &[f32], width: usize, radius: usize, padded: &mut [f32]) {
    for (x, pixel) in padded.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let from = mirror(x as i64 - radius as i64, width) * 3;
        pixel.copy_from_slice(&row[from..from + 3]);
    }
}
