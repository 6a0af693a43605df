//! Raw files, read in this process. Damage that would end it is among the program's own tests.
#![allow(clippy::unwrap_used)]

use super::dng::{LIGHT, MAKER, dng, dng_corrected};
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

/// A list of one opcode for the whole picture, with these flags.
fn opcode(id: u32, flags: u32, what: &[u8]) -> Vec<u8> {
    // Top, left, bottom, right, plane, planes, pitches.
    let area = [0u32, 0, 40, 64, 0, 1, 1, 1];
    let length = 4 * area.len() + what.len();
    let head = [1, id, 0x0103_0000, flags, length as u32];
    let numbers = head.into_iter().chain(area);
    let mut list: Vec<u8> = numbers.flat_map(u32::to_be_bytes).collect();
    list.extend(what);
    list
}

/// x², as coefficients.
fn squares() -> Vec<u8> {
    let coefficients = [0.0f64, 0.0, 1.0].map(f64::to_be_bytes);
    [&2u32.to_be_bytes()[..], coefficients.as_flattened()].concat()
}

#[test]
fn values_that_a_dng_stores_curved_come_back_to_light() {
    let polynomial = opcode(8, 0, &squares());
    let levels: Vec<u8> = (0..=65535u32)
        .flat_map(|v| ((v * v / 65535) as u16).to_be_bytes())
        .collect();
    let table = opcode(7, 0, &[&65536u32.to_be_bytes()[..], &levels].concat());
    // As dark as it is stored on the left, twice as bright on the right: two points at the edges.
    let numbers = [1u32, 2].map(u32::to_be_bytes);
    let places = [1.0f64, 1.0, 0.0, 0.0].map(f64::to_be_bytes);
    let gains = [1f32, 2.0].map(f32::to_be_bytes);
    let gain = [
        numbers.as_flattened(),
        places.as_flattened(),
        &1u32.to_be_bytes(),
        gains.as_flattened(),
    ]
    .concat();
    type Stored = fn(f32) -> f32;
    type Brighter = fn(usize) -> f32;
    let cases: [(Stored, Vec<u8>, Brighter); 4] = [
        (f32::sqrt, polynomial, |_| 1.0),
        (f32::sqrt, table, |_| 1.0),
        (
            |v| v / 2.0,
            opcode(9, 0, &gain),
            |x| (1.0 + (x as f32 + 0.5) / 64.0) / 2.0,
        ),
        // Not known, and may be left out.
        (|v| v, opcode(77, 1, &[]), |_| 1.0),
    ];
    for (i, (stored, list, brighter)) in cases.into_iter().enumerate() {
        let (_folder, path) = saved(&dng_corrected([0.5, 1.0, 0.75], 1, stored, Some(&list)));
        let picture = Picture::open(&path).unwrap();
        for (half, x) in [(0, 14), (1, 48)] {
            let pixel = &picture.samples()[3 * (20 * 64 + x)..][..3];
            for (v, light) in pixel.iter().zip(LIGHT[half]) {
                let expected = shown(light * brighter(x));
                assert!(
                    (v - expected).abs() < 0.01,
                    "{i}: {pixel:?}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn a_dng_whose_corrections_are_not_known_is_refused() {
    let cut = &opcode(8, 0, &squares())[..60];
    for (list, word) in [(&opcode(77, 0, &[])[..], "opcode 77"), (cut, "ends early")] {
        let (_folder, path) = saved(&dng_corrected([1.0; 3], 1, |v| v, Some(list)));
        let error = Picture::open(&path).unwrap_err().to_string();
        assert!(
            error.contains(word) && error.contains("photo.dng"),
            "{error}"
        );
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
