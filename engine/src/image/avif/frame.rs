//! AV1 data decoded to planes.

use ::image::ImageResult;
use re_rav1d::{Decoder, Error, PixelLayout, PlanarImageComponent, Settings};

use super::cicp::Cicp;
use super::{damaged, unsupported};

/// A plane's samples, row by row without gaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<u16>,
}

/// A decoded picture: luma, and the two planes of chroma unless it is grey.
pub(super) struct Planes {
    /// Bits a sample: 8, 10 or 12.
    pub bits: u8,
    pub luma: Plane,
    pub chroma: Option<[Plane; 2]>,
    /// What AV1 itself says of the colours.
    pub cicp: Cicp,
}

impl Plane {
    /// A row of samples.
    pub fn row(&self, y: usize) -> &[u16] {
        let start = y * self.width;
        self.samples
            .get(start..start + self.width)
            .unwrap_or_default()
    }
}

impl Planes {
    /// Whether there is no chroma.
    pub fn is_grey(&self) -> bool {
        self.chroma.is_none()
    }

    /// Whether chroma has fewer samples across, and down.
    pub fn halved(&self) -> (bool, bool) {
        self.chroma.as_ref().map_or((false, false), |[u, _]| {
            (u.width < self.luma.width, u.height < self.luma.height)
        })
    }
}

/// Decodes the picture with the most detail in the data.
pub(super) fn decode(data: Vec<u8>, most_pixels: u64) -> ImageResult<Planes> {
    let mut settings = Settings::new();
    // On this thread: a pool's threads could not be told from hung ones should they panic.
    settings.set_n_threads(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(u32::try_from(most_pixels).unwrap_or(u32::MAX).max(1));
    let said = |e: Error| match e {
        Error::UnsupportedBitstream => unsupported("this kind of AV1"),
        other => damaged(&format!("AV1: {other}")),
    };
    let mut decoder = Decoder::with_settings(&settings).map_err(said)?;
    let mut fed = decoder.send_data(data, None, None, None);
    let picture = loop {
        match decoder.get_picture() {
            Ok(picture) => break picture,
            // It waits for the rest of the data.
            Err(Error::Again) if fed == Err(Error::Again) => fed = decoder.send_pending_data(),
            Err(Error::Again) => {
                fed.map_err(said)?;
                return Err(damaged("AV1: no picture in the data"));
            }
            Err(other) => return Err(said(other)),
        }
    };
    let bits = match picture.bit_depth() {
        bits @ (8 | 10 | 12) => bits as u8,
        bits => return Err(unsupported(&format!("{bits} bits a sample"))),
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let plane = |component, width: usize, height: usize| {
        let stride = picture.stride(component) as usize;
        copied(&picture.plane(component), stride, width, height, bits > 8)
    };
    let chroma = match picture.pixel_layout() {
        PixelLayout::I400 => None,
        PixelLayout::I420 => Some((width.div_ceil(2), height.div_ceil(2))),
        PixelLayout::I422 => Some((width.div_ceil(2), height)),
        PixelLayout::I444 => Some((width, height)),
    };
    let chroma = chroma.map(|(w, h)| {
        [PlanarImageComponent::U, PlanarImageComponent::V].map(|component| plane(component, w, h))
    });
    Ok(Planes {
        bits,
        luma: plane(PlanarImageComponent::Y, width, height),
        chroma,
        cicp: Cicp {
            primaries: picture.color_primaries() as u8,
            transfer: picture.transfer_characteristic() as u8,
            matrix: picture.matrix_coefficients() as u8,
            full_range: picture.color_range() == re_rav1d::pixel::YUVRange::Full,
        },
    })
}

/// A plane without the gaps between its rows.
fn copied(bytes: &[u8], stride: usize, width: usize, height: usize, wide: bool) -> Plane {
    let mut samples = Vec::with_capacity(width * height);
    for row in bytes.chunks(stride.max(1)).take(height) {
        match wide {
            true => {
                let pairs = row.as_chunks::<2>().0.iter().take(width);
                samples.extend(pairs.map(|&b| u16::from_ne_bytes(b)));
            }
            false => samples.extend(row.iter().take(width).map(|&b| u16::from(b))),
        }
    }
    Plane {
        width,
        height,
        samples,
    }
}
