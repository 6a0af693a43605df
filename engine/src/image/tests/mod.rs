//! Files written and read back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use ::image::{ExtendedColorType, ImageEncoder};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[cfg(feature = "avif")]
mod avif;
mod carried;
mod colours;
#[cfg(feature = "raw")]
mod dng;
mod formats;
#[cfg(feature = "raw")]
mod raw;
mod refused;

/// A picture without symmetry whose samples are whole numbers of the depth.
fn sample(colour: Colour, depth: BitDepth, alpha: bool) -> Picture {
    let (width, height) = (21, 13);
    let top = if depth == BitDepth::Eight { 255 } else { 65535 };
    let value = |i: usize, k: usize| ((i * k + i * i * 7 + 3) % (top + 1)) as f32 / top as f32;
    let samples = (0..width * height * colour.channels())
        .map(|i| value(i, 2311))
        .collect();
    let plane = alpha.then(|| (0..width * height).map(|i| value(i, 971)).collect());
    Picture::new(width, height, colour, samples)
        .unwrap()
        .with_depth(depth)
        .with_alpha(plane)
        .unwrap()
}

/// A profile, made once: it tells the second that it was made in.
fn profile(colour: Colour) -> Vec<u8> {
    static MADE: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
        [
            moxcms::ColorProfile::new_display_p3(),
            moxcms::ColorProfile::new_gray_with_gamma(2.2),
        ]
        .map(|p| p.encode().unwrap())
    });
    let [rgb, grey] = &*MADE;
    match colour {
        Colour::Rgb => rgb.clone(),
        Colour::Grey => grey.clone(),
    }
}

/// A big-endian EXIF block: orientation, a camera's name, sizes, a preview.
fn exif_block(orientation: u8) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [
            &tag.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &count.to_be_bytes(),
            &value,
        ]
        .concat()
    };
    let mut block = b"MM\0\x2A\0\0\0\x08".to_vec();
    block.extend([0, 3]); // directory at 8, entries at 10, 22, 34
    block.extend(entry(0x010F, 2, 4, *b"Cam\0"));
    block.extend(entry(0x0112, 3, 1, [0, orientation, 0, 0]));
    block.extend(entry(0x8769, 4, 1, 50u32.to_be_bytes()));
    block.extend(80u32.to_be_bytes()); // next directory: the preview's, at 80
    assert_eq!(block.len(), 50);
    block.extend([0, 2]);
    block.extend(entry(0xA002, 3, 1, [0, 99, 0, 0]));
    block.extend(entry(0xA003, 4, 1, 77u32.to_be_bytes()));
    block.extend([0; 4]);
    assert_eq!(block.len(), 80);
    block.extend([0, 0, 0, 0, 0, 0]);
    block
}

fn round_trip(picture: &Picture, format: Format) -> Picture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.wrong"); // read by content
    picture
        .save(
            &path,
            &SaveOptions {
                format: Some(format),
                ..SaveOptions::default()
            },
        )
        .unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(
        names,
        ["picture.wrong"],
        "only the picture may be left in the folder"
    );
    assert_eq!(Picture::probe(&path).unwrap().format, format);
    Picture::open(&path).unwrap()
}

#[test]
fn lossless_formats_return_every_sample() {
    for format in [Format::Png, Format::Tiff, Format::WebP, Format::Bmp] {
        for colour in [Colour::Grey, Colour::Rgb] {
            for alpha in [false, true] {
                let picture = sample(colour, BitDepth::Eight, alpha);
                let back = round_trip(&picture, format);
                assert_eq!(
                    (back.width(), back.height(), back.depth()),
                    (21, 13, BitDepth::Eight)
                );
                assert_eq!(
                    back.alpha(),
                    picture.alpha(),
                    "{format} {colour:?} alpha {alpha}"
                );
                assert_eq!(
                    back.to_rgb(),
                    picture.to_rgb(),
                    "{format} {colour:?} alpha {alpha}"
                );
                if format == Format::Png {
                    assert_eq!(back, picture);
                }
            }
        }
    }
}

#[test]
fn sixteen_bits_survive_in_png_and_tiff_and_are_rounded_elsewhere() {
    for colour in [Colour::Grey, Colour::Rgb] {
        for alpha in [false, true] {
            let picture = sample(colour, BitDepth::Sixteen, alpha);
            for format in [Format::Png, Format::Tiff] {
                let back = round_trip(&picture, format);
                assert_eq!(back.depth(), BitDepth::Sixteen);
                assert_eq!(back.to_rgb(), picture.to_rgb());
                assert_eq!(back.alpha(), picture.alpha());
            }
            let back = round_trip(&picture, Format::WebP);
            assert_eq!(back.depth(), BitDepth::Eight);
            let (a, b) = (back.to_rgb(), picture.to_rgb());
            assert!(
                a.samples()
                    .iter()
                    .zip(b.samples())
                    .all(|(x, y)| (x - y).abs() <= 0.5001 / 255.0)
            );
        }
    }
}

#[test]
fn jpeg_is_close_and_lays_transparency_on_white() {
    for colour in [Colour::Grey, Colour::Rgb] {
        let n = colour.channels();
        let samples = (0..32 * 24)
            .flat_map(|i| vec![0.2 + 0.5 * (i % 32) as f32 / 32.0; n])
            .collect();
        let picture = Picture::new(32, 24, colour, samples).unwrap();
        let back = round_trip(&picture, Format::Jpeg);
        assert_eq!(back.colour(), colour);
        assert!(
            back.samples()
                .iter()
                .zip(picture.samples())
                .all(|(a, b)| (a - b).abs() < 0.02)
        );

        let plane = (0..24)
            .flat_map(|y| vec![if y < 16 { 0.0 } else { 1.0 }; 32])
            .collect();
        let back = round_trip(
            &picture.clone().with_alpha(Some(plane)).unwrap(),
            Format::Jpeg,
        );
        assert!(back.alpha().is_none());
        assert!(back.samples()[..32 * 16 * n].iter().all(|&v| v > 0.98));
        let rows = 32 * 16 * n..;
        assert!(
            back.samples()[rows.clone()]
                .iter()
                .zip(&picture.samples()[rows])
                .all(|(a, b)| (a - b).abs() < 0.02)
        );
    }
}

#[test]
fn gif_and_palette_png_become_colour() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    let frame = ::image::Frame::new(::image::RgbaImage::from_pixel(
        5,
        4,
        ::image::Rgba([10, 200, 30, 255]),
    ));
    ::image::codecs::gif::GifEncoder::new(std::fs::File::create(&path).unwrap())
        .encode_frame(frame)
        .unwrap();
    let gif = Picture::open(&path).unwrap();
    assert_eq!(
        (gif.width(), gif.height(), gif.colour(), gif.alpha()),
        (5, 4, Colour::Rgb, None)
    );
    assert_eq!(gif.to_rgb().to_bytes()[..3], [10, 200, 30]);

    // Two pixels, palette entries 1 and 0.
    let path = folder.path().join("palette.png");
    let idat = [0x78, 1, 1, 3, 0, 0xFC, 0xFF, 0, 1, 0, 0, 5, 0, 2]; // stored block, adler of 0 1 0
    let bytes = png(
        2,
        1,
        3,
        &[
            (b"PLTE", &[1, 2, 3, 250, 251, 252]),
            (b"IDAT", &idat),
            (b"IEND", &[]),
        ],
    );
    std::fs::write(&path, bytes).unwrap();
    let picture = Picture::open(&path).unwrap();
    assert_eq!(picture.to_rgb().to_bytes(), [250, 251, 252, 1, 2, 3]);
}

/// A PNG of hand-made chunks (8 bits a sample).
fn png(width: u32, height: u32, colour_type: u8, chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0u32, |crc, &b| {
            (0..8).fold(crc ^ u32::from(b), |c, _| {
                if c & 1 == 1 {
                    0xEDB8_8320 ^ (c >> 1)
                } else {
                    c >> 1
                }
            })
        })
    };
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, colour_type, 0, 0, 0],
    ]
    .concat();
    let mut out = b"\x89PNG\r\n\x1A\n".to_vec();
    for (name, data) in std::iter::once((b"IHDR", &header[..])).chain(chunks.iter().copied()) {
        let body = [&name[..], data].concat();
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(&body);
        out.extend(crc(&body).to_be_bytes());
    }
    out
}

#[test]
fn orientation_is_applied_once_and_reset() {
    // 3x2, numbered row by row; EXIF says which stored side is the top.
    let stored = [10u8, 20, 30, 40, 50, 60];
    let upright: [(u8, usize, [u8; 6]); 8] = [
        (1, 3, [10, 20, 30, 40, 50, 60]),
        (2, 3, [30, 20, 10, 60, 50, 40]),
        (3, 3, [60, 50, 40, 30, 20, 10]),
        (4, 3, [40, 50, 60, 10, 20, 30]),
        (5, 2, [10, 40, 20, 50, 30, 60]),
        (6, 2, [40, 10, 50, 20, 60, 30]),
        (7, 2, [60, 30, 50, 20, 40, 10]),
        (8, 2, [30, 60, 20, 50, 10, 40]),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (orientation, width, expected) in upright {
        for prefix in [false, true] {
            let path = folder.path().join("turned.png");
            let mut encoder =
                ::image::codecs::png::PngEncoder::new(std::fs::File::create(&path).unwrap());
            let block = exif_block(orientation);
            let block = if prefix {
                [b"Exif\0\0".to_vec(), block].concat()
            } else {
                block
            };
            encoder.set_exif_metadata(block).unwrap();
            encoder
                .write_image(&stored, 3, 2, ExtendedColorType::L8)
                .unwrap();

            let picture = Picture::open(&path).unwrap();
            let bytes: Vec<u8> = picture
                .samples()
                .iter()
                .map(|v| (v * 255.0).round() as u8)
                .collect();
            assert_eq!(
                (picture.width(), &bytes[..]),
                (width, &expected[..]),
                "orientation {orientation}"
            );
            assert_eq!(picture.metadata().exif.as_ref().unwrap(), &exif_block(1));
            if !prefix {
                assert_eq!(Picture::probe(&path).unwrap().width as usize, width);
            }
            picture.save(&path, &SaveOptions::default()).unwrap();
            assert_eq!(
                Picture::open(&path).unwrap().samples(),
                picture.samples(),
                "turned twice"
            );
        }
    }
}

#[test]
fn profile_and_exif_are_carried_with_sizes_set_and_no_preview() {
    for format in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
        for colour in [Colour::Grey, Colour::Rgb] {
            if format == Format::WebP && colour == Colour::Grey {
                continue; // read back as colour, which a grey profile does not fit
            }
            let metadata = Metadata {
                icc: Some(profile(colour)),
                exif: Some(exif_block(1)),
                xmp: None,
            };
            let picture = sample(colour, BitDepth::Eight, false).with_metadata(metadata.clone());
            let back = round_trip(&picture, format);
            assert_eq!(back.metadata().icc, metadata.icc, "{format} {colour:?}");
            if format == Format::Tiff {
                continue;
            }
            let block = back.metadata().exif.clone().expect("EXIF kept");
            assert_eq!(block[18..22], *b"Cam\0", "{format}");
            assert_eq!(block[46..50], [0; 4], "the preview is unlinked");
            assert_eq!(block[54..56], [0, 4], "width is a LONG now");
            assert_eq!(
                (block[60..64].to_vec(), block[72..76].to_vec()),
                (vec![0, 0, 0, 21], vec![0, 0, 0, 13])
            );
        }
    }
}

#[test]
fn a_profile_for_other_channels_is_left_out() {
    let metadata = Metadata {
        icc: Some(profile(Colour::Rgb)),
        ..Metadata::default()
    };
    let picture = sample(Colour::Grey, BitDepth::Eight, false).with_metadata(metadata);
    assert_eq!(round_trip(&picture, Format::Png).metadata().icc, None);
}

#[test]
fn nonsense_exif_is_carried_untouched() {
    for block in [
        &b"junk"[..],
        b"MM\0\x2A\xFF\xFF\xFF\xFF",
        b"II\x2A\0\x08\0\0\0\xFF\xFF",
    ] {
        assert_eq!(exif::for_size(block, 5, 5), block);
        let metadata = Metadata {
            exif: Some(block.to_vec()),
            ..Metadata::default()
        };
        let picture = sample(Colour::Rgb, BitDepth::Eight, false).with_metadata(metadata.clone());
        assert_eq!(round_trip(&picture, Format::Png).metadata(), &metadata);
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.png", b"old");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let picture = sample(Colour::Rgb, BitDepth::Eight, false);
    picture.save(&path, &SaveOptions::default()).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
}

#[test]
fn network_pixels_come_and_go() {
    let grey = sample(Colour::Grey, BitDepth::Sixteen, true);
    let rgb = grey.to_rgb();
    assert_eq!(rgb.samples()[3..6], [grey.samples()[1]; 3]);
    let back = grey.with_pixels(rgb);
    assert_eq!(
        (back.colour(), back.depth(), back.alpha()),
        (Colour::Grey, BitDepth::Sixteen, grey.alpha())
    );
    assert!(
        back.samples()
            .iter()
            .zip(grey.samples())
            .all(|(a, b)| (a - b).abs() < 1e-6)
    );

    let colour = sample(Colour::Rgb, BitDepth::Eight, true);
    let rgb = colour.to_rgb();
    assert_eq!(Rgb32::from_planes(21, 13, &rgb.to_planes()).unwrap(), rgb);
    assert_eq!(rgb.to_planes()[21 * 13], rgb.samples()[1]);
    assert_eq!(Rgb32::from_bytes(21, 13, &rgb.to_bytes()).unwrap(), rgb);

    let flat = colour.with_alpha(Some(vec![0.25; 21 * 13])).unwrap();
    let double = Rgb32::new(42, 26, vec![0.5; 42 * 26 * 3]).unwrap();
    let large = flat.with_pixels(double);
    assert!(
        large
            .alpha()
            .unwrap()
            .iter()
            .all(|a| (a - 0.25).abs() < 1e-6)
    );
    assert_eq!(large.alpha().unwrap().len(), 42 * 26);
    let odd = flat.with_pixels(Rgb32::new(10, 30, vec![0.5; 900]).unwrap());
    assert_eq!(odd.alpha().unwrap(), [0.25; 300]);
    assert!(matches!(
        Rgb32::new(4, 4, vec![0.0; 47]),
        Err(ImageError::Samples {
            expected: 48,
            got: 47,
            ..
        })
    ));
}
