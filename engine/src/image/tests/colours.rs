//! Colour profiles, followed to sRGB.

use super::*;
use moxcms::ColorProfile;

fn tagged(colour: Colour, icc: Vec<u8>) -> Picture {
    let metadata = Metadata {
        icc: Some(icc),
        ..Metadata::default()
    };
    let samples = vec![0.5; colour.channels()];
    let picture = Picture::new(1, 1, colour, samples).unwrap();
    picture.with_metadata(metadata)
}

fn decode(v: f64) -> f64 {
    ((v + 0.055) / 1.055).powf(2.4)
}

fn encode(v: f64) -> f64 {
    1.055 * v.powf(1.0 / 2.4) - 0.055
}

#[test]
fn srgb_stays_as_it_is() {
    let picture = tagged(Colour::Rgb, ColorProfile::new_srgb().encode().unwrap());
    let colours = ColourTransform::of(&picture);
    assert!(colours.is_srgb() && colours.problem().is_none());
}

#[test]
fn display_p3_follows_its_matrix() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let colours = ColourTransform::of(&tagged(Colour::Rgb, profile));
    let mut rgb = [0.2, 0.6, 0.3];
    colours.to_srgb(&mut rgb);
    // By hand: decoded, times the P3 to sRGB matrix, encoded.
    let linear = [0.2, 0.6, 0.3].map(decode);
    let matrix = [
        [1.224_940_2, -0.224_940_2, 0.0],
        [-0.042_056_9, 1.042_056_9, 0.0],
        [-0.019_637_6, -0.078_636_1, 1.098_273_6],
    ];
    for (row, got) in matrix.iter().zip(rgb).skip(1) {
        let sum: f64 = row.iter().zip(linear).map(|(m, v)| m * v).sum();
        let expected = encode(sum);
        assert!((f64::from(got) - expected).abs() < 2e-3, "{got} {expected}");
    }
    assert_eq!(rgb[0], 0.0, "beyond sRGB, clipped");
}

#[test]
fn a_grey_gamma_is_followed() {
    let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let colours = ColourTransform::of(&tagged(Colour::Grey, profile));
    let mut rgb = [0.2; 3];
    colours.to_srgb(&mut rgb);
    let expected = encode(0.2) as f32;
    for got in rgb {
        assert!((got - expected).abs() < 2e-3, "{got} {expected}");
    }
}

#[test]
fn a_profile_that_cannot_be_used_is_named() {
    let grey = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
    let lab = ColorProfile::new_lab().encode().unwrap();
    for (bytes, word) in [(vec![1, 2, 3], ""), (grey, "grey"), (lab, "Lab")] {
        let colours = ColourTransform::there_and_back(&tagged(Colour::Rgb, bytes));
        assert!(colours.problem().unwrap().contains(word));
        let mut rgb = [0.1, 0.2, 0.3];
        colours.to_srgb(&mut rgb);
        assert_eq!(rgb, [0.1, 0.2, 0.3]);
    }
}

/// Files without a profile are taken for sRGB.
#[test]
fn what_cannot_hold_the_profile_gets_srgb() {
    let p3 = profile(Colour::Rgb);
    let picture = sample(Colour::Rgb, BitDepth::Eight, true).with_metadata(Metadata {
        icc: Some(p3),
        ..Metadata::default()
    });
    let seen = ColourTransform::of(&picture).seen(&picture);
    let back = round_trip(&picture, Format::Bmp);
    assert_eq!(back.metadata().icc, None);
    assert_eq!(back.alpha(), picture.alpha());
    assert_eq!(back.to_rgb().to_bytes(), seen.to_bytes());
    assert_ne!(seen.to_bytes(), picture.to_rgb().to_bytes());

    // WebP has no grey, TIFF none with alpha.
    for (format, alpha) in [(Format::WebP, false), (Format::Tiff, true)] {
        let grey = sample(Colour::Grey, BitDepth::Eight, alpha).with_metadata(Metadata {
            icc: Some(ColorProfile::new_gray_with_gamma(1.0).encode().unwrap()),
            ..Metadata::default()
        });
        let back = round_trip(&grey, format);
        assert_eq!(back.metadata().icc, None);
        let seen = ColourTransform::of(&grey).seen(&grey);
        assert_eq!(back.to_rgb().to_bytes(), seen.to_bytes(), "{format}");
    }
}
