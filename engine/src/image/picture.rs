//! A photograph in memory.

use std::borrow::Cow;

use super::resize::{self, Factor};
use super::{ImageError, Rgb, Rgb32};

/// Whether pixels have one sample or three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Colour {
    /// One luminance sample a pixel.
    Grey,
    /// Red, green and blue.
    Rgb,
}

impl Colour {
    /// Samples a pixel: 1 or 3.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// Bits a sample in the source file, kept on saving where the format can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BitDepth {
    /// 256 levels. Also what palettes and fewer bits become.
    Eight,
    /// 65536 levels.
    Sixteen,
    /// 32-bit floating point (16-bit files become this, too). Values beyond [0, 1] survive.
    Float,
}

/// What samples count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Light {
    /// Steps for a display, in the profile's space, sRGB without one.
    #[default]
    Display,
    /// Light itself, in the primaries of sRGB; 1 is a display's white, more is brighter.
    Linear,
}

/// What a file says about its picture besides the pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The colour profile, as stored. The samples are in its space
    /// ([`ColourTransform`](super::ColourTransform) leads to sRGB and back).
    pub icc: Option<Vec<u8>>,
    /// The EXIF block (from its TIFF header on), its orientation set to upright.
    pub exif: Option<Vec<u8>>,
    /// The XMP packet, in UTF-8; it says that the picture is upright.
    pub xmp: Option<Vec<u8>>,
}

/// A photograph: samples in [0, 1] (those of [`BitDepth::Float`] may lie beyond),
/// upright, with everything needed to save the same kind of file again.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) colour: Colour,
    /// Row by row, a pixel's samples side by side: height * width * channels.
    pub(super) samples: Vec<f32>,
    /// Opacity, height * width, not multiplied into the samples.
    pub(super) alpha: Option<Vec<f32>>,
    pub(super) depth: BitDepth,
    pub(super) light: Light,
    pub(super) metadata: Metadata,
}

impl Picture {
    /// A picture from interleaved samples ([height, width, channels], in
    /// [0, 1]), without alpha or metadata, to be saved with 8 bits.
    ///
    /// # Errors
    /// [`ImageError::Samples`] if the number of samples does not fit.
    pub fn new(
        width: usize,
        height: usize,
        colour: Colour,
        samples: Vec<f32>,
    ) -> Result<Self, ImageError> {
        check(width, height, colour.channels(), samples.len())?;
        Ok(Self {
            width,
            height,
            colour,
            samples,
            alpha: None,
            depth: BitDepth::Eight,
            light: Light::Display,
            metadata: Metadata::default(),
        })
    }

    /// A colour picture with the pixels of a network's output.
    pub fn from_rgb(rgb: Rgb32) -> Self {
        let (width, height) = (rgb.width(), rgb.height());
        Self {
            width,
            height,
            colour: Colour::Rgb,
            samples: rgb.into_samples(),
            alpha: None,
            depth: BitDepth::Eight,
            light: Light::Display,
            metadata: Metadata::default(),
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

    /// Grey or colour.
    pub fn colour(&self) -> Colour {
        self.colour
    }

    /// Bits a sample in the source, and in the saved file where it can.
    pub fn depth(&self) -> BitDepth {
        self.depth
    }

    /// What the samples count.
    pub fn light(&self) -> Light {
        self.light
    }

    /// The samples, [height, width, channels], in [0, 1] unless their depth is floating point.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// The opacity plane, [height, width], in [0, 1], if there is one.
    pub fn alpha(&self) -> Option<&[f32]> {
        self.alpha.as_deref()
    }

    /// Colour profile, EXIF and XMP.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same picture, to be saved with this depth.
    pub fn with_depth(mut self, depth: BitDepth) -> Self {
        self.depth = depth;
        self
    }

    /// The same picture, its samples taken to count this.
    pub fn with_light(mut self, light: Light) -> Self {
        self.light = light;
        self
    }

    /// The same picture with this metadata instead of its own.
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// The same picture with this opacity plane ([height, width]), or none.
    ///
    /// # Errors
    /// [`ImageError::Samples`] if the plane's length does not fit.
    pub fn with_alpha(mut self, alpha: Option<Vec<f32>>) -> Result<Self, ImageError> {
        if let Some(plane) = &alpha {
            check(self.width, self.height, 1, plane.len())?;
        }
        self.alpha = alpha;
        Ok(self)
    }

    /// Three channels in the picture's own colours, grey repeated in each. Nothing is copied of a
    /// picture that has three.
    pub fn as_rgb(&self) -> Rgb<'_> {
        let samples: Cow<'_, [f32]> = match self.colour {
            Colour::Rgb => (&self.samples).into(),
            Colour::Grey => self.samples.iter().flat_map(|&v| [v, v, v]).collect(),
        };
        Rgb::from_parts(self.width, self.height, samples)
    }

    /// [`Picture::as_rgb`] with samples of its own.
    pub fn to_rgb(&self) -> Rgb32 {
        let rgb = self.as_rgb();
        Rgb32::from_parts(self.width, self.height, rgb.into_samples())
    }

    /// This picture with the pixels of a network's output: the colour kind
    /// (grey is the mean of the three channels), depth and metadata stay. If
    /// the output is larger by a whole factor, alpha is enlarged with it
    /// (bicubic); at any other size alpha is sampled at the nearest pixel.
    pub fn with_pixels(&self, rgb: Rgb<'_>) -> Self {
        let (width, height) = (rgb.width(), rgb.height());
        let samples = match self.colour {
            Colour::Rgb => rgb.into_samples(),
            Colour::Grey => rgb
                .samples()
                .as_chunks::<3>()
                .0
                .iter()
                .map(|p| (p[0] + p[1] + p[2]) / 3.0)
                .collect(),
        };
        let alpha = self
            .alpha
            .as_ref()
            .map(|plane| self.resized_alpha(plane, width, height));
        Self {
            width,
            height,
            colour: self.colour,
            samples,
            alpha,
            depth: self.depth,
            light: self.light,
            metadata: self.metadata.clone(),
        }
    }

    fn resized_alpha(&self, plane: &[f32], width: usize, height: usize) -> Vec<f32> {
        if (width, height) == (self.width, self.height) {
            return plane.to_vec();
        }
        let factor = width / self.width.max(1);
        if factor > 1 && (width, height) == (self.width * factor, self.height * factor) {
            let mut large = resize::bicubic(plane, self.width, self.height, 1, Factor::Up(factor));
            large.iter_mut().for_each(|a| *a = a.clamp(0.0, 1.0));
            return large;
        }
        let nearest =
            |at: usize, from: usize, to: usize| ((at * 2 + 1) * from / (to * 2)).min(from - 1);
        (0..height)
            .flat_map(|y| {
                let row = nearest(y, self.height, height) * self.width;
                (0..width).map(move |x| plane[row + nearest(x, self.width, width)])
            })
            .collect()
    }
}

pub(super) fn check(
    width: usize,
    height: usize,
    channels: usize,
    got: usize,
) -> Result<(), ImageError> {
    let expected = width.saturating_mul(height).saturating_mul(channels);
    if got == expected {
        Ok(())
    } else {
        Err(ImageError::Samples {
            width,
            height,
            channels,
            expected,
            got,
        })
    }
}
