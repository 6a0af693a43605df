//! How noisy a picture is, for models that want to be told.

/// Squares of 2×2 pixels that are enough.
const ENOUGH: usize = 1 << 20;

/// Estimates σ of white Gaussian noise, in the samples' own unit, from an interleaved
/// picture `[height, width, channels]`.
///
/// The finest diagonal Haar coefficients of a photograph are nearly all noise, and
/// their median is blind to the few that are edges: σ = median |HH| / 0.6745
/// (Donoho and Johnstone 1994). Of a large picture every k-th square of every k-th row of
/// squares is taken, some million of them: enough for a median, and soon done. Pictures under
/// 2×2 pixels give 0.
pub fn estimate_noise(samples: &[f32], width: usize, height: usize, channels: usize) -> f32 {
    let at = |y: usize, x: usize, c: usize| samples[(y * width + x) * channels + c];
    let step = 2 * (width / 2 * (height / 2) / ENOUGH).isqrt().max(1);
    let mut details = Vec::new();
    for y in (0..height.saturating_sub(1)).step_by(step) {
        for x in (0..width.saturating_sub(1)).step_by(step) {
            for c in 0..channels {
                let hh = at(y, x, c) - at(y, x + 1, c) - at(y + 1, x, c) + at(y + 1, x + 1, c);
                details.push((hh / 2.0).abs());
            }
        }
    }
    if details.is_empty() {
        return 0.0;
    }
    let middle = details.len() / 2;
    let (_, median, _) = details.select_nth_unstable_by(middle, f32::total_cmp);
    *median / 0.6745
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, Normal};

    #[test]
    fn finds_the_noise_on_a_gradient() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for sigma in [0.02f32, 0.1, 0.2] {
            let normal = Normal::new(0.0, sigma).unwrap();
            let samples: Vec<f32> = (0..128 * 96 * 3)
                .map(|i| (i / 3 % 128) as f32 / 128.0 + normal.sample(&mut rng))
                .collect();
            let found = estimate_noise(&samples, 128, 96, 3);
            assert!(
                (found / sigma - 1.0).abs() < 0.05,
                "{found} instead of {sigma}"
            );
        }
        assert_eq!(estimate_noise(&[0.3; 3], 1, 1, 3), 0.0);
    }
}
