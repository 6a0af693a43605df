//! AVIF: pictures in AV1 (AV1 Image File Format, version 1.2), in a container of boxes (ISO/IEC
//! 23008-12).
//!
//! The container is read by `zenavif-parse`, AV1 by `re_rav1d`; what the planes say as colours is
//! worked out here, in 32 bits. A picture whose curve reaches beyond a display's white (PQ, HLG)
//! counts light.

mod cicp;
mod convert;
mod frame;
mod parts;

use std::io::{self, Read};

use ::image::error::{
    DecodingError, ImageFormatHint, LimitError, LimitErrorKind, UnsupportedError,
    UnsupportedErrorKind,
};
use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageResult};
use zenavif_parse::{AV1Metadata, AvifParser, ColorInformation, DecodeConfig, Error, Unstoppable};

use cicp::Cicp;
use convert::{Converter, Window};
use frame::Planes;
use parts::Grid;

/// Where chroma stands that has fewer samples across: left, not in the middle (AV1, 6.4.2).
const LEFT: u8 = 1;
/// The same, and at the top.
const TOP_LEFT: u8 = 2;

/// A file's reader. The pixels are decoded no sooner than somebody asks what only they tell.
pub(super) struct AvifDecoder {
    file: AvifParser<'static>,
    /// What AV1 says of the picture, or of its first part.
    header: AV1Metadata,
    grid: Option<Grid>,
    /// Pixels of the whole picture, of which `window` is shown.
    area: u64,
    window: Window,
    has_alpha: bool,
    most_pixels: u64,
    planes: Option<Planes>,
}

impl AvifDecoder {
    /// Reads the container. No picture of more pixels than `most_pixels` will be decoded.
    pub fn new(mut reader: impl Read, most_pixels: u64) -> ImageResult<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        if is_cut(&bytes) {
            let reason = "a box is longer than the file";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason).into());
        }
        // Some programs name the family first and AVIF second; the parser looks at the first.
        if bytes
            .get(8..12)
            .is_some_and(|b| b != b"avif" && b != b"avis")
        {
            bytes[8..12].copy_from_slice(b"avif");
        }
        let config = DecodeConfig::unlimited()
            .with_max_grid_tiles(parts::MOST)
            .lenient(true);
        let file =
            AvifParser::from_owned_with_config(bytes, &config, &Unstoppable).map_err(unparsed)?;
        let grid = match file.grid_config() {
            Some(_) => Some(Grid::read(&file)?),
            None => None,
        };
        let first = match grid {
            Some(_) => file.tile_data(0).map_err(unparsed)?.into_owned(),
            None => picture_data(&file)?,
        };
        let header = AV1Metadata::parse_av1_bitstream(&first).map_err(unparsed)?;
        let part = (header.max_frame_width.get(), header.max_frame_height.get());
        let whole = match &grid {
            Some(grid) => grid.size(part)?,
            None => part,
        };
        let window = file
            .clean_aperture()
            .and_then(|a| Window::of_aperture(a, whole))
            .unwrap_or(Window::whole(whole));
        let has_alpha = alpha_data(&file).is_some();
        if has_alpha && grid.is_some() {
            return Err(unsupported("opacity of a picture in parts"));
        }
        Ok(Self {
            file,
            header,
            grid,
            area: u64::from(whole.0) * u64::from(whole.1),
            window,
            has_alpha,
            most_pixels,
            planes: None,
        })
    }

    /// The colour planes, decoded once.
    fn planes(&mut self) -> ImageResult<&Planes> {
        if self.area > self.most_pixels {
            return Err(ImageError::Limits(LimitError::from_kind(
                LimitErrorKind::DimensionError,
            )));
        }
        let planes = match self.planes.take() {
            Some(planes) => planes,
            None => match &self.grid {
                Some(grid) => grid.decode(&self.file, self.most_pixels)?,
                None => frame::decode(picture_data(&self.file)?, self.most_pixels)?,
            },
        };
        Ok(self.planes.insert(planes))
    }

    /// What the numbers of the planes mean: as the container says, else as AV1 does.
    fn cicp(&self) -> Cicp {
        match (self.file.color_info(), &self.planes) {
            (Some(ColorInformation::Nclx { .. }), _) | (_, None) => self.told().unwrap_or_default(),
            (_, Some(planes)) => planes.cicp,
        }
    }

    fn told(&self) -> Option<Cicp> {
        match self.file.color_info()? {
            &ColorInformation::Nclx {
                color_primaries,
                transfer_characteristics,
                matrix_coefficients,
                full_range,
            } => {
                let code = |v: u16| u8::try_from(v).unwrap_or_default();
                Some(Cicp {
                    primaries: code(color_primaries),
                    transfer: code(transfer_characteristics),
                    matrix: code(matrix_coefficients),
                    full_range,
                })
            }
            ColorInformation::IccProfile(_) => None,
        }
    }

    fn embedded_profile(&self) -> Option<&[u8]> {
        match self.file.color_info()? {
            ColorInformation::IccProfile(profile) => Some(profile),
            ColorInformation::Nclx { .. } => None,
        }
    }

    /// Whether samples count light.
    fn is_light(&self) -> bool {
        self.embedded_profile().is_none() && self.cicp().is_light()
    }
}

impl ImageDecoder for AvifDecoder {
    fn dimensions(&self) -> (u32, u32) {
        (self.window.width, self.window.height)
    }

    fn color_type(&self) -> ColorType {
        let deep = self.header.bit_depth > 8;
        match (self.header.monochrome, self.has_alpha) {
            (_, false) if self.is_light() => ColorType::Rgb32F,
            (_, true) if self.is_light() => ColorType::Rgba32F,
            (true, false) if deep => ColorType::L16,
            (true, true) if deep => ColorType::La16,
            (true, false) => ColorType::L8,
            (true, true) => ColorType::La8,
            (false, false) if deep => ColorType::Rgb16,
            (false, true) if deep => ColorType::Rgba16,
            (false, false) => ColorType::Rgb8,
            (false, true) => ColorType::Rgba8,
        }
    }

    /// The profile in the file, else one that says what the code points say, if that is not sRGB.
    fn icc_profile(&mut self) -> ImageResult<Option<Vec<u8>>> {
        if let Some(profile) = self.embedded_profile() {
            return Ok(Some(profile.to_vec()));
        }
        if self.told().is_none() {
            self.planes()?;
        }
        Ok(self.cicp().profile(self.header.monochrome))
    }

    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let block = self.file.exif().transpose().map_err(unparsed)?;
        Ok(block.map(std::borrow::Cow::into_owned))
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let packet = self.file.xmp().transpose().map_err(unparsed)?;
        Ok(packet.map(std::borrow::Cow::into_owned))
    }

    /// The container's, which counts; EXIF's is for the record only (ISO/IEC 23008-12, 6.5.10).
    fn orientation(&mut self) -> ImageResult<Orientation> {
        use Orientation as O;
        let anticlockwise = self.file.rotation().map_or(0, |r| r.angle);
        // Turned first, then mirrored.
        let top_to_bottom = self.file.mirror().map(|m| m.axis == 0);
        Ok(match (anticlockwise, top_to_bottom) {
            (90, None) => O::Rotate270,
            (180, None) => O::Rotate180,
            (270, None) => O::Rotate90,
            (_, None) => O::NoTransforms,
            (90, Some(true)) | (270, Some(false)) => O::Rotate90FlipH,
            (90, Some(false)) | (270, Some(true)) => O::Rotate270FlipH,
            (180, Some(true)) | (0, Some(false)) => O::FlipHorizontal,
            (_, Some(_)) => O::FlipVertical,
        })
    }

    fn read_image(mut self, buffer: &mut [u8]) -> ImageResult<()> {
        self.planes()?;
        let cicp = self.cicp();
        let kind = self.color_type();
        let most = self.most_pixels;
        let Some(planes) = self.planes.take() else {
            return Err(damaged("it has no pixels"));
        };
        let announced = (self.header.bit_depth, self.header.monochrome);
        if announced != (planes.bits, planes.is_grey()) {
            return Err(damaged("its pixels are not of the kind announced"));
        }
        let alpha = match alpha_data(&self.file) {
            Some(data) => Some(frame::decode(data?, most)?),
            None => None,
        };
        let position = self.file.av1_config().map(|c| c.chroma_sample_position);
        let converter = Converter {
            light: self.is_light().then(|| cicp.light()),
            matrix: cicp.matrix().ok_or_else(|| {
                unsupported(&format!("colours by matrix {} of H.273", cicp.matrix))
            })?,
            full_range: cicp.full_range,
            left: matches!(position, Some(LEFT | TOP_LEFT)),
            top: position == Some(TOP_LEFT),
            multiplied: self.file.premultiplied_alpha(),
            window: self.window,
            planes: &planes,
            alpha: alpha.as_ref(),
        };
        converter.write(kind, buffer)
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}

/// The picture's AV1 data; of a film without a still picture, its first frame's.
fn picture_data(file: &AvifParser<'_>) -> ImageResult<Vec<u8>> {
    match file.primary_data() {
        Ok(data) if !data.is_empty() || file.animation_info().is_none() => Ok(data.into_owned()),
        Err(error) if file.animation_info().is_none() => Err(unparsed(error)),
        _ => Ok(file.frame(0).map_err(unparsed)?.data.into_owned()),
    }
}

/// The AV1 data of the opacity, if there is any.
fn alpha_data(file: &AvifParser<'_>) -> Option<ImageResult<Vec<u8>>> {
    let still = file.primary_data().is_ok_and(|data| !data.is_empty());
    if still || file.animation_info().is_none() {
        let data = file.alpha_data()?;
        return Some(data.map(std::borrow::Cow::into_owned).map_err(unparsed));
    }
    match file.frame(0) {
        Ok(frame) => Some(Ok(frame.alpha_data?.into_owned())),
        Err(error) => Some(Err(unparsed(error))),
    }
}

/// Whether an outermost box announces more bytes than there are.
fn is_cut(bytes: &[u8]) -> bool {
    let mut at = 0usize;
    while at < bytes.len() {
        let number = |from: usize, length: usize| {
            let part = bytes.get(at.checked_add(from)?..)?.get(..length)?;
            Some(part.iter().fold(0u64, |n, &b| n << 8 | u64::from(b)))
        };
        let size = match number(0, 4) {
            // To the end of the file.
            Some(0) => return false,
            Some(1) => number(8, 8),
            small => small,
        };
        let end = size.and_then(|s| usize::try_from(s).ok());
        match end.and_then(|s| at.checked_add(s)) {
            Some(end) if end > at && end <= bytes.len() => at = end,
            _ => return true,
        }
    }
    false
}

/// The parser's error in the image library's terms.
fn unparsed(error: Error) -> ImageError {
    match error {
        Error::Unsupported(what) => unsupported(what),
        Error::UnexpectedEOF => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
        Error::Io(error) => error.into(),
        other => damaged(&other.to_string()),
    }
}

fn hint() -> ImageFormatHint {
    ImageFormatHint::Exact(ImageFormat::Avif)
}

fn damaged(reason: &str) -> ImageError {
    ImageError::Decoding(DecodingError::new(hint(), reason))
}

fn unsupported(what: &str) -> ImageError {
    let kind = UnsupportedErrorKind::GenericFeature(what.to_owned());
    ImageError::Unsupported(UnsupportedError::from_format_and_kind(hint(), kind))
}
