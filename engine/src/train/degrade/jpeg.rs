//! JPEG artefacts, made by a real encoder and decoder.

use std::io::Cursor;

use ::image::ImageDecoder;
use ::image::codecs::jpeg::JpegDecoder;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::DegradeError;
use crate::image::Rgb32;
use crate::image::resize::mirror;

/// Compresses and decompresses a picture, clipped and rounded to 8 bits; with `half` its colour
/// is kept at half the resolution. Blocks start `at` (rows, columns) before the corner, the
/// picture being mirrored there.
pub(super) fn compress(
    image: &Rgb32,
    quality: u8,
    half: bool,
    [up, left]: [usize; 2],
) -> Result<Rgb32, DegradeError> {
    let (width, height) = (image.width(), image.height());
    let refused = |reason: String| DegradeError::Jpeg {
        width,
        height,
        reason,
    };
    let bytes = image.to_bytes();
    if [up, left] == [0, 0] {
        let out = round_trip(&bytes, width, height, quality, half).map_err(refused)?;
        return Rgb32::from_bytes(width, height, &out).map_err(|e| refused(e.to_string()));
    }
    let (wide, high) = (width + left, height + up);
    let mut larger = Vec::with_capacity(wide * high * 3);
    for y in 0..high {
        let row = mirror(y as i64 - up as i64, height) * width;
        for x in 0..wide {
            let from = (row + mirror(x as i64 - left as i64, width)) * 3;
            larger.extend_from_slice(&bytes[from..from + 3]);
        }
    }
    let out = round_trip(&larger, wide, high, quality, half).map_err(refused)?;
    let rows = out.chunks_exact(wide * 3).skip(up);
    let inside: Vec<u8> = rows.flat_map(|row| &row[left * 3..]).copied().collect();
    Rgb32::from_bytes(width, height, &inside).map_err(|e| refused(e.to_string()))
}

fn round_trip(
    rgb: &[u8],
    width: usize,
    height: usize,
    quality: u8,
    half: bool,
) -> Result<Vec<u8>, String> {
    let side = |v: usize| u16::try_from(v).ok().filter(|&v| v > 0);
    let (Some(w), Some(h)) = (side(width), side(height)) else {
        return Err("a side is out of range".to_owned());
    };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality);
    encoder.set_sampling_factor(match half {
        true => SamplingFactor::F_2_2,
        false => SamplingFactor::F_1_1,
    });
    let encoded = encoder.encode(rgb, w, h, ColorType::Rgb);
    encoded.map_err(|e| e.to_string())?;
    let mut out = vec![0; rgb.len()];
    JpegDecoder::new(Cursor::new(&file))
        .and_then(|decoder| decoder.read_image(&mut out))
        .map_err(|e| e.to_string())?;
    Ok(out)
}
