//! Raw files, as DNG (Adobe's Digital Negative, 1.4) of a sensor whose colours are sRGB's own.
#![allow(clippy::unwrap_used)]

use super::*;
use std::io::Cursor;
use tiff::encoder::{Rational, SRational, TiffEncoder};
use tiff::tags::Tag;

const WIDTH: u16 = 64;
const HEIGHT: u16 = 40;
const MAKER: &str = "Serpent Works";

/// Light of the left half and of the right half: red, green, blue.
const LIGHT: [[f32; 3]; 2] = [[0.5, 0.25, 0.125], [0.1, 0.3, 0.6]];

/// XYZ to linear sRGB (IEC 61966-2-1), by ten thousand: what the sensor would see.
const MATRIX: [i32; 9] = [32405, -15371, -4985, -9693, 18760, 416, 556, -2040, 10572];

/// A file of red, green, green and blue pixels in turn, with this white balance and orientation.
fn dng(neutral: [f32; 3], orientation: u16) -> Vec<u8> {
    let at = |i: usize| {
        let (x, y) = (i % usize::from(WIDTH), i / usize::from(WIDTH));
        let half = usize::from(x >= usize::from(WIDTH) / 2);
        let colour = [[0, 1], [1, 2]][y % 2][x % 2];
        (LIGHT[half][colour] * neutral[colour] * 65535.0).round() as u16
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
    image.finish().unwrap();
    file.into_inner()
}

fn saved(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.dng");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// sRGB's curve.
fn shown(light: f32) -> f32 {
    1.055 * light.powf(1.0 / 2.4) - 0.055
}

#[test]
fn a_raw_file_is_developed_to_the_colours_that_the_sensor_saw() {
    for neutral in [[1.0; 3], [0.5, 1.0, 0.75]] {
        let (_folder, path) = saved(&dng(neutral, 1));
        let picture = Picture::open(&path).unwrap();
        assert_eq!((picture.width(), picture.height()), (64, 40));
        assert_eq!(
            (picture.colour(), picture.depth()),
            (Colour::Rgb, BitDepth::Sixteen)
        );
        assert_eq!(picture.light(), Light::Display);
        for (half, x) in [(0, 14), (1, 48)] {
            let pixel = &picture.samples()[3 * (20 * 64 + x)..][..3];
            for (v, light) in pixel.iter().zip(LIGHT[half]) {
                assert!(
                    (v - shown(light)).abs() < 0.01,
                    "{neutral:?}: {pixel:?} of {:?}",
                    LIGHT[half]
                );
            }
        }
    }
}

#[test]
fn a_raw_file_lies_as_it_says_and_keeps_what_the_camera_noted() {
    let (folder, path) = saved(&dng([1.0; 3], 6));
    let probe = Picture::probe(&path).unwrap();
    assert_eq!(
        (probe.width, probe.height, probe.format),
        (40, 64, Format::Raw)
    );
    let picture = Picture::open(&path).unwrap();
    assert_eq!((picture.width(), picture.height()), (40, 64));
    // What was left is at the top.
    let top = &picture.samples()[3 * (14 * 40 + 20)..][..3];
    assert!((top[0] - shown(LIGHT[0][0])).abs() < 0.01, "{top:?}");
    let out = folder.path().join("out.png");
    picture.save(&out, &SaveOptions::default()).unwrap();
    let exif = Picture::open(&out)
        .unwrap()
        .metadata()
        .exif
        .clone()
        .unwrap();
    let maker = MAKER.as_bytes();
    assert!(exif.windows(maker.len()).any(|w| w == maker));
}

#[test]
fn raw_files_that_are_too_large_or_damaged_are_refused() {
    let whole = dng([1.0; 3], 1);
    let (_folder, path) = saved(&whole);
    let limits = Limits { max_pixels: 2000 };
    let error = Picture::open_with(&path, &limits).unwrap_err();
    assert!(
        matches!(error, ImageError::TooLarge { width: 64, .. }),
        "{error}"
    );
    // The directory stands behind the pixels: of a file that was cut among them nothing is known.
    for length in (9..2 * 64 * 40).step_by(97) {
        let (_folder, path) = saved(&whole[..length]);
        assert!(Picture::open(&path).is_err(), "{length}");
    }
    // Any byte of the directory changed: refused or opened, but nothing worse.
    for at in (2 * 64 * 40..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        let (_folder, path) = saved(&bytes);
        let _ = Picture::open(&path);
    }
}
