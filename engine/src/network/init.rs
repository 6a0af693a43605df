//! How parameters start, drawn from a counter-based generator: same seed, same weights.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::ParameterSpec;

/// Smallest and largest initial step of the scan, and its floor (Mamba, arXiv 2312.00752).
const DELTA_MIN: f32 = 1e-3;
const DELTA_MAX: f32 = 0.1;
const DELTA_FLOOR: f32 = 1e-4;

/// Distribution a parameter is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// U(−bound, bound).
    Uniform {
        /// Half the width.
        bound: f32,
    },
    /// N(0, σ²) cut at 2σ.
    TruncatedNormal {
        /// σ
        sigma: f32,
    },
    /// Δ log-uniform in [0.001, 0.1], stored as softplus⁻¹(Δ) = Δ + ln(−expm1(−Δ)).
    DeltaBias,
    /// ln n for n = 1..N along the last axis (S4D-real).
    LogStates,
}

impl Initializer {
    /// Truncated normal, σ = 0.02: the linear layers.
    pub const TRUNCATED: Self = Self::TruncatedNormal { sigma: 0.02 };

    fn fill(self, dims: &[usize], rng: &mut ChaCha8Rng) -> Vec<f32> {
        let count = dims.iter().product();
        match self {
            Self::Zeros => vec![0.0; count],
            Self::Ones => vec![1.0; count],
            Self::Uniform { bound } => (0..count)
                .map(|_| (2.0 * rng.random::<f32>() - 1.0) * bound)
                .collect(),
            Self::TruncatedNormal { sigma } => {
                (0..count).map(|_| sigma * truncated_normal(rng)).collect()
            }
            Self::DeltaBias => (0..count)
                .map(|_| {
                    let (low, high) = (DELTA_MIN.ln(), DELTA_MAX.ln());
                    let delta = (rng.random::<f32>() * (high - low) + low)
                        .exp()
                        .max(DELTA_FLOOR);
                    delta + (-(-delta).exp_m1()).ln()
                })
                .collect(),
            Self::LogStates => {
                let n = dims.last().copied().unwrap_or(1);
                (0..count).map(|i| ((i % n + 1) as f32).ln()).collect()
            }
        }
    }
}

fn truncated_normal(rng: &mut ChaCha8Rng) -> f32 {
    loop {
        let x: f32 = StandardNormal.sample(rng);
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

/// Initial values of all parameters; each has its own stream, so adding one moves no other.
pub fn initial_weights(parameters: &[ParameterSpec], seed: u64) -> Vec<Vec<f32>> {
    parameters
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(i as u64);
            p.init.fill(&p.dims, &mut rng)
        })
        .collect()
}
