//! Names of files that programs stumble over.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::models::{picture, save_picture};
use crate::program::Desk;

/// Names without extension: spaces, newlines, dots, quotes, dashes, scripts, bytes that are no
/// text, and as many bytes as a name may have.
fn stems() -> Vec<OsString> {
    let mut stems: Vec<OsString> = [
        "two  spaces ",
        " leading",
        "new\nline",
        "tab\there",
        "a.b..c",
        "trailing.",
        "-rf",
        "--overwrite",
        "quo\"te's",
        "$HOME`x`",
        "back\\slash",
        "{name}",
        "100%",
        "写真",
        "صورة",
        "Ελληνικά",
        "e\u{301}",
        "é",
        "👩‍👩‍👧",
        "con",
    ]
    .map(OsString::from)
    .into();
    stems.push(OsStr::from_bytes(b"latin-1 \xE9t\xE9").to_owned());
    stems.push(OsStr::from_bytes(b"\xFF\xFE").to_owned());
    let longest = 255 - ".png".len();
    stems.push("x".repeat(longest).into());
    stems.push(format!("{}x", "é".repeat((longest - 1) / 2)).into());
    stems
}

fn names(folder: &Path) -> BTreeSet<OsString> {
    let all = folder.read_dir().unwrap().flatten().map(|e| e.file_name());
    all.filter(|n| !n.as_bytes().starts_with(b".serpent-journal"))
        .collect()
}

#[test]
fn names_of_every_kind_are_kept_and_known_again() {
    let desk = Desk::new();
    let stems = stems();
    for stem in &stems {
        let mut name = stem.clone();
        name.push(".png");
        save_picture(&picture(8, 9), &desk.at("in").join(name));
    }
    let args = ["-i", "in", "-o", "out", "--json", "--report", "r.csv"];
    let ran = desk.restore(&args);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(names(&desk.at("out")), names(&desk.at("in")));
    assert_eq!(names(&desk.at("out")).len(), stems.len());
    // Bytes that are no text included: nothing is done twice.
    let ran = desk.restore(&args);
    let skipped = ran.out.matches("made earlier").count();
    assert_eq!((ran.code, skipped), (Some(0), stems.len()), "{}", ran.err);
    // One more letter and the longest do not fit: said beforehand, the others are done.
    let ran = desk.restore(&["-i", "in", "-o", "more", "--template", "{name}+"]);
    assert_eq!((ran.code, ran.lines().len()), (Some(2), 2), "{}", ran.err);
    assert!(
        ran.lines().iter().all(|l| l.contains("too long")),
        "{}",
        ran.err
    );
    assert_eq!(names(&desk.at("more")).len(), stems.len() - 2);
}

#[test]
fn long_paths_are_mirrored() {
    let desk = Desk::new();
    let deep = vec!["d".repeat(200); 15].join("/");
    save_picture(&picture(8, 9), &desk.at("in").join(&deep).join("a.png"));
    let ran = desk.restore(&["-i", "in", "-o", "out", "-r"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(desk.at("out").join(deep).join("a.png").exists());
}

#[test]
fn a_source_is_safe_under_all_its_names() {
    let desk = Desk::new();
    desk.picture("in/a.png", 20, 14);
    let before = std::fs::read(desk.at("in/a.png")).unwrap();
    std::fs::create_dir(desk.at("out")).unwrap();
    std::fs::hard_link(desk.at("in/a.png"), desk.at("out/a.png")).unwrap();
    std::fs::hard_link(desk.at("in/a.png"), desk.at("hard.png")).unwrap();
    std::os::unix::fs::symlink("in/a.png", desk.at("soft.png")).unwrap();
    std::os::unix::fs::symlink("in", desk.at("linked")).unwrap();
    for (input, output) in [
        ("in/a.png", "hard.png"),
        ("in/a.png", "soft.png"),
        ("soft.png", "in/a.png"),
        ("hard.png", "soft.png"),
        ("in/a.png", "linked/a.png"),
        ("in", "out"),
        ("in", "linked"),
        ("linked", "in"),
        ("in", "in/../linked"),
    ] {
        let ran = desk.restore(&["-i", input, "-o", output, "--overwrite"]);
        assert_eq!(
            (ran.code, ran.lines().len()),
            (Some(2), 1),
            "{input} {output}"
        );
        assert!(ran.err.contains("would replace a source"), "{}", ran.err);
    }
    for name in [
        "in/a.png",
        "out/a.png",
        "hard.png",
        "soft.png",
        "linked/a.png",
    ] {
        assert_eq!(std::fs::read(desk.at(name)).unwrap(), before, "{name}");
    }
}
