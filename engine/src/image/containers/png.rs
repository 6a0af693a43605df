//! PNG: profile in iCCP, EXIF in eXIf, XMP as international text.

use std::borrow::Cow;
use std::io::Write;

use ::image::{ImageFormat, ImageResult};
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter, Info};

use super::{Pixels, Samples, Tags, failed, unheld};
use crate::image::Colour;

/// The keyword under which XMP stands (XMP specification, part 3).
const XMP: &str = "XML:com.adobe.xmp";

/// Writes the file.
pub(in crate::image) fn write(pixels: &Pixels, tags: &Tags, writer: impl Write) -> ImageResult<()> {
    if matches!(pixels.samples, Samples::Float(_)) {
        return Err(unheld(ImageFormat::Png, pixels.layout));
    }
    encode(pixels, tags, writer).map_err(|error| match error {
        EncodingError::IoError(error) => error.into(),
        other => failed(ImageFormat::Png, other),
    })
}

fn encode(pixels: &Pixels, tags: &Tags, writer: impl Write) -> Result<(), EncodingError> {
    let mut info = Info::with_size(pixels.width, pixels.height);
    info.icc_profile = tags.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = tags.exif.as_deref().map(Cow::Borrowed);
    let mut encoder = Encoder::with_info(writer, info)?;
    encoder.set_color(match (pixels.layout.colour, pixels.layout.alpha) {
        (Colour::Grey, false) => ColorType::Grayscale,
        (Colour::Grey, true) => ColorType::GrayscaleAlpha,
        (Colour::Rgb, false) => ColorType::Rgb,
        (Colour::Rgb, true) => ColorType::Rgba,
    });
    encoder.set_compression(Compression::Fast);
    encoder.set_filter(Filter::Adaptive);
    if let Some(packet) = tags
        .xmp
        .as_deref()
        .and_then(|x| std::str::from_utf8(x).ok())
    {
        encoder.add_itxt_chunk(XMP.to_owned(), packet.to_owned())?;
    }
    match &pixels.samples {
        Samples::Eight(bytes) => {
            encoder.set_depth(BitDepth::Eight);
            encoder.write_header()?.write_image_data(bytes)
        }
        Samples::Sixteen(words) => {
            encoder.set_depth(BitDepth::Sixteen);
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
            encoder.write_header()?.write_image_data(&bytes)
        }
        Samples::Float(_) => Ok(()), // refused above
    }
}
