//! Noise on single samples.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

/// Adds independent Gaussian noise of standard deviation `sigma` (in units of
/// the samples).
pub(super) fn gaussian(samples: &mut [f32], sigma: f32, rng: &mut ChaCha8Rng) {
    if sigma > 0.0 {
        for v in samples {
            let n: f32 = StandardNormal.sample(rng);
            *v += sigma * n;
        }
    }
}

/// Replaces each sample by `gain` times a Poisson count of mean `v / gain`: same
/// mean, variance `gain * v`. Samples at or below 0 become 0.
pub(super) fn poisson(samples: &mut [f32], gain: f32, rng: &mut ChaCha8Rng) {
    if gain > 0.0 {
        for v in samples {
            // An impossible mean (0, negative, not a number) counts no photons.
            *v = Poisson::new(*v / gain).map_or(0.0, |photons| gain * photons.sample(rng));
        }
    }
}
