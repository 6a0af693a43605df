//! The level of white noise in a picture, from the smallest variations there are.
//!
//! G. Chen, F. Zhu and P. A. Heng, "An Efficient Statistical Method for Image Noise Level
//! Estimation" (ICCV 2015): small patches of a photograph lie near a subspace of few dimensions,
//! so that the smaller eigenvalues of their covariance are the noise's variance alone. The largest
//! are left out one by one until what is left is as a sample of one value would be: its mean no
//! larger than its median.

use multiversion::multiversion;
use rayon::prelude::*;

use super::eigen::eigenvalues;

/// Side of a patch.
const SIDE: usize = 5;

/// Patches that are enough.
const ENOUGH: usize = 40_000;

/// Parts of a picture that are looked at side by side.
const PARTS: usize = 64;

/// What is summed over patches, each of `r` values.
struct Sums {
    count: f64,
    /// Of each value.
    sum: Vec<f64>,
    /// Of each value with itself and those before it: the lower triangle of `[r, r]`.
    products: Vec<f64>,
}

impl Sums {
    fn new(r: usize) -> Self {
        Self {
            count: 0.0,
            sum: vec![0.0; r],
            products: vec![0.0; r * r],
        }
    }

    fn add(&mut self, patch: &[f64]) {
        self.count += 1.0;
        add_products(&mut self.sum, &mut self.products, patch);
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        let add = |to: &mut [f64], from: &[f64]| to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
        add(&mut self.sum, &other.sum);
        add(&mut self.products, &other.products);
    }
}

/// Adds a patch to its sums: nine tenths of the time of an estimate.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn add_products(sum: &mut [f64], products: &mut [f64], patch: &[f64]) {
    let rows = products.chunks_exact_mut(patch.len());
    for (i, ((row, sum), &a)) in rows.zip(sum).zip(patch).enumerate() {
        *sum += a;
        let pairs = row[..=i].iter_mut().zip(patch);
        pairs.for_each(|(p, b)| *p += a * b);
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
    // Always the same parts, so that the sum is the same on any number of cores.
    let parts: Vec<Sums> = rows
        .par_chunks(rows.len().div_ceil(PARTS))
        .map(|rows| {
            let mut sums = Sums::new(r);
            let mut patch = vec![0f64; r];
            for y in rows {
                for x in (0..across).step_by(step) {
                    for (dy, into) in patch.chunks_exact_mut(SIDE * channels).enumerate() {
                        let at = ((y + dy) * width + x) * channels;
                        let row = &samples[at..at + SIDE * channels];
                        let pairs = into.iter_mut().zip(row);
                        pairs.for_each(|(p, &v)| *p = f64::from(v));
                    }
                    sums.add(&patch);
                }
            }
            sums
        })
        .collect();
    let mut whole = Sums::new(r);
    parts.iter().for_each(|part| whole.join(part));
    let Sums {
        count,
        sum,
        products,
    } = whole;
    let mut covariance = vec![0f64; r * r];
    for i in 0..r {
        for j in 0..=i {
            let value = products[i * r + j] / count - sum[i] / count * (sum[j] / count);
            covariance[i * r + j] = value;
            covariance[j * r + i] = value;
        }
    }
    let mut values = eigenvalues(covariance, r);
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
            for sigma in [0.01f32, 0.05, 0.2] {
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
        // Sums of parts round.
        assert!(white_noise(&[0.3; 64 * 64], 64, 64, 1) < 1e-9);
    }
}
