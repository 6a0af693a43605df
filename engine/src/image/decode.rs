//! From a file to a [`Picture`].

#[cfg(feature = "avif")]
use super::avif::AvifDecoder;
#[cfg(feature = "raw")]
use super::camera_raw::RawDecoder;
use super::cmyk::{self, InkDecoder};
use super::containers::light::divide_by_opacity;
use super::containers::tiff::{Peek, Unusual, UnusualDecoder, peek};
use super::{BitDepth, Colour, Format, ImageError, Light, Metadata, Picture};
use super::{exif, jpeg_end, xmp};
use ::image::codecs::tiff::TiffDecoder;
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageReader};
use jxl_oxide::integration::JxlDecoder;
use jxl_oxide::{AuxBoxData, JxlImage};
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
    /// colour, CMYK becomes RGB (in a JPEG by its profile, which is then dropped),
    /// of an animation the first frame is taken. Floating-point samples count light
    /// unless a profile says otherwise. JPEG XL always has a profile; AVIF has one where
    /// its own words say other colours than sRGB's.
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
                let reader = Cursor::new(&bytes);
                let decoded = decode(path, reader, Some(&bytes), format, limits);
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
                let decoded = decode(path, Cursor::new(&bytes), None, format, limits);
                decoded.map_err(|e| match e {
                    ImageError::Decode { path, reason } if riff_is_cut(&bytes) => {
                        ImageError::Truncated { path, reason }
                    }
                    other => other,
                })
            }
            Format::Jxl => {
                let bytes = read_all(path, file)?;
                let decoded = decode(path, Cursor::new(&bytes), None, format, limits)?;
                // The decoder makes do with the part of a frame that there is.
                match JxlImage::builder().read(&bytes[..]) {
                    Ok(image) if image.is_loading_done() => Ok(decoded.with_boxes(&image)),
                    _ => Err(ImageError::Truncated {
                        path: path.to_owned(),
                        reason: "its last frame is not whole".into(),
                    }),
                }
            }
            _ => decode(path, BufReader::new(file), None, format, limits),
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
            let mut reader = BufReader::new(file);
            let known = looked_into(path, &mut reader, format)?;
            let limits = Limits {
                max_pixels: u64::MAX,
            };
            let mut decoder = decoder(path, reader, format, known.unusual, &limits)?;
            let (width, height) = decoder.dimensions();
            let orientation = match format {
                Format::Jxl => Orientation::NoTransforms,
                // AVIF's and raw files' decoders look at the container, not at EXIF.
                _ => decoder.orientation().unwrap_or(Orientation::NoTransforms),
            };
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
    match in_boxes(&head) {
        Some(Family::Avif) if Format::Avif.can_read() => return Ok((file, Format::Avif)),
        Some(Family::Avif) => return Err(unsupported("AVIF")),
        Some(Family::Heif) => return Err(unsupported("HEIF")),
        Some(Family::Raw) => return raw(path, file),
        Some(Family::Film) => {
            return Err(ImageError::NotAnImage {
                path: path.to_owned(),
                hint: ", it looks like a film",
            });
        }
        None => {}
    }
    if RAW_HEADS.iter().any(|magic| head.starts_with(magic)) || head.get(6..14) == Some(b"HEAPCCDR")
    {
        return raw(path, file);
    }
    if head.starts_with(b"8BPS") {
        return Err(unsupported("Photoshop"));
    }
    // The bare codestream, or the container (ISO/IEC 18181-2).
    let jxl: [&[u8]; 2] = [&[0xFF, 0x0A], b"\0\0\0\x0CJXL "];
    if jxl.iter().any(|magic| head.starts_with(magic)) {
        return Ok((file, Format::Jxl));
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
        return raw(path, file);
    }
    Ok((file, format))
}

/// A camera's raw file, where this build reads them.
fn raw(path: &Path, file: File) -> Result<(File, Format), ImageError> {
    const REMEDY: &str = "save it as TIFF in the camera's program first, \
        or build this one with `--features raw`";
    if Format::Raw.can_read() {
        return Ok((file, Format::Raw));
    }
    Err(ImageError::Unsupported {
        path: path.to_owned(),
        what: "a camera's raw file".into(),
        remedy: REMEDY.into(),
    })
}

/// Whether a RIFF container (WebP) announces more bytes than there are.
fn riff_is_cut(bytes: &[u8]) -> bool {
    let announced = bytes
        .get(4..8)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_le_bytes);
    announced.is_none_or(|size| bytes.len() < size as usize + 8)
}

/// What a file made of boxes (ISO/IEC 14496-12) holds.
enum Family {
    Avif,
    Heif,
    /// Canon's newer raw files.
    Raw,
    Film,
}

/// The family that a file made of boxes says it belongs to; nothing for other files.
fn in_boxes(head: &[u8]) -> Option<Family> {
    if head.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let length = head.get(..4).and_then(|b| b.try_into().ok());
    let length = u32::from_be_bytes(length.unwrap_or_default()) as usize;
    let named = head.get(8..length.min(head.len())).unwrap_or_default();
    let is = |names: &[&[u8; 4]]| named.as_chunks().0.iter().any(|b| names.contains(&b));
    Some(if is(&[b"avif", b"avis"]) {
        Family::Avif
    } else if is(&[b"crx "]) {
        Family::Raw
    } else if is(&[
        b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc",
    ]) {
        Family::Heif
    } else {
        Family::Film
    })
}

/// How the raw files begin that are no TIFF: of Fujifilm, Olympus, Panasonic and Minolta. Canon's
/// old ones say so later.
const RAW_HEADS: [&[u8]; 6] = [
    b"FUJIFILMCCD-RAW",
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
    b"\0MRM",
];

/// Raw files of many cameras are TIFF inside.
fn is_raw_name(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| {
        Format::Raw
            .extensions()
            .iter()
            .any(|r| r.eq_ignore_ascii_case(e))
    })
}

/// What only TIFF's own reader says.
fn looked_into<R: BufRead + Seek>(
    path: &Path,
    reader: &mut R,
    format: Format,
) -> Result<Peek, ImageError> {
    if format != Format::Tiff {
        return Ok(Peek::default());
    }
    let found = peek(&mut *reader);
    let back = reader.rewind();
    back.map_err(|e| ImageError::io(path, "read the file", e))?;
    Ok(found)
}

fn decoder<'a, R: BufRead + Seek + 'a>(
    path: &Path,
    reader: R,
    format: Format,
    unusual: Option<Unusual>,
    limits: &Limits,
) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    let in_words = |e| ImageError::from_decoder(path, e);
    if let Some(kind) = unusual {
        let most = limits.max_pixels.saturating_mul(16);
        let decoder = UnusualDecoder::new(reader, kind, most).map_err(in_words)?;
        return Ok(Box::new(decoder));
    }
    if format == Format::Tiff {
        // Once limits are set, this decoder refuses a profile that is large
        // beside the picture; its own limits are sound for the metadata.
        return Ok(Box::new(TiffDecoder::new(reader).map_err(in_words)?));
    }
    #[cfg(feature = "avif")]
    if format == Format::Avif {
        let decoder = AvifDecoder::new(reader, limits.max_pixels).map_err(in_words)?;
        return Ok(Box::new(decoder));
    }
    #[cfg(feature = "raw")]
    if format == Format::Raw {
        let decoder = RawDecoder::new(path, reader, limits.max_pixels).map_err(in_words)?;
        return Ok(Box::new(decoder));
    }
    let Some(library) = format.to_library() else {
        return Ok(Box::new(JxlDecoder::new(reader).map_err(in_words)?));
    };
    let mut reader = ImageReader::with_format(reader, library);
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
    bytes: Option<&'a [u8]>,
    format: Format,
    limits: &Limits,
) -> Result<Picture, ImageError> {
    let known = looked_into(path, &mut reader, format)?;
    let mut decoder = decoder(path, reader, format, known.unusual, limits)?;
    if let Some(bytes) = bytes.filter(|b| format == Format::Jpeg && cmyk::is_in_inks(b)) {
        let usual = decoder;
        decoder = Box::new(InkDecoder { usual, bytes });
    }
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
            .or(known.exif),
        xmp: decoder
            .xmp_metadata()
            .ok()
            .flatten()
            .filter(|p| !p.is_empty()),
    };
    let turned = exif::take_orientation(&mut metadata);
    if (turned.is_some() || matches!(format, Format::Avif | Format::Raw))
        && let Some(packet) = &mut metadata.xmp
    {
        *packet = xmp::upright(packet);
    }
    let orientation = match format {
        // The codestream says how it lies, and its decoder has turned it.
        Format::Jxl => Orientation::NoTransforms,
        // The container says how it lies.
        Format::Avif | Format::Raw => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        _ => turned
            .or_else(|| decoder.orientation().ok())
            .unwrap_or(Orientation::NoTransforms),
    };
    decoder
        .set_limits(memory_limits(limits))
        .map_err(|e| ImageError::from_decoder(path, e))?;
    let mut image =
        DynamicImage::from_decoder(decoder).map_err(|e| ImageError::from_decoder(path, e))?;
    image.apply_orientation(orientation);
    if (format == Format::Exr || known.multiplied)
        && let DynamicImage::ImageRgba32F(image) = &mut image
    {
        divide_by_opacity(image);
    }
    let mut picture = from_library(path, image)?;
    if known.multiplied && picture.depth != BitDepth::Float {
        picture.divide_by_opacity();
    }
    if known.unusual == Some(Unusual::Float(1)) {
        picture = picture.one_of_three();
    }
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
    if picture.depth == BitDepth::Float && metadata.icc.is_none() {
        picture.light = Light::Linear;
    }
    picture.metadata = metadata;
    Ok(picture)
}

impl Picture {
    /// With what stands in a JPEG XL file's own boxes, which its decoder reads too late to tell.
    fn with_boxes(mut self, image: &JxlImage) -> Self {
        let boxes = image.aux_boxes();
        if let Ok(AuxBoxData::Data(block)) = boxes.first_exif() {
            self.metadata.exif = Some(exif::strip_prefix(block.payload().to_vec()));
            exif::take_orientation(&mut self.metadata);
        }
        if let AuxBoxData::Data(packet) = boxes.first_xml() {
            self.metadata.xmp = Some(xmp::upright(packet));
        }
        self
    }

    /// Takes the opacity out of colours that it is multiplied into.
    fn divide_by_opacity(&mut self) {
        let channels = self.colour.channels();
        let pixels = self.samples.chunks_exact_mut(channels);
        for (pixel, &a) in pixels.zip(self.alpha.iter().flatten()) {
            if a > 0.0 {
                pixel.iter_mut().for_each(|v| *v = (*v / a).min(1.0));
            }
        }
    }

    /// The grey that was given as three samples alike.
    fn one_of_three(mut self) -> Self {
        self.samples = self.samples.into_iter().step_by(3).collect();
        self.colour = Colour::Grey;
        self
    }
}

fn from_library(path: &Path, image: DynamicImage) -> Result<Picture, ImageError> {
    use BitDepth::{Eight, Float, Sixteen};
    use Colour::{Grey, Rgb};
    use DynamicImage as D;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let byte = |v: u8| f32::from(v) / 255.0;
    let word = |v: u16| f32::from(v) / 65535.0;
    // Light has no bound, but sums of a few samples must stay numbers.
    let float = |v: f32| {
        if v.is_nan() {
            0.0
        } else {
            v.clamp(-1e30, 1e30)
        }
    };
    let (colour, depth, (samples, alpha)) = match image {
        D::ImageLuma8(i) => (Grey, Eight, split(i.as_raw(), 1, false, byte)),
        D::ImageLumaA8(i) => (Grey, Eight, split(i.as_raw(), 1, true, byte)),
        D::ImageRgb8(i) => (Rgb, Eight, split(i.as_raw(), 3, false, byte)),
        D::ImageRgba8(i) => (Rgb, Eight, split(i.as_raw(), 3, true, byte)),
        D::ImageLuma16(i) => (Grey, Sixteen, split(i.as_raw(), 1, false, word)),
        D::ImageLumaA16(i) => (Grey, Sixteen, split(i.as_raw(), 1, true, word)),
        D::ImageRgb16(i) => (Rgb, Sixteen, split(i.as_raw(), 3, false, word)),
        D::ImageRgba16(i) => (Rgb, Sixteen, split(i.as_raw(), 3, true, word)),
        D::ImageRgb32F(i) => (Rgb, Float, split(i.as_raw(), 3, false, float)),
        D::ImageRgba32F(i) => (Rgb, Float, split(i.as_raw(), 3, true, float)),
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
        light: Light::Display,
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
