//! Saves a picture of the window once it has come to rest, then closes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::window::Window;

/// Frames without work before the picture is taken: layout and textures settle in a few.
const CALM_FRAMES: u32 = 8;

/// A window that photographs itself.
pub struct Screenshot {
    window: Window,
    path: PathBuf,
    calm: u32,
    requested: bool,
    done: Arc<AtomicBool>,
}

impl Screenshot {
    /// Wraps `window`; the picture goes to `path` (PNG).
    pub fn new(mut window: Window, path: PathBuf) -> Self {
        window.restore_when_loaded();
        Self {
            window,
            path,
            calm: 0,
            requested: false,
            done: Arc::default(),
        }
    }
}

impl eframe::App for Screenshot {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.window.logic(ctx, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.window.ui(ui, frame);
        let ctx = ui.ctx();
        ctx.request_repaint();
        self.calm = if self.window.is_busy() {
            0
        } else {
            self.calm + 1
        };
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
