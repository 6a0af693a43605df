//! The three-channel picture that network, degradations and metrics share.

use std::borrow::Cow;

use rayon::prelude::*;

use super::ImageError;
use super::picture::check;

/// A colour picture as 32-bit samples: [height, width, 3], display-referred.
/// Values are nominally in [0, 1], but noise may leave that range.
pub type Rgb32 = Rgb<'static>;

/// An [`Rgb32`] whose samples may be those of another picture, until they are changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rgb<'a> {
    width: usize,
    height: usize,
    samples: Cow<'a, [f32]>,
}

impl<'a> Rgb<'a> {
    /// A picture from interleaved samples ([height, width, 3]).
    ///
    /// # Errors
    /// [`ImageError::Samples`] if the number of samples does not fit.
    pub fn new(width: usize, height: usize, samples: Vec<f32>) -> Result<Self, ImageError> {
        check(width, height, 3, samples.len())?;
        Ok(Self {
            width,
            height,
            samples: samples.into(),
        })
    }

    /// A picture from planes ([3, height, width]).
    ///
    /// # Errors
    /// [`ImageError::Samples`] if the number of samples does not fit.
    pub fn from_planes(width: usize, height: usize, planes: &[f32]) -> Result<Self, ImageError> {
        check(width, height, 3, planes.len())?;
        let area = width * height;
        let samples: Vec<f32> = (0..area)
            .flat_map(|i| [planes[i], planes[area + i], planes[2 * area + i]])
            .collect();
        Ok(Self {
            width,
            height,
            samples: samples.into(),
        })
    }

    /// A picture from 8-bit samples ([height, width, 3]): v / 255.
    ///
    /// # Errors
    /// [`ImageError::Samples`] if the number of samples does not fit.
    pub fn from_bytes(width: usize, height: usize, bytes: &[u8]) -> Result<Self, ImageError> {
        check(width, height, 3, bytes.len())?;
        Ok(Self {
            width,
            height,
            samples: (bytes.iter()).map(|&v| f32::from(v) / 255.0).collect(),
        })
    }

    /// For callers that computed the length themselves.
    pub(crate) fn from_parts(
        width: usize,
        height: usize,
        samples: impl Into<Cow<'a, [f32]>>,
    ) -> Self {
        let samples = samples.into();
        debug_assert_eq!(samples.len(), width * height * 3);
        Self {
            width,
            height,
            samples,
        }
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples, [height, width, 3].
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// The samples, [height, width, 3], to change in place.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        if let Cow::Borrowed(samples) = self.samples {
            self.samples = copied(samples).into();
        }
        self.samples.to_mut()
    }

    /// The samples, [height, width, 3], by value.
    pub fn into_samples(self) -> Vec<f32> {
        match self.samples {
            Cow::Borrowed(samples) => copied(samples),
            Cow::Owned(samples) => samples,
        }
    }

    /// The samples as planes, [3, height, width].
    pub fn to_planes(&self) -> Vec<f32> {
        (0..3)
            .flat_map(|c| self.samples.iter().skip(c).step_by(3).copied())
            .collect()
    }

    /// The samples clipped to [0, 1] and rounded to 8 bits.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.samples.iter().map(|&v| to_u8(v)).collect()
    }
}

/// A copy, made on all cores: of a large picture it is mostly the system making room for it.
fn copied(samples: &[f32]) -> Vec<f32> {
    samples.par_iter().copied().collect()
}

/// Clips to [0, 1] and rounds to 8 bits; not-a-number becomes 0.
pub(crate) fn to_u8(v: f32) -> u8 {
    (v.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Clips to [0, 1] and rounds to 16 bits; not-a-number becomes 0.
pub(crate) fn to_u16(v: f32) -> u16 {
    (v.clamp(0.0, 1.0) * 65535.0).round() as u16
}
