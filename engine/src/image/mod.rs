//! Pictures: decode with limits, colour, metadata, encode, atomic save.
//!
//! A [`Picture`] is what a photograph file holds, as 32-bit samples: it knows
//! its colour kind, alpha, source bit depth and metadata, so that what is
//! saved is the same kind of file as what was opened. An [`Rgb32`] is what the
//! network, the degradations and the metrics work on.

mod alpha;
#[cfg(feature = "avif")]
mod avif;
#[cfg(feature = "raw")]
mod camera_raw;
mod cmyk;
mod colours;
mod containers;
mod decode;
mod encode;
mod error;
mod exif;
mod exif_tags;
mod format;
mod jpeg_end;
mod losses;
mod picture;
pub mod resize;
mod rgb;
mod xmp;

#[cfg(test)]
mod tests;

#[cfg(feature = "raw")]
pub use camera_raw::process as raw_process;
pub use colours::ColourTransform;
pub use decode::{Limits, Probe};
pub use encode::SaveOptions;
pub use error::ImageError;
pub use format::Format;
pub use picture::{BitDepth, Colour, Light, Metadata, Picture};
pub use rgb::{Rgb, Rgb32};
