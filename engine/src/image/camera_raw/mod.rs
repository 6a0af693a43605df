//! Raw files of cameras, read and developed by rawler: black and white levels, demosaicing, the
//! camera's white balance, its matrix to sRGB, the crop it recommends, sRGB's curve; before that what a
//! DNG asks to be done to its values ([`opcodes`]), which the library leaves out.
//!
//! Nothing is done to please: no tone curve, no sharpening, no denoising. That is what the networks
//! are for.
//!
//! The library makes room for as many values as a tag announces, in a damaged file more than there
//! is memory, and that ends a process. So the program reads raw files in processes of their own
//! ([`process`]), which is simpler than to look through all tags before the library does, and the
//! only way that also holds for makers' own notes. Who uses the engine as a library and names no
//! program has files read in the process that asks, unguarded.

mod file;
mod opcodes;
pub mod process;

use std::io::Read;
use std::path::Path;

use ::image::error::{DecodingError, ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder, ImageError, ImageResult};
use serde::{Deserialize, Serialize};

use file::RawFile;
use process::Process;

/// What a file says of the picture, before it is developed.
#[derive(Deserialize, Serialize)]
struct Told {
    /// Of what it is developed to; of the whole sensor where that has too many pixels.
    width: u32,
    height: u32,
    /// One sample a pixel instead of three; of 16 bits both.
    grey: bool,
    /// As in EXIF.
    orientation: u16,
    /// What the camera noted, as a block of its own.
    exif: Option<Vec<u8>>,
    xmp: Option<Vec<u8>>,
}

/// Why a file is not read.
#[derive(Debug, Deserialize, Serialize)]
enum Refused {
    Damaged(String),
    Unsupported(String),
    /// Nothing is known of the file.
    NotRead(String),
}

impl From<Refused> for ImageError {
    fn from(refused: Refused) -> Self {
        let hint = ImageFormatHint::Name("camera raw".into());
        match refused {
            Refused::Damaged(reason) => Self::Decoding(DecodingError::new(hint, reason)),
            Refused::Unsupported(what) => {
                let kind = UnsupportedErrorKind::GenericFeature(what);
                Self::Unsupported(UnsupportedError::from_format_and_kind(hint, kind))
            }
            Refused::NotRead(reason) => Self::IoError(std::io::Error::other(reason)),
        }
    }
}

/// A file's reader.
pub(super) struct RawDecoder {
    told: Told,
    from: Source,
}

enum Source {
    Here(Box<RawFile>),
    Process(Process),
}

impl RawDecoder {
    /// Reads what the file says. Of a picture of more pixels than `most_pixels` that is its size.
    pub fn new(path: &Path, mut reader: impl Read, most_pixels: u64) -> ImageResult<Self> {
        if let Some(program) = process::program() {
            let (process, told) = Process::start(program, path, most_pixels)?;
            let from = Source::Process(process);
            return Ok(Self { told, from });
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let file = RawFile::open(bytes, most_pixels, |_| ())?;
        Ok(Self {
            told: file.told()?,
            from: Source::Here(Box::new(file)),
        })
    }
}

impl ImageDecoder for RawDecoder {
    fn dimensions(&self) -> (u32, u32) {
        (self.told.width, self.told.height)
    }

    fn color_type(&self) -> ColorType {
        match self.told.grey {
            true => ColorType::L16,
            false => ColorType::Rgb16,
        }
    }

    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.told.exif.take())
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.told.xmp.take())
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let known = u8::try_from(self.told.orientation).ok();
        let known = known.and_then(Orientation::from_exif);
        Ok(known.unwrap_or(Orientation::NoTransforms))
    }

    fn read_image(self, buffer: &mut [u8]) -> ImageResult<()> {
        match self.from {
            Source::Here(file) => buffer.copy_from_slice(file.developed(&self.told)?.as_bytes()),
            Source::Process(process) => process.pixels(buffer)?,
        }
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}
