//! The window: open or drop a picture, restore it, look at both, save.

mod dialogs;
mod screenshot;
mod texture;
pub mod view;
mod viewer;
mod window;
mod worker;

use std::path::PathBuf;

use anyhow::anyhow;

pub use dialogs::{Dialogs, Native};
pub use window::{Setup, Window};

/// Opens the window and returns when it is closed. `screenshot` saves what it shows once
/// nothing is going on any more, and closes it (for the documentation and the tests).
///
/// # Errors
/// When no window can be opened.
pub fn run(setup: Setup, screenshot: Option<PathBuf>) -> anyhow::Result<()> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Serpent")
            .with_inner_size([1180.0, 800.0])
            .with_min_inner_size([560.0, 400.0])
            .with_drag_and_drop(true),
        ..Default::default()
    };
    let make = move |cc: &eframe::CreationContext<'_>| -> Box<dyn eframe::App> {
        let window = Window::new(&cc.egui_ctx, setup, Box::new(Native));
        match screenshot {
            Some(path) => Box::new(screenshot::Screenshot::new(window, path)),
            None => Box::new(window),
        }
    };
    eframe::run_native("serpent", options, Box::new(move |cc| Ok(make(cc)))).map_err(|e| {
        anyhow!("no window could be opened: {e}; `serpent restore --help` works without one")
    })
}
