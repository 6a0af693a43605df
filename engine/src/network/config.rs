//! Every switch of the network, and the presets.

use serde::{Deserialize, Serialize};

use super::NetworkError;

/// Feed-forward half of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ffn {
    /// 1×1 to 2·2d, depthwise 3×3, GELU gate, 1×1 back (Restormer, arXiv 2111.09881).
    Gated,
    /// No second half.
    None,
    /// 3×3 to ⌈d/3⌉, GELU, 3×3 back, channel attention (MambaIR, arXiv 2402.15648).
    ChannelAttention,
}

/// Named sizes to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 16 channels: for processors without a GPU.
    Tiny,
    /// 32 channels.
    Base,
    /// 48 channels.
    Large,
}

/// The network's configuration; it travels in every checkpoint's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// C: channels at full token resolution; scale s has C·2^s.
    pub channels: usize,
    /// Blocks at each scale; the last is the bottom, the decoder mirrors the others.
    pub depths: Vec<usize>,
    /// p: side of a patch that becomes one token.
    pub patch: usize,
    /// N: states a channel.
    pub states: usize,
    /// E: inner channels of SS2D are E·d.
    pub expansion: usize,
    /// K: scan directions (1, 2 or 4).
    pub directions: usize,
    /// Feed-forward half of each block.
    pub ffn: Ffn,
    /// One decay a channel, A_n = −n·exp(a_log), instead of N free ones.
    pub tied_decay: bool,
    /// Every second block scans from the other end: with two directions, a network then sees
    /// all four at the cost of two.
    #[serde(default)]
    pub alternating: bool,
    /// r: the output is r times larger than the input (1, 2, 4 or 8).
    pub scale: usize,
    /// Whether a fourth input channel carries the noise level, σ in [0, 1].
    pub noise_map: bool,
}

impl Preset {
    /// The preset's configuration for restoring at the input's size, blind.
    pub fn config(self) -> NetworkConfig {
        let (channels, depths, states) = match self {
            Preset::Tiny => (16, [1, 1, 1, 1], 8),
            Preset::Base => (32, [1, 1, 2, 2], 8),
            Preset::Large => (48, [1, 2, 4, 4], 16),
        };
        NetworkConfig {
            channels,
            depths: depths.to_vec(),
            patch: 1,
            states,
            expansion: 2,
            directions: 4,
            ffn: Ffn::Gated,
            tied_decay: false,
            alternating: false,
            scale: 1,
            noise_map: false,
        }
    }
}

impl NetworkConfig {
    /// Channels of the network's input: red, green, blue, and the noise level if asked for.
    pub fn input_channels(&self) -> usize {
        3 + usize::from(self.noise_map)
    }

    /// Height and width of the input must be multiples of this: p·2^(S−1).
    pub fn size_multiple(&self) -> usize {
        self.patch << (self.depths.len() - 1)
    }

    /// Refuses configurations no network can be built from, or that would exhaust memory.
    ///
    /// # Errors
    /// [`NetworkError::Config`] naming the field and what it may be.
    pub fn validate(&self) -> Result<(), NetworkError> {
        let bounds = [
            ("channels", self.channels, 1, 512),
            ("depths (number of scales)", self.depths.len(), 1, 6),
            ("patch", self.patch, 1, 8),
            ("states", self.states, 1, 64),
            ("expansion", self.expansion, 1, 4),
        ];
        for (field, value, low, high) in bounds {
            if value < low || value > high {
                return Err(NetworkError::Config {
                    field,
                    problem: format!("is {value}, must be {low} to {high}"),
                });
            }
        }
        if let Some(depth) = self.depths.iter().find(|&&d| d == 0 || d > 64) {
            let problem = format!("{depth} blocks at a scale, must be 1 to 64");
            return Err(NetworkError::Config {
                field: "depths",
                problem,
            });
        }
        if ![1, 2, 4].contains(&self.directions) {
            let problem = format!("is {}, must be 1, 2 or 4", self.directions);
            return Err(NetworkError::Config {
                field: "directions",
                problem,
            });
        }
        if ![1, 2, 4, 8].contains(&self.scale) {
            let problem = format!("is {}, must be 1, 2, 4 or 8", self.scale);
            return Err(NetworkError::Config {
                field: "scale",
                problem,
            });
        }
        Ok(())
    }
}
