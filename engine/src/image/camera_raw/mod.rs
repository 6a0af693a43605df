//! Raw files of cameras, read and developed by rawler: black and white levels, demosaicing, the
//! camera's white balance, its matrix to sRGB, the crop it recommends, sRGB's curve.
//!
//! Nothing is done to please: no tone curve, no sharpening, no denoising. That is what the networks
//! are for.

mod tags;

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use ::image::error::{
    DecodingError, ImageFormatHint, LimitError, LimitErrorKind, UnsupportedError,
    UnsupportedErrorKind,
};
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageResult};
use rawler::RawlerError;
use rawler::decoders::{Decoder, RawDecodeParams, WellKnownIFD};
use rawler::formats::tiff::{DirectoryWriter, TiffWriter};
use rawler::imgop::Dim2;
use rawler::imgop::develop::RawDevelop;
use rawler::rawimage::{RawImage, RawPhotometricInterpretation};
use rawler::rawsource::RawSource;
use rawler::tags::{ExifTag, TiffCommonTag};

/// EXIF 2.3, as [`ExifTag::ExifVersion`] has it.
const EXIF_VERSION: &[u8] = b"0230";

/// A file's reader.
pub(super) struct RawDecoder {
    source: RawSource,
    decoder: Box<dyn Decoder>,
    /// What the file says of the picture, mostly without its pixels. Absent where it is too large.
    told: Option<RawImage>,
    size: Dim2,
}

impl RawDecoder {
    /// Reads what the file says. A picture of more pixels than `most_pixels` has its size only.
    pub fn new(mut reader: impl Read, most_pixels: u64) -> ImageResult<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        if !tags::fit(&bytes) {
            return Err(damaged("a tag is longer than the file".into()));
        }
        let source = RawSource::new_from_shared_vec(Arc::new(bytes));
        let decoder = rawler::get_decoder(&source).map_err(refused)?;
        // Some readers take the pixels in at once, so that they are not asked before this.
        if let Some((size, samples)) = announced(decoder.as_ref()) {
            if size.w as u64 * size.h as u64 > most_pixels {
                return Ok(Self {
                    source,
                    decoder,
                    told: None,
                    size,
                });
            }
            if samples > 4 {
                return Err(unsupported(format!("{samples} samples a pixel")));
            }
        }
        let told = decoder.raw_image(&source, &RawDecodeParams::default(), true);
        let told = told.map_err(refused)?;
        let shown = told.crop_area.or(told.active_area);
        Ok(Self {
            source,
            decoder,
            size: shown.map_or(told.dim(), |area| area.d),
            told: Some(told),
        })
    }

    fn developed(&self) -> ImageResult<DynamicImage> {
        let params = RawDecodeParams::default();
        let raw = self.decoder.raw_image(&self.source, &params, false);
        let developed = RawDevelop::default().develop_intermediate(&raw.map_err(refused)?);
        let image = developed.map_err(refused)?.to_dynamic_image();
        image.ok_or_else(|| damaged("it has fewer pixels than it says".into()))
    }
}

impl ImageDecoder for RawDecoder {
    fn dimensions(&self) -> (u32, u32) {
        let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (side(self.size.w), side(self.size.h))
    }

    fn color_type(&self) -> ColorType {
        match &self.told {
            Some(raw)
                if raw.cpp == 1
                    && matches!(raw.photometric, RawPhotometricInterpretation::BlackIsZero) =>
            {
                ColorType::L16
            }
            _ => ColorType::Rgb16,
        }
    }

    /// What the camera noted, as a block of its own.
    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let Some(raw) = &self.told else {
            return Ok(None);
        };
        let params = RawDecodeParams::default();
        let noted = self.decoder.raw_metadata(&self.source, &params);
        let noted = noted.map_err(refused)?;
        let mut block = Cursor::new(Vec::new());
        let write = |block: &mut Cursor<Vec<u8>>| {
            let mut tiff = TiffWriter::new(block)?;
            let (mut root, mut exif) = (DirectoryWriter::new(), DirectoryWriter::new());
            exif.add_tag_undefined(ExifTag::ExifVersion, EXIF_VERSION.to_vec());
            noted.write_exif_tags(&mut tiff, &mut root, &mut exif)?;
            root.add_tag(TiffCommonTag::Make, raw.clean_make.as_str());
            root.add_tag(TiffCommonTag::Model, raw.clean_model.as_str());
            let place = exif.build(&mut tiff)?;
            root.add_tag(TiffCommonTag::ExifIFDPointer, place);
            tiff.build(root)
        };
        match write(&mut block) {
            Ok(()) => Ok(Some(block.into_inner())),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let packet = self
            .decoder
            .xpacket(&self.source, &RawDecodeParams::default());
        packet.map_err(refused)
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let noted = self.told.as_ref().map_or(0, |raw| raw.orientation.to_u16());
        let known = u8::try_from(noted).ok().and_then(Orientation::from_exif);
        Ok(known.unwrap_or(Orientation::NoTransforms))
    }

    fn read_image(self, buffer: &mut [u8]) -> ImageResult<()> {
        if self.told.is_none() {
            let kind = LimitErrorKind::DimensionError;
            return Err(ImageError::Limits(LimitError::from_kind(kind)));
        }
        let image = self.developed()?;
        let size = Dim2::new(image.width() as usize, image.height() as usize);
        if size != self.size || image.color() != self.color_type() {
            // Of sensors that lie askew.
            return Err(unsupported(format!(
                "a raw picture that is developed to {} × {} instead of {} × {}",
                size.w, size.h, self.size.w, self.size.h
            )));
        }
        buffer.copy_from_slice(image.as_bytes());
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}

/// Sides of the whole sensor's picture and samples a pixel, where the file's tags say them.
fn announced(decoder: &dyn Decoder) -> Option<(Dim2, usize)> {
    let tags = decoder.ifd(WellKnownIFD::Raw).ok().flatten()?;
    let number = |tag| tags.get_entry(tag).map(|e| e.force_usize(0));
    let size = Dim2::new(
        number(TiffCommonTag::ImageWidth)?,
        number(TiffCommonTag::ImageLength)?,
    );
    Some((size, number(TiffCommonTag::SamplesPerPixel).unwrap_or(1)))
}

fn refused(error: RawlerError) -> ImageError {
    match error {
        RawlerError::Unsupported { what, .. } => unsupported(what),
        RawlerError::DecoderFailed(reason) => damaged(reason),
    }
}

fn hint() -> ImageFormatHint {
    ImageFormatHint::Name("camera raw".into())
}

fn damaged(reason: String) -> ImageError {
    ImageError::Decoding(DecodingError::new(hint(), io::Error::other(reason)))
}

fn unsupported(what: String) -> ImageError {
    let kind = UnsupportedErrorKind::GenericFeature(what);
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(hint(), kind))
}
