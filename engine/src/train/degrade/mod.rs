//! Degradations: from a clean photograph to what the network must undo.
//!
//! A [`Degradation`] is one line of a training configuration or of
//! `serpent degrade`; a list of them is applied in order. Settings are ranges
//! from which each sample draws, with a generator that depends only on the
//! sample's numbers ([`rng`]), so that a run can be stopped, resumed, repeated
//! and spread over threads.
//!
//! ```toml
//! degrade = [
//!     { kind = "gaussian_blur", sigma = [0, 3] },
//!     { kind = "noise", sigma = 12.75 },
//! ]
//! ```

mod blur;
mod jpeg;
mod kernel;
mod noise;
mod random;
mod range;

#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

pub use random::{Purpose, rng};
pub use range::Range;

use crate::image::Rgb32;
use crate::image::resize::{Factor, bicubic};
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
    /// JPEG compression, chroma not subsampled. Clips and rounds to 8 bits.
    Jpeg {
        /// Quality as libjpeg counts it, 1 to 100.
        quality: Range,
    },
    /// Clip to [0, 1] and round to 8 bits, as saving to a file does.
    Round,
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
            Self::Jpeg { .. } => "jpeg",
            Self::Round => "round",
        }
    }

    /// Checks the settings, so that a configuration fails before a run starts.
    ///
    /// # Errors
    /// [`DegradeError::Setting`] for the first setting that is out of range.
    pub fn check(&self) -> Result<(), DegradeError> {
        let range = |name, range: &Range, low, high, allowed| {
            if range.within(low, high) {
                Ok(())
            } else {
                Err(self.setting(name, range.to_string(), allowed))
            }
        };
        match self {
            Self::Noise { sigma, .. } => {
                range("sigma", sigma, 0.0, 2550.0, "0 to 2550, low before high")
            }
            Self::PoissonGaussian { gain, sigma, .. } => {
                range("gain", gain, 0.0, 255.0, "0 to 255, low before high")?;
                range("sigma", sigma, 0.0, 2550.0, "0 to 2550, low before high")
            }
            Self::GaussianBlur { sigma, taps } => {
                range("sigma", sigma, 0.0, 50.0, "0 to 50 pixels, low before high")?;
                if taps % 2 == 1 && *taps <= 255 {
                    Ok(())
                } else {
                    Err(self.setting("taps", taps.to_string(), "odd, 1 to 255"))
                }
            }
            Self::AnisotropicBlur { sigma } => {
                range("sigma", sigma, 0.0, 20.0, "0 to 20 pixels, low before high")
            }
            Self::Defocus { radius } => range(
                "radius",
                radius,
                0.0,
                50.0,
                "0 to 50 pixels, low before high",
            ),
            Self::Motion { length } => range(
                "length",
                length,
                0.0,
                100.0,
                "0 to 100 pixels, low before high",
            ),
            Self::Downscale { factor } | Self::Upscale { factor } => {
                if [2, 3, 4, 8].contains(factor) {
                    Ok(())
                } else {
                    Err(self.setting("factor", factor.to_string(), "2, 3, 4 or 8"))
                }
            }
            Self::Jpeg { quality } => {
                range("quality", quality, 1.0, 100.0, "1 to 100, low before high")
            }
            Self::Round => Ok(()),
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

    /// Degrades in place; returns the Gaussian noise added and what was drawn.
    fn step(&self, image: &mut Rgb32, rng: &mut ChaCha8Rng) -> Result<(f32, Values), DegradeError> {
        self.check()?;
        Ok(match *self {
            Self::Noise { sigma, clip } => {
                let sigma = sigma.draw(rng);
                noise::gaussian(image.samples_mut(), sigma / 255.0, rng);
                clip_if(clip, image);
                (sigma / 255.0, vec![("sigma", sigma)])
            }
            Self::PoissonGaussian { gain, sigma, clip } => {
                let (gain, sigma) = (gain.draw(rng), sigma.draw(rng));
                noise::poisson(image.samples_mut(), gain / 255.0, rng);
                noise::gaussian(image.samples_mut(), sigma / 255.0, rng);
                clip_if(clip, image);
                (sigma / 255.0, vec![("gain", gain), ("sigma", sigma)])
            }
            Self::GaussianBlur { sigma, taps } => {
                let sigma = sigma.draw(rng);
                *image = blur::separable(image, &kernel::gaussian(sigma, taps));
                (0.0, vec![("sigma", sigma)])
            }
            Self::AnisotropicBlur { sigma } => {
                let (a, b) = (sigma.draw(rng), sigma.draw(rng));
                let angle = Range::new(0.0, std::f32::consts::PI).draw(rng);
                *image = blur::convolve(image, &kernel::anisotropic(a, b, angle));
                (0.0, vec![("sigma_a", a), ("sigma_b", b), ("angle", angle)])
            }
            Self::Defocus { radius } => {
                let radius = radius.draw(rng);
                *image = blur::convolve(image, &kernel::disc(radius));
                (0.0, vec![("radius", radius)])
            }
            Self::Motion { length } => {
                let length = length.draw(rng);
                *image = blur::convolve(image, &kernel::trajectory(length, rng));
                (0.0, vec![("length", length)])
            }
            Self::Downscale { factor } => {
                *image = resized(image, Factor::Down(factor));
                (0.0, vec![("factor", factor as f32)])
            }
            Self::Upscale { factor } => {
                *image = resized(image, Factor::Up(factor));
                (0.0, vec![("factor", factor as f32)])
            }
            Self::Jpeg { quality } => {
                let quality = quality.draw(rng).round();
                *image = jpeg::compress(image, quality as u8)?;
                (0.0, vec![("quality", quality)])
            }
            Self::Round => {
                let round = |v: &mut f32| *v = (v.clamp(0.0, 1.0) * 255.0).round() / 255.0;
                image.samples_mut().iter_mut().for_each(round);
                (0.0, Vec::new())
            }
        })
    }
}

/// Degrades a picture by each step in turn, all drawing from one generator.
///
/// # Errors
/// The first step's that fails; see [`Degradation::apply`].
pub fn apply_all(
    steps: &[Degradation],
    image: &Rgb32,
    rng: &mut ChaCha8Rng,
) -> Result<Degraded, DegradeError> {
    let mut degraded = Degraded {
        image: image.clone(),
        sigma: 0.0,
        drawn: Vec::with_capacity(steps.len()),
    };
    for step in steps {
        let (sigma, values) = step.step(&mut degraded.image, rng)?;
        degraded.sigma = degraded.sigma.hypot(sigma);
        degraded.drawn.push(Drawn {
            kind: step.kind(),
            values,
        });
    }
    Ok(degraded)
}

fn resized(image: &Rgb32, factor: Factor) -> Rgb32 {
    let (width, height) = (image.width(), image.height());
    let samples = bicubic(image.samples(), width, height, 3, factor);
    Rgb32::from_parts(factor.apply(width), factor.apply(height), samples)
}

fn clip_if(clip: bool, image: &mut Rgb32) {
    if clip {
        image
            .samples_mut()
            .iter_mut()
            .for_each(|v| *v = v.clamp(0.0, 1.0));
    }
}
