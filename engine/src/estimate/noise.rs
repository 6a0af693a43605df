//! The level of white noise in a picture, from the smallest variations there are.
//!
//! G. Chen, F. Zhu and P. A. Heng, "An Efficient Statistical Method for Image Noise Level
//! Estimation" (ICCV 2015): small patches of a photograph lie near a subspace of few dimensions,
//! so that the smaller eigenvalues of their covariance are the noise's variance alone. The largest
//! are left out one by one until what is left is as a sample of one value would be: its mean no
//! larger than its median.

use nalgebra::{DMatrix, DMatrixView, DVector};
use rayon::prelude::*;

/// Side of a patch.
const SIDE: usize = 5;

/// Patches that are enough.
const ENOUGH: usize = 40_000;

/// Parts of a picture that are looked at side by side.
const PARTS: usize = 64;

/// Patches summed at a time: as many as stay in a core's cache.
const BLOCK: usize = 256;

/// What is summed over patches of `r` values.
struct Sums {
    /// Of each value.
    sum: DVector<f64>,
    /// Of each value with each: `[r, r]`.
    products: DMatrix<f64>,
    count: usize,
}

impl Sums {
    /// Over no patches.
    fn none(r: usize) -> Self {
        Self {
            sum: DVector::zeros(r),
            products: DMatrix::zeros(r, r),
            count: 0,
        }
    }

    /// Adds a block of patches that lie one after the other. What a block adds up to is made in 32
    /// bits: of values around zero that rounds by less than a hundredth of a step of 8 bits.
    fn add(&mut self, patches: &[f32]) {
        let r = self.sum.len();
        let count = patches.len() / r;
        let columns = DMatrixView::from_slice(patches, r, count);
        let rows = DMatrixView::from_slice_with_strides(patches, count, r, r, 1);
        self.sum += columns.column_sum().cast::<f64>();
        self.products += (columns * rows).cast::<f64>();
        self.count += count;
    }

    fn join(mut self, other: &Self) -> Self {
        self.sum += &other.sum;
        self.products += &other.products;
        self.count += other.count;
        self
    }

    fn covariance(&self) -> DMatrix<f64> {
        let count = self.count as f64;
        let mean = &self.sum / count;
        &self.products / count - &mean * mean.transpose()
    }
}

/// Estimates σ of white Gaussian noise, in the samples' own unit, from an interleaved picture
/// `[height, width, channels]`; 0 for pictures too small to tell.
pub fn white_noise(samples: &[f32], width: usize, height: usize, channels: usize) -> f32 {
    let r = SIDE * SIDE * channels;
    if width < SIDE || height < SIDE || channels == 0 {
        return 0.0;
    }
    let (across, down) = (width - SIDE + 1, height - SIDE + 1);
    if across * down < 2 * r {
        return 0.0;
    }
    let step = ((across * down) / ENOUGH).isqrt().max(1);
    let rows: Vec<usize> = (0..down).step_by(step).collect();
    // A covariance does not depend on where zero is.
    let zero = samples[0];
    // Always the same parts, so that the sum is the same on any number of cores.
    let parts: Vec<Sums> = rows
        .par_chunks(rows.len().div_ceil(PARTS))
        .map(|rows| {
            let mut sums = Sums::none(r);
            let mut patches = Vec::with_capacity(BLOCK * r);
            for y in rows {
                for x in (0..across).step_by(step) {
                    for dy in 0..SIDE {
                        let at = ((y + dy) * width + x) * channels;
                        let row = &samples[at..at + SIDE * channels];
                        patches.extend(row.iter().map(|v| v - zero));
                    }
                    if patches.len() == BLOCK * r {
                        sums.add(&patches);
                        patches.clear();
                    }
                }
            }
            sums.add(&patches);
            sums
        })
        .collect();
    let covariance = parts.iter().fold(Sums::none(r), Sums::join).covariance();
    // Of what is not finite there are none.
    if !covariance.iter().all(|v| v.is_finite()) {
        return 0.0;
    }
    let mut values: Vec<f64> = covariance.symmetric_eigenvalues().iter().copied().collect();
    values.sort_by(|a, b| b.total_cmp(a));
    for start in 0..r {
        let tail = &values[start..];
        let mean = tail.iter().sum::<f64>() / tail.len() as f64;
        // Descending: the middle is the median.
        let (upper, lower) = (tail[(tail.len() - 1) / 2], tail[tail.len() / 2]);
        if mean <= (upper + lower) / 2.0 {
            return mean.max(0.0).sqrt() as f32;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};

    #[test]
    fn finds_the_noise_on_stripes_and_gradients() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for channels in [1, 3] {
            for sigma in [0.001f32, 0.01, 0.05, 0.2] {
                let normal = Normal::new(0.0, sigma).unwrap();
                let (width, height) = (128, 96);
                let samples: Vec<f32> = (0..width * height * channels)
                    .map(|i| {
                        let (x, y) = (i / channels % width, i / channels / width);
                        let stripes = 0.2 * (x as f32 * 0.9 + y as f32 * 0.4).sin();
                        stripes + y as f32 / 96.0 + normal.sample(&mut rng)
                    })
                    .collect();
                let found = white_noise(&samples, width, height, channels);
                assert!(
                    (found / sigma - 1.0).abs() < 0.08,
                    "{found} instead of {sigma}"
                );
            }
        }
        assert_eq!(white_noise(&[0.3; 3], 1, 1, 3), 0.0);
        assert_eq!(white_noise(&[f32::NAN; 64 * 64], 64, 64, 1), 0.0);
        assert_eq!(white_noise(&[0.3; 64 * 64], 64, 64, 1), 0.0);
    }
}
