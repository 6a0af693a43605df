//! Quality figures: PSNR and SSIM, with the protocols of the published tables.
//!
//! A figure means nothing without its protocol: whether the samples were
//! rounded to 8 bits, on which channels, and what was cut from the border.
//! [`compare`] applies a [`Protocol`] to two pictures; the functions under it
//! work on plain slices.

mod chart;
mod psnr;
mod ssim;

#[cfg(test)]
mod tests;

pub use chart::{ChartError, Point, quality_for_cost};
pub use psnr::{luma, mse, psnr};
pub use ssim::{WINDOW, ssim};

use crate::image::Rgb;

/// How two pictures are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Clipped to [0, 1], rounded to 8 bits, over red, green and blue together:
    /// denoising, deblurring, JPEG.
    Rgb8,
    /// Clipped and rounded to 8 bits, then the luma of BT.601 (16 to 235, not
    /// rounded again), `border` pixels cut from each side: super-resolution,
    /// with the scale factor for a border.
    Luma {
        /// Pixels cut from each side.
        border: usize,
    },
}

/// How close one picture is to another.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Quality {
    /// Peak signal-to-noise ratio in dB; infinite for equal pictures.
    pub psnr: f64,
    /// Structural similarity, 1 for equal pictures. None if a side is shorter
    /// than the 11-pixel window.
    pub ssim: Option<f64>,
}

/// Two pictures cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The sizes differ.
    #[error("the pictures differ in size ({}x{} and {}x{}); compare pictures of the same scene and scale", .reference.0, .reference.1, .other.0, .other.1)]
    Sizes {
        /// Width and height of the reference.
        reference: (usize, usize),
        /// Width and height of the picture compared with it.
        other: (usize, usize),
    },
    /// Nothing is left to compare once the border is cut.
    #[error(
        "a {width}x{height} picture has no pixels left once {border} are cut from each side; use a larger picture"
    )]
    Border {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Pixels cut from each side.
        border: usize,
    },
}

/// Compares a picture with its reference.
///
/// # Errors
/// [`MetricError::Sizes`] for different sizes, [`MetricError::Border`] if the
/// protocol's border leaves nothing.
pub fn compare(
    reference: &Rgb<'_>,
    other: &Rgb<'_>,
    protocol: Protocol,
) -> Result<Quality, MetricError> {
    let (width, height) = (reference.width(), reference.height());
    if (width, height) != (other.width(), other.height()) {
        return Err(MetricError::Sizes {
            reference: (width, height),
            other: (other.width(), other.height()),
        });
    }
    let border = match protocol {
        Protocol::Rgb8 => 0,
        Protocol::Luma { border } => border,
    };
    if width <= 2 * border || height <= 2 * border {
        return Err(MetricError::Border {
            width,
            height,
            border,
        });
    }
    let prepare = |picture: &Rgb<'_>| {
        let rounded: Vec<f32> = picture.to_bytes().into_iter().map(f32::from).collect();
        match protocol {
            Protocol::Rgb8 => (rounded, width, height, 3),
            Protocol::Luma { border } => {
                let luma = luma(&rounded.iter().map(|v| v / 255.0).collect::<Vec<_>>());
                let (w, h) = (width - 2 * border, height - 2 * border);
                (crop(&luma, width, border, w, h), w, h, 1)
            }
        }
    };
    let (a, width, height, channels) = prepare(reference);
    let (b, ..) = prepare(other);
    Ok(Quality {
        psnr: psnr(&a, &b, 255.0),
        ssim: ssim(&a, &b, width, height, channels, 255.0),
    })
}

fn crop(plane: &[f32], stride: usize, border: usize, width: usize, height: usize) -> Vec<f32> {
    (border..border + height)
        .flat_map(|y| &plane[y * stride + border..y * stride + border + width])
        .copied()
        .collect()
}
