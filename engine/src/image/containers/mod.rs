//! The files of each format, written with all that can stand in them beside the pixels.

pub(super) mod jpeg;
pub(super) mod light;
pub(super) mod png;
pub(super) mod tiff;
pub(super) mod webp;

use ::image::codecs::bmp::BmpEncoder;
use ::image::error::{EncodingError, ImageFormatHint};
use ::image::{ExtendedColorType, ImageEncoder, ImageError, ImageFormat, ImageResult};
use std::io::Write;

use super::{BitDepth, Colour};

/// What is written of each pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub colour: Colour,
    pub alpha: bool,
    pub depth: BitDepth,
}

impl Layout {
    /// The image library's name for it at 8 bits.
    fn library(self) -> ExtendedColorType {
        match (self.colour, self.alpha) {
            (Colour::Grey, false) => ExtendedColorType::L8,
            (Colour::Grey, true) => ExtendedColorType::La8,
            (Colour::Rgb, false) => ExtendedColorType::Rgb8,
            (Colour::Rgb, true) => ExtendedColorType::Rgba8,
        }
    }
}

/// Samples as they go into the file, a pixel's side by side.
pub(super) enum Samples {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
    Float(Vec<f32>),
}

/// The pixels of a file.
pub(super) struct Pixels {
    pub width: u32,
    pub height: u32,
    pub layout: Layout,
    pub samples: Samples,
}

/// What a file says beside its pixels.
#[derive(Default)]
pub(super) struct Tags {
    pub icc: Option<Vec<u8>>,
    pub exif: Option<Vec<u8>>,
    pub xmp: Option<Vec<u8>>,
}

/// Writes a Windows bitmap, which holds nothing beside its pixels.
pub(super) fn bmp(pixels: &Pixels, mut writer: impl Write) -> ImageResult<()> {
    let Samples::Eight(bytes) = &pixels.samples else {
        return Err(unheld(ImageFormat::Bmp, pixels.layout));
    };
    let encoder = BmpEncoder::new(&mut writer);
    encoder.write_image(bytes, pixels.width, pixels.height, pixels.layout.library())
}

/// A format's own error in the image library's terms.
fn failed(
    format: ImageFormat,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ImageError {
    ImageError::Encoding(EncodingError::new(ImageFormatHint::Exact(format), error))
}

/// For layouts that the caller should not have asked for.
fn unheld(format: ImageFormat, layout: Layout) -> ImageError {
    failed(format, format!("it cannot hold {layout:?}"))
}
