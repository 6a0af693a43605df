//! The window without a user: looks at pictures and logs the frames, or works through a batch,
//! and closes. For measuring and for tests of the whole program.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Context, RawInput, ViewportCommand};

use super::command::Command;
use super::frames::FrameLog;
use super::hand::Hand;
use super::window::Window;

/// How long the window stays when all is done.
const AFTERWARDS: Duration = Duration::from_millis(1500);

/// What is to be done without a user.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Restores what is open.
    pub restore: bool,
    /// Folders to restore as a batch, and where to.
    pub batch: Option<(Vec<PathBuf>, PathBuf)>,
    /// Closes after this time; as soon as all is done when absent.
    pub length: Option<Duration>,
}

/// A window that acts by itself.
pub struct Rehearsal {
    window: Window,
    part: Part,
    log: Option<FrameLog>,
    hand: Hand,
    begun: Instant,
    /// Since when nothing is left to do.
    at_rest: Option<Instant>,
}

impl Rehearsal {
    /// Wraps `window`; a log of the frames has a hand at the picture all the time.
    pub fn new(mut window: Window, part: Part, log: Option<FrameLog>) -> Self {
        if part.restore {
            window.restore_when_loaded();
        }
        if let Some((folders, to)) = &part.batch {
            window.choose_batch(folders.clone(), to.clone());
        }
        Self {
            window,
            part,
            log,
            hand: Hand::default(),
            begun: Instant::now(),
            at_rest: None,
        }
    }

    /// Starts the batch once it is known what there is to do, and ends with it.
    fn go_on(&mut self, ctx: &Context) {
        if self.part.batch.is_some() && self.window.batch_summary().is_none() {
            self.window.run(Command::BatchStart);
        }
        if self.window.is_busy() {
            self.at_rest = None;
        }
        let rest = self.at_rest.get_or_insert_with(Instant::now).elapsed();
        let over = match self.part.length {
            Some(length) => self.begun.elapsed() > length,
            None => rest > AFTERWARDS,
        };
        if over {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        match self.log {
            // As many frames as the screen takes, to see which come late.
            Some(_) => ctx.request_repaint(),
            None => ctx.request_repaint_after(Duration::from_millis(100)),
        }
    }
}

impl eframe::App for Rehearsal {
    fn raw_input_hook(&mut self, _ctx: &Context, input: &mut RawInput) {
        if self.log.is_some()
            && let Some(home) = self.window.picture_middle()
        {
            self.hand.act(home, input);
        }
    }

    fn logic(&mut self, ctx: &Context, frame: &mut eframe::Frame) {
        if let Some(log) = &mut self.log {
            log.begin(frame.info().cpu_usage);
        }
        self.window.logic(ctx, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.window.ui(ui, frame);
        if let Some(log) = &mut self.log {
            let job = self.window.is_restoring() || self.window.batch_is_running();
            log.shows(job, self.window.shows_pixels());
        }
        self.go_on(ui.ctx());
    }
}
