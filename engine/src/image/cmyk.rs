//! JPEG files in four inks: cyan, magenta, yellow, black.
//!
//! Adobe's programs, from which most of them come, store how much paper is left white instead of
//! how much ink there is, and mark the file with a segment of their own (Adobe Technical Note
//! 5116, section 18), which also says whether the first three are turned into luminance and
//! chroma. Followed through their profile, where there is one that can be used, inks become sRGB;
//! else each of them takes its share of the light.

use ::image::error::{DecodingError, ImageFormatHint};
use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageResult};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use rayon::prelude::*;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Pixels converted at a time.
const CHUNK: usize = 1 << 14;

/// What the segments before the first scan say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    components: u8,
    adobe: bool,
}

/// Whether a JPEG stream is in four inks.
pub(super) fn is_in_inks(bytes: &[u8]) -> bool {
    header(bytes).is_some_and(|h| h.components == 4)
}

/// A JPEG decoder that converts inks itself; what stands beside the pixels is the usual one's.
pub(super) struct InkDecoder<'a> {
    pub usual: Box<dyn ImageDecoder + 'a>,
    pub bytes: &'a [u8],
}

impl ImageDecoder for InkDecoder<'_> {
    fn dimensions(&self) -> (u32, u32) {
        self.usual.dimensions()
    }

    fn color_type(&self) -> ColorType {
        ColorType::Rgb8
    }

    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        self.usual.exif_metadata()
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        self.usual.xmp_metadata()
    }

    fn set_limits(&mut self, limits: ::image::Limits) -> ImageResult<()> {
        self.usual.set_limits(limits)
    }

    fn read_image(self, buffer: &mut [u8]) -> ImageResult<()> {
        let failed = |e: DecodeErrors| {
            let format = ImageFormatHint::Exact(ImageFormat::Jpeg);
            ImageError::Decoding(DecodingError::new(format, format!("{e:?}")))
        };
        let rgb = decode(self.bytes).map_err(failed)?;
        if rgb.len() != buffer.len() {
            let short = DecodeErrors::FormatStatic("it has fewer samples than pixels");
            return Err(failed(short));
        }
        buffer.copy_from_slice(&rgb);
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}

/// The stream's pixels in sRGB, as stored (not turned upright), three bytes a pixel.
fn decode(bytes: &[u8]) -> Result<Vec<u8>, DecodeErrors> {
    let usual = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), usual);
    decoder.decode_headers()?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::CMYK);
    let profile = decoder.icc_profile();
    // As it is stored: nothing is converted.
    let options = usual.jpeg_set_out_colorspace(stored);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let mut inks = decoder.decode()?;

    if stored == ColorSpace::YCCK {
        inks.as_chunks_mut::<4>().0.iter_mut().for_each(untangle);
    }
    if header(bytes).is_some_and(|h| h.adobe) {
        inks.iter_mut().for_each(|v| *v = 255 - *v);
    }
    let followed = profile.and_then(|profile| follow(&profile, &inks));
    Ok(followed.unwrap_or_else(|| plainly(&inks)))
}

/// Luminance and chroma back to three inks (JFIF's matrix, of what the inks leave of the light).
fn untangle(pixel: &mut [u8; 4]) {
    let [y, cb, cr] = [0, 1, 2].map(|i| f32::from(pixel[i]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let rgb = [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ];
    for (ink, v) in pixel.iter_mut().zip(rgb) {
        // The cast cuts off at both ends.
        *ink = 255 - (v + 0.5) as u8;
    }
}

/// Through the profile; none if it cannot be used.
fn follow(profile: &[u8], inks: &[u8]) -> Option<Vec<u8>> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    if profile.color_space != DataColorSpace::Cmyk {
        return None;
    }
    let (srgb, options) = (ColorProfile::new_srgb(), TransformOptions::default());
    let transform = profile
        .create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options)
        .ok()?;
    let mut rgb = vec![0; inks.len() / 4 * 3];
    let parts = inks
        .par_chunks(4 * CHUNK)
        .zip(rgb.par_chunks_mut(3 * CHUNK));
    let done = parts.map(|(from, to)| transform.transform(from, to).ok());
    done.collect::<Option<()>>()?;
    Some(rgb)
}

/// Each ink takes its share of the light.
fn plainly(inks: &[u8]) -> Vec<u8> {
    let left = |ink: u8, black: u8| {
        let light = u32::from(255 - ink) * u32::from(255 - black);
        ((light + 127) / 255) as u8
    };
    let pixels = inks.as_chunks::<4>().0.iter();
    pixels
        .flat_map(|&[c, m, y, k]| [left(c, k), left(m, k), left(y, k)])
        .collect()
}

/// Walks the segments (ITU-T T.81, annex B) up to the first scan.
fn header(bytes: &[u8]) -> Option<Header> {
    let mut adobe = false;
    let mut components = None;
    let mut at = 2; // past the start-of-image marker
    loop {
        while *bytes.get(at)? == 0xFF {
            at += 1; // the marker's first byte, and fill bytes
        }
        let marker = bytes[at];
        let length = usize::from(u16::from_be_bytes([
            *bytes.get(at + 1)?,
            *bytes.get(at + 2)?,
        ]));
        let segment = bytes.get(at + 3..at + 1 + length.max(2))?;
        match marker {
            0xEE => adobe |= segment.starts_with(b"Adobe"),
            // Frames; C4, C8 and CC among them are tables and extensions.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                components = segment.get(5).copied();
            }
            0xDA => {
                let components = components?;
                return Some(Header { components, adobe });
            }
            _ => (),
        }
        at += 1 + length.max(2);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jpeg_encoder::{ColorType, Encoder};

    /// 16 x 8 of one colour: 20 % cyan, 60 % magenta, no yellow, 10 % black.
    fn file(kind: ColorType, inks: [u8; 4]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = inks.repeat(16 * 8);
        Encoder::new(&mut bytes, 100)
            .encode(&pixels, 16, 8, kind)
            .unwrap();
        bytes
    }

    #[test]
    fn inks_become_the_light_they_leave() {
        let inks = [51, 153, 0, 26];
        for kind in [ColorType::Cmyk, ColorType::CmykAsYcck] {
            let bytes = file(kind, inks);
            assert!(is_in_inks(&bytes), "{kind:?}");
            let rgb = decode(&bytes).unwrap();
            assert_eq!(rgb.len(), 16 * 8 * 3);
            for (got, want) in rgb.iter().zip(plainly(&inks).repeat(16 * 8)) {
                assert!(got.abs_diff(want) <= 2, "{kind:?}: {got} is not {want}");
            }
        }
        assert_eq!(plainly(&inks), [183, 92, 229]);
        assert!(!is_in_inks(&file(ColorType::Rgba, [1, 2, 3, 4])));
    }

    #[test]
    fn adobes_files_are_stored_the_other_way() {
        let bytes = file(ColorType::Cmyk, [51, 153, 0, 26]);
        let known = header(&bytes).unwrap();
        // The mark goes, or comes, right behind the start.
        let changed = match known.adobe {
            true => {
                let at = bytes.windows(7).position(|w| w == b"\0\x0EAdobe").unwrap();
                [&bytes[..at - 2], &bytes[at + 14..]].concat()
            }
            false => {
                let mark = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
                [&bytes[..2], mark, &bytes[2..]].concat()
            }
        };
        assert_eq!(header(&changed).unwrap().adobe, !known.adobe);
        let inverse = plainly(&[204, 102, 255, 229]);
        for (got, want) in decode(&changed).unwrap().iter().zip(inverse) {
            assert!(got.abs_diff(want) <= 2);
        }
        // However short, no panic.
        for keep in 0..bytes.len().min(400) {
            let _ = (header(&bytes[..keep]), decode(&bytes[..keep]).is_ok());
        }
    }
}
