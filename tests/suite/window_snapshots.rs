//! What the main screens look like, dark and light.
//!
//! `UPDATE_SNAPSHOTS=1` writes them anew, after somebody has looked at them.

use egui_kittest::{SnapshotOptions, SnapshotResults};
use serpent::gui::{Command, Setup, ThemeChoice};

use crate::window::{Answers, folder, run, save_picture, setup, window_with};

#[test]
fn window_screens_look_as_they_did() {
    let folder = folder();
    let photo = folder.path().join("photo.png");
    save_picture(&photo, 400, 300);
    let mut results = SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let start = |files| Setup {
            files,
            theme: Some(theme),
            settings: None,
            ..setup(folder.path())
        };
        // Rasterisers differ in how they smooth text; a moved or missing widget is far more.
        let options = SnapshotOptions::new()
            .threshold(1.0)
            .max_failed_pixels(600)
            .output_path("snapshots");
        let mut empty = window_with(start(Vec::new()), Answers::default());
        empty.snapshot_options(format!("window-empty-{name}"), &options);
        let mut photos = window_with(start(vec![photo.clone()]), Answers::default());
        photos.snapshot_options(format!("window-photo-{name}"), &options);
        run(&mut photos, Command::Palette);
        photos.snapshot_options(format!("window-commands-{name}"), &options);
        results.extend_harness(&mut empty);
        results.extend_harness(&mut photos);
    }
}
