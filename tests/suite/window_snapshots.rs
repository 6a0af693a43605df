//! What the main screens look like, dark and light.
//!
//! `UPDATE_SNAPSHOTS=1` writes them anew, after somebody has looked at them.

use egui_kittest::{SnapshotOptions, SnapshotResults};
use serpent::gui::{Command, Setup, ThemeChoice};
use serpent_engine::backend::wgpu::{DeviceInfo, DeviceKind, Examined, Rung};

use crate::window::{Answers, folder, run, save_picture, setup, window_with};

#[test]
fn window_screens_look_as_they_did() {
    let folder = folder();
    let photo = folder.path().join("photo.png");
    save_picture(&photo, 400, 300);
    let reference = folder.path().join("reference.png");
    save_picture(&reference, 400, 300);
    let batch = folder.path().join("photos");
    std::fs::create_dir(&batch).unwrap();
    for i in 1..=12 {
        save_picture(&batch.join(format!("{i:02}.png")), 40, 30);
    }
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
        let pages = Answers {
            picture: reference.clone(),
            pictures: vec![reference.clone()],
            folders: vec![batch.clone(), folder.path().join("out")],
            ..Answers::default()
        };
        let start = Setup {
            devices: Some(devices()),
            ..start(vec![photo.clone()])
        };
        let mut pages = window_with(start, pages);
        run(&mut pages, Command::GoSettings);
        pages.snapshot_options(format!("window-settings-{name}"), &options);
        run(&mut pages, Command::GoCompare);
        run(&mut pages, Command::AddToCompare);
        run(&mut pages, Command::ChooseReference);
        pages.snapshot_options(format!("window-compare-{name}"), &options);
        run(&mut pages, Command::BatchFolder);
        run(&mut pages, Command::BatchOutput);
        pages.snapshot_options(format!("window-batch-{name}"), &options);
        results.extend_harness(&mut empty);
        results.extend_harness(&mut photos);
        results.extend_harness(&mut pages);
    }
}

/// Devices of which none has to be there.
fn devices() -> Vec<Examined> {
    let device = |name: &str, kind, trouble: Option<&str>| Examined {
        info: DeviceInfo {
            name: name.to_owned(),
            kind,
            backend: "Vulkan".to_owned(),
            driver: String::new(),
            max_buffer_bytes: 4 << 30,
            max_binding_bytes: 2 << 30,
            max_workgroup_bytes: 32 << 10,
        },
        rung: trouble.is_none().then_some(Rung::Half),
        verdicts: Vec::new(),
        trouble: trouble.map(str::to_owned),
    };
    let lost = Some("the driver does not answer");
    vec![
        device("Some graphics card", DeviceKind::Discrete, None),
        device("Another one", DeviceKind::Integrated, lost),
    ]
}
