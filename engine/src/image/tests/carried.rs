//! What files say beside their pixels, from every format that says it to every other.

use super::*;
use crate::image::exif_tags::{Entry, Tags};

const FORMATS: [Format; 4] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff];

const ORIENTATION: u16 = 0x0112;
const WIDTH: u16 = 0xA002;

/// A place on earth, as the bytes that say it.
const PLACE: [u8; 24] = *b"fiftytwo degrees north!!";

fn entry(tag: u16, kind: u16, value: &[u8]) -> Entry {
    Entry {
        tag,
        kind,
        value: value.to_vec(),
    }
}

/// A camera's tags.
fn tags(orientation: u16) -> Tags {
    Tags {
        main: vec![
            entry(0x010F, 2, b"A camera's maker\0"),
            entry(ORIENTATION, 3, &orientation.to_ne_bytes()),
            entry(
                0x011A,
                5,
                &[300u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat(),
            ),
            entry(
                0x011B,
                5,
                &[300u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat(),
            ),
            entry(0x0128, 3, &2u16.to_ne_bytes()),
            entry(0x8298, 2, b"(c) someone\0"),
        ],
        exif: vec![
            entry(
                0x829A,
                5,
                &[1u32.to_ne_bytes(), 250u32.to_ne_bytes()].concat(),
            ),
            entry(0x9003, 2, b"2026:11:28 18:00:00\0"),
            entry(0x927C, 7, b"a maker's note"),
            entry(WIDTH, 4, &99u32.to_ne_bytes()),
            entry(0xA003, 4, &99u32.to_ne_bytes()),
        ],
        gps: vec![entry(0x0001, 2, b"N\0"), entry(0x0002, 5, &PLACE)],
        interop: vec![entry(0x0001, 2, b"R98\0")],
    }
}

fn packet(orientation: u8, width: usize) -> String {
    format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}" exif:GPSLatitude="52,31N"><exif:PixelXDimension>{width}</exif:PixelXDimension><dc:title>Grüße</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"#
    )
}

fn photo(orientation: u16) -> Picture {
    sample(Colour::Rgb, BitDepth::Eight, false).with_metadata(Metadata {
        icc: Some(profile(Colour::Rgb)),
        exif: Some(tags(orientation).to_block()),
        xmp: Some(packet(orientation as u8, 99).into_bytes()),
    })
}

fn value(entries: &[Entry], tag: u16) -> &[u8] {
    &entries.iter().find(|e| e.tag == tag).unwrap().value
}

#[test]
fn everything_comes_through_all_sixteen_pairs_and_the_picture_turns_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.picture");
    for from in FORMATS {
        // Saved as if upright, the file says that it lies on its side: 21x13 stands 13x21.
        let bytes = photo(6).to_encoded(from, 100).unwrap();
        let picture = Picture::open(write(folder.path(), "from", &bytes)).unwrap();
        assert_eq!((picture.width(), picture.height()), (13, 21), "{from}");
        for to in FORMATS {
            let options = SaveOptions {
                format: Some(to),
                ..SaveOptions::default()
            };
            picture.save(&path, &options).unwrap();
            let back = Picture::open(&path).unwrap();
            assert_eq!((back.width(), back.height()), (13, 21), "{from} to {to}");
            assert_eq!(back.metadata().icc, photo(1).metadata().icc);
            let xmp = String::from_utf8(back.metadata().xmp.clone().unwrap()).unwrap();
            assert_eq!(xmp, packet(1, 13), "{from} to {to}");

            let read = Tags::parse(back.metadata().exif.as_ref().unwrap()).unwrap();
            let mut expected = tags(1);
            expected.exif[3].value = 13u32.to_ne_bytes().to_vec();
            expected.exif[4].value = 21u32.to_ne_bytes().to_vec();
            assert_eq!(read, expected, "{from} to {to}");
        }
    }
}

#[test]
fn sizes_are_those_of_the_enlarged_picture() {
    let double = Rgb32::new(42, 26, vec![0.5; 42 * 26 * 3]).unwrap();
    for format in FORMATS {
        let back = round_trip(&photo(1).with_pixels(double.clone()), format);
        let read = Tags::parse(back.metadata().exif.as_ref().unwrap()).unwrap();
        assert_eq!(value(&read.exif, WIDTH), 42u32.to_ne_bytes());
        let xmp = String::from_utf8(back.metadata().xmp.clone().unwrap()).unwrap();
        assert_eq!(xmp, packet(1, 42));
    }
}

#[test]
fn the_place_is_nowhere_in_the_file_when_it_is_to_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.picture");
    let says = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|w| w == what);
    for format in FORMATS {
        for strip_gps in [false, true] {
            let options = SaveOptions {
                format: Some(format),
                strip_gps,
                ..SaveOptions::default()
            };
            photo(1).save(&path, &options).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(says(&bytes, &PLACE[..8]), !strip_gps, "{format}");
            assert_eq!(says(&bytes, b"GPSLatitude"), !strip_gps, "{format}");
            let back = Picture::open(&path).unwrap();
            let read = Tags::parse(back.metadata().exif.as_ref().unwrap()).unwrap();
            assert_eq!(read.gps.is_empty(), strip_gps);
            assert_eq!(value(&read.main, 0x8298), b"(c) someone\0");
            assert_eq!(read.exif.len(), 5);
            let xmp = String::from_utf8(back.metadata().xmp.clone().unwrap()).unwrap();
            assert!(xmp.contains("Grüße"));
        }
    }
}

#[test]
fn exif_that_might_hide_a_place_is_left_out_whole() {
    assert_eq!(exif::without_gps(b"junk"), None);
    let block = tags(1).to_block();
    let place = |b: &[u8]| b.windows(8).any(|w| w == &PLACE[..8]);
    // However short, no panic, and no place.
    for keep in 0..block.len() {
        if let Some(left) = exif::without_gps(&block[..keep]) {
            assert!(!place(&left), "{keep}");
        }
    }
    assert!(place(&block) && !place(&exif::without_gps(&block).unwrap()));
}

#[test]
fn a_segment_too_small_for_it_leaves_exif_out() {
    let mut large = tags(1);
    large.exif[2].value = vec![7; 70_000];
    let picture = photo(1).with_metadata(Metadata {
        exif: Some(large.to_block()),
        xmp: Some(
            packet(1, 21)
                .replace("Grüße", &"x".repeat(70_000))
                .into_bytes(),
        ),
        ..Metadata::default()
    });
    let jpeg = round_trip(&picture, Format::Jpeg);
    assert_eq!(
        (&jpeg.metadata().exif, &jpeg.metadata().xmp),
        (&None, &None)
    );
    let png = round_trip(&picture, Format::Png);
    assert!(png.metadata().exif.is_some() && png.metadata().xmp.is_some());
}
