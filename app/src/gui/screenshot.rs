//! Saves a picture of the window once it has come to rest, then closes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::command::Command;
use super::window::Window;

/// Frames without work before the picture is taken: layout and textures settle in a few.
const CALM_FRAMES: u32 = 8;

/// What the window is to show on its picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scene {
    /// The files, restored, under the divider; the empty window without files.
    #[default]
    Restored,
    /// Original and result side by side, at 200 %.
    SideBySide,
    /// What has changed.
    Difference,
    /// The first file's results in one grid, measured against the second file.
    Compare,
    /// The files' folders, half restored.
    Batch,
    /// The settings.
    Settings,
    /// The palette.
    Palette,
    /// The help.
    Help,
}

/// A window that photographs itself.
pub struct Screenshot {
    window: Window,
    path: PathBuf,
    scene: Scene,
    set: bool,
    calm: u32,
    requested: bool,
    done: Arc<AtomicBool>,
}

impl Screenshot {
    /// Wraps `window`; the picture goes to `path` (PNG).
    pub fn new(mut window: Window, path: PathBuf, scene: Scene) -> Self {
        if scene != Scene::Batch {
            window.restore_when_loaded();
        }
        Self {
            window,
            path,
            scene,
            set: false,
            calm: 0,
            requested: false,
            done: Arc::default(),
        }
    }

    /// Once the files are restored: what is to be seen.
    fn set_scene(&mut self) {
        let commands: &[Command] = match self.scene {
            Scene::Restored => &[],
            Scene::SideBySide => &[Command::ViewSideBySide, Command::Zoom200],
            Scene::Difference => &[Command::ViewDifference],
            Scene::Compare => {
                self.window.compare_with_second();
                &[Command::GoCompare]
            }
            Scene::Batch => {
                self.window.batch_of_files();
                &[Command::GoBatch]
            }
            Scene::Settings => &[Command::GoSettings],
            Scene::Palette => &[Command::Palette],
            Scene::Help => &[Command::Help],
        };
        for command in commands {
            self.window.run(*command);
        }
    }

    /// Whether there is nothing more to wait for.
    fn at_rest(&self) -> bool {
        match self.scene {
            Scene::Batch if self.set => self.window.batch_is_half_done(),
            _ => !self.window.is_busy(),
        }
    }
}

impl eframe::App for Screenshot {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.window.logic(ctx, frame);
    }

    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut egui::RawInput) {
        // Wherever the pointer happens to be, it is not on the picture.
        let moved = |e: &egui::Event| matches!(e, egui::Event::PointerMoved(_));
        input.events.retain(|e| !moved(e));
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.window.ui(ui, frame);
        let ctx = ui.ctx();
        if self.at_rest() {
            self.calm += 1;
            ctx.request_repaint();
        } else {
            self.calm = 0;
            // Drawing must not hold up what is waited for.
            ctx.request_repaint_after(Duration::from_millis(100));
        }
        if self.set && self.scene == Scene::Batch {
            // Once it is known what is to be done.
            self.window.run(Command::BatchStart);
        }
        if self.calm > CALM_FRAMES && !self.set {
            self.set = true;
            self.calm = 0;
            self.set_scene();
        }
        if self.calm > CALM_FRAMES && !self.requested {
            self.requested = true;
            let (path, done) = (self.path.clone(), self.done.clone());
            ctx.request_screenshot(move |image| {
                let [w, h] = image.size;
                let bytes: Vec<u8> = image.pixels.iter().flat_map(|p| p.to_array()).collect();
                if let Err(error) =
                    image::save_buffer(&path, &bytes, w as u32, h as u32, image::ColorType::Rgba8)
                {
                    tracing::error!("{}: {error}", path.display());
                }
                done.store(true, Ordering::Release);
            });
        }
        if self.done.load(Ordering::Acquire) {
            ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }
}
