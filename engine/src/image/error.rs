//! What can go wrong with a picture file.

use super::Format;
use std::path::{Path, PathBuf};

/// A failure to open, decode, encode or save a picture. Each message names the
/// file, what is wrong with it and what can be done.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The content is not a picture in any format known here, whatever the
    /// file is called.
    #[error(
        "{path}: this is not a picture file (its content is no known picture format{hint}); give a {} file",
        Format::listed(Format::name)
    )]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What the content looks like instead, starting with a comma, or nothing.
        hint: &'static str,
    },
    /// The file has no bytes.
    #[error("{path}: the file is empty (0 bytes); copy or download it again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file stops before the picture is complete.
    #[error("{path}: the file ends before the picture does ({reason}); copy or download it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The content is damaged: it contradicts its own format.
    #[error(
        "{path}: the picture data is damaged ({reason}); open and save it again in another program, or use another copy"
    )]
    Decode {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// The header announces more pixels than the limit allows. Found before any
    /// pixel memory is reserved.
    #[error(
        "{path}: the picture is too large ({width}x{height} is {megapixels} megapixels, the limit is {limit_megapixels}); scale it down, or raise the pixel limit"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// Width times height in millions, rounded up.
        megapixels: u64,
        /// The limit in millions of pixels.
        limit_megapixels: u64,
    },
    /// A picture, but of a kind that this program does not read or write.
    #[error("{path}: {what} is not supported; {remedy}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The format or feature.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// The operating system refused to read or write.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb ("open the file").
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The picture could not be written in the chosen format.
    #[error(
        "{path}: cannot write the picture ({reason}); choose another format, PNG or TIFF hold the most"
    )]
    Encode {
        /// The file that was to be written; it was not touched.
        path: PathBuf,
        /// What the encoder said.
        reason: String,
    },
    /// Samples handed over in memory do not fit the dimensions given with them.
    #[error(
        "a {width}x{height} picture with {channels} channels needs {expected} samples, but {got} were given"
    )]
    Samples {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Samples a pixel.
        channels: usize,
        /// width * height * channels.
        expected: usize,
        /// The length of the slice.
        got: usize,
    },
}

impl ImageError {
    pub(super) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    pub(super) fn too_large(path: &Path, width: u32, height: u32, max_pixels: u64) -> Self {
        Self::TooLarge {
            path: path.to_owned(),
            width,
            height,
            megapixels: (u64::from(width) * u64::from(height)).div_ceil(1_000_000),
            limit_megapixels: max_pixels / 1_000_000,
        }
    }

    /// Sorts a decoder's error by what the user can do about it.
    pub(super) fn from_decoder(path: &Path, error: ::image::ImageError) -> Self {
        use ::image::ImageError as Lib;
        let path = path.to_owned();
        match error {
            Lib::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Self::Truncated {
                path,
                reason: e.to_string(),
            },
            Lib::IoError(source) => Self::Io {
                path,
                action: "read the file",
                source,
            },
            Lib::Unsupported(e) => Self::Unsupported {
                path,
                what: format!("this kind of picture ({})", one_line(&e)),
                remedy: "save it as an 8 or 16 bit PNG or TIFF first".into(),
            },
            Lib::Limits(e) => Self::Unsupported {
                path,
                what: format!("a picture that needs this much memory to decode ({e})"),
                remedy: "save it again as a plain PNG, or raise the pixel limit".into(),
            },
            other => {
                let reason = one_line(&other);
                // Decoders report a short file in words of their own.
                let lower = reason.to_lowercase();
                let short = [
                    "unexpected eof",
                    "unexpected end",
                    "end of file",
                    "premature",
                    "failed to fill",
                    "exhausted",
                ];
                if ends_early(&other) || short.iter().any(|s| lower.contains(s)) {
                    Self::Truncated { path, reason }
                } else {
                    Self::Decode { path, reason }
                }
            }
        }
    }
}

/// A library's message without line breaks: one failure, one line.
fn one_line(error: &impl std::fmt::Display) -> String {
    error
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether an unexpected end of file is among the causes of an error.
fn ends_early(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(e) = cause {
        if let Some(io) = e.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        cause = e.source();
    }
    false
}
