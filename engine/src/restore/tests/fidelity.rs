//! What a photograph's file says about its pixels holds for the restored ones.

use moxcms::{ColorProfile, ToneReprCurve};

use super::*;
use crate::image::{Light, SaveOptions};

fn keeper(behaviour: Behaviour, scale: usize) -> Restorer {
    let device = Device::new(None, Fake::new("cpu", behaviour));
    Restorer::new(Arc::new(device), checkpoint(|c| c.scale = scale)).unwrap()
}

/// What the network gives, also where the picture is flat.
fn restored(behaviour: Behaviour, scale: usize, picture: &Picture) -> Picture {
    let options = Options {
        keep_flat: false,
        ..Options::default()
    };
    let done = keeper(behaviour, scale).restore(picture, &options, &mut go_on);
    let done = done.unwrap();
    assert!(done.notes.is_empty(), "{:?}", done.notes);
    done.picture
}

/// ProPhoto's primaries, far beyond what sRGB and the eye have, with light itself as samples.
fn linear_pro_photo() -> ColorProfile {
    let mut profile = ColorProfile::new_pro_photo_rgb();
    let line = Some(ToneReprCurve::Lut(Vec::new()));
    profile.red_trc = line.clone();
    profile.green_trc = line.clone();
    profile.blue_trc = line;
    profile
}

fn tagged(picture: Picture, profile: &ColorProfile) -> Picture {
    picture.with_metadata(Metadata {
        icc: Some(profile.encode().unwrap()),
        ..Metadata::default()
    })
}

/// Colours all over the cube with its corners, then greys; whole steps of the depth.
fn colourful(depth: BitDepth, colour: Colour) -> Picture {
    let top = if depth == BitDepth::Eight {
        255.0f32
    } else {
        65535.0
    };
    let (side, n) = (16, colour.channels());
    let value = |i: usize, c: usize| match i {
        0..8 => (i >> c & 1) as f32,
        8..128 => ((i * (c + 3)) as f32 * 0.618_034).fract(),
        _ => (i - 128) as f32 / 127.0,
    };
    let samples = (0..side * side * n)
        .map(|i| (value(i / n, i % n) * top).round() / top)
        .collect();
    let picture = Picture::new(side, side, colour, samples).unwrap();
    picture.with_depth(depth)
}

fn largest_difference(a: &Picture, b: &Picture) -> f32 {
    assert_eq!(a.samples().len(), b.samples().len());
    let pairs = a.samples().iter().zip(b.samples());
    pairs.fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

#[test]
fn colours_beyond_srgb_survive_a_network_that_changes_nothing() {
    let profiles = [
        (ColorProfile::new_display_p3(), Colour::Rgb),
        (ColorProfile::new_adobe_rgb(), Colour::Rgb),
        (linear_pro_photo(), Colour::Rgb),
        (ColorProfile::new_gray_with_gamma(1.0), Colour::Grey),
        (ColorProfile::new_gray_with_gamma(2.2), Colour::Grey),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (depth, step) in [
        (BitDepth::Eight, 1.0 / 255.0),
        (BitDepth::Sixteen, 1.0 / 65535.0),
    ] {
        for (profile, colour) in &profiles {
            let picture = tagged(colourful(depth, *colour), profile);
            let result = restored(Behaviour::Keep, 1, &picture);
            assert!(largest_difference(&picture, &result) < step / 2.0);
            let path = folder.path().join("a.tif");
            result.save(&path, &SaveOptions::default()).unwrap();
            let back = Picture::open(&path).unwrap();
            assert_eq!(back.metadata().icc, picture.metadata().icc);
            assert_eq!(back.depth(), depth);
            assert!(largest_difference(&picture, &back) < step / 2.0);
        }
    }
}

/// The strongest red of the profile, one plain area, enlarged.
#[test]
fn colours_beyond_srgb_survive_enlarging() {
    for profile in [ColorProfile::new_display_p3(), linear_pro_photo()] {
        let samples = [1.0f32, 0.0, 0.02].repeat(8 * 8);
        let red = tagged(Picture::new(8, 8, Colour::Rgb, samples).unwrap(), &profile);
        let large = restored(Behaviour::Keep, 2, &red);
        assert_eq!((large.width(), large.height()), (16, 16));
        for pixel in large.samples().as_chunks::<3>().0 {
            for (got, want) in pixel.iter().zip([1.0, 0.0, 0.02]) {
                assert!((got - want).abs() < 1.0 / 65535.0, "{pixel:?}");
            }
        }
    }
}

#[test]
fn the_network_sees_srgb_and_neutral_stays_neutral() {
    let decode = |v: f32| ((v + 0.055) / 1.055).powf(2.4);
    let encode = |v: f32| 1.055 * v.powf(1.0 / 2.4) - 0.055;
    for profile in [
        linear_pro_photo(),
        ColorProfile::new_display_p3(),
        ColorProfile::new_adobe_rgb(),
    ] {
        let picture = tagged(colourful(BitDepth::Sixteen, Colour::Rgb), &profile);
        let result = restored(Behaviour::Brighten, 1, &picture);
        let pixels = picture.samples().as_chunks::<3>().0.iter();
        let greys = pixels.zip(result.samples().as_chunks::<3>().0).skip(128);
        for (before, after) in greys {
            let spread = (after[0] - after[1]).abs().max((after[1] - after[2]).abs());
            // A tenth of a step of 8 bits; moxcms computes in tables of some 15 bits.
            assert!(spread < 0.1 / 255.0, "{before:?} became {after:?}");
        }
    }
    // 0.2 of the light is 0.48 in sRGB; a tenth more of that is 0.30 of the light.
    let flat = Picture::new(9, 9, Colour::Rgb, vec![0.2; 243]).unwrap();
    let result = restored(Behaviour::Brighten, 1, &tagged(flat, &linear_pro_photo()));
    let expected = decode(encode(0.2) + 0.1);
    for v in result.samples() {
        assert!((v - expected).abs() < 1e-3, "{v} is not {expected}");
    }
}

#[test]
fn untagged_and_srgb_samples_reach_the_network_as_they_are() {
    let plain = picture(13, 11).with_depth(BitDepth::Sixteen);
    let srgb = tagged(plain.clone(), &ColorProfile::new_srgb());
    for picture in [plain, srgb] {
        let kept = restored(Behaviour::Keep, 1, &picture);
        assert_eq!(kept, picture);
        assert!(brightened(
            &picture,
            &restored(Behaviour::Brighten, 1, &picture)
        ));
    }
}

#[test]
fn a_profile_that_cannot_be_used_is_told_and_kept() {
    let broken = Metadata {
        icc: Some(vec![1, 2, 3]),
        ..Metadata::default()
    };
    let picture = picture(9, 9).with_metadata(broken.clone());
    let mut restorer = keeper(Behaviour::Keep, 1);
    let done = restorer.restore(&picture, &Options::default(), &mut go_on);
    let done = done.unwrap();
    assert!(done.notes.iter().any(|n| n.contains("colour profile")));
    assert_eq!(done.picture, picture);
}

/// A network whose every parameter does something, so that each pixel looks at its neighbours.
fn stirred(scale: usize) -> Restorer {
    let mut model = (*checkpoint(|c| c.scale = scale)).clone();
    for (i, weight) in model.weights.iter_mut().flatten().enumerate() {
        *weight += 0.1 * ((i as f32 * 0.618_034).fract() - 0.5);
    }
    let cpu = Arc::new(crate::backend::cpu::CpuBackend);
    Restorer::new(Arc::new(Device::new(None, cpu)), Arc::new(model)).unwrap()
}

#[test]
fn hidden_colours_change_nothing_that_is_seen() {
    let cut_out = |hidden: f32| {
        let seen = |i: usize| (i % 16).abs_diff(8) < 4 && (i / 16).abs_diff(8) < 5;
        let alpha = (0..256).map(|i| if seen(i) { 1.0 } else { 0.0 }).collect();
        let samples = (0..256).flat_map(|i| match seen(i) {
            true => [0.3, 0.02 * (i % 16) as f32, 0.02 * (i / 16) as f32],
            false => [hidden; 3],
        });
        let picture = Picture::new(16, 16, Colour::Rgb, samples.collect()).unwrap();
        let picture = picture.with_alpha(Some(alpha)).unwrap();
        tagged(picture, &ColorProfile::new_display_p3())
    };
    for (scale, strength) in [(1, 1.0), (2, 1.0), (2, 0.5)] {
        let mut restorer = stirred(scale);
        let options = Options {
            strength,
            ..Options::default()
        };
        let mut of = |hidden| {
            let done = restorer.restore(&cut_out(hidden), &options, &mut go_on);
            done.unwrap().picture
        };
        let (white, black) = (of(1.0), of(0.0));
        assert_ne!(white.samples()[(8 * 16 + 8) * 3], 0.3, "it does something");
        let alpha = white.alpha().unwrap();
        assert_eq!(alpha, black.alpha().unwrap());
        let pixels = white.samples().as_chunks::<3>().0.iter();
        let pairs = pixels.zip(black.samples().as_chunks::<3>().0).zip(alpha);
        for ((a, b), _) in pairs.filter(|(_, alpha)| **alpha > 0.0) {
            assert_eq!(a, b, "scale {scale}, strength {strength}");
        }
    }
}

#[test]
fn a_colourless_picture_stays_colourless() {
    let grey: Vec<f32> = (0..256).flat_map(|i| [i as f32 / 255.0; 3]).collect();
    let plain = Picture::new(16, 16, Colour::Rgb, grey).unwrap();
    for picture in [
        plain.clone(),
        tagged(plain.clone(), &ColorProfile::new_display_p3()),
        tagged(plain, &linear_pro_photo()),
    ] {
        let done = stirred(1).restore(&picture, &Options::default(), &mut go_on);
        let done = done.unwrap().picture;
        assert!(
            largest_difference(&done, &picture) > 1.0 / 255.0,
            "it does something"
        );
        assert_eq!(done.colour(), Colour::Rgb);
        for p in done.samples().as_chunks::<3>().0 {
            assert!(p[0] == p[1] && p[1] == p[2], "{p:?}");
        }
    }
}

#[test]
fn light_brighter_than_white_survives() {
    let light = |i: usize| [0.0, 0.18, 1.0, 7.5, 300.0, -0.1][i % 6];
    let samples = (0..64 * 3).map(light).collect();
    let picture = Picture::new(8, 8, Colour::Rgb, samples)
        .unwrap()
        .with_depth(BitDepth::Float)
        .with_light(Light::Linear);
    let kept = restored(Behaviour::Keep, 1, &picture);
    assert_eq!(
        (kept.depth(), kept.light()),
        (BitDepth::Float, Light::Linear)
    );
    for (a, b) in kept.samples().iter().zip(picture.samples()) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(0.1), "{a} is not {b}");
    }
    // The network sees steps for a display: 0.18 is 0.461 there.
    let brighter = restored(Behaviour::Brighten, 1, &picture);
    let expected = ((0.461_356f32 + 0.1 + 0.055) / 1.055).powf(2.4);
    assert!((brighter.samples()[1] - expected).abs() < 1e-3);
    assert!((brighter.samples()[4] - 300.0).abs() < 1e-2);
}

/// Detail on the left, one colour on the right: the network, which makes all of it brighter, has its
/// way with the left alone.
#[test]
fn flat_areas_stay_as_they_are_in_every_kind_of_picture() {
    let (width, height, detail) = (80, 50, 20);
    let of = |colour: Colour| {
        let pixels = (0..width * height).flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let more = if x < detail {
                0.1 * ((x + y) % 3) as f32
            } else {
                0.0
            };
            [0.25, 0.5, 0.125].map(|v| v + more)
        });
        let step = if colour == Colour::Grey { 3 } else { 1 };
        let samples = pixels.step_by(step).collect();
        Picture::new(width, height, colour, samples).unwrap()
    };
    let alpha = (0..width * height)
        .map(|i| 0.5 + 0.5 * (i % 2) as f32)
        .collect();
    let pictures = [
        of(Colour::Rgb),
        of(Colour::Grey),
        of(Colour::Rgb).with_alpha(Some(alpha)).unwrap(),
        tagged(of(Colour::Rgb), &ColorProfile::new_display_p3()),
        tagged(of(Colour::Rgb), &linear_pro_photo()),
        tagged(of(Colour::Grey), &ColorProfile::new_gray_with_gamma(1.0)),
        of(Colour::Rgb)
            .with_depth(BitDepth::Float)
            .with_light(Light::Linear),
    ];
    for (scale, strength, ensemble, tile) in [
        (1, 1.0, false, 0),
        (1, 1.0, true, 0),
        (1, 0.5, false, 32),
        (2, 1.0, false, 0),
        (2, 0.5, true, 32),
    ] {
        let mut restorer = keeper(Behaviour::Brighten, scale);
        let options = Options {
            strength,
            ensemble,
            tile,
            ..Options::default()
        };
        for (i, picture) in pictures.iter().enumerate() {
            let done = restorer.restore(picture, &options, &mut go_on).unwrap();
            let n = picture.colour().channels();
            let last = picture.samples().chunks(n).next_back().unwrap();
            for (at, pixel) in done.picture.samples().chunks(n).enumerate() {
                let x = at % (width * scale) / scale;
                let was = &picture.samples()[at / (width * scale) / scale * width * n..][x * n..];
                for ((v, was), flat) in pixel.iter().zip(was).zip(last) {
                    let told = format!("picture {i}, scale {scale}, {strength}: {v} at {x}");
                    match x {
                        // Enlarged alike by the fake, but mixed with what is bicubic.
                        ..18 if strength == 1.0 => assert!(v - was > 0.02, "{told}"),
                        // Beside what is uneven lie 24 pixels that are not wholly kept.
                        45.. => assert!((v - flat).abs() < 1.0 / 65535.0, "{told}"),
                        _ => (),
                    }
                }
            }
        }
    }
}

#[test]
fn a_region_keeps_of_flat_areas_what_the_whole_picture_keeps() {
    let (width, height) = (200, 150);
    let dots = |i: usize| i == 40 * width + 70 || i == 100 * width + 120;
    let sample = |i: usize| match dots(i / 3) {
        true => 0.9,
        false => [0.3, 0.4, 0.5][i % 3],
    };
    let samples = (0..3 * width * height).map(sample);
    let picture = Picture::new(width, height, Colour::Rgb, samples.collect()).unwrap();
    let mut restorer = keeper(Behaviour::Brighten, 1);
    let options = Options::default();
    let whole = restorer.restore(&picture, &options, &mut go_on).unwrap();
    assert_eq!(whole.picture.samples()[0], 0.3);
    assert!(brightened(
        &picture,
        &restored(Behaviour::Brighten, 1, &picture)
    ));
    // Tiles that share less than what decides about a pixel.
    restorer.set_overlap(0);
    for x in (0..180).step_by(9) {
        for y in [0, 30, 59, 76, 130] {
            let (width, height) = (20, 20);
            let region = Region {
                x,
                y,
                width,
                height,
            };
            let part = restorer.restore_region(&picture, &region, &options, &mut go_on);
            assert_eq!(part.unwrap().picture, region.cut(&whole.picture).unwrap());
        }
    }
}
