//! Raw files of cameras, read by the program in processes of their own.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../engine/src/image/tests/dng.rs"]
mod dng;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dng::{HEIGHT, LIGHT, MAKER, WIDTH, dng};
use serpent_engine::image::{Format, ImageError, Limits, Picture, raw_process};

const PROGRAM: &str = env!("CARGO_BIN_EXE_serpent");

/// A tag with a fraction each for nine values of a matrix, as it stands in the directory.
const MATRIX: [u8; 8] = [0x21, 0xC6, 10, 0, 9, 0, 0, 0];

/// A file whose matrix announces so many values, of 8 bytes each.
fn announcing(values: u32) -> Vec<u8> {
    let mut bytes = dng([1.0; 3], 1);
    let mut places = bytes.windows(8).enumerate();
    let place = places.find(|(_, w)| *w == MATRIX).unwrap().0;
    bytes[place + 4..place + 8].copy_from_slice(&values.to_le_bytes());
    bytes
}

fn saved(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn restore(folder: &Path, args: &[&str]) -> Output {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    Command::new(PROGRAM)
        .args(["restore", "--device", "cpu", "-m", "denoise-tiny"])
        .args(args)
        .current_dir(folder)
        .env("SERPENT_MODELS", models)
        .env("SERPENT_CACHE", folder.join("cache"))
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn a_raw_file_that_announces_more_than_the_memory_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).unwrap();
    // 34 GB, which is more than may be had, before and behind good ones.
    saved(&inputs, "a.dng", &dng([1.0; 3], 6));
    saved(&inputs, "b.dng", &announcing(0xFF00_0009));
    saved(&inputs, "c.dng", &dng([0.5, 1.0, 0.75], 1));
    let ran = restore(folder.path(), &["-i", "in", "-o", "out"]);
    let err = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    for word in ["b.dng", "reading it ended the reader", "another copy"] {
        assert!(err.contains(word), "{err}");
    }
    let outputs = folder.path().join("out");
    for (name, size) in [("a.png", (40, 64)), ("c.png", (64, 40))] {
        let picture = Picture::open(outputs.join(name)).unwrap();
        assert_eq!((picture.width(), picture.height()), size, "{name}");
    }
    assert!(!outputs.join("b.png").exists());
}

#[test]
fn a_process_gives_what_the_file_holds_and_keeps_to_the_limit() {
    raw_process::set_program(PROGRAM.into());
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), "photo.dng", &dng([0.5, 1.0, 0.75], 6));
    let probe = Picture::probe(&path).unwrap();
    assert_eq!(
        (probe.width, probe.height, probe.format),
        (40, 64, Format::Raw)
    );
    let picture = Picture::open(&path).unwrap();
    // What was left is at the top.
    let top = &picture.samples()[3 * (14 * 40 + 20)..][..3];
    for (v, light) in top.iter().zip(LIGHT[0]) {
        let shown = 1.055 * light.powf(1.0 / 2.4) - 0.055;
        assert!((v - shown).abs() < 0.01, "{top:?}");
    }
    let exif = picture.metadata().exif.clone().unwrap();
    let maker = MAKER.as_bytes();
    assert!(exif.windows(maker.len()).any(|w| w == maker));
    let limits = Limits { max_pixels: 2000 };
    let error = Picture::open_with(&path, &limits).unwrap_err();
    assert!(
        matches!(error, ImageError::TooLarge { width: 64, .. }),
        "{error}"
    );
}

/// There may be as much memory in this machine; the process has none of it.
#[cfg(target_os = "linux")]
#[test]
fn a_process_has_no_more_memory_than_its_picture_needs() {
    raw_process::set_program(PROGRAM.into());
    let folder = tempfile::tempdir().unwrap();
    let threads = std::thread::available_parallelism().unwrap().get();
    // What is left to it whatever the file is: a GB, and an eighth of one for each thread.
    for (gigabytes, ended) in [(2 + threads / 8, true), (0, false)] {
        let values = 9.max((gigabytes << 30) / 8) as u32;
        let path = saved(folder.path(), "photo.dng", &announcing(values));
        let told = Picture::open(&path).err().map(|e| e.to_string());
        let by_limit = told
            .as_ref()
            .is_some_and(|e| e.contains("ended the reader"));
        assert_eq!(by_limit, ended, "{gigabytes}: {told:?}");
    }
}

#[test]
fn whatever_byte_of_a_raw_file_is_changed_it_is_read_or_refused() {
    raw_process::set_program(PROGRAM.into());
    let folder = tempfile::tempdir().unwrap();
    let whole = dng([1.0; 3], 1);
    // The directory stands behind the pixels.
    let directory = 2 * usize::from(WIDTH) * usize::from(HEIGHT)..whole.len();
    let mut refused = 0;
    for at in directory.clone().step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        let path = saved(folder.path(), "photo.dng", &bytes);
        refused += usize::from(Picture::open(&path).is_err());
    }
    println!("{refused} of {} refused", directory.len() / 5);
    assert!(refused > 0);
}
