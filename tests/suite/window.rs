//! The window, driven through its accessibility tree on a software device.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use serpent::gui::{Answer, Command, Dialogs, Page, Question, Setup, Window};
use serpent_engine::checkpoint::{Checkpoint, Precision, Task};
use serpent_engine::image::{BitDepth, Colour, Picture, SaveOptions};
use serpent_engine::network::Network;
use serpent_engine::restore::{DeviceChoice, ModelLibrary, blend};

use crate::network::{lively_weights, small};

/// Answers prepared in advance.
#[derive(Clone, Default)]
pub struct Answers {
    /// Pictures to open.
    pub pictures: Vec<PathBuf>,
    /// One picture.
    pub picture: PathBuf,
    /// Folders, one after the other.
    pub folders: Vec<PathBuf>,
    /// Where to save.
    pub save: PathBuf,
    /// What the desktop was to tell.
    pub told: Arc<Mutex<Vec<String>>>,
}

impl Dialogs for Answers {
    fn ask(&mut self, _title: &str, question: Question, answer: Answer) {
        answer(match question {
            Question::Pictures => self.pictures.clone(),
            Question::Picture => vec![self.picture.clone()],
            Question::Folder => vec![self.folders.remove(0)],
            Question::Save(suggestion) => {
                let name = suggestion
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                assert!(name.ends_with("-restored.png"), "{name}");
                vec![self.save.clone()]
            }
        });
    }

    fn notify(&mut self, title: &str, text: &str) {
        self.told.lock().unwrap().push(format!("{title}: {text}"));
    }
}

/// A file let go over the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

/// Saves a picture of soft colours.
pub fn save_picture(path: &Path, width: usize, height: usize) {
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            [x / width as f32, y / height as f32, 0.4]
        })
        .collect();
    let picture = Picture::new(width, height, Colour::Rgb, samples).unwrap();
    picture.save(path, &SaveOptions::default()).unwrap();
}

/// A folder with a small model in `models` and a picture.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::build(&small(), 1, 8, 8).unwrap();
    let model = Checkpoint {
        config: small(),
        task: Task::Denoise,
        recipe: serde_json::Value::Null,
        overlap: None,
        weights: lively_weights(&network, 1),
    };
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    let path = models.join("denoise.safetensors");
    model.save(&path, Precision::F16).unwrap();
    save_picture(&folder.path().join("photo.png"), 40, 30);
    folder
}

/// What a test's window starts with.
pub fn setup(folder: &Path) -> Setup {
    Setup {
        device: Some(DeviceChoice::Cpu),
        library: ModelLibrary::new(vec![folder.join("models")]),
        settings: Some(folder.join("config/settings.toml")),
        theme: Some(serpent::gui::ThemeChoice::Dark),
        ..Setup::default()
    }
}

pub fn window_with(setup: Setup, answers: Answers) -> Harness<'static, Window> {
    // The harness has a theme of its own and the last word.
    let theme = match setup.theme {
        Some(serpent::gui::ThemeChoice::Light) => egui::Theme::Light,
        _ => egui::Theme::Dark,
    };
    let mut harness = Harness::builder()
        .with_size([1000.0, 700.0])
        .with_theme(theme)
        .wgpu()
        .build_eframe(move |cc| Window::new(cc, setup, Box::new(answers)));
    settle(&mut harness);
    harness
}

/// A window that would open, save and so on within `folder`.
pub fn window(folder: &Path, open: &[&str], save: &str) -> Harness<'static, Window> {
    let answers = Answers {
        pictures: open.iter().map(|n| folder.join(n)).collect(),
        save: folder.join(save),
        ..Answers::default()
    };
    window_with(setup(folder), answers)
}

/// Lets frames pass until `until` says so.
pub fn wait(harness: &mut Harness<'_, Window>, what: &str, until: impl Fn(&Window) -> bool) {
    let start = Instant::now();
    harness.run_steps(2);
    while !until(harness.state()) {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "waiting for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
        harness.step();
    }
    harness.run_steps(2);
}

/// Lets frames pass until nothing is going on.
pub fn settle(harness: &mut Harness<'_, Window>) {
    wait(harness, "rest", |w| !w.is_busy());
}

pub fn click(harness: &mut Harness<'_, Window>, label: &str) {
    harness.get_by_label(label).click();
    settle(harness);
}

pub fn run(harness: &mut Harness<'_, Window>, command: Command) {
    harness.state_mut().run(command);
    settle(harness);
}

pub fn shows(harness: &Harness<'_, Window>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn window_opens_restores_and_saves() {
    let folder = folder();
    let mut harness = window(folder.path(), &["photo.png"], "out.png");
    assert!(shows(&harness, "Drop photos here"));
    click(&mut harness, "Choose photos…");
    assert!(shows(&harness, "photo.png"));
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
fn window_says_what_the_format_of_a_saved_picture_does_not_hold() {
    let folder = folder();
    let samples = (0..40 * 30 * 3).map(|i| i as f32 / 3600.0).collect();
    let photo = Picture::new(40, 30, Colour::Rgb, samples).unwrap();
    let photo = photo.with_depth(BitDepth::Sixteen);
    let photo = photo.with_alpha(Some(vec![0.5; 40 * 30])).unwrap();
    let path = folder.path().join("deep.png");
    photo.save(&path, &SaveOptions::default()).unwrap();
    for (output, said) in [("out.tif", false), ("out.jpg", true)] {
        let mut harness = window(folder.path(), &["deep.png"], output);
        click(&mut harness, "Choose photos…");
        click(&mut harness, "Restore");
        click(&mut harness, "Save as…");
        assert!(shows(&harness, "Saved "), "{output}");
        for loss in [
            "out.jpg: JPEG holds 8 bits a sample: 16 bits were rounded",
            "JPEG has no transparency: the picture was laid on white",
        ] {
            assert_eq!(shows(&harness, loss), said, "{output}: {loss}");
        }
    }
}

#[test]
fn window_never_saves_over_the_original() {
    let folder = folder();
    let before = std::fs::read(folder.path().join("photo.png")).unwrap();
    let mut harness = window(folder.path(), &["photo.png"], "photo.png");
    click(&mut harness, "Choose photos…");
    click(&mut harness, "Restore");
    click(&mut harness, "Save as…");
    assert!(shows(&harness, "never replaced"));
    assert_eq!(
        std::fs::read(folder.path().join("photo.png")).unwrap(),
        before
    );
    click(&mut harness, "Dismiss");
    assert!(!shows(&harness, "never replaced"));
}

#[test]
fn window_restores_three_dropped_files_of_which_one_is_broken() {
    let folder = folder();
    let inside = |name: &str| folder.path().join(name);
    save_picture(&inside("more.png"), 24, 32);
    std::fs::write(inside("broken.png"), "no picture").unwrap();
    let out = inside("out");
    std::fs::create_dir(&out).unwrap();
    let answers = Answers {
        folders: vec![out.clone()],
        ..Answers::default()
    };
    let mut harness = window_with(setup(folder.path()), answers);
    for name in ["broken.png", "photo.png", "more.png"] {
        let file: egui::DroppedFileHandle = Arc::new(Dropped(inside(name)));
        harness.input_mut().dropped_files.push(file);
    }
    settle(&mut harness);
    assert!(shows(&harness, "broken.png, Failed"));
    for name in ["photo.png, Ready", "more.png, Ready"] {
        assert!(shows(&harness, name), "{name}");
    }
    run(&mut harness, Command::RestoreAll);
    for name in [
        "broken.png, Failed",
        "photo.png, Restored",
        "more.png, Restored",
    ] {
        assert!(shows(&harness, name), "{name}");
    }
    // Its reason is shown when it is chosen; the others are still there.
    click(&mut harness, "broken.png, Failed");
    assert!(shows(&harness, "it looks like text"));
    run(&mut harness, Command::SaveAll);
    assert_eq!(files(&out), ["more-restored.png", "photo-restored.png"]);
    let more = Picture::open(out.join("more-restored.png")).unwrap();
    assert_eq!((more.width(), more.height()), (24, 32));
}

#[test]
fn window_stops_at_once_when_cancelled_and_leaves_no_file() {
    let folder = folder();
    save_picture(&folder.path().join("large.png"), 1600, 1200);
    let mut harness = window(folder.path(), &["large.png"], "out.png");
    click(&mut harness, "Choose photos…");
    let before = files(folder.path());
    harness.get_by_label("Restore").click();
    wait(&mut harness, "the start", Window::is_restoring);
    let asked = Instant::now();
    harness.get_by_label("Cancel").click();
    settle(&mut harness);
    assert!(asked.elapsed() < Duration::from_secs(60));
    assert!(harness.state().restored().is_none());
    assert!(shows(&harness, "Cancelled"));
    assert_eq!(files(folder.path()), before);
    // It can be asked again.
    assert!(harness.state().can(Command::Restore));
}

#[test]
fn window_says_why_an_open_picture_was_not_restored_and_can_be_asked_again() {
    let folder = folder();
    let device = DeviceChoice::Named("no such card".to_owned());
    let setup = Setup {
        device: Some(device),
        ..setup(folder.path())
    };
    let answers = Answers {
        pictures: vec![folder.path().join("photo.png")],
        ..Answers::default()
    };
    let mut harness = window_with(setup, answers);
    click(&mut harness, "Choose photos…");
    click(&mut harness, "Restore");
    assert!(shows(
        &harness,
        "photo.png: no graphics device matches \"no such card\""
    ));
    assert!(harness.state().restored().is_none());
    assert!(harness.state().can(Command::Restore));
}

#[test]
fn window_changes_the_strength_without_restoring_again() {
    let folder = folder();
    let mut harness = window(folder.path(), &["photo.png"], "half.png");
    click(&mut harness, "Choose photos…");
    click(&mut harness, "Restore");
    let restored = harness.state().restored().unwrap().clone();
    let full = harness.render().unwrap();
    harness.get_by_label("Strength in percent").focus();
    harness.run_steps(2);
    for _ in 0..50 {
        harness.key_press(egui::Key::ArrowLeft);
        harness.step();
    }
    settle(&mut harness);
    assert!(shows(&harness, "50 %"));
    // The picture on screen is another one, the restored one is the same.
    assert!(Arc::ptr_eq(harness.state().restored().unwrap(), &restored));
    let half = harness.render().unwrap();
    let changed = full
        .pixels()
        .zip(half.pixels())
        .filter(|(a, b)| a != b)
        .count();
    assert!(changed > 300, "{changed}");
    click(&mut harness, "Save as…");
    let original = Picture::open(folder.path().join("photo.png")).unwrap();
    let wanted = blend(&original, &restored, 0.5).unwrap();
    let saved = Picture::open(folder.path().join("half.png")).unwrap();
    let worst = wanted.samples().iter().zip(saved.samples());
    let worst = worst.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 0.5 / 255.0 + 1e-6, "{worst}");
}

#[test]
fn window_previews_what_is_visible() {
    let folder = folder();
    let mut harness = window(folder.path(), &["photo.png"], "out.png");
    click(&mut harness, "Choose photos…");
    let before = harness.render().unwrap();
    click(&mut harness, "Preview what is visible");
    assert!(shows(&harness, "Preview in"));
    assert!(harness.state().restored().is_none());
    let after = harness.render().unwrap();
    assert_ne!(before, after);
    assert!(
        shows(&harness, "Split"),
        "the preview lies under the divider"
    );
}

#[test]
fn window_compares_three_results_with_a_reference() {
    let folder = folder();
    save_picture(&folder.path().join("reference.png"), 40, 30);
    save_picture(&folder.path().join("elsewhere.png"), 40, 30);
    save_picture(&folder.path().join("other-size.png"), 41, 30);
    let inside = |name: &str| folder.path().join(name);
    let answers = Answers {
        pictures: vec![inside("elsewhere.png"), inside("other-size.png")],
        picture: inside("reference.png"),
        save: inside("pick.png"),
        ..Answers::default()
    };
    let files = vec![inside("photo.png")];
    let mut harness = window_with(
        Setup {
            files,
            ..setup(folder.path())
        },
        answers,
    );
    click(&mut harness, "Restore");
    harness.get_by_label("Strength in percent").focus();
    harness.run_steps(2);
    harness.key_press(egui::Key::ArrowLeft);
    settle(&mut harness);
    click(&mut harness, "Keep this strength as a result");
    run(&mut harness, Command::GoCompare);
    assert_eq!(harness.state().page(), Page::Compare);
    click(&mut harness, "Add pictures to compare…");
    assert!(shows(&harness, "other-size.png: its size is no multiple"));
    click(&mut harness, "Choose a reference…");
    // The kept one has its strength, what it was kept of is whole again: no two are the same.
    assert!(!shows(&harness, "99 %, "));
    for name in ["Original", "Denoise", "Denoise, 99 %", "elsewhere.png"] {
        let label = format!("Result, {name}");
        assert!(harness.query_by_label(&label).is_some(), "{label}");
    }
    // One figure for each, that of the identical file among them.
    assert_eq!(harness.query_all_by_label_contains("SSIM").count(), 4);
    assert!(shows(&harness, "identical"));
    click(&mut harness, "Pick Denoise, 99 %");
    click(&mut harness, "Save the pick…");
    let saved = Picture::open(inside("pick.png")).unwrap();
    assert_eq!((saved.width(), saved.height()), (40, 30));
}

#[test]
fn window_takes_pictures_from_the_clipboard() {
    let folder = folder();
    let mut harness = window(folder.path(), &[], "pasted-restored.png");
    let image = egui::ColorImage::filled([32, 20], egui::Color32::from_rgb(10, 120, 200));
    harness.event(egui::Event::PasteImage(Arc::new(image)));
    settle(&mut harness);
    assert!(shows(&harness, "Pasted picture"));
    click(&mut harness, "Restore");
    assert_eq!(harness.state().restored().unwrap().width(), 32);
    // Names of files come as text.
    let path = folder.path().join("photo.png");
    harness.event(egui::Event::Paste(format!("file://{}\n", path.display())));
    settle(&mut harness);
    assert!(shows(&harness, "photo.png, Ready"));
}

#[test]
fn window_does_everything_from_the_keyboard() {
    let folder = folder();
    let mut harness = window(folder.path(), &["photo.png"], "out.png");
    let press = |harness: &mut Harness<'_, Window>, modifiers, key| {
        harness.key_press_modifiers(modifiers, key);
        settle(harness);
    };
    press(&mut harness, egui::Modifiers::COMMAND, egui::Key::O);
    press(&mut harness, egui::Modifiers::COMMAND, egui::Key::R);
    assert!(harness.state().restored().is_some());
    press(&mut harness, egui::Modifiers::COMMAND, egui::Key::S);
    assert!(folder.path().join("out.png").exists());
    press(&mut harness, egui::Modifiers::COMMAND, egui::Key::K);
    assert!(shows(&harness, "Copy diagnostics"));
    harness.event(egui::Event::Text("go settings".to_owned()));
    settle(&mut harness);
    assert!(shows(&harness, "There is no such command"));
    press(&mut harness, egui::Modifiers::NONE, egui::Key::Escape);
    press(&mut harness, egui::Modifiers::COMMAND, egui::Key::K);
    harness.event(egui::Event::Text("sett".to_owned()));
    settle(&mut harness);
    press(&mut harness, egui::Modifiers::NONE, egui::Key::Enter);
    assert_eq!(harness.state().page(), Page::Settings);
    press(&mut harness, egui::Modifiers::NONE, egui::Key::F1);
    assert!(shows(&harness, "Drop photos on the window"));
    press(&mut harness, egui::Modifiers::NONE, egui::Key::F1);
    press(&mut harness, egui::Modifiers::ALT, egui::Key::Num1);
    press(&mut harness, egui::Modifiers::NONE, egui::Key::Delete);
    assert!(shows(&harness, "Drop photos here"));
}

#[test]
fn window_remembers_settings_and_recent_files() {
    let folder = folder();
    let fresh = || Setup {
        theme: None,
        ..setup(folder.path())
    };
    let answers = Answers {
        pictures: vec![folder.path().join("photo.png")],
        ..Answers::default()
    };
    let mut harness = window_with(fresh(), answers.clone());
    click(&mut harness, "Choose photos…");
    run(&mut harness, Command::GoSettings);
    click(&mut harness, "Light");
    click(&mut harness, "Larger interface");
    drop(harness);
    let mut harness = window_with(fresh(), answers);
    let kept = std::fs::read_to_string(folder.path().join("config/settings.toml")).unwrap();
    assert!(kept.contains("theme = \"light\""), "{kept}");
    assert!((harness.ctx.zoom_factor() - 1.1).abs() < 1e-6);
    click(&mut harness, "photo.png");
    assert!(harness.state().can(Command::Restore));
}

#[test]
fn window_is_usable_at_twice_the_size() {
    let folder = folder();
    let files = vec![folder.path().join("photo.png")];
    let mut harness = window_with(
        Setup {
            files,
            ..setup(folder.path())
        },
        Answers::default(),
    );
    // A screen of 1440 by 960 pixels at 200 %.
    harness.set_size(egui::vec2(720.0, 480.0));
    harness.set_pixels_per_point(2.0);
    click(&mut harness, "Restore");
    let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(720.0, 480.0));
    for label in [
        "Open photos…",
        "Photos",
        "Settings",
        "Restore",
        "Fit",
        "200 %",
    ] {
        let rect = harness.get_by_label(label).rect();
        assert!(screen.contains_rect(rect), "{label} at {rect}");
    }
}
