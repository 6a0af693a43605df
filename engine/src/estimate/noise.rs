//! The level of white noise in a picture, from the smallest variations there are.
//!
//! G. Chen, F. Zhu and P. A. Heng, "An Efficient Statistical Method for Image Noise Level
//! Estimation" (ICCV 2015): small patches of a photograph lie near a subspace of few dimensions,
//! so that the smaller eigenvalues of their covariance are the noise's variance alone. The largest
//! are left out one by one until what is left is as a sample of one value would be: its mean no
//! larger than its median.

use nalgebra::DMatrix;

use crate::matrix::{Matrix, multiply};

/// Side of a patch.
const SIDE: usize = 5;

/// Patches that are enough.
const ENOUGH: usize = 40_000;

/// Parts of a picture that are looked at side by side.
const PARTS: usize = 64;

/// Patches summed at a time: as many as stay in a core's cache.
const BLOCK: usize = 512;

/// Products of each value of a patch with each, summed over patches `[len, len]`. A patch begins with
/// a one, so that the first row has their number and the sum of each value.
struct Moments(DMatrix<f64>);

impl Moments {
    /// Of no patches.
    fn none(len: usize) -> Self {
        Self(DMatrix::zeros(len, len))
    }

    /// Adds a block of patches that lie one after the other; `products` has room for `[len, len]`.
    /// What a block adds up to is made in 32 bits: of values around zero that rounds by less than a
    /// hundredth of a step of 8 bits.
    fn add(&mut self, patches: &[f32], products: &mut DMatrix<f32>) {
        let len = self.0.nrows();
        let count = patches.len() / len;
        let patches = Matrix::new(patches, count, len);
        let alone = gemm::Parallelism::None;
        multiply(
            patches.transposed(),
            patches,
            products.as_mut_slice(),
            false,
            alone,
        );
        self.0.zip_apply(products, |sum, p| *sum += f64::from(p));
    }

    fn covariance(&self) -> DMatrix<f64> {
        let r = self.0.nrows() - 1;
        let count = self.0[(0, 0)];
        let mean = self.0.view((1, 0), (r, 1)) / count;
        self.0.view((1, 1), (r, r)) / count - &mean * mean.transpose()
    }
}

/// The sum of what `part` gives for all of `parts`, which must not be empty, always in the same order.
fn sum_of(parts: &[&[usize]], part: &(dyn Fn(&[usize]) -> Moments + Sync)) -> Moments {
    match parts {
        [] => Moments::none(0),
        [only] => part(only),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            let (mut sum, other) = rayon::join(|| sum_of(left, part), || sum_of(right, part));
            sum.0 += other.0;
            sum
        }
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
    let moments_of = |rows: &[usize]| {
        let len = 1 + r;
        let mut moments = Moments::none(len);
        let mut products = DMatrix::zeros(len, len);
        let mut patches = Vec::with_capacity(BLOCK * len);
        for y in rows {
            for x in (0..across).step_by(step) {
                patches.push(1.0);
                for dy in 0..SIDE {
                    let at = ((y + dy) * width + x) * channels;
                    let row = &samples[at..at + SIDE * channels];
                    patches.extend(row.iter().map(|v| v - zero));
                }
                if patches.len() == BLOCK * len {
                    moments.add(&patches, &mut products);
                    patches.clear();
                }
            }
        }
        moments.add(&patches, &mut products);
        moments
    };
    // Always the same parts, so that the sum is the same on any number of cores.
    let parts: Vec<&[usize]> = rows.chunks(rows.len().div_ceil(PARTS)).collect();
    let covariance = sum_of(&parts, &moments_of).covariance();
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
    fn blocks_add_up_to_number_sums_and_products() {
        let mut moments = Moments::none(3);
        let mut products = DMatrix::zeros(3, 3);
        moments.add(&[1.0, 2.0, 3.0, 1.0, 5.0, -1.0], &mut products);
        moments.add(&[1.0, 4.0, 4.0], &mut products);
        // As where the last block was a whole one.
        moments.add(&[], &mut products);
        let expected = [3.0, 11.0, 6.0, 11.0, 45.0, 17.0, 6.0, 17.0, 26.0];
        assert_eq!(moments.0, DMatrix::from_row_slice(3, 3, &expected));
        let rows: Vec<usize> = (0..20).collect();
        let parts: Vec<&[usize]> = rows.chunks(3).collect();
        let sum = sum_of(&parts, &|part| {
            Moments(DMatrix::from_element(
                1,
                1,
                part.iter().sum::<usize>() as f64,
            ))
        });
        assert_eq!(sum.0[(0, 0)], 190.0);
    }

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
