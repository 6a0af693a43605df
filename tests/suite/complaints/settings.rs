//! A folder is treated as its pictures alone would be.

use crate::program::Desk;

#[test]
fn a_batch_uses_every_setting_that_a_single_picture_has() {
    let desk = Desk::new();
    for name in ["a", "b"] {
        desk.picture(&format!("in/{name}.png"), 40, 30);
    }
    let settings = [
        "-f",
        "jpg",
        "--quality",
        "55",
        "--strength",
        "0.4",
        "--tile",
        "32",
        "-x",
    ];
    let ran = desk.restore(&[&["-i", "in", "-o", "out"], &settings[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let batch = std::fs::read(desk.at("out/a.jpg")).unwrap();
    let alone = |settings: &[&str]| {
        let to = ["-i", "in/a.png", "-o", "alone.jpg", "--overwrite"];
        let ran = desk.restore(&[&to[..], settings].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        std::fs::read(desk.at("alone.jpg")).unwrap()
    };
    assert!(
        alone(&settings) == batch,
        "the same settings, the same bytes"
    );
    // Each setting matters, or the comparison above would say nothing.
    for left_out in [2..4, 4..6, 8..9] {
        let mut others = settings.to_vec();
        others.drain(left_out.clone());
        assert!(alone(&others) != batch, "without {:?}", &settings[left_out]);
    }
    assert_eq!(desk.files("in").len(), 2, "sources stay");
}
