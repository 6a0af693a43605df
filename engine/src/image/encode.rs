//! From a [`Picture`] to a file that is either whole or not there.

use super::colours::to_light;
use super::containers::{self, Layout, Pixels, Samples, Tags};
use super::rgb::{to_u8, to_u16};
use super::{BitDepth, Colour, ColourTransform, Format, ImageError, Light, Metadata, Picture};
use super::{exif, xmp};
use crate::files::write_whole_or;
use std::borrow::Cow;
use std::fs::File;
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
    /// Leaves out where the picture was taken, in EXIF and in XMP.
    pub strip_gps: bool,
}

impl Default for SaveOptions {
    /// Format by extension, JPEG quality 95.
    fn default() -> Self {
        Self {
            format: None,
            quality: 95,
            strip_gps: false,
        }
    }
}

impl Picture {
    /// Saves the picture: written to a temporary file in the same folder,
    /// forced to the disk, then renamed, so that the file is never half
    /// written. An existing file is replaced and keeps its permissions.
    ///
    /// Samples are clipped to [0, 1] and rounded to the picture's depth where
    /// the format has it (PNG, TIFF), else to 8 bits; floating point stays in TIFF,
    /// OpenEXR and Radiance HDR and becomes 16 bits in PNG. These three hold light,
    /// and display steps are turned into it; the others hold display steps, and light
    /// is turned into them, cut off at white. JPEG and HDR have no alpha: the picture
    /// is laid on white. Profile, EXIF and XMP are written where the format
    /// holds them (not BMP; JPEG up to 64 KiB of each); the sizes in them are set and
    /// their previews, now out of date, are left out. Where the profile cannot be
    /// written the colours are converted to sRGB, which files without a profile are
    /// taken for.
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
            self.encode(format, options, &mut writer)
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
        let options = SaveOptions {
            quality,
            ..SaveOptions::default()
        };
        let mut out = std::io::Cursor::new(Vec::new());
        self.encode(format, &options, &mut out)
            .map_err(|e| encode_error(name, e))?;
        Ok(out.into_inner())
    }

    fn encode<W: Write + Seek>(
        &self,
        format: Format,
        options: &SaveOptions,
        mut writer: W,
    ) -> ::image::ImageResult<()> {
        let layout = self.layout(format);
        // What a file counts is known by its kind alone, where no profile says it.
        let told = format == Format::Tiff && self.metadata.icc.is_some();
        let light = format.holds_light(layout.depth) && !told;
        if light && self.light == Light::Display {
            return self.in_light().encode(format, options, writer);
        }
        if !light && self.light == Light::Linear {
            return self.in_srgb().encode(format, options, writer);
        }
        let unfit = |p: &Vec<u8>| !format.holds_profile(p) || !fits(p, layout.colour);
        if self.metadata.icc.as_ref().is_some_and(unfit) {
            return self.in_srgb().encode(format, options, writer);
        }
        let pixels = self.pixels(layout);
        let tags = self.tags(format, &pixels, options.strip_gps);
        match format {
            Format::Png => containers::png::write(&pixels, &tags, writer),
            Format::Jpeg => {
                let quality = options.quality.clamp(1, 100);
                containers::jpeg::write(&pixels, &tags, quality, writer)
            }
            Format::WebP => containers::webp::write(&pixels, &tags, writer),
            Format::Tiff => containers::tiff::write(&pixels, &tags, writer),
            Format::Exr => containers::light::exr(&pixels, writer),
            Format::Hdr => containers::light::hdr(&pixels, writer),
            Format::Bmp | Format::Gif | Format::Jxl | Format::Avif | Format::Raw => {
                containers::bmp(&pixels, &mut writer)
            }
        }
    }

    /// Profile, EXIF and XMP as they go into the file.
    fn tags(&self, format: Format, pixels: &Pixels, strip_gps: bool) -> Tags {
        let Metadata { icc, exif, xmp } = &self.metadata;
        let (width, height) = (pixels.width, pixels.height);
        let exif = exif.as_ref().and_then(|block| match strip_gps {
            true => exif::without_gps(block),
            false => Some(block.clone()),
        });
        let xmp = xmp.as_ref().and_then(|packet| match strip_gps {
            true => xmp::without_gps(packet),
            false => Some(packet.clone()),
        });
        let jpeg = format == Format::Jpeg;
        Tags {
            icc: icc.clone(),
            exif: exif
                .map(|block| exif::for_size(&block, width, height))
                .filter(|block| !jpeg || containers::jpeg::holds_exif(block)),
            xmp: xmp
                .map(|packet| xmp::for_size(&packet, width, height))
                .filter(|packet| !jpeg || containers::jpeg::holds_xmp(packet)),
        }
    }

    /// The picture as a network and a screen see it: in sRGB, without a profile. A profile that
    /// cannot be used is left out, too: the samples are taken as sRGB. Light becomes steps of sRGB's
    /// curve, cut off at white.
    pub fn in_srgb(&self) -> Self {
        let colours = ColourTransform::of(self);
        let mut picture = match colours.is_srgb() {
            true => self.clone(),
            false => self.with_pixels(colours.seen(self)),
        };
        picture.metadata.icc = None;
        picture.light = Light::Display;
        picture
    }

    /// The picture's light, without a profile.
    fn in_light(&self) -> Self {
        let mut rgb = ColourTransform::of(self).seen(self);
        to_light(rgb.samples_mut());
        let mut picture = self.with_pixels(rgb);
        picture.metadata.icc = None;
        picture.light = Light::Linear;
        picture
    }

    fn layout(&self, format: Format) -> Layout {
        let alpha = self.alpha.is_some() && format.holds_alpha();
        // These encoders know no grey with alpha, those of light no grey at all.
        let widen = match format {
            Format::Tiff | Format::Bmp => alpha,
            Format::Exr | Format::Hdr => true,
            _ => false,
        };
        Layout {
            colour: if widen { Colour::Rgb } else { self.colour },
            alpha,
            depth: format.depth_for(self.depth),
        }
    }

    /// What goes into the file.
    fn pixels(&self, layout: Layout) -> Pixels {
        let side = |v: usize| u32::try_from(v).unwrap_or(u32::MAX);
        Pixels {
            width: side(self.width),
            height: side(self.height),
            layout,
            samples: match layout.depth {
                BitDepth::Eight => Samples::Eight(self.interleaved(layout, to_u8)),
                BitDepth::Sixteen => Samples::Sixteen(self.interleaved(layout, to_u16)),
                BitDepth::Float => Samples::Float(self.interleaved(layout, |v| v)),
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
        remedy: "name the output .png, .jpg, .webp, .tif, .bmp, .exr or .hdr, or give the format"
            .into(),
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

/// [`write_whole_or`] with errors that name the file.
fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut File) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    write_whole_or(path, fill, |what, e| ImageError::io(path, what, e))
}
