//! TIFF: profile and XMP as fields of the picture's directory, EXIF as fields of this and of
//! directories of their own.

use std::io::{BufRead, Seek, Write};

use ::image::error::{DecodingError, ImageFormatHint};
use ::image::metadata::Orientation;
use ::image::{self as image, ImageDecoder, ImageError, ImageFormat, ImageResult};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, Gray32Float, RGB8, RGB16, RGB32Float};
use tiff::encoder::{DirectoryEncoder, ImageEncoder, TiffEncoder, TiffKind, TiffValue};
use tiff::tags::{ByteOrder, ExtraSamples, IfdPointer, Tag, Type, ValueBuffer};
use tiff::{Directory, TiffError, TiffResult};

use super::{Pixels, Samples, Tags, failed, unheld};
use crate::image::Colour;
use crate::image::exif_tags::{self, Entry};

const XMP: Tag = Tag::Unknown(700);
const INTEROP: Tag = Tag::Unknown(exif_tags::INTEROP);

/// Tag of the resolution's unit, and the tags of the resolution with it.
const UNIT: u16 = 0x0128;
const RESOLUTION: [u16; 3] = [0x011A, 0x011B, UNIT];

/// What the image library does not say of a file, or cannot read.
#[derive(Default)]
pub(in crate::image) struct Peek {
    /// The EXIF block that says what the file's directories say, if they say anything.
    pub exif: Option<Vec<u8>>,
    /// Whether opacity is multiplied into the colours.
    pub multiplied: bool,
    /// How the samples are to be read here instead.
    pub unusual: Option<Unusual>,
}

/// Samples that the image library does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image) enum Unusual {
    /// Floating point of any width, with one channel, three or four.
    Float(u8),
    /// Grey with opacity in so many bits.
    GreyAlpha(u8),
}

/// Looks into a file; nothing if it cannot be read.
pub(in crate::image) fn peek(reader: impl BufRead + Seek) -> Peek {
    // Sizes of single values are limited by default.
    let Ok(mut decoder) = Decoder::new(reader) else {
        return Peek::default();
    };
    let mut first = |tag| {
        let values = decoder.find_tag_unsigned_vec::<u16>(tag).ok().flatten();
        values.and_then(|v| v.first().copied())
    };
    let float = first(Tag::SampleFormat) == Some(3);
    let extra = first(Tag::ExtraSamples);
    let apart = first(Tag::PlanarConfiguration) == Some(2);
    let unusual = match decoder.colortype() {
        _ if apart => None,
        Ok(tiff::ColorType::Gray(_)) if float => Some(Unusual::Float(1)),
        Ok(tiff::ColorType::RGB(16 | 64)) if float => Some(Unusual::Float(3)),
        Ok(tiff::ColorType::RGBA(16 | 64)) if float => Some(Unusual::Float(4)),
        Ok(tiff::ColorType::Multiband {
            bit_depth: bits @ (8 | 16),
            num_samples: 2,
        }) if !float => Some(Unusual::GreyAlpha(bits)),
        _ => None,
    };
    Peek {
        exif: read_exif(&mut decoder),
        multiplied: extra == Some(1),
        unusual,
    }
}

/// Reads what [`peek`] found unusual.
pub(in crate::image) struct UnusualDecoder<R: BufRead + Seek> {
    decoder: Decoder<R>,
    kind: Unusual,
    size: (u32, u32),
}

impl<R: BufRead + Seek> UnusualDecoder<R> {
    /// A decoder that may take so many bytes for the pixels.
    pub fn new(reader: R, kind: Unusual, most_bytes: u64) -> ImageResult<Self> {
        let mut limits = Limits::default();
        limits.decoding_buffer_size = usize::try_from(most_bytes).unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        let mut decoder = Decoder::new(reader)
            .map_err(unreadable)?
            .with_limits(limits);
        let size = decoder.dimensions().map_err(unreadable)?;
        Ok(Self {
            decoder,
            kind,
            size,
        })
    }
}

impl<R: BufRead + Seek> ImageDecoder for UnusualDecoder<R> {
    fn dimensions(&self) -> (u32, u32) {
        self.size
    }

    /// Grey in floating point is given as three alike, for the library has no name for it.
    fn color_type(&self) -> image::ColorType {
        match self.kind {
            Unusual::Float(4) => image::ColorType::Rgba32F,
            Unusual::Float(_) => image::ColorType::Rgb32F,
            Unusual::GreyAlpha(8) => image::ColorType::La8,
            Unusual::GreyAlpha(_) => image::ColorType::La16,
        }
    }

    fn icc_profile(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.decoder.get_tag_u8_vec(Tag::IccProfile).ok())
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.decoder.get_tag_u8_vec(XMP).ok())
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let tag = self.decoder.find_tag_unsigned::<u8>(Tag::Orientation);
        let turned = tag.ok().flatten().and_then(Orientation::from_exif);
        Ok(turned.unwrap_or(Orientation::NoTransforms))
    }

    fn read_image(mut self, buffer: &mut [u8]) -> ImageResult<()> {
        let read = self.decoder.read_image().map_err(unreadable)?;
        let repeat = if self.kind == Unusual::Float(1) { 3 } else { 1 };
        let floats = |samples: Vec<f32>| -> Vec<u8> {
            let each = samples
                .into_iter()
                .flat_map(|v| std::iter::repeat_n(v, repeat));
            each.flat_map(f32::to_ne_bytes).collect()
        };
        let bytes = match read {
            DecodingResult::F32(v) => floats(v),
            DecodingResult::F16(v) => floats(v.iter().map(|v| v.to_f32()).collect()),
            DecodingResult::F64(v) => floats(v.iter().map(|&v| v as f32).collect()),
            DecodingResult::U8(v) => v,
            DecodingResult::U16(v) => v.iter().flat_map(|v| v.to_ne_bytes()).collect(),
            _ => Vec::new(),
        };
        if bytes.len() != buffer.len() {
            let error = tiff::TiffFormatError::InconsistentSizesEncountered;
            return Err(unreadable(TiffError::FormatError(error)));
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}

/// A decoder's error in the image library's terms.
fn unreadable(error: TiffError) -> ImageError {
    match error {
        TiffError::IoError(error) => ImageError::IoError(error),
        other => ImageError::Decoding(DecodingError::new(
            ImageFormatHint::Exact(ImageFormat::Tiff),
            other,
        )),
    }
}

/// The EXIF block that says what the file's directories say; none if that is nothing.
fn read_exif(decoder: &mut Decoder<impl BufRead + Seek>) -> Option<Vec<u8>> {
    let main = decoder.ifd_pointer()?;
    let inner = |decoder: &mut Decoder<_>, tag| {
        let at = decoder.find_tag_unsigned::<u64>(tag).ok().flatten()?;
        Some(IfdPointer(at))
    };
    let (exif, gps) = (
        inner(decoder, Tag::ExifDirectory),
        inner(decoder, Tag::GpsDirectory),
    );
    let mut tags = exif_tags::Tags {
        main: entries(decoder, Some(main)),
        exif: entries(decoder, exif),
        gps: entries(decoder, gps),
        interop: Vec::new(),
    };
    tags.main
        .retain(|e| exif_tags::Tags::is_about_the_photo(e.tag));
    // Without a unit, the resolution is but the shape of a pixel, which every file says.
    let none = |e: &Entry| e.tag == UNIT && e.value == 1u16.to_ne_bytes();
    if tags.main.iter().any(none) {
        tags.main.retain(|e| !RESOLUTION.contains(&e.tag));
    }
    let position = tags.exif.iter().position(|e| e.tag == exif_tags::INTEROP);
    if let Some(entry) = position.map(|i| tags.exif.remove(i))
        && let Some(Ok(at)) = entry.value.get(..4).map(<[u8; 4]>::try_from)
    {
        let at = IfdPointer(u32::from_ne_bytes(at).into());
        tags.interop = entries(decoder, Some(at));
    }
    (!tags.is_empty()).then(|| tags.to_block())
}

/// What can be read of a directory.
fn entries(decoder: &mut Decoder<impl BufRead + Seek>, at: Option<IfdPointer>) -> Vec<Entry> {
    let Some(Ok(directory)) = at.map(|at| decoder.read_directory(at)) else {
        return Vec::new();
    };
    let known: Vec<Tag> = directory.iter().map(|(tag, _)| tag).collect();
    let mut reader = decoder.read_directory_tags(&directory);
    let mut found = Vec::new();
    for tag in known {
        let mut value = ValueBuffer::empty(Type::BYTE);
        if let Ok(Some(_)) = reader.find_tag_buf(tag, &mut value) {
            value.set_byte_order(ByteOrder::native());
            found.push(Entry {
                tag: tag.to_u16(),
                kind: value.data_type().to_u16(),
                value: value.as_bytes().to_vec(),
            });
        }
    }
    found
}

/// Writes the file, uncompressed.
pub(in crate::image) fn write(
    pixels: &Pixels,
    tags: &Tags,
    writer: impl Write + Seek,
) -> ImageResult<()> {
    let done = match (&pixels.samples, pixels.layout.colour) {
        // What reads TIFF here knows no grey with opacity.
        (_, Colour::Grey) if pixels.layout.alpha => {
            return Err(unheld(ImageFormat::Tiff, pixels.layout));
        }
        (Samples::Eight(s), Colour::Grey) => encode::<Gray8>(pixels, s, tags, writer),
        (Samples::Eight(s), Colour::Rgb) => encode::<RGB8>(pixels, s, tags, writer),
        (Samples::Sixteen(s), Colour::Grey) => encode::<Gray16>(pixels, s, tags, writer),
        (Samples::Sixteen(s), Colour::Rgb) => encode::<RGB16>(pixels, s, tags, writer),
        (Samples::Float(s), Colour::Grey) => encode::<Gray32Float>(pixels, s, tags, writer),
        (Samples::Float(s), Colour::Rgb) => encode::<RGB32Float>(pixels, s, tags, writer),
    };
    done.map_err(|error| match error {
        TiffError::IoError(error) => error.into(),
        other => failed(ImageFormat::Tiff, other),
    })
}

fn encode<C: ColorType>(
    pixels: &Pixels,
    samples: &[C::Inner],
    tags: &Tags,
    writer: impl Write + Seek,
) -> TiffResult<()>
where
    [C::Inner]: TiffValue,
{
    let mut file = TiffEncoder::new(writer)?;
    let exif = tags.exif.as_deref().and_then(exif_tags::Tags::parse);
    let exif = exif.unwrap_or_default();
    let interop = directory(&mut file, &exif.interop, None)?;
    let inner = interop.map(|at| (INTEROP, at));
    let private = directory(&mut file, &exif.exif, inner)?;
    let gps = directory(&mut file, &exif.gps, None)?;

    let mut image: ImageEncoder<_, C, _> = file.new_image(pixels.width, pixels.height)?;
    if pixels.layout.alpha {
        image.extra_samples(&[ExtraSamples::UnassociatedAlpha])?;
    }
    let fields = image.encoder();
    put(fields, &exif.main)?;
    for (tag, at) in [(Tag::ExifDirectory, private), (Tag::GpsDirectory, gps)] {
        if let Some(at) = at {
            fields.write_tag(tag, at)?;
        }
    }
    if let Some(profile) = &tags.icc {
        let entry = fields.write_entry_bytes(Type::UNDEFINED, profile)?;
        fields.extend_from(&Directory::from_iter([(Tag::IccProfile, entry)]));
    }
    if let Some(packet) = &tags.xmp {
        fields.write_tag(XMP, packet.as_slice())?;
    }
    image.write_data(samples)
}

/// Writes a directory beside the picture's and returns its offset; none when it is empty.
fn directory<W: Write + Seek>(
    file: &mut TiffEncoder<W>,
    entries: &[Entry],
    inner: Option<(Tag, u32)>,
) -> TiffResult<Option<u32>> {
    if entries.is_empty() && inner.is_none() {
        return Ok(None);
    }
    let mut fields = file.extra_directory()?;
    put(&mut fields, entries)?;
    if let Some((tag, at)) = inner {
        fields.write_tag(tag, at)?;
    }
    Ok(Some(fields.finish_with_offsets()?.offset))
}

/// Copies entries into a directory.
fn put<W: Write + Seek, K: TiffKind>(
    fields: &mut DirectoryEncoder<'_, W, K>,
    entries: &[Entry],
) -> TiffResult<()> {
    for entry in entries {
        let Some(kind) = Type::from_u16(entry.kind) else {
            continue;
        };
        let written = fields.write_entry_bytes(kind, &entry.value)?;
        let tag = Tag::from_u16_exhaustive(entry.tag);
        fields.extend_from(&Directory::from_iter([(tag, written)]));
    }
    Ok(())
}
