//! Random numbers that depend only on which sample they are for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// What random numbers are used for: uses of one sample must not share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Initial values of the weights.
    Weights = 0,
    /// Which picture a sample is cut from.
    Choice = 1,
    /// Where it is cut, flips and rotations.
    Crop = 2,
    /// Its degradation.
    Degrade = 3,
    /// Degradations of a test set.
    Evaluation = 4,
}

/// The generator for one purpose of one sample of one step of a run.
///
/// ChaCha with 8 rounds, whose 256-bit key is (seed, step, sample, purpose) as
/// little-endian 64-bit numbers: different numbers give unrelated streams, and
/// no state has to be saved to resume.
pub fn rng(seed: u64, step: u64, sample: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut key = [0; 32];
    let words = [seed, step, sample, purpose as u64];
    for (bytes, word) in key.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    ChaCha8Rng::from_seed(key)
}
