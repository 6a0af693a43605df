//! The window: drop pictures, restore them, look, compare, save; or whole folders at once.
//!
//! [`Window`] holds the state; what it does is spread over files of one purpose each, as `impl`
//! blocks: opening, restoring, saving; one file for each page and bar. Every action is a
//! [`Command`]. Nothing here waits: pictures are read and written on threads, and restored on
//! the engine's.

mod actions;
mod bars;
mod batch;
mod batch_form;
mod batch_page;
mod canvas;
mod cards;
mod command;
mod compare;
mod devices;
mod dialogs;
mod eta;
mod frames;
mod hand;
mod help;
mod notice;
mod opening;
mod palette;
mod photos;
mod queue;
mod rehearsal;
mod restoring;
mod saving;
mod screenshot;
mod settings;
mod settings_page;
mod shared_device;
mod side_panel;
mod sources;
mod strip;
mod theme;
mod thumbs;
mod tokens;
pub mod view;
mod widgets;
mod window;
mod words;
mod worker;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context as _, anyhow};

pub use command::Command;
pub use dialogs::{Answer, Dialogs, Native, Question};
pub use rehearsal::Part;
pub use screenshot::Scene;
pub use settings::Settings;
pub use theme::ThemeChoice;
pub use window::{Page, Setup, Window};

/// What those who work on the window or document it ask for.
#[derive(Clone, Debug, Default)]
pub struct Observe {
    /// Saves what the window shows once nothing is going on any more, and closes it.
    pub screenshot: Option<PathBuf>,
    /// What it is to show by then.
    pub scene: Scene,
    /// Writes the times of all frames into this CSV file, with a hand at the picture.
    pub frame_log: Option<PathBuf>,
    /// Acts without a user and closes.
    pub part: Option<Part>,
    /// Size of the window in points.
    pub size: Option<[f32; 2]>,
}

/// On Linux the window may live on any thread: tests are none of them on the main one.
#[cfg(target_os = "linux")]
fn on_any_thread() -> Option<eframe::EventLoopBuilderHook> {
    use winit::platform::x11::EventLoopBuilderExtX11 as _;
    Some(Box::new(|builder| {
        builder.with_any_thread(true);
    }))
}

/// Other systems insist on the main thread.
#[cfg(not(target_os = "linux"))]
fn on_any_thread() -> Option<eframe::EventLoopBuilderHook> {
    None
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// When no window can be opened, or the frame log cannot be written.
pub fn run(setup: Setup, observe: Observe) -> anyhow::Result<()> {
    let start = Instant::now();
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Serpent")
            .with_app_id("serpent")
            .with_inner_size(observe.size.unwrap_or([1240.0, 820.0]))
            .with_min_inner_size([720.0, 480.0])
            .with_drag_and_drop(true),
        // There are no gradients that could show bands, and every pixel would pay for it.
        dithering: false,
        event_loop_builder: on_any_thread(),
        ..Default::default()
    };
    serpent_engine::priority::compute_behind_the_window();
    let frames = match &observe.frame_log {
        Some(path) => Some(
            frames::FrameLog::create(path, start)
                .with_context(|| format!("{}: cannot write the frame log", path.display()))?,
        ),
        None => None,
    };
    let made = Arc::new(AtomicBool::new(false));
    let makes = made.clone();
    let make = move |cc: &eframe::CreationContext<'_>| -> Box<dyn eframe::App> {
        makes.store(true, Ordering::Relaxed);
        let window = Window::new(cc, setup, Box::new(Native));
        match (observe.screenshot, observe.part) {
            (Some(path), _) => Box::new(screenshot::Screenshot::new(window, path, observe.scene)),
            (None, Some(part)) => Box::new(rehearsal::Rehearsal::new(window, part, frames)),
            (None, None) => Box::new(window),
        }
    };
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
        eframe::run_native("serpent", options, Box::new(move |cc| Ok(make(cc))))
    }));
    match opened {
        Ok(ended) => ended.map_err(|e| {
            anyhow!("no window could be opened: {e}; `serpent restore --help` works without one")
        }),
        // Seen where there is an EGL library without any driver for it.
        Err(_) if !made.load(Ordering::Relaxed) => Err(anyhow!(
            "no window could be opened: a graphics library failed; with WGPU_BACKEND=vulkan in the environment OpenGL is left out, and `serpent restore --help` works without a window"
        )),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
