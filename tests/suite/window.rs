//! The window, driven through its accessibility tree on a software device.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use serpent::gui::{Dialogs, Setup, Window};
use serpent_engine::checkpoint::{Checkpoint, Precision, Task};
use serpent_engine::image::{Colour, Picture, SaveOptions};
use serpent_engine::network::Network;
use serpent_engine::restore::{DeviceChoice, ModelLibrary};

use crate::network::{lively_weights, small};

/// Answers prepared in advance.
struct Answers {
    open: PathBuf,
    save: PathBuf,
}

impl Dialogs for Answers {
    fn open(&mut self) -> Option<PathBuf> {
        Some(self.open.clone())
    }

    fn save(&mut self, suggestion: &Path) -> Option<PathBuf> {
        assert_eq!(suggestion.file_name().unwrap(), "photo-restored.png");
        Some(self.save.clone())
    }
}

/// A folder with a small model and a picture.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::build(&small(), 1, 8, 8).unwrap();
    let model = Checkpoint {
        config: small(),
        task: Task::Denoise,
        recipe: serde_json::Value::Null,
        weights: lively_weights(&network, 1),
    };
    let path = folder.path().join("denoise.safetensors");
    model.save(&path, Precision::F16).unwrap();
    let samples = (0..40 * 30 * 3).map(|i| (i % 97) as f32 / 97.0).collect();
    let picture = Picture::new(40, 30, Colour::Rgb, samples).unwrap();
    picture
        .save(folder.path().join("photo.png"), &SaveOptions::default())
        .unwrap();
    folder
}

fn window(folder: &Path, open: &str, save: &str) -> Harness<'static, Window> {
    let setup = Setup {
        file: None,
        device: DeviceChoice::Cpu,
        library: ModelLibrary::new(vec![folder.to_owned()]),
        model: None,
    };
    let answers = Answers {
        open: folder.join(open),
        save: folder.join(save),
    };
    Harness::builder()
        .with_size([900.0, 600.0])
        .wgpu()
        .build_eframe(move |cc| Window::new(&cc.egui_ctx, setup, Box::new(answers)))
}

/// Lets frames pass until nothing is going on.
fn settle(harness: &mut Harness<'_, Window>) {
    let start = Instant::now();
    harness.run_steps(2);
    while harness.state().is_busy() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the window stays busy"
        );
        std::thread::sleep(Duration::from_millis(20));
        harness.step();
    }
    harness.run_steps(2);
}

fn click(harness: &mut Harness<'_, Window>, label: &str) {
    harness.get_by_label(label).click();
    settle(harness);
}

#[test]
fn window_opens_restores_and_saves() {
    let folder = folder();
    let mut harness = window(folder.path(), "photo.png", "out.png");
    settle(&mut harness);
    assert!(harness.query_by_label("Drop a photo here").is_some());
    click(&mut harness, "Open…");
    assert!(harness.query_by_label("photo.png").is_some());
    assert!(harness.state().restored().is_none());
    click(&mut harness, "Restore");
    let restored = harness.state().restored().expect("restored").clone();
    assert_eq!((restored.width(), restored.height()), (40, 30));
    click(&mut harness, "Save as…");
    let saved = Picture::open(folder.path().join("out.png")).unwrap();
    let difference = saved
        .samples()
        .iter()
        .zip(restored.samples())
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(difference <= 0.5 / 255.0 + 1e-6, "{difference}");
}

#[test]
fn window_never_saves_over_the_original() {
    let folder = folder();
    let before = std::fs::read(folder.path().join("photo.png")).unwrap();
    let mut harness = window(folder.path(), "photo.png", "photo.png");
    click(&mut harness, "Open…");
    click(&mut harness, "Restore");
    click(&mut harness, "Save as…");
    assert!(harness.query_by_label_contains("never replaced").is_some());
    assert_eq!(
        std::fs::read(folder.path().join("photo.png")).unwrap(),
        before
    );
}

#[test]
fn window_names_a_file_it_cannot_open() {
    let folder = folder();
    std::fs::write(folder.path().join("text.png"), "no picture").unwrap();
    let mut harness = window(folder.path(), "text.png", "out.png");
    click(&mut harness, "Open…");
    assert!(harness.query_by_label_contains("text.png").is_some());
    assert!(harness.query_by_label("Drop a photo here").is_some());
}
