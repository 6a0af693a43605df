//! From a file to a [`Picture`].

use super::containers::tiff::read_exif;
use super::{BitDepth, Colour, Format, ImageError, Metadata, Picture};
use super::{exif, jpeg_end, xmp};
use ::image::codecs::tiff::TiffDecoder;
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageReader};
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What a file may ask for before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Width times height at most. Checked on the header, before any pixel
    /// memory is reserved. A picture takes 12 bytes a pixel once open.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 400 megapixels.
    fn default() -> Self {
        Self {
            max_pixels: 400_000_000,
        }
    }
}

/// What a file's header says, without decoding the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Width in pixels, once upright.
    pub width: u32,
    /// Height in pixels, once upright.
    pub height: u32,
    /// The format by content.
    pub format: Format,
}

impl Picture {
    /// Opens a picture file with the default [`Limits`].
    ///
    /// The format is found from the content, not the name. The EXIF orientation
    /// is applied to the pixels and reset in the carried block. Palettes become
    /// colour, CMYK becomes RGB (its profile is then dropped), of an animation
    /// the first frame is taken, floating-point samples are clipped to [0, 1].
    ///
    /// # Errors
    /// Any [`ImageError`] but [`ImageError::Encode`] and [`ImageError::Samples`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageError> {
        Self::open_with(path, &Limits::default())
    }

    /// Opens a picture file; see [`Picture::open`].
    ///
    /// # Errors
    /// As [`Picture::open`]; [`ImageError::TooLarge`] beyond the limits.
    pub fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let (file, format) = sniff(path)?;
        guarded(path, || match format {
            Format::Jpeg => {
                let bytes = read_all(path, file)?;
                let decoded = decode(path, Cursor::new(&bytes), format, limits);
                match decoded {
                    Err(e @ (ImageError::TooLarge { .. } | ImageError::Unsupported { .. })) => {
                        Err(e)
                    }
                    _ if !jpeg_end::is_complete(&bytes) => Err(ImageError::Truncated {
                        path: path.to_owned(),
                        reason: "there is no end-of-image marker".into(),
                    }),
                    other => other,
                }
            }
            Format::WebP => {
                let bytes = read_all(path, file)?;
                let decoded = decode(path, Cursor::new(&bytes), format, limits);
                decoded.map_err(|e| match e {
                    ImageError::Decode { path, reason } if riff_is_cut(&bytes) => {
                        ImageError::Truncated { path, reason }
                    }
                    other => other,
                })
            }
            _ => decode(path, BufReader::new(file), format, limits),
        })
    }

    /// Reads width, height and format from a file's header.
    ///
    /// # Errors
    /// As [`Picture::open`], but damage beyond the header goes unnoticed and no
    /// size is too large.
    pub fn probe(path: impl AsRef<Path>) -> Result<Probe, ImageError> {
        let path = path.as_ref();
        let (file, format) = sniff(path)?;
        guarded(path, || {
            let mut decoder = decoder(
                path,
                BufReader::new(file),
                format,
                &Limits {
                    max_pixels: u64::MAX,
                },
            )?;
            let (width, height) = decoder.dimensions();
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            let (width, height) = if turns(orientation) {
                (height, width)
            } else {
                (width, height)
            };
            Ok(Probe {
                width,
                height,
                format,
            })
        })
    }
}

fn turns(orientation: Orientation) -> bool {
    use Orientation as O;
    matches!(
        orientation,
        O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH
    )
}

/// Decoders may panic on hostile files; that is damage like any other.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(ImageError::Decode {
            path: path.to_owned(),
            reason: "the decoder gave up".into(),
        })
    })
}

fn read_all(path: &Path, mut file: File) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|e| ImageError::io(path, "read the file", e))?;
    Ok(bytes)
}

/// Opens the file and finds its format by content.
fn sniff(path: &Path) -> Result<(File, Format), ImageError> {
    let mut file = File::open(path).map_err(|e| ImageError::io(path, "open the file", e))?;
    let mut head = Vec::with_capacity(64);
    let read = (&mut file).take(64).read_to_end(&mut head);
    read.map_err(|e| ImageError::io(path, "read the file", e))?;
    file.seek(SeekFrom::Start(0))
        .map_err(|e| ImageError::io(path, "read the file", e))?;
    if head.is_empty() {
        return Err(ImageError::Empty {
            path: path.to_owned(),
        });
    }
    let unsupported = |what: &str| ImageError::Unsupported {
        path: path.to_owned(),
        what: format!("a picture in {what} format"),
        remedy: "save it as PNG, TIFF or JPEG first".into(),
    };
    if let Some(name) = foreign(&head) {
        return Err(unsupported(name));
    }
    let Ok(guess) = ::image::guess_format(&head) else {
        let text = std::str::from_utf8(&head[..head.len().min(32)])
            .is_ok_and(|s| s.chars().all(|c| !c.is_control() || c.is_whitespace()));
        let hint = if text { ", it looks like text" } else { "" };
        return Err(ImageError::NotAnImage {
            path: path.to_owned(),
            hint,
        });
    };
    let Some(format) = Format::from_library(guess) else {
        return Err(unsupported(
            guess.extensions_str().first().unwrap_or(&"this"),
        ));
    };
    if format == Format::Tiff && is_raw_name(path) {
        // It would open, but as the small preview inside.
        return Err(unsupported("camera raw"));
    }
    Ok((file, format))
}

/// Whether a RIFF container (WebP) announces more bytes than there are.
fn riff_is_cut(bytes: &[u8]) -> bool {
    let announced = bytes
        .get(4..8)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_le_bytes);
    announced.is_none_or(|size| bytes.len() < size as usize + 8)
}

/// Common formats that the library's own sniffing does not name.
fn foreign(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8) == Some(b"ftyp") {
        return Some("HEIF or AVIF");
    }
    let jxl: [&[u8]; 2] = [&[0xFF, 0x0A], b"\0\0\0\x0CJXL "];
    if jxl.iter().any(|magic| head.starts_with(magic)) {
        return Some("JPEG XL");
    }
    head.starts_with(b"8BPS").then_some("Photoshop")
}

/// Raw files of many cameras are TIFF inside.
fn is_raw_name(path: &Path) -> bool {
    const RAW: [&str; 10] = [
        "dng", "nef", "nrw", "cr2", "arw", "sr2", "pef", "srw", "3fr", "iiq",
    ];
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| RAW.iter().any(|r| r.eq_ignore_ascii_case(e)))
}

fn decoder<'a, R: BufRead + Seek + 'a>(
    path: &Path,
    reader: R,
    format: Format,
    limits: &Limits,
) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    let in_words = |e| ImageError::from_decoder(path, e);
    if format == Format::Tiff {
        // Once limits are set, this decoder refuses a profile that is large
        // beside the picture; its own limits are sound for the metadata.
        return Ok(Box::new(TiffDecoder::new(reader).map_err(in_words)?));
    }
    let mut reader = ImageReader::with_format(reader, format.to_library());
    reader.limits(memory_limits(limits));
    Ok(Box::new(reader.into_decoder().map_err(in_words)?))
}

fn memory_limits(limits: &Limits) -> ::image::Limits {
    let mut memory = ::image::Limits::no_limits();
    // The widest samples are 16 bytes a pixel; the rest is for tables and metadata.
    memory.max_alloc = Some(
        limits
            .max_pixels
            .saturating_mul(16)
            .saturating_add(64 << 20),
    );
    memory
}

fn decode<'a, R: BufRead + Seek + 'a>(
    path: &Path,
    mut reader: R,
    format: Format,
    limits: &Limits,
) -> Result<Picture, ImageError> {
    let mut tiff_exif = None;
    if format == Format::Tiff {
        tiff_exif = read_exif(&mut reader);
        let back = reader.rewind();
        back.map_err(|e| ImageError::io(path, "read the file", e))?;
    }
    let mut decoder = decoder(path, reader, format, limits)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(ImageError::too_large(
            path,
            width,
            height,
            limits.max_pixels,
        ));
    }
    // Unreadable metadata is no reason to refuse the pixels.
    let mut metadata = Metadata {
        icc: decoder
            .icc_profile()
            .ok()
            .flatten()
            .filter(|p| !p.is_empty()),
        exif: decoder
            .exif_metadata()
            .ok()
            .flatten()
            .filter(|b| !b.is_empty())
            .map(exif::strip_prefix)
            .or(tiff_exif),
        xmp: decoder
            .xmp_metadata()
            .ok()
            .flatten()
            .filter(|p| !p.is_empty()),
    };
    let turned = exif::take_orientation(&mut metadata);
    if turned.is_some()
        && let Some(packet) = &mut metadata.xmp
    {
        *packet = xmp::upright(packet);
    }
    let orientation = turned
        .or_else(|| decoder.orientation().ok())
        .unwrap_or(Orientation::NoTransforms);
    decoder
        .set_limits(memory_limits(limits))
        .map_err(|e| ImageError::from_decoder(path, e))?;
    let mut image =
        DynamicImage::from_decoder(decoder).map_err(|e| ImageError::from_decoder(path, e))?;
    image.apply_orientation(orientation);
    let mut picture = from_library(path, image)?;
    if format == Format::Gif
        && picture
            .alpha
            .as_ref()
            .is_some_and(|a| a.iter().all(|&v| v == 1.0))
    {
        picture.alpha = None; // the decoder gives every GIF an alpha plane
    }
    if metadata.icc.as_deref().and_then(|p| p.get(16..20)) == Some(b"CMYK") {
        metadata.icc = None;
    }
    picture.metadata = metadata;
    Ok(picture)
}

fn from_library(path: &Path, image: DynamicImage) -> Result<Picture, ImageError> {
    use BitDepth::{Eight, Sixteen};
    use Colour::{Grey, Rgb};
    use DynamicImage as D;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let byte = |v: u8| f32::from(v) / 255.0;
    let word = |v: u16| f32::from(v) / 65535.0;
    let float = |v: f32| if v.is_nan() { 0.0 } else { v.clamp(0.0, 1.0) };
    let (colour, depth, (samples, alpha)) = match image {
        D::ImageLuma8(i) => (Grey, Eight, split(i.as_raw(), 1, false, byte)),
        D::ImageLumaA8(i) => (Grey, Eight, split(i.as_raw(), 1, true, byte)),
        D::ImageRgb8(i) => (Rgb, Eight, split(i.as_raw(), 3, false, byte)),
        D::ImageRgba8(i) => (Rgb, Eight, split(i.as_raw(), 3, true, byte)),
        D::ImageLuma16(i) => (Grey, Sixteen, split(i.as_raw(), 1, false, word)),
        D::ImageLumaA16(i) => (Grey, Sixteen, split(i.as_raw(), 1, true, word)),
        D::ImageRgb16(i) => (Rgb, Sixteen, split(i.as_raw(), 3, false, word)),
        D::ImageRgba16(i) => (Rgb, Sixteen, split(i.as_raw(), 3, true, word)),
        D::ImageRgb32F(i) => (Rgb, Sixteen, split(i.as_raw(), 3, false, float)),
        D::ImageRgba32F(i) => (Rgb, Sixteen, split(i.as_raw(), 3, true, float)),
        other => {
            return Err(ImageError::Unsupported {
                path: path.to_owned(),
                what: format!("a picture with {:?} samples", other.color()),
                remedy: "save it as an 8 or 16 bit PNG first".into(),
            });
        }
    };
    Ok(Picture {
        width,
        height,
        colour,
        samples,
        alpha,
        depth,
        metadata: Metadata::default(),
    })
}

/// Takes interleaved samples apart into colour and alpha.
fn split<T: Copy>(
    raw: &[T],
    channels: usize,
    has_alpha: bool,
    to_f32: impl Fn(T) -> f32 + Copy,
) -> (Vec<f32>, Option<Vec<f32>>) {
    if !has_alpha {
        return (raw.iter().map(|&v| to_f32(v)).collect(), None);
    }
    let pixels = raw.chunks_exact(channels + 1);
    let mut samples = Vec::with_capacity(pixels.len() * channels);
    let mut alpha = Vec::with_capacity(pixels.len());
    for pixel in pixels {
        samples.extend(pixel[..channels].iter().map(|&v| to_f32(v)));
        alpha.push(to_f32(pixel[channels]));
    }
    (samples, Some(alpha))
}
