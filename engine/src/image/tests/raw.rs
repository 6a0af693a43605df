//! Raw files, read in this process. Damage that would end it is among the program's own tests.
#![allow(clippy::unwrap_used)]

use super::dng::{LIGHT, MAKER, dng};
use super::*;

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
fn raw_files_that_are_too_large_or_cut_are_refused() {
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
}
