//! From a [`Picture`] to a file that is either whole or not there.

use super::exif;
use super::rgb::{to_u8, to_u16};
use super::{BitDepth, Colour, ColourTransform, Format, ImageError, Picture};
use ::image::codecs::{
    bmp::BmpEncoder, jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder,
};
use ::image::{ExtendedColorType, ImageEncoder};
use std::borrow::Cow;
use std::fs::{File, Permissions};
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

/// How to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// The format; none means the one that the file name's extension stands for.
    pub format: Option<Format>,
    /// JPEG quality as libjpeg counts it, 1 to 100 (chroma is never
    /// subsampled). Other formats are lossless.
    pub quality: u8,
}

impl Default for SaveOptions {
    /// Format by extension, JPEG quality 95.
    fn default() -> Self {
        Self {
            format: None,
            quality: 95,
        }
    }
}

impl Picture {
    /// Saves the picture: written to a temporary file in the same folder,
    /// forced to the disk, then renamed, so that the file is never half
    /// written. An existing file is replaced and keeps its permissions.
    ///
    /// Samples are clipped to [0, 1] and rounded to the picture's depth where
    /// the format has it (PNG, TIFF), else to 8 bits. JPEG has no alpha: the
    /// picture is laid on white. Profile and EXIF are written where the format
    /// holds them (not BMP; TIFF without EXIF); EXIF sizes are set and its preview,
    /// now out of date, is left out. Where the profile cannot be written the colours
    /// are converted to sRGB, which files without a profile are taken for.
    ///
    /// # Errors
    /// [`ImageError::Unsupported`] for an unknown extension or a format that
    /// cannot be written, [`ImageError::Encode`] if the format cannot hold the
    /// picture (JPEG: sides up to 65535, WebP: 16384), [`ImageError::Io`].
    pub fn save(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<(), ImageError> {
        let path = path.as_ref();
        let format = match options.format.or_else(|| Format::from_path(path)) {
            Some(format) if format.can_write() => format,
            Some(format) => return Err(unsupported(path, format!("writing {format}"))),
            None => return Err(unsupported(path, "this file name extension".into())),
        };
        write_atomically(path, |file| {
            let mut writer = BufWriter::new(file);
            self.encode(format, options.quality, &mut writer)
                .map_err(|e| encode_error(path, e))?;
            writer
                .flush()
                .map_err(|e| ImageError::io(path, "write the file", e))
        })
    }

    /// Encodes the picture in memory; see [`Picture::save`] for what is kept.
    ///
    /// # Errors
    /// [`ImageError::Unsupported`], [`ImageError::Encode`].
    pub fn to_encoded(&self, format: Format, quality: u8) -> Result<Vec<u8>, ImageError> {
        let name = Path::new("(memory)");
        if !format.can_write() {
            return Err(unsupported(name, format!("writing {format}")));
        }
        let mut out = std::io::Cursor::new(Vec::new());
        self.encode(format, quality, &mut out)
            .map_err(|e| encode_error(name, e))?;
        Ok(out.into_inner())
    }

    fn encode<W: Write + Seek>(
        &self,
        format: Format,
        quality: u8,
        writer: W,
    ) -> ::image::ImageResult<()> {
        match format {
            Format::Png => self.write(format, PngEncoder::new(writer)),
            Format::Jpeg => self.write(
                format,
                JpegEncoder::new_with_quality(writer, quality.clamp(1, 100)),
            ),
            Format::WebP => self.write(format, WebPEncoder::new_lossless(writer)),
            Format::Tiff => self.write(format, TiffEncoder::new(writer)),
            Format::Bmp | Format::Gif => {
                let mut writer = writer;
                self.write(format, BmpEncoder::new(&mut writer))
            }
        }
    }

    fn write(&self, format: Format, mut encoder: impl ImageEncoder) -> ::image::ImageResult<()> {
        let side = |v: usize| u32::try_from(v).unwrap_or(u32::MAX);
        let (width, height) = (side(self.width), side(self.height));
        let layout = self.layout(format);
        if let Some(profile) = &self.metadata.icc {
            if !format.holds_profile(profile) || !fits(profile, layout.colour) {
                return self.in_srgb().write(format, encoder);
            }
            encoder
                .set_icc_profile(profile.clone())
                .map_err(::image::ImageError::Unsupported)?;
        }
        if let Some(block) = &self.metadata.exif {
            // A JPEG segment holds 64 KiB less its header.
            if format != Format::Jpeg || block.len() <= 65_000 {
                let _ = encoder.set_exif_metadata(exif::for_size(block, width, height));
            }
        }
        match layout.depth {
            BitDepth::Eight => encoder.write_image(
                &self.interleaved(layout, to_u8),
                width,
                height,
                layout.library(),
            ),
            BitDepth::Sixteen => {
                let samples = self.interleaved(layout, to_u16);
                encoder.write_image(
                    bytemuck::cast_slice(&samples),
                    width,
                    height,
                    layout.library(),
                )
            }
        }
    }

    /// The picture in sRGB, without a profile.
    fn in_srgb(&self) -> Self {
        let colours = ColourTransform::of(self);
        let mut picture = match colours.is_srgb() {
            true => self.clone(),
            false => self.with_pixels(&colours.seen(self)),
        };
        picture.metadata.icc = None;
        picture
    }

    fn layout(&self, format: Format) -> Layout {
        let alpha = self.alpha.is_some() && format.holds_alpha();
        // These encoders know no grey with alpha.
        let widen = alpha && matches!(format, Format::Tiff | Format::Bmp);
        Layout {
            colour: if widen { Colour::Rgb } else { self.colour },
            alpha,
            depth: if format.holds_16_bits() {
                self.depth
            } else {
                BitDepth::Eight
            },
        }
    }

    /// The samples as the encoder wants them.
    fn interleaved<T>(&self, layout: Layout, quantise: impl Fn(f32) -> T) -> Vec<T> {
        let channels = self.colour.channels();
        let repeat = layout.colour.channels() / channels;
        let samples: Cow<[f32]> = match &self.alpha {
            Some(plane) if !layout.alpha => {
                let on_white = |(p, &a): (&[f32], &f32)| {
                    p.iter().map(|&v| v * a + (1.0 - a)).collect::<Vec<_>>()
                };
                self.samples
                    .chunks_exact(channels)
                    .zip(plane)
                    .flat_map(on_white)
                    .collect()
            }
            _ => Cow::Borrowed(&self.samples),
        };
        let mut out = Vec::with_capacity(self.width * self.height * (layout.colour.channels() + 1));
        for (i, pixel) in samples.chunks_exact(channels).enumerate() {
            for &v in pixel {
                (0..repeat).for_each(|_| out.push(quantise(v)));
            }
            if let Some(plane) = self.alpha.as_ref().filter(|_| layout.alpha) {
                out.push(quantise(plane[i]));
            }
        }
        out
    }
}

/// What is written of each pixel.
#[derive(Clone, Copy)]
struct Layout {
    colour: Colour,
    alpha: bool,
    depth: BitDepth,
}

impl Layout {
    fn library(self) -> ExtendedColorType {
        use ExtendedColorType as T;
        match (self.colour, self.alpha, self.depth) {
            (Colour::Grey, false, BitDepth::Eight) => T::L8,
            (Colour::Grey, true, BitDepth::Eight) => T::La8,
            (Colour::Rgb, false, BitDepth::Eight) => T::Rgb8,
            (Colour::Rgb, true, BitDepth::Eight) => T::Rgba8,
            (Colour::Grey, false, BitDepth::Sixteen) => T::L16,
            (Colour::Grey, true, BitDepth::Sixteen) => T::La16,
            (Colour::Rgb, false, BitDepth::Sixteen) => T::Rgb16,
            (Colour::Rgb, true, BitDepth::Sixteen) => T::Rgba16,
        }
    }
}

/// Whether a profile's colour space (ICC.1:2022, header bytes 16 to 19) is the
/// one of the samples; another would be refused or misread.
fn fits(profile: &[u8], colour: Colour) -> bool {
    let space: &[u8] = match colour {
        Colour::Grey => b"GRAY",
        Colour::Rgb => b"RGB ",
    };
    profile.get(16..20) == Some(space)
}

fn unsupported(path: &Path, what: String) -> ImageError {
    ImageError::Unsupported {
        path: path.to_owned(),
        what,
        remedy: "name the output .png, .jpg, .webp, .tif or .bmp, or give the format".into(),
    }
}

fn encode_error(path: &Path, error: ::image::ImageError) -> ImageError {
    match error {
        ::image::ImageError::IoError(source) => ImageError::io(path, "write the file", source),
        other => ImageError::Encode {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}

/// Runs `fill` on a temporary file beside `path`, forces it to the disk and
/// renames it to `path`. On any error the temporary file is removed and `path`
/// is as it was.
fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".serpent-").suffix(".tmp");
    let permissions = std::fs::metadata(path)
        .ok()
        .map(|m| m.permissions())
        .or_else(usual_permissions);
    if let Some(permissions) = permissions.clone().filter(|p| !p.readonly()) {
        builder.permissions(permissions);
    }
    let mut temporary = builder
        .tempfile_in(folder)
        .map_err(|e| ImageError::io(path, "create a file in this folder", e))?;
    fill(temporary.as_file_mut())?;
    temporary
        .as_file()
        .sync_all()
        .map_err(|e| ImageError::io(path, "write the file", e))?;
    temporary
        .persist(path)
        .map_err(|e| ImageError::io(path, "put the finished file in place", e.error))?;
    // Makes the rename itself durable; folders cannot be opened everywhere.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Temporary files are private by default; a saved picture is like any new file.
#[cfg(unix)]
fn usual_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666)) // less the user's mask
}

#[cfg(not(unix))]
fn usual_permissions() -> Option<Permissions> {
    None
}
