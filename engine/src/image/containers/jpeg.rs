//! JPEG: profile, EXIF and XMP in application segments, each of 64 KiB at most.

use std::io::Write;

use ::image::{ImageFormat, ImageResult};
use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

use super::{Pixels, Samples, Tags, failed, unheld};
use crate::image::Colour;

/// What XMP's segment begins with (XMP specification, part 3).
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Most bytes a segment holds beside its length.
const SEGMENT: usize = 65_533;

/// Whether an EXIF block fits into its segment.
pub(in crate::image) fn holds_exif(block: &[u8]) -> bool {
    block.len() + b"Exif\0\0".len() <= SEGMENT
}

/// Whether an XMP packet fits into its segment.
pub(in crate::image) fn holds_xmp(packet: &[u8]) -> bool {
    packet.len() + XMP.len() <= SEGMENT
}

/// Writes the file, its chroma at full resolution.
pub(in crate::image) fn write(
    pixels: &Pixels,
    tags: &Tags,
    quality: u8,
    writer: impl Write,
) -> ImageResult<()> {
    let Samples::Eight(bytes) = &pixels.samples else {
        return Err(unheld(ImageFormat::Jpeg, pixels.layout));
    };
    let (Ok(width), Ok(height)) = (u16::try_from(pixels.width), u16::try_from(pixels.height))
    else {
        return Err(failed(
            ImageFormat::Jpeg,
            "a side is longer than 65535 pixels",
        ));
    };
    let size = (width, height);
    let encoded = encode(bytes, size, pixels.layout.colour, tags, quality, writer);
    encoded.map_err(|error| match error {
        EncodingError::IoError(error) => error.into(),
        other => failed(ImageFormat::Jpeg, other),
    })
}

fn encode(
    bytes: &[u8],
    (width, height): (u16, u16),
    colour: Colour,
    tags: &Tags,
    quality: u8,
    writer: impl Write,
) -> Result<(), EncodingError> {
    let mut encoder = Encoder::new(writer, quality);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    if let Some(block) = tags.exif.as_deref().filter(|b| holds_exif(b)) {
        encoder.add_exif_metadata(block)?;
    }
    if let Some(packet) = tags.xmp.as_deref().filter(|p| holds_xmp(p)) {
        encoder.add_app_segment(1, [XMP, packet].concat())?;
    }
    if let Some(profile) = &tags.icc {
        encoder.add_icc_profile(profile)?;
    }
    let colour = match colour {
        Colour::Grey => ColorType::Luma,
        Colour::Rgb => ColorType::Rgb,
    };
    encoder.encode(bytes, width, height, colour)
}
