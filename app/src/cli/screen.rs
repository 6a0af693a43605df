//! Progress on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is over sooner gets no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Parts of a bar over a share.
const PARTS: u64 = 1000;

/// A bar on standard error for what takes longer than a second, if that is a terminal.
pub(super) struct Screen {
    bar: ProgressBar,
    start: Instant,
    wanted: bool,
}

impl Screen {
    /// A bar over `total` pictures, if wanted.
    pub fn new(total: usize, wanted: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
        let template = if total > 1 {
            "{spinner} {wide_bar} {pos}/{len}  {msg}  {eta} left"
        } else {
            "{spinner} {msg}  {elapsed}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            start: Instant::now(),
            wanted,
        }
    }

    /// A bar over a share of work that is told by [`Screen::share`].
    pub fn of_share(several: bool, wanted: bool) -> Self {
        let screen = Self::new(if several { PARTS as usize } else { 1 }, wanted);
        let template = "{spinner} {wide_bar} {percent} %  {msg}";
        if let (true, Ok(style)) = (several, ProgressStyle::with_template(template)) {
            screen.bar.set_style(style);
        }
        screen
    }

    /// How much of the work is done, 0 to 1.
    pub fn share(&self, share: f64) {
        self.bar.set_position((share * PARTS as f64) as u64);
    }

    /// Called often while waiting: shows the bar once it is due and keeps it moving.
    pub fn tick(&mut self) {
        if self.wanted && self.start.elapsed() > PATIENCE {
            self.wanted = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.tick();
    }

    /// What is being done.
    pub fn message(&self, text: String) {
        self.bar.set_message(text);
    }

    /// One more picture is done.
    pub fn advance(&self) {
        self.bar.inc(1);
    }

    /// Prints around the bar.
    pub fn around(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
