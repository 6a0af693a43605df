//! A raw file in memory.

use std::io::Cursor;
use std::rc::Rc;
use std::sync::Arc;

use ::image::{ColorType, DynamicImage};
use rawler::RawlerError;
use rawler::decoders::{Decoder, FormatHint, RawDecodeParams, WellKnownIFD};
use rawler::formats::tiff::{
    CompressionMethod, DirectoryWriter, IFD, PhotometricInterpretation, TiffWriter, Value,
};
use rawler::imgop::Dim2;
use rawler::imgop::develop::RawDevelop;
use rawler::rawimage::{RawImage, RawPhotometricInterpretation};
use rawler::rawsource::RawSource;
use rawler::tags::{DngTag, ExifTag, TiffCommonTag};

use super::{Refused, Told, opcodes};

/// EXIF 2.3, as [`ExifTag::ExifVersion`] has it.
const EXIF_VERSION: &[u8] = b"0230";

pub(super) struct RawFile {
    source: RawSource,
    decoder: Box<dyn Decoder>,
    sensor: Sensor,
}

/// What was read of the sensor's picture.
enum Sensor {
    /// It is of this size, which is too large.
    Large(Dim2),
    /// All but its pixels.
    Described(Box<RawImage>),
    /// With its pixels.
    Whole(Box<RawImage>),
}

impl RawFile {
    /// Reads what the file says; `room` is told how many pixels are going to be read before they
    /// are. A picture of more of them than `most_pixels` has its size only.
    pub fn open(bytes: Vec<u8>, most_pixels: u64, room: impl Fn(u64)) -> Result<Self, Refused> {
        let source = RawSource::new_from_shared_vec(Arc::new(bytes));
        let decoder = rawler::get_decoder(&source)?;
        let sensor = sensor(decoder.as_ref(), &source, most_pixels, room)?;
        Ok(Self {
            source,
            decoder,
            sensor,
        })
    }

    /// Whether it has more pixels than it may have.
    pub fn is_too_large(&self) -> bool {
        matches!(self.sensor, Sensor::Large(_))
    }

    pub fn told(&self) -> Result<Told, Refused> {
        let (raw, size) = match &self.sensor {
            Sensor::Large(size) => (None, *size),
            Sensor::Described(raw) | Sensor::Whole(raw) => {
                let shown = raw.crop_area.or(raw.active_area);
                (Some(raw), shown.map_or(raw.dim(), |area| area.d))
            }
        };
        let side = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let is_grey = |raw: &RawImage| {
            raw.cpp == 1 && matches!(raw.photometric, RawPhotometricInterpretation::BlackIsZero)
        };
        let params = RawDecodeParams::default();
        Ok(Told {
            width: side(size.w),
            height: side(size.h),
            grey: raw.is_some_and(|raw| is_grey(raw)),
            orientation: raw.map_or(0, |raw| raw.orientation.to_u16()),
            // Unreadable notes are no reason to refuse the pixels.
            exif: raw.and_then(|raw| self.noted(raw).ok()),
            xmp: self.decoder.xpacket(&self.source, &params).ok().flatten(),
        })
    }

    /// What the camera noted, as a block of EXIF.
    fn noted(&self, raw: &RawImage) -> Result<Vec<u8>, Refused> {
        let params = RawDecodeParams::default();
        let noted = self.decoder.raw_metadata(&self.source, &params)?;
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
            Ok(()) => Ok(block.into_inner()),
            Err(error) => Err(Refused::Damaged(error.to_string())),
        }
    }

    /// The picture, which is as it was told.
    pub fn developed(self, told: &Told) -> Result<DynamicImage, Refused> {
        let mut raw = match self.sensor {
            Sensor::Large(_) => return Err(Refused::Unsupported("more pixels than asked".into())),
            Sensor::Whole(raw) => *raw,
            Sensor::Described(_) => {
                let params = RawDecodeParams::default();
                self.decoder.raw_image(&self.source, &params, false)?
            }
        };
        if let Some(list) = corrections(self.decoder.as_ref()) {
            opcodes::apply(&list, &mut raw)?;
        }
        let developed = RawDevelop::default().develop_intermediate(&raw)?;
        drop(raw);
        let image = developed.to_dynamic_image();
        let image =
            image.ok_or_else(|| Refused::Damaged("it has fewer pixels than it says".into()))?;
        let color = match told.grey {
            true => ColorType::L16,
            false => ColorType::Rgb16,
        };
        if (image.width(), image.height(), image.color()) != (told.width, told.height, color) {
            // Of sensors that lie askew.
            return Err(Refused::Unsupported(format!(
                "a raw picture that is developed to {} × {} instead of {} × {}",
                image.width(),
                image.height(),
                told.width,
                told.height
            )));
        }
        Ok(image)
    }
}

fn sensor(
    decoder: &dyn Decoder,
    source: &RawSource,
    most_pixels: u64,
    room: impl Fn(u64),
) -> Result<Sensor, Refused> {
    let pixels = |size: Dim2| (size.w as u64).saturating_mul(size.h as u64);
    if is_jpeg_with_losses(decoder) {
        let what = "a DNG compressed as JPEG with losses";
        return Err(Refused::Unsupported(what.into()));
    }
    // Some readers take the pixels in at once, so that they are not asked before this.
    if let Some((size, samples)) = announced(decoder) {
        if pixels(size) > most_pixels {
            return Ok(Sensor::Large(size));
        }
        if samples > 4 {
            return Err(Refused::Unsupported(format!("{samples} samples a pixel")));
        }
        room(pixels(size));
    }
    // DNG's reader takes them in whatever it is asked for.
    let whole = decoder.format_hint() == FormatHint::DNG;
    let raw = decoder.raw_image(source, &RawDecodeParams::default(), !whole)?;
    if pixels(raw.dim()) > most_pixels {
        return Ok(Sensor::Large(raw.dim()));
    }
    room(pixels(raw.dim()));
    let raw = Box::new(raw);
    Ok(match whole {
        true => Sensor::Whole(raw),
        false => Sensor::Described(raw),
    })
}

/// The directory of the sensor's picture.
fn directory(decoder: &dyn Decoder) -> Option<Rc<IFD>> {
    decoder.ifd(WellKnownIFD::Raw).ok().flatten()
}

/// Sides of the whole sensor's picture and samples a pixel, where the file's tags say them.
fn announced(decoder: &dyn Decoder) -> Option<(Dim2, usize)> {
    let tags = directory(decoder)?;
    let number = |tag| tags.get_entry(tag).map(|e| e.force_usize(0));
    let size = Dim2::new(
        number(TiffCommonTag::ImageWidth)?,
        number(TiffCommonTag::ImageLength)?,
    );
    Some((size, number(TiffCommonTag::SamplesPerPixel).unwrap_or(1)))
}

/// Whether values of 8 bits are compressed as JPEG, which the library takes for JPEG without losses.
fn is_jpeg_with_losses(decoder: &dyn Decoder) -> bool {
    directory(decoder).is_some_and(|tags| {
        let is = |tag, value| {
            tags.get_entry(tag)
                .is_some_and(|e| e.force_usize(0) == value)
        };
        is(
            TiffCommonTag::Compression,
            CompressionMethod::ModernJPEG as usize,
        ) && is(
            TiffCommonTag::PhotometricInt,
            PhotometricInterpretation::LinearRaw as usize,
        ) && is(TiffCommonTag::BitsPerSample, 8)
    })
}

/// What a DNG asks to be done to its values, as it stands in the file.
fn corrections(decoder: &dyn Decoder) -> Option<Vec<u8>> {
    let tags = directory(decoder)?;
    match &tags.get_entry(DngTag::OpcodeList2)?.value {
        Value::Byte(list) | Value::Undefined(list) => Some(list.clone()),
        _ => None,
    }
}

impl From<RawlerError> for Refused {
    fn from(error: RawlerError) -> Self {
        match error {
            RawlerError::Unsupported { what, .. } => Self::Unsupported(what),
            RawlerError::DecoderFailed(reason) if reason.starts_with("Unsupported") => {
                Self::Unsupported(reason)
            }
            RawlerError::DecoderFailed(reason) => Self::Damaged(reason),
        }
    }
}
