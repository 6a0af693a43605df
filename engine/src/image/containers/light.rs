//! OpenEXR and Radiance HDR: light, in 32 bits a sample or with a common exponent. Both hold
//! nothing else here. Opacity is multiplied into OpenEXR's colours, as its definition has it.

use std::io::{Seek, Write};

use ::image::codecs::hdr::HdrEncoder;
use ::image::codecs::openexr::OpenExrEncoder;
use ::image::{ExtendedColorType, ImageEncoder, ImageFormat, ImageResult, Rgb};

use super::{Pixels, Samples, unheld};
use crate::image::Colour;

/// Writes OpenEXR.
pub(in crate::image) fn exr(pixels: &Pixels, writer: impl Write + Seek) -> ImageResult<()> {
    let (Samples::Float(samples), Colour::Rgb) = (&pixels.samples, pixels.layout.colour) else {
        return Err(unheld(ImageFormat::OpenExr, pixels.layout));
    };
    let mut samples = samples.clone();
    let kind = match pixels.layout.alpha {
        false => ExtendedColorType::Rgb32F,
        true => {
            for [r, g, b, a] in samples.as_chunks_mut::<4>().0 {
                [r, g, b].into_iter().for_each(|v| *v *= *a);
            }
            ExtendedColorType::Rgba32F
        }
    };
    let bytes = bytemuck::cast_slice(&samples);
    OpenExrEncoder::new(writer).write_image(bytes, pixels.width, pixels.height, kind)
}

/// Takes the opacity out of OpenEXR's colours again.
pub(in crate::image) fn divide_by_opacity(rgba: &mut [f32]) {
    for [r, g, b, a] in rgba.as_chunks_mut::<4>().0 {
        if *a > 0.0 {
            [r, g, b].into_iter().for_each(|v| *v /= *a);
        }
    }
}

/// Writes Radiance HDR, which has no light below zero.
pub(in crate::image) fn hdr(pixels: &Pixels, writer: impl Write) -> ImageResult<()> {
    let opaque_rgb = pixels.layout.colour == Colour::Rgb && !pixels.layout.alpha;
    let (Samples::Float(samples), true) = (&pixels.samples, opaque_rgb) else {
        return Err(unheld(ImageFormat::Hdr, pixels.layout));
    };
    let chunks = samples.as_chunks::<3>().0.iter();
    let rgb: Vec<_> = chunks.map(|p| Rgb(p.map(|v| v.max(0.0)))).collect();
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    HdrEncoder::new(writer).encode(&rgb, width, height)
}
