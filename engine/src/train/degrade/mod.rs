//! Degradations: from a clean photograph to what the network must undo.
//!
//! A [`Degradation`] is one line of a training configuration or of
//! `serpent degrade`; a list of them is applied in order. Settings are ranges
//! from which each sample draws, with a generator that depends only on the
//! sample's numbers ([`rng`]), so that a run can be stopped, resumed, repeated
//! and spread over threads.
//!
//! ```toml
//! degradations = [
//!     { kind = "gaussian_blur", sigma = [0, 3] },
//!     { kind = "noise", sigma = 12.75 },
//! ]
//! ```

mod apply;
mod blur;
mod check;
mod jpeg;
pub(crate) mod kernel;
mod noise;
mod random;
mod range;
mod sensor;

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

pub use apply::apply_all;
pub(crate) use blur::separable;
pub use random::{Purpose, rng};
pub use range::Range;
pub use sensor::Sensor;

use crate::image::Rgb32;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// One step from a clean picture to a degraded one.
///
/// Blurs mirror the picture at its edges. Unless said otherwise the result may
/// leave [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Degradation {
    /// Additive white Gaussian noise, independent in each channel.
    Noise {
        /// Standard deviation in 1/255.
        sigma: Range,
        /// Clip the result to [0, 1] (cameras do, published protocols do not).
        #[serde(default)]
        clip: bool,
    },
    /// The noise of a sensor: photons are counted (variance `gain` times the
    /// signal), then read with Gaussian noise.
    PoissonGaussian {
        /// Signal of one photon in 1/255: the variance of a mid-grey sample of
        /// 127.5 is 127.5 times this, in (1/255)^2.
        gain: Range,
        /// Standard deviation of the read noise in 1/255.
        sigma: Range,
        /// Clip the result to [0, 1].
        #[serde(default)]
        clip: bool,
    },
    /// Round Gaussian blur.
    GaussianBlur {
        /// Standard deviation in pixels.
        sigma: Range,
        /// Length of the filter in pixels, odd.
        #[serde(default = "default_taps")]
        taps: usize,
    },
    /// Gaussian blur of two widths along a random direction.
    AnisotropicBlur {
        /// Standard deviations in pixels, one drawn for each axis.
        sigma: Range,
    },
    /// Out of focus: an evenly bright disc.
    Defocus {
        /// Radius of the disc in pixels.
        radius: Range,
    },
    /// Camera shake: a random curved path.
    Motion {
        /// Length of the path in pixels.
        length: Range,
    },
    /// Antialiased bicubic shrinking, as MATLAB's `imresize`.
    Downscale {
        /// 2, 3, 4 or 8.
        factor: usize,
    },
    /// Bicubic enlarging, as MATLAB's `imresize`.
    Upscale {
        /// 2, 3, 4 or 8.
        factor: usize,
    },
    /// A digital camera's noise: photons and electronics behind a colour mosaic,
    /// colour balance and correction, in linear light. Clips to [0, 1].
    Sensor(Sensor),
    /// JPEG compression. Clips and rounds to 8 bits.
    Jpeg {
        /// Quality as libjpeg counts it, 1 to 100.
        quality: Range,
        /// Whether colour is kept at half the resolution.
        #[serde(default)]
        chroma: Chroma,
        /// Let the blocks start anywhere, as in a photograph that was compressed
        /// and then cropped, instead of in the corner.
        #[serde(default)]
        shift: bool,
    },
    /// Clip to [0, 1] and round to 8 bits, as saving to a file does.
    Round,
    /// One of several lists, each as likely; an empty list changes nothing.
    OneOf {
        /// The lists.
        of: Vec<Vec<Degradation>>,
    },
}

/// At which resolution a JPEG file keeps its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chroma {
    /// The picture's (4:4:4).
    #[default]
    Full,
    /// Half of it on each side (4:2:0), as most cameras and web sites do.
    Half,
    /// Either, as likely.
    Either,
}

fn default_taps() -> usize {
    61
}

/// A degraded picture and what was drawn for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Degraded {
    /// The picture. Its size differs from the clean one's after resizing.
    pub image: Rgb32,
    /// Standard deviation of the Gaussian noise added, in units of the samples
    /// (1 is white, so a configured 25 is 25/255); of several noises, their sum
    /// in quadrature. What a noise-level map is filled with.
    pub sigma: f32,
    /// The settings drawn, one entry a step.
    pub drawn: Vec<Drawn>,
}

/// The settings that one step drew.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// The kind of degradation, as configurations name it.
    pub kind: &'static str,
    /// Names and values, in the units of the configuration.
    pub values: Values,
}

/// Names and values of settings.
pub type Values = Vec<(&'static str, f32)>;

impl std::fmt::Display for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind)?;
        self.values
            .iter()
            .try_for_each(|(name, value)| write!(f, " {name} {value:.3}"))
    }
}

/// A degradation cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum DegradeError {
    /// A setting is outside what the degradation can do.
    #[error(
        "degradation `{kind}`: {name} is {value}, but must be {allowed}; change the configuration"
    )]
    Setting {
        /// The kind of degradation.
        kind: &'static str,
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The JPEG codec failed.
    #[error(
        "degradation `jpeg`: a {width}x{height} picture cannot be compressed ({reason}); sides may have 1 to 65535 pixels"
    )]
    Jpeg {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// What the codec said.
        reason: String,
    },
}

impl Degradation {
    /// JPEG compression with full colour resolution, blocks starting in the corner.
    pub fn jpeg(quality: Range) -> Self {
        Self::Jpeg {
            quality,
            chroma: Chroma::Full,
            shift: false,
        }
    }

    /// The name that configurations give this kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Noise { .. } => "noise",
            Self::PoissonGaussian { .. } => "poisson_gaussian",
            Self::GaussianBlur { .. } => "gaussian_blur",
            Self::AnisotropicBlur { .. } => "anisotropic_blur",
            Self::Defocus { .. } => "defocus",
            Self::Motion { .. } => "motion",
            Self::Downscale { .. } => "downscale",
            Self::Upscale { .. } => "upscale",
            Self::Sensor(_) => "sensor",
            Self::Jpeg { .. } => "jpeg",
            Self::Round => "round",
            Self::OneOf { .. } => "one_of",
        }
    }

    fn setting(&self, name: &'static str, value: String, allowed: &'static str) -> DegradeError {
        DegradeError::Setting {
            kind: self.kind(),
            name,
            value,
            allowed,
        }
    }

    /// Degrades a picture with settings drawn from `rng`.
    ///
    /// # Errors
    /// [`DegradeError::Setting`] as [`Degradation::check`], [`DegradeError::Jpeg`].
    pub fn apply(&self, image: &Rgb32, rng: &mut ChaCha8Rng) -> Result<Degraded, DegradeError> {
        apply_all(std::slice::from_ref(self), image, rng)
    }
}
