//! Light, inks, and samples of unusual kinds.

use super::*;
use tiff::encoder::TiffEncoder;
use tiff::encoder::colortype::{Gray16, RGB8, RGB64Float};
use tiff::tags::ExtraSamples;

/// Light below zero, in [0, 1], and far above.
fn light(colour: Colour, alpha: bool) -> Picture {
    let area = 9 * 7;
    let value = |i: usize| match i % 4 {
        0 => -0.25,
        1 => i as f32 / 200.0,
        2 => 1.0 + i as f32,
        _ => 12_345.678,
    };
    let samples = (0..area * colour.channels()).map(value).collect();
    let plane = alpha.then(|| (0..area).map(|i| (i % 5) as f32 / 4.0).collect());
    Picture::new(9, 7, colour, samples)
        .unwrap()
        .with_depth(BitDepth::Float)
        .with_light(Light::Linear)
        .with_alpha(plane)
        .unwrap()
}

#[test]
fn light_survives_in_tiff_and_openexr() {
    for colour in [Colour::Grey, Colour::Rgb] {
        for alpha in [false, true] {
            let picture = light(colour, alpha);
            for format in [Format::Tiff, Format::Exr] {
                let back = round_trip(&picture, format);
                assert_eq!(
                    (back.depth(), back.light()),
                    (BitDepth::Float, Light::Linear)
                );
                assert_eq!(back.alpha(), picture.alpha());
                let (a, b) = (back.to_rgb(), picture.to_rgb());
                let opacity = |i: usize| picture.alpha().map_or(1.0, |plane| plane[i / 3]);
                for (i, (a, b)) in a.samples().iter().zip(b.samples()).enumerate() {
                    // OpenEXR has nothing to say where nothing is seen.
                    let lost = format == Format::Exr && opacity(i) == 0.0;
                    assert!(
                        lost || (a - b).abs() <= 1e-6 * b.abs(),
                        "{format}: {a} is not {b}"
                    );
                }
                if format == Format::Tiff && !alpha {
                    assert_eq!(back, picture, "grey stays grey");
                }
            }
        }
    }
}

#[test]
fn radiance_hdr_keeps_light_within_its_eight_bits() {
    let back = round_trip(&light(Colour::Rgb, false), Format::Hdr);
    assert_eq!(back.light(), Light::Linear);
    let wanted = light(Colour::Rgb, false);
    let pairs = back.samples().as_chunks::<3>().0.iter();
    for (a, b) in pairs.zip(wanted.samples().as_chunks::<3>().0) {
        let most = b.iter().fold(0.0f32, |m, v| m.max(*v));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b.max(0.0)).abs() <= most / 128.0, "{a} is not {b}");
        }
    }
}

#[test]
fn display_steps_become_light_and_light_display_steps() {
    let steps = sample(Colour::Rgb, BitDepth::Sixteen, false);
    let exr = round_trip(&steps, Format::Exr);
    assert_eq!(exr.light(), Light::Linear);
    let at = steps.samples().iter().position(|v| *v > 0.3).unwrap();
    let step = steps.samples()[at];
    let expected = ((step + 0.055) / 1.055).powf(2.4);
    assert!((exr.samples()[at] - expected).abs() < 1e-5);
    let png = round_trip(&exr, Format::Png);
    assert_eq!(
        (png.depth(), png.light()),
        (BitDepth::Sixteen, Light::Display)
    );
    for (a, b) in png.samples().iter().zip(steps.samples()) {
        assert!((a - b).abs() < 1.5 / 65535.0, "{a} is not {b}");
    }
    // Beyond white is white, below black is black.
    let cut = round_trip(&light(Colour::Rgb, false), Format::Png);
    assert_eq!(cut.samples()[..4], [0.0, cut.samples()[1], 1.0, 1.0]);
}

/// A profile says what floating point counts.
#[test]
fn floating_point_with_a_profile_counts_its_steps() {
    let metadata = Metadata {
        icc: Some(profile(Colour::Rgb)),
        ..Metadata::default()
    };
    let steps = sample(Colour::Rgb, BitDepth::Eight, true).with_depth(BitDepth::Float);
    let steps = steps.with_metadata(metadata);
    assert_eq!(round_trip(&steps, Format::Tiff), steps);
}

fn tiff_file(fill: impl FnOnce(&mut TiffEncoder<&mut std::io::Cursor<Vec<u8>>>)) -> Picture {
    let mut file = std::io::Cursor::new(Vec::new());
    fill(&mut TiffEncoder::new(&mut file).unwrap());
    let folder = tempfile::tempdir().unwrap();
    Picture::open(write(folder.path(), "a.tif", &file.into_inner())).unwrap()
}

#[test]
fn tiff_of_kinds_that_programs_write_and_this_one_does_not() {
    let grey = tiff_file(|file| {
        let mut image = file.new_image::<Gray16>(2, 1).unwrap();
        image
            .extra_samples(&[ExtraSamples::UnassociatedAlpha])
            .unwrap();
        image.write_data(&[0, 65535, 40_000, 13_107]).unwrap();
    });
    assert_eq!(
        (grey.colour(), grey.depth()),
        (Colour::Grey, BitDepth::Sixteen)
    );
    assert_eq!(grey.samples(), [0.0, 40_000.0 / 65535.0]);
    assert_eq!(grey.alpha().unwrap(), [1.0, 0.2]);

    let multiplied = tiff_file(|file| {
        let mut image = file.new_image::<RGB8>(2, 1).unwrap();
        image
            .extra_samples(&[ExtraSamples::AssociatedAlpha])
            .unwrap();
        image
            .write_data(&[51, 0, 102, 102, 10, 20, 30, 255])
            .unwrap();
    });
    let expected = [0.5, 0.0, 1.0, 10.0 / 255.0, 20.0 / 255.0, 30.0 / 255.0];
    for (got, want) in multiplied.samples().iter().zip(expected) {
        assert!((got - want).abs() < 1e-6, "{got} is not {want}");
    }

    let wide = tiff_file(|file| {
        let samples = [0.125, -2.0, 1e9, f64::NAN, 1e300, 0.5];
        file.write_image::<RGB64Float>(2, 1, &samples).unwrap();
    });
    assert_eq!(wide.samples(), [0.125, -2.0, 1e9, 0.0, 1e30, 0.5]);
    assert_eq!(
        (wide.depth(), wide.light()),
        (BitDepth::Float, Light::Linear)
    );
}

#[test]
fn inks_open_as_colour() {
    let mut bytes = Vec::new();
    let inks = [51, 153, 0, 26].repeat(16 * 8);
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, 100);
    encoder
        .encode(&inks, 16, 8, jpeg_encoder::ColorType::CmykAsYcck)
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jpg", &bytes);
    let picture = Picture::open(path).unwrap();
    assert_eq!((picture.width(), picture.height()), (16, 8));
    assert_eq!(
        (picture.colour(), picture.depth()),
        (Colour::Rgb, BitDepth::Eight)
    );
    for (got, want) in picture.to_rgb().to_bytes().iter().zip([183u8, 92, 229]) {
        assert!(got.abs_diff(want) <= 2, "{got} is not {want}");
    }
}

/// A press's profile (ICC.1:2022, `lut8Type`), made up: what is called cyan prints red, black
/// prints black, and everything else leaves the paper white.
fn press() -> Vec<u8> {
    let fixed = |v: f64| ((v * 65536.0).round() as i32).to_be_bytes();
    let identity: Vec<u8> = (0..=255).collect();
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    (0..9).for_each(|i| table.extend(fixed(f64::from(u8::from(i % 4 == 0)))));
    (0..4).for_each(|_| table.extend(&identity));
    for corner in 0..16 {
        // The last ink changes fastest. Lightness in 255ths, the others from 128 on.
        let (cyan, black) = (corner & 8 != 0, corner & 1 != 0);
        table.extend(match (cyan, black) {
            (_, true) => [0, 128, 128],
            (true, false) => [138, 209, 198],
            (false, false) => [255, 128, 128],
        });
    }
    (0..3).for_each(|_| table.extend(&identity));
    let white = [
        &b"XYZ \0\0\0\0"[..],
        &fixed(0.9642),
        &fixed(1.0),
        &fixed(0.8249),
    ]
    .concat();
    let mut profile = vec![0; 128];
    profile[8] = 2;
    profile[12..24].copy_from_slice(b"prtrCMYKLab ");
    profile[36..40].copy_from_slice(b"acsp");
    profile[68..80].copy_from_slice(&white[8..]);
    profile.extend(2u32.to_be_bytes());
    let first = 128 + 4 + 2 * 12;
    for (name, at, length) in [
        (b"A2B0", first, table.len()),
        (
            b"wtpt",
            first + table.len().next_multiple_of(4),
            white.len(),
        ),
    ] {
        profile.extend(name);
        profile.extend((at as u32).to_be_bytes());
        profile.extend((length as u32).to_be_bytes());
    }
    table.resize(table.len().next_multiple_of(4), 0);
    profile.extend(table);
    profile.extend(white);
    let size = profile.len() as u32;
    profile[..4].copy_from_slice(&size.to_be_bytes());
    profile
}

#[test]
fn a_profile_of_inks_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    for (inks, want) in [
        ([255, 0, 0, 0], [255u8, 0, 0]),
        ([0, 255, 255, 0], [255, 255, 255]),
        ([0, 0, 0, 255], [0, 0, 0]),
    ] {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 100);
        encoder.add_icc_profile(&press()).unwrap();
        encoder
            .encode(&inks.repeat(16 * 8), 16, 8, jpeg_encoder::ColorType::Cmyk)
            .unwrap();
        let picture = Picture::open(write(folder.path(), "a.jpg", &bytes)).unwrap();
        for (got, want) in picture.to_rgb().to_bytes().iter().zip(want) {
            assert!(got.abs_diff(want) <= 8, "{inks:?}: {got} is not {want}");
        }
        assert!(picture.metadata().icc.is_none(), "sRGB now");
    }
}

/// 5x3 in lossless JPEG XL, as libjxl writes it.
const JXL: &str = "ff0a105010090800010020014b188b150aa57073e888fe5f31ec02f10084a4a4e4ad4cf9568ee271461ec7e4f10892554d2dec89764585c40da43b11aeee93c2fc73ed054dfb72c17bfd478500400f4444040400";

/// The same in a container with EXIF that says it lies on its side, and the codestream that it does not.
const JXL_WITH_EXIF: &str = "0000000c4a584c200d0a870a00000014667479706a786c20000000006a786c20000000126a786c7000000000ff0a105010090000003245786966000000004d4d002a000000080002010f00020000000443616d00011200030000000100060000000000000000005a6a786c70800000010800010020014b188b150aa57073e888fe5f31ec02f10084a4a4e4ad4cf9568ee271461ec7e4f10892554d2dec89764585c40da43b11aeee93c2fc73ed054dfb72c17bfd478500400f4444040400";

/// Grey with opacity, 4x2.
const JXL_GREY: &str = "ff0a0870b0286e040800100094004b188b1501129e189c63285e592af51738007000947f8116155c376edd8e1f7d238cac2030";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

#[test]
fn jpeg_xl_opens() {
    let folder = tempfile::tempdir().unwrap();
    let expected: Vec<u8> = (0..15)
        .flat_map(|i| {
            let (x, y) = (i % 5, i / 5);
            [x * 50, y * 80, x * y * 17 + 3].map(|v| (v % 256) as u8)
        })
        .collect();
    for file in [JXL, JXL_WITH_EXIF] {
        let path = write(folder.path(), "a.jxl", &bytes(file));
        let probe = Picture::probe(&path).unwrap();
        assert_eq!(
            (probe.width, probe.height, probe.format),
            (5, 3, Format::Jxl)
        );
        let picture = Picture::open(&path).unwrap();
        assert_eq!((picture.width(), picture.height()), (5, 3));
        assert_eq!(picture.to_rgb().to_bytes(), expected);
        assert!(ColourTransform::of(&picture).is_srgb());
        let exif = picture.metadata().exif.clone();
        assert_eq!(exif.is_some(), file == JXL_WITH_EXIF);
        if let Some(block) = exif {
            assert_eq!(block[30..32], [0, 1], "upright now: {block:?}");
        }
        // It is saved as something that can be written.
        round_trip(&picture, Format::Png);
    }
    let grey = Picture::open(write(folder.path(), "b.jxl", &bytes(JXL_GREY))).unwrap();
    assert_eq!((grey.colour(), grey.width()), (Colour::Grey, 4));
    let eighth = |i: usize, k: f32, from: f32| (from + k * i as f32) / 255.0;
    for i in 0..8 {
        assert!((grey.samples()[i] - eighth(i, 30.0, 0.0)).abs() < 1e-6);
        assert!((grey.alpha().unwrap()[i] - eighth(i, -20.0, 255.0)).abs() < 1e-6);
    }
}

#[test]
fn jpeg_xl_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = bytes(JXL);
    for keep in 2..whole.len() - 1 {
        let path = write(folder.path(), "cut.jxl", &whole[..keep]);
        assert!(Picture::open(path).is_err(), "at {keep}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_said() {
    let whole = sample(Colour::Rgb, BitDepth::Sixteen, true).with_metadata(Metadata {
        icc: Some(profile(Colour::Rgb)),
        exif: Some(exif_block(1)),
        xmp: Some(b"<a/>".to_vec()),
    });
    let said = |picture: &Picture, format| picture.losses(format).join("; ");
    for format in [Format::Png, Format::Tiff] {
        assert_eq!(said(&whole, format), "");
    }
    assert_eq!(
        said(&whole, Format::WebP),
        "WebP holds 8 bits a sample: 16 bits were rounded"
    );
    let jpeg = said(&whole, Format::Jpeg);
    assert!(
        jpeg.contains("laid on white") && !jpeg.contains("EXIF"),
        "{jpeg}"
    );
    let bmp = said(&whole, Format::Bmp);
    for word in ["sRGB", "EXIF", "XMP", "rounded"] {
        assert!(bmp.contains(word), "{bmp}");
    }
    let bright = light(Colour::Rgb, false);
    assert_eq!(said(&bright, Format::Exr), "");
    assert!(said(&bright, Format::Png).contains("cut off"));
}
