//! AVIF files made by another program (tests/reference/avif.py) from a picture known here.

use super::*;

const WIDTH: usize = 23;
const HEIGHT: usize = 17;

/// The picture that the files hold: red, green, blue and opacity in 255ths.
fn known(x: usize, y: usize) -> [f32; 4] {
    let (x, y) = (x as f32, y as f32);
    [
        40.0 + 8.0 * x,
        200.0 - 9.0 * y,
        60.0 + 3.0 * x + 5.0 * y,
        255.0 - 6.0 * x - 4.0 * y,
    ]
}

fn luma([r, g, b, _]: [f32; 4]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("avif/", $name, ".avif")))),*]
    };
}

const FILES: &[(&str, &[u8])] = files!(
    "400-8" "400-10" "400-12" "420-8" "420-10" "420-12" "422-8" "422-10" "422-12"
    "444-8" "444-10" "444-12" "alpha-8" "alpha-10" "alpha-grey" "multiplied"
    "limited-8" "limited-10" "matrix-0" "matrix-1" "matrix-4" "matrix-7" "matrix-8" "matrix-9"
    "matrix-12" "pq" "hlg" "left" "turned" "cropped" "told" "parts" "film"
);

fn file(name: &str) -> Vec<u8> {
    let (_, bytes) = FILES.iter().find(|(n, _)| *n == name).unwrap();
    bytes.to_vec()
}

/// Opens bytes as a file of a name that says something else.
fn opened(bytes: &[u8]) -> Result<Picture, ImageError> {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jpg", bytes);
    let probe = Picture::probe(&path);
    let picture = Picture::open(&path)?;
    let probe = probe.unwrap();
    assert_eq!(probe.format, Format::Avif);
    assert_eq!(
        (probe.width as usize, probe.height as usize),
        (picture.width(), picture.height())
    );
    Ok(picture)
}

/// The greatest difference from the known picture in 255ths: without the outermost two pixels,
/// beside which halved chroma cannot know how it goes on, and everywhere.
fn differences(picture: &Picture) -> [f32; 2] {
    let (width, height) = (picture.width(), picture.height());
    let channels = picture.colour().channels();
    let mut worst = [0.0f32; 2];
    for (i, pixel) in picture.samples().chunks_exact(channels).enumerate() {
        let (x, y) = (i % width, i / width);
        let inside = (2..width - 2).contains(&x) && (2..height - 2).contains(&y);
        let wanted = known(x, y);
        let wanted = match picture.colour() {
            Colour::Grey => [luma(wanted); 3],
            Colour::Rgb => [wanted[0], wanted[1], wanted[2]],
        };
        for (v, w) in pixel.iter().zip(wanted) {
            let off = (v * 255.0 - w).abs();
            worst[1] = worst[1].max(off);
            if inside {
                worst[0] = worst[0].max(off);
            }
        }
    }
    worst
}

#[test]
fn every_depth_and_layout_shows_the_picture() {
    for (layout, beside) in [("444", 0.0), ("422", 3.0), ("420", 5.5), ("400", 0.0)] {
        for depth in [8u8, 10, 12] {
            let name = format!("{layout}-{depth}");
            let picture = opened(&file(&name)).unwrap();
            assert_eq!((picture.width(), picture.height()), (WIDTH, HEIGHT));
            let grey = layout == "400";
            assert_eq!(picture.colour() == Colour::Grey, grey, "{name}");
            assert_eq!(picture.depth() == BitDepth::Eight, depth == 8, "{name}");
            assert_eq!(picture.alpha(), None);
            assert_eq!(picture.metadata(), &Metadata::default(), "{name}");
            // Luma and chroma, which counts up to 1.8 times, are rounded by half a step of the
            // file's depth each, the result by half a step of 8 or 16 bits.
            let step = 256.0 / (1u32 << depth) as f32;
            let rounding = 1.5 * step + if depth == 8 { 0.51 } else { 0.01 };
            let found = differences(&picture);
            println!("{name}: {found:?}");
            assert!(found[0] < rounding, "{name}: {found:?}");
            assert!(found[1] < rounding + beside, "{name}: {found:?}");
            // It becomes PNG.
            round_trip(&picture, Format::Png);
        }
    }
}

#[test]
fn ranges_and_matrices_are_followed() {
    for name in ["limited-8", "limited-10"] {
        let found = differences(&opened(&file(name)).unwrap());
        let step = if name == "limited-8" { 1.0 } else { 0.25 };
        println!("{name}: {found:?}");
        assert!(found[1] < 2.2 * step, "{name}: {found:?}");
    }
    for matrix in [0, 1, 4, 7, 8, 9, 12] {
        let name = format!("matrix-{matrix}");
        let found = differences(&opened(&file(&name)).unwrap());
        println!("{name}: {found:?}");
        assert!(found[1] < 0.12, "{name}: {found:?}");
    }
}

#[test]
fn chroma_beside_the_left_pixel_is_told_from_chroma_between_two() {
    let found = differences(&opened(&file("left")).unwrap());
    println!("left: {found:?}");
    assert!(found[0] < 2.2, "{found:?}");
    // Taken for the other kind it is off: the position is a byte of the file.
    let mut moved = file("left");
    let at = place(&moved, b"av1C") + 2;
    assert_eq!(moved[at] & 3, 1);
    moved[at] &= !3;
    let found = differences(&opened(&moved).unwrap());
    println!("left as middle: {found:?}");
    assert!(found[0] > 2.5, "{found:?}");
}

#[test]
fn opacity_is_read_and_taken_out_of_colours_that_it_was_multiplied_into() {
    for name in ["alpha-8", "alpha-10", "alpha-grey", "multiplied"] {
        let picture = opened(&file(name)).unwrap();
        let most = if name == "alpha-8" { 0.51 } else { 0.13 };
        for (i, a) in picture.alpha().unwrap().iter().enumerate() {
            let off = (a * 255.0 - known(i % WIDTH, i / WIDTH)[3]).abs();
            assert!(off < most, "{name}: {off} at {i}");
        }
        assert_eq!(picture.colour() == Colour::Grey, name == "alpha-grey");
        let found = differences(&picture);
        println!("{name}: {found:?}");
        assert!(
            found[0] < if name == "alpha-8" { 2.0 } else { 0.5 },
            "{name}: {found:?}"
        );
    }
}

/// Where a box's content begins.
fn place(bytes: &[u8], name: &[u8; 4]) -> usize {
    bytes.windows(4).position(|w| w == name).unwrap() + 4
}

#[test]
fn pictures_are_turned_and_mirrored_as_the_container_says() {
    let file = file("turned");
    let (irot, imir) = (place(&file, b"irot"), place(&file, b"imir"));
    assert_eq!((file[irot], file[imir]), (1, 0));
    for quarters in 0..4u8 {
        for mirror in 0..2u8 {
            let mut bytes = file.clone();
            (bytes[irot], bytes[imir]) = (quarters, mirror);
            let picture = opened(&bytes).unwrap();
            let size = match quarters % 2 {
                0 => (WIDTH, HEIGHT),
                _ => (HEIGHT, WIDTH),
            };
            assert_eq!((picture.width(), picture.height()), size);
            for (i, pixel) in picture.samples().as_chunks::<3>().0.iter().enumerate() {
                // Back from the upright picture: unmirror, then turn clockwise.
                let (mut x, mut y) = (i % size.0, i / size.0);
                match mirror {
                    0 => y = size.1 - 1 - y,
                    _ => x = size.0 - 1 - x,
                }
                let (x, y) = match quarters {
                    0 => (x, y),
                    1 => (WIDTH - 1 - y, x),
                    2 => (WIDTH - 1 - x, HEIGHT - 1 - y),
                    _ => (y, HEIGHT - 1 - x),
                };
                for (v, w) in pixel.iter().zip(known(x, y)) {
                    let off = (v * 255.0 - w).abs();
                    assert!(off < 2.0, "{quarters} {mirror}: {off} at {i}");
                }
            }
        }
    }
}

#[test]
fn what_is_to_be_cut_out_is_cut_out() {
    let picture = opened(&file("cropped")).unwrap();
    assert_eq!((picture.width(), picture.height()), (10, 12));
    for (i, pixel) in picture.samples().as_chunks::<3>().0.iter().enumerate() {
        let wanted = known(3 + i % 10, 2 + i / 10);
        assert!(
            pixel
                .iter()
                .zip(wanted)
                .all(|(v, w)| (v * 255.0 - w).abs() < 2.0)
        );
    }
    // An aperture that lies outside is none.
    let mut bytes = file("cropped");
    let clap = place(&bytes, b"clap");
    bytes[clap + 2] = 1;
    assert_eq!(opened(&bytes).unwrap().width(), WIDTH);
}

#[test]
fn profile_exif_and_xmp_are_kept_and_say_that_the_picture_is_upright() {
    // EXIF says that it lies on its side, but the container counts.
    let mut bytes = file("told");
    let irot = place(&bytes, b"irot");
    assert_eq!(bytes[irot], 3);
    bytes[irot] = 0;
    let picture = opened(&bytes).unwrap();
    assert_eq!((picture.width(), picture.height()), (WIDTH, HEIGHT));
    let metadata = picture.metadata();
    let profile = metadata.icc.as_deref().unwrap();
    assert_eq!(profile, b"bytes of a profile that nobody follows");
    let exif = metadata.exif.as_deref().unwrap();
    assert_eq!(exif[..8], *b"MM\0\x2A\0\0\0\x08");
    assert_eq!(exif[18..20], [0, 1], "upright");
    let xmp = String::from_utf8(metadata.xmp.clone().unwrap()).unwrap();
    assert!(xmp.contains(r#"tiff:Orientation="1""#), "{xmp}");
}

#[test]
fn primaries_become_a_profile() {
    let picture = opened(&file("matrix-12")).unwrap();
    assert_eq!(
        picture,
        opened(&file("matrix-12")).unwrap(),
        "always the same"
    );
    let date = &picture.metadata().icc.as_ref().unwrap()[24..28];
    assert_eq!(date, [7, 208, 0, 1], "no day but the first of 2000");
    let colours = ColourTransform::of(&picture);
    assert!(!colours.is_srgb() && colours.problem().is_none());
    let expected = picture.clone().with_metadata(Metadata {
        icc: Some(profile(Colour::Rgb)),
        ..Metadata::default()
    });
    let expected = ColourTransform::of(&expected).seen(&expected);
    for (a, b) in colours
        .seen(&picture)
        .samples()
        .iter()
        .zip(expected.samples())
    {
        assert!((a - b).abs() < 2e-3, "{a} is not {b}");
    }
    // Grey has none, and what nobody specified is sRGB.
    let mut unsaid = file("matrix-12");
    let nclx = place(&unsaid, b"nclx");
    unsaid[nclx..nclx + 4].copy_from_slice(&[0, 2, 0, 2]);
    assert_eq!(opened(&unsaid).unwrap().metadata().icc, None);
    let mut gamma = file("400-8");
    let nclx = place(&gamma, b"nclx");
    gamma[nclx..nclx + 4].copy_from_slice(&[0, 1, 0, 4]);
    let gamma = opened(&gamma).unwrap();
    let curve = moxcms::ColorProfile::new_gray_with_gamma(2.2)
        .encode()
        .unwrap();
    let expected = gamma.clone().with_metadata(Metadata {
        icc: Some(curve),
        ..Metadata::default()
    });
    let expected = ColourTransform::of(&expected).seen(&expected);
    let seen = ColourTransform::of(&gamma).seen(&gamma);
    assert!(
        seen.samples()
            .iter()
            .zip(expected.samples())
            .all(|(a, b)| (a - b).abs() < 1e-3)
    );
    assert_ne!(seen.to_bytes(), gamma.to_rgb().to_bytes());
}

/// What a television shows for a signal (SMPTE ST 2084, ITU-R BT.2100), in candela per square metre.
fn shown(name: &str, rgb: [f64; 3]) -> [f64; 3] {
    match name {
        "pq" => rgb.map(|v| {
            let power = v.powf(32.0 / 2523.0);
            let top = (power - 3424.0 / 4096.0).max(0.0);
            let ratio = top / (2413.0 / 128.0 - 2392.0 / 128.0 * power);
            10_000.0 * ratio.powf(16_384.0 / 2610.0)
        }),
        _ => {
            let scene = rgb.map(|v| match v {
                ..=0.5 => v * v / 3.0,
                _ => (((v - 0.559_910_73) / 0.178_832_77).exp() + 0.284_668_92) / 12.0,
            });
            let y = 0.2627 * scene[0] + 0.678 * scene[1] + 0.0593 * scene[2];
            scene.map(|v| 1000.0 * v * y.powf(0.2))
        }
    }
}

#[test]
fn curves_beyond_white_count_light() {
    let to_srgb = [
        [1.6605, -0.5876, -0.0728],
        [-0.1246, 1.1329, -0.0083],
        [-0.0182, -0.1006, 1.1187],
    ];
    for name in ["pq", "hlg"] {
        let picture = opened(&file(name)).unwrap();
        assert_eq!(
            (picture.light(), picture.depth(), &picture.metadata().icc),
            (Light::Linear, BitDepth::Float, &None)
        );
        let mut brightest = 0.0f32;
        for (i, pixel) in picture.samples().as_chunks::<3>().0.iter().enumerate() {
            let [r, g, b, _] = known(i % WIDTH, i / WIDTH).map(|v| f64::from(v) / 255.0);
            let light = shown(name, [r, g, b]);
            let most = light.iter().fold(0.0f64, |m, v| m.max(*v));
            for (v, row) in pixel.iter().zip(to_srgb) {
                let wanted: f64 = row.iter().zip(light).map(|(m, v)| m * v / 203.0).sum();
                // A step of 12 bits is up to half a hundredth of the light.
                let off = (f64::from(*v) - wanted).abs();
                assert!(
                    off < 0.01 * most / 203.0 + 1e-4,
                    "{name}: {v} is not {wanted}"
                );
                brightest = brightest.max(*v);
            }
        }
        assert!(brightest > 2.0, "{name}: {brightest}");
        // PNG is white there.
        let png = round_trip(&picture, Format::Png);
        assert_eq!(png.light(), Light::Display);
        assert_eq!(png.samples().iter().fold(0.0f32, |m, v| m.max(*v)), 1.0);
    }
}

#[test]
fn parts_are_put_together() {
    let whole = file("parts");
    let same = |picture: &Picture| {
        let width = picture.width();
        for (i, pixel) in picture.samples().as_chunks::<3>().0.iter().enumerate() {
            let wanted = known(i % width / 8, i / width / 8);
            assert!(
                pixel
                    .iter()
                    .zip(wanted)
                    .all(|(v, w)| (v * 255.0 - w).abs() < 2.0),
                "at {i}"
            );
        }
    };
    let picture = opened(&whole).unwrap();
    assert_eq!((picture.width(), picture.height()), (128, 128));
    same(&picture);
    // The last parts may reach beyond the picture, but must show some of it.
    let layout = [0, 0, 1, 1, 0, 128, 0, 128];
    let at = whole.windows(8).position(|w| w == layout).unwrap() + 4;
    let sized = |width: u8, height: u8| {
        let mut bytes = whole.clone();
        bytes[at + 1] = width;
        bytes[at + 3] = height;
        opened(&bytes)
    };
    let picture = sized(101, 77).unwrap();
    assert_eq!((picture.width(), picture.height()), (101, 77));
    same(&picture);
    for (width, height) in [(64, 128), (128, 129), (0, 0)] {
        let error = sized(width, height).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}

#[test]
fn of_a_film_the_first_frame_is_taken() {
    let found = differences(&opened(&file("film")).unwrap());
    assert!(found[1] < 2.0, "{found:?}");
}

#[test]
fn the_family_may_be_named_first() {
    let mut bytes = file("444-8");
    assert!(bytes[16..64].as_chunks::<4>().0.contains(b"avif"));
    bytes[8..12].copy_from_slice(b"mif1");
    assert!(opened(&bytes).is_ok());
}

#[test]
fn avif_that_is_too_large_or_broken_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = file("420-8");
    let path = write(folder.path(), "a.avif", &whole);
    let most = (WIDTH * HEIGHT) as u64;
    let limits = |max_pixels| Limits { max_pixels };
    assert!(Picture::open_with(&path, &limits(most)).is_ok());
    // No pixel is looked at before the size is.
    let data = place(&whole, b"mdat");
    let mut hollow = whole.clone();
    // All but AV1's first unit, which says the size.
    assert_eq!(hollow[data..data + 2], [0x12, 0]);
    let rest = data + 4 + usize::from(hollow[data + 3]);
    hollow[rest..].fill(0);
    let path = write(folder.path(), "hollow.avif", &hollow);
    let error = Picture::open_with(&path, &limits(most - 1)).unwrap_err();
    assert!(matches!(error, ImageError::TooLarge { .. }), "{error}");
    let error = Picture::open(&path).unwrap_err();
    assert!(matches!(error, ImageError::Decode { .. }), "{error}");
    assert!(error.to_string().contains("hollow.avif"), "{error}");

    for keep in 12..whole.len() {
        let path = write(folder.path(), "cut.avif", &whole[..keep]);
        let error = Picture::open(&path).unwrap_err();
        assert!(error.to_string().contains("cut.avif"), "{error}");
        // Between two boxes nothing tells that there were more.
        let between = [32, data - 8].contains(&keep);
        let told = matches!(error, ImageError::Truncated { .. });
        assert!(told || between, "at {keep}: {error}");
    }
    // Whatever a byte says instead: a picture or a refusal.
    for (name, bytes) in FILES {
        for at in (0..bytes.len()).step_by(if *name == "told" { 3 } else { 29 }) {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 0x41;
            let path = write(folder.path(), "changed.avif", &bytes);
            if let Err(error) = Picture::open_with(&path, &limits(1 << 16)) {
                assert!(error.to_string().contains("changed.avif"), "{error}");
            }
        }
    }
}

#[test]
fn colours_taken_apart_in_unknown_ways_are_refused() {
    let mut bytes = file("444-12");
    let nclx = place(&bytes, b"nclx");
    bytes[nclx + 5] = 10;
    let error = opened(&bytes).unwrap_err();
    assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("matrix 10"), "{error}");
}
