//! WebP, lossless: profile, EXIF and XMP in chunks of their own.

use std::io::Write;

use ::image::{ImageFormat, ImageResult};
use image_webp::{ColorType, EncodingError, WebPEncoder};

use super::{Pixels, Samples, Tags, failed, unheld};
use crate::image::Colour;

/// Writes the file.
pub(in crate::image) fn write(pixels: &Pixels, tags: &Tags, writer: impl Write) -> ImageResult<()> {
    let Samples::Eight(bytes) = &pixels.samples else {
        return Err(unheld(ImageFormat::WebP, pixels.layout));
    };
    let mut encoder = WebPEncoder::new(writer);
    if let Some(profile) = &tags.icc {
        encoder.set_icc_profile(profile.clone());
    }
    if let Some(block) = &tags.exif {
        encoder.set_exif_metadata(block.clone());
    }
    if let Some(packet) = &tags.xmp {
        encoder.set_xmp_metadata(packet.clone());
    }
    let colour = match (pixels.layout.colour, pixels.layout.alpha) {
        (Colour::Grey, false) => ColorType::L8,
        (Colour::Grey, true) => ColorType::La8,
        (Colour::Rgb, false) => ColorType::Rgb8,
        (Colour::Rgb, true) => ColorType::Rgba8,
    };
    let encoded = encoder.encode(bytes, pixels.width, pixels.height, colour);
    encoded.map_err(|error| match error {
        EncodingError::IoError(error) => error.into(),
        other => failed(ImageFormat::WebP, other),
    })
}
