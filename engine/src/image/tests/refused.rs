//! Files that must be refused, and saves that must fail without a trace.

use super::*;

/// The error, after checking that its one line names the file.
fn refused(path: &Path) -> ImageError {
    let error = Picture::open(path).unwrap_err();
    let line = error.to_string();
    assert!(
        line.contains(path.file_name().unwrap().to_str().unwrap()),
        "{line}"
    );
    assert!(!line.contains('\n'), "{line}");
    error
}

#[test]
fn bad_files_are_refused_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert!(matches!(
        refused(&write(dir, "empty.png", b"")),
        ImageError::Empty { .. }
    ));
    let text = refused(&write(
        dir,
        "notes.jpg",
        b"Dear diary,\ntoday I took no picture at all.",
    ));
    assert!(matches!(text, ImageError::NotAnImage { .. }) && text.to_string().contains("text"));
    assert!(matches!(
        refused(&write(dir, "noise.png", &[0x91, 0x02, 0x83])),
        ImageError::NotAnImage { .. }
    ));
    assert!(matches!(
        refused(&dir.join("absent.png")),
        ImageError::Io { .. }
    ));
    assert!(matches!(refused(dir), ImageError::Io { .. }));
    let heif = write(dir, "a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    assert!(refused(&heif).to_string().contains("HEIF format"));
    for (name, head) in [
        ("a.cr3", &b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom"[..]),
        ("a.raf", b"FUJIFILMCCD-RAW 0201"),
        ("a.crw", b"II\x1A\0\0\0HEAPCCDR"),
        ("a.DNG", b"II\x2A\0\x08\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        let error = refused(&write(dir, name, head));
        match Format::Raw.can_read() {
            true => assert!(!matches!(error, ImageError::NotAnImage { .. }), "{error}"),
            false => assert!(error.to_string().contains("--features raw"), "{error}"),
        }
    }
    let film = write(dir, "a.jpg", b"\0\0\0\x18ftypisom\0\0\0\0mp42avc1");
    assert!(refused(&film).to_string().contains("looks like a film"));
    let mut damaged = sample(Colour::Rgb, BitDepth::Eight, false)
        .to_encoded(Format::Png, 90)
        .unwrap();
    damaged[60] ^= 0x55;
    assert!(matches!(
        refused(&write(dir, "damaged.png", &damaged)),
        ImageError::Decode { .. }
    ));
}

#[test]
fn files_cut_short_are_refused_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let picture = sample(Colour::Rgb, BitDepth::Eight, false);
    for format in [
        Format::Png,
        Format::Jpeg,
        Format::WebP,
        Format::Tiff,
        Format::Bmp,
    ] {
        let whole = picture.to_encoded(format, 90).unwrap();
        for keep in [whole.len() * 9 / 10, whole.len() / 2] {
            let error = refused(&write(folder.path(), "cut.bin", &whole[..keep]));
            assert!(
                matches!(error, ImageError::Truncated { .. }),
                "{format} at {keep}: {error}"
            );
        }
        // However short, an error and never a panic or half a picture.
        for keep in 1..whole.len().min(200) {
            refused(&write(folder.path(), "cut.bin", &whole[..keep]));
        }
    }
}

#[test]
fn a_huge_header_is_refused_before_memory_is_reserved() {
    let folder = tempfile::tempdir().unwrap();
    let huge = write(
        folder.path(),
        "huge.png",
        &png(30_000, 30_000, 2, &[(b"IDAT", &[0x78, 1])]),
    );
    let error = refused(&huge);
    assert!(
        matches!(
            error,
            ImageError::TooLarge {
                width: 30_000,
                height: 30_000,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("900 megapixels, the limit is 400"),
        "{error}"
    );
    let probe = Picture::probe(&huge).unwrap();
    assert_eq!(
        (probe.width, probe.height, probe.format),
        (30_000, 30_000, Format::Png)
    );

    let path = folder.path().join("small.jpg");
    let picture = sample(Colour::Rgb, BitDepth::Eight, false);
    picture.save(&path, &SaveOptions::default()).unwrap();
    let limits = Limits {
        max_pixels: 21 * 13 - 1,
    };
    assert!(matches!(
        Picture::open_with(&path, &limits),
        Err(ImageError::TooLarge { .. })
    ));
    assert!(
        Picture::open_with(
            &path,
            &Limits {
                max_pixels: 21 * 13
            }
        )
        .is_ok()
    );
}

#[test]
fn a_failed_save_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "old.webp", b"old");
    // WebP sides end at 16384.
    let wide = Picture::new(16_385, 1, Colour::Grey, vec![0.5; 16_385]).unwrap();
    let error = wide.save(&path, &SaveOptions::default()).unwrap_err();
    assert!(matches!(error, ImageError::Encode { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    for name in ["out", "out.xyz", "out.gif"] {
        let error = wide
            .save(folder.path().join(name), &SaveOptions::default())
            .unwrap_err();
        assert!(matches!(error, ImageError::Unsupported { .. }), "{error}");
    }
    let error = wide
        .save(
            folder.path().join("no/such/folder/a.png"),
            &SaveOptions::default(),
        )
        .unwrap_err();
    assert!(matches!(error, ImageError::Io { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
