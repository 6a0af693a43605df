//! The file formats read and written.

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
    /// TIFF: 8 and 16 bit, alpha, lossless.
    Tiff,
    /// Windows bitmap: 8 bit, alpha, no metadata.
    Bmp,
    /// GIF: read only, first frame.
    Gif,
}

impl Format {
    /// All formats, the best keepers of a photograph first.
    pub const ALL: [Self; 6] = [
        Self::Png,
        Self::Tiff,
        Self::Jpeg,
        Self::WebP,
        Self::Bmp,
        Self::Gif,
    ];

    /// The format that a file name extension (without the dot, any case) stands for.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "png" | "apng" => Self::Png,
            "jpg" | "jpeg" | "jpe" | "jfif" => Self::Jpeg,
            "webp" => Self::WebP,
            "tif" | "tiff" => Self::Tiff,
            "bmp" | "dib" => Self::Bmp,
            "gif" => Self::Gif,
            _ => return None,
        })
    }

    /// The format that a path's extension stands for.
    pub fn from_path(path: &Path) -> Option<Self> {
        Self::from_extension(path.extension()?.to_str()?)
    }

    /// The usual extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Tiff => "tif",
            Self::Bmp => "bmp",
            Self::Gif => "gif",
        }
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
        }
    }

    /// Whether pictures can be saved in this format.
    pub fn can_write(self) -> bool {
        self != Self::Gif
    }

    /// Whether 16-bit samples survive in this format.
    pub fn holds_16_bits(self) -> bool {
        matches!(self, Self::Png | Self::Tiff)
    }

    /// Whether an alpha channel survives in this format.
    pub fn holds_alpha(self) -> bool {
        self != Self::Jpeg
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
            Self::Bmp | Self::Gif => false,
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
            _ => return None,
        })
    }

    pub(super) fn to_library(self) -> ::image::ImageFormat {
        use ::image::ImageFormat as Lib;
        match self {
            Self::Png => Lib::Png,
            Self::Jpeg => Lib::Jpeg,
            Self::WebP => Lib::WebP,
            Self::Tiff => Lib::Tiff,
            Self::Bmp => Lib::Bmp,
            Self::Gif => Lib::Gif,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
