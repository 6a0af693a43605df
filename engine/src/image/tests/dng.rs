//! Raw files, as DNG (Adobe's Digital Negative, 1.4) of a sensor whose colours are sRGB's own.
//! The program's tests use it, too.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use tiff::encoder::{Rational, SRational, TiffEncoder};
use tiff::tags::Tag;

pub const WIDTH: u16 = 64;
pub const HEIGHT: u16 = 40;
pub const MAKER: &str = "Serpent Works";

/// Light of the left half and of the right half: red, green, blue.
pub const LIGHT: [[f32; 3]; 2] = [[0.5, 0.25, 0.125], [0.1, 0.3, 0.6]];

/// XYZ to linear sRGB (IEC 61966-2-1), by ten thousand: what the sensor would see.
const MATRIX: [i32; 9] = [32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572];

/// A file of red, green, green and blue pixels in turn, with this white balance and orientation.
pub fn dng(neutral: [f32; 3], orientation: u16) -> Vec<u8> {
    dng_corrected(neutral, orientation, |light| light, None)
}

/// The same with what is stored for a light, 0 to 1, and a list of what is to be done to it.
pub fn dng_corrected(
    neutral: [f32; 3],
    orientation: u16,
    stored: impl Fn(f32) -> f32,
    corrections: Option<&[u8]>,
) -> Vec<u8> {
    let at = |i: usize| {
        let (x, y) = (i % usize::from(WIDTH), i / usize::from(WIDTH));
        let half = usize::from(x >= usize::from(WIDTH) / 2);
        let colour = [[0, 1], [1, 2]][y % 2][x % 2];
        (stored(LIGHT[half][colour] * neutral[colour]) * 65535.0).round() as u16
    };
    let pixels: Vec<u16> = (0..usize::from(WIDTH) * usize::from(HEIGHT))
        .map(at)
        .collect();
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut image = encoder.image_directory().unwrap();
    let place = image.write_data(pixels.as_slice()).unwrap() as u32;
    let bytes = 2 * pixels.len() as u32;
    let over = |n: i32| SRational { n, d: 10_000 };
    let share = |v: f32| Rational {
        n: (10_000.0 * v) as u32,
        d: 10_000,
    };
    image.write_tag(Tag::NewSubfileType, 0u32).unwrap();
    image.write_tag(Tag::ImageWidth, WIDTH).unwrap();
    image.write_tag(Tag::ImageLength, HEIGHT).unwrap();
    image.write_tag(Tag::BitsPerSample, 16u16).unwrap();
    image.write_tag(Tag::Compression, 1u16).unwrap();
    image
        .write_tag(Tag::PhotometricInterpretation, 32803u16)
        .unwrap();
    image.write_tag(Tag::Make, MAKER).unwrap();
    image.write_tag(Tag::Model, "Test One").unwrap();
    image.write_tag(Tag::StripOffsets, place).unwrap();
    image.write_tag(Tag::Orientation, orientation).unwrap();
    image.write_tag(Tag::SamplesPerPixel, 1u16).unwrap();
    image.write_tag(Tag::RowsPerStrip, HEIGHT).unwrap();
    image.write_tag(Tag::StripByteCounts, bytes).unwrap();
    // Pattern, version, name, levels, matrix for daylight, neutral.
    let own = Tag::Unknown;
    image.write_tag(own(33421), &[2u16, 2][..]).unwrap();
    image.write_tag(own(33422), &[0u8, 1, 1, 2][..]).unwrap();
    image.write_tag(own(50706), &[1u8, 4, 0, 0][..]).unwrap();
    image
        .write_tag(own(50708), "Serpent Works Test One")
        .unwrap();
    image.write_tag(own(50714), 0u16).unwrap();
    image.write_tag(own(50717), 65535u32).unwrap();
    image.write_tag(own(50721), &MATRIX.map(over)[..]).unwrap();
    image
        .write_tag(own(50728), &neutral.map(share)[..])
        .unwrap();
    image.write_tag(own(50778), 21u16).unwrap();
    if let Some(list) = corrections {
        image.write_tag(own(51009), list).unwrap();
    }
    image.finish().unwrap();
    file.into_inner()
}
