//! TIFF: profile and XMP as fields of the picture's directory, EXIF as fields of this and of
//! directories of their own.

use std::io::{BufRead, Seek, Write};

use ::image::{ImageFormat, ImageResult};
use tiff::decoder::Decoder;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16};
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

/// The EXIF block that says what the file's directories say; none if that is nothing.
pub(in crate::image) fn read_exif(reader: impl BufRead + Seek) -> Option<Vec<u8>> {
    // Sizes of single values are limited by default.
    let mut decoder = Decoder::new(reader).ok()?;
    let main = decoder.ifd_pointer()?;
    let inner = |decoder: &mut Decoder<_>, tag| {
        let at = decoder.find_tag_unsigned::<u64>(tag).ok().flatten()?;
        Some(IfdPointer(at))
    };
    let (exif, gps) = (
        inner(&mut decoder, Tag::ExifDirectory),
        inner(&mut decoder, Tag::GpsDirectory),
    );
    let mut tags = exif_tags::Tags {
        main: entries(&mut decoder, Some(main)),
        exif: entries(&mut decoder, exif),
        gps: entries(&mut decoder, gps),
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
        tags.interop = entries(&mut decoder, Some(at));
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
