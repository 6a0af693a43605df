//! The file formats read and written.

use super::BitDepth;
use std::path::Path;

/// A picture file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// PNG: 8 and 16 bit, alpha, lossless.
    Png,
    /// JPEG: 8 bit, no alpha, lossy.
    Jpeg,
    /// WebP: 8 bit, alpha; written losslessly.
    WebP,
    /// TIFF: 8 and 16 bit and floating point, alpha, lossless.
    Tiff,
    /// Windows bitmap: 8 bit, alpha, no metadata.
    Bmp,
    /// GIF: read only, first frame.
    Gif,
    /// OpenEXR: light in floating point, alpha, no metadata.
    Exr,
    /// Radiance HDR: light with a common exponent, no alpha, no metadata.
    Hdr,
    /// JPEG XL: read only, first frame.
    Jxl,
    /// AVIF: read only, first frame; not read at all without the feature `avif`.
    Avif,
    /// A camera's raw file: read only, developed; not read at all without the feature `raw`.
    Raw,
}

impl Format {
    /// All formats, the best keepers of a photograph first.
    pub const ALL: [Self; 11] = [
        Self::Png,
        Self::Tiff,
        Self::Jpeg,
        Self::WebP,
        Self::Bmp,
        Self::Gif,
        Self::Exr,
        Self::Hdr,
        Self::Jxl,
        Self::Avif,
        Self::Raw,
    ];

    /// The formats that pictures can be saved in, the best keepers of a photograph first.
    pub const WRITABLE: [Self; 7] = [
        Self::Png,
        Self::Tiff,
        Self::Jpeg,
        Self::WebP,
        Self::Bmp,
        Self::Exr,
        Self::Hdr,
    ];

    /// The formats that this build reads.
    pub fn readable() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|f| f.can_read())
    }

    /// The format that a file name extension (without the dot, any case) stands for, of those
    /// that this build reads.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let stands = |f: &Self| {
            let mut known = f.extensions().iter();
            known.any(|e| e.eq_ignore_ascii_case(extension))
        };
        Self::readable().find(stands)
    }

    /// The format that a path's extension stands for.
    pub fn from_path(path: &Path) -> Option<Self> {
        Self::from_extension(path.extension()?.to_str()?)
    }

    /// The extensions that stand for it, without the dot, the usual one first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png", "apng"],
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::WebP => &["webp"],
            Self::Tiff => &["tif", "tiff"],
            Self::Bmp => &["bmp", "dib"],
            Self::Gif => &["gif"],
            Self::Exr => &["exr"],
            Self::Hdr => &["hdr", "pic"],
            Self::Jxl => &["jxl"],
            Self::Avif => &["avif"],
            Self::Raw => &[
                "dng", "nef", "nrw", "cr2", "cr3", "crw", "arw", "srf", "sr2", "pef", "srw", "raf",
                "orf", "rw2", "rwl", "mrw", "3fr", "fff", "iiq", "erf", "mef", "mos", "dcr", "kdc",
                "gpr",
            ],
        }
    }

    /// What `word` says of each format that this build reads, as a sentence lists it.
    pub fn listed(word: impl Fn(Self) -> &'static str) -> String {
        let mut words: Vec<_> = Self::readable().map(word).collect();
        let last = words.pop().unwrap_or_default();
        format!("{} or {last}", words.join(", "))
    }

    /// The usual extension, without the dot.
    pub fn extension(self) -> &'static str {
        self.extensions().first().copied().unwrap_or_default()
    }

    /// The format's name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
            Self::Exr => "OpenEXR",
            Self::Hdr => "Radiance HDR",
            Self::Jxl => "JPEG XL",
            Self::Avif => "AVIF",
            Self::Raw => "camera raw",
        }
    }

    /// Whether this build opens pictures in this format.
    pub fn can_read(self) -> bool {
        (cfg!(feature = "avif") || self != Self::Avif)
            && (cfg!(feature = "raw") || self != Self::Raw)
    }

    /// Whether pictures can be saved in this format.
    pub fn can_write(self) -> bool {
        Self::WRITABLE.contains(&self)
    }

    /// The depth in which samples of this depth are written.
    pub fn depth_for(self, depth: BitDepth) -> BitDepth {
        match self {
            Self::Tiff => depth,
            Self::Exr | Self::Hdr => BitDepth::Float,
            Self::Png if depth == BitDepth::Float => BitDepth::Sixteen,
            Self::Png => depth,
            Self::Jpeg
            | Self::WebP
            | Self::Bmp
            | Self::Gif
            | Self::Jxl
            | Self::Avif
            | Self::Raw => BitDepth::Eight,
        }
    }

    /// Whether samples of this depth count light in this format, if no profile says otherwise.
    pub fn holds_light(self, depth: BitDepth) -> bool {
        match self {
            Self::Exr | Self::Hdr => true,
            Self::Tiff => depth == BitDepth::Float,
            _ => false,
        }
    }

    /// Whether an alpha channel survives in this format.
    pub fn holds_alpha(self) -> bool {
        !matches!(self, Self::Jpeg | Self::Hdr)
    }

    /// Whether EXIF and XMP can stand in the file.
    pub(super) fn holds_tags(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::WebP | Self::Tiff)
    }

    /// Whether this colour profile can stand in the file. WebP has no grey of its own, so that
    /// a profile of grey would contradict what is read back.
    pub(super) fn holds_profile(self, profile: &[u8]) -> bool {
        /// A JPEG has segments for it of 64 KiB less two lengths and a name, 254 with this encoder.
        const JPEG_PROFILE: usize = 254 * 65_519;
        match self {
            Self::Png | Self::Tiff => true,
            Self::WebP => profile.get(16..20) != Some(b"GRAY"),
            Self::Jpeg => profile.len() <= JPEG_PROFILE,
            Self::Bmp | Self::Gif | Self::Exr | Self::Hdr | Self::Jxl | Self::Avif | Self::Raw => {
                false
            }
        }
    }

    pub(super) fn from_library(format: ::image::ImageFormat) -> Option<Self> {
        use ::image::ImageFormat as Lib;
        Some(match format {
            Lib::Png => Self::Png,
            Lib::Jpeg => Self::Jpeg,
            Lib::WebP => Self::WebP,
            Lib::Tiff => Self::Tiff,
            Lib::Bmp => Self::Bmp,
            Lib::Gif => Self::Gif,
            Lib::OpenExr => Self::Exr,
            Lib::Hdr => Self::Hdr,
            _ => return None,
        })
    }

    /// The image library's name for it; none for what it does not read.
    pub(super) fn to_library(self) -> Option<::image::ImageFormat> {
        use ::image::ImageFormat as Lib;
        Some(match self {
            Self::Png => Lib::Png,
            Self::Jpeg => Lib::Jpeg,
            Self::WebP => Lib::WebP,
            Self::Tiff => Lib::Tiff,
            Self::Bmp => Lib::Bmp,
            Self::Gif => Lib::Gif,
            Self::Exr => Lib::OpenExr,
            Self::Hdr => Lib::Hdr,
            Self::Jxl | Self::Avif | Self::Raw => return None,
        })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
