//! JPEG artefacts, made by a real encoder and decoder.

use super::DegradeError;
use crate::image::Rgb32;
use ::image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use ::image::{ExtendedColorType, ImageDecoder, ImageResult};
use std::io::Cursor;

/// Compresses and decompresses a picture, clipped and rounded to 8 bits.
pub(super) fn compress(image: &Rgb32, quality: u8) -> Result<Rgb32, DegradeError> {
    let (width, height) = (image.width(), image.height());
    let refused = |reason: String| DegradeError::Jpeg {
        width,
        height,
        reason,
    };
    let side = |v: usize| u16::try_from(v).ok().filter(|&v| v > 0).map(u32::from);
    let (Some(w), Some(h)) = (side(width), side(height)) else {
        return Err(refused("a side is out of range".into()));
    };
    let bytes = round_trip(&image.to_bytes(), w, h, quality).map_err(|e| refused(e.to_string()))?;
    Rgb32::from_bytes(width, height, &bytes).map_err(|e| refused(e.to_string()))
}

fn round_trip(rgb: &[u8], width: u32, height: u32, quality: u8) -> ImageResult<Vec<u8>> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality).encode(
        rgb,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    let mut out = vec![0; rgb.len()];
    JpegDecoder::new(Cursor::new(&file))?.read_image(&mut out)?;
    Ok(out)
}
