//! Frame times into a file: how smoothly the window runs, for those who work on it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

/// A CSV file with one line a frame.
pub struct FrameLog {
    out: BufWriter<File>,
    start: Instant,
    last: Instant,
}

impl FrameLog {
    /// Creates the file.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        writeln!(out, "at_ms,since_last_ms,own_ms,busy")?;
        let now = Instant::now();
        Ok(Self {
            out,
            start: now,
            last: now,
        })
    }

    /// A frame that began at `begin` ends now; `busy` while a job runs. `own_ms` is what the
    /// window's own code took of it, the rest being the desktop's and the graphics device's.
    pub fn frame(&mut self, begin: Instant, busy: bool) {
        let ms = |d: std::time::Duration| d.as_secs_f64() * 1e3;
        let line = writeln!(
            self.out,
            "{:.1},{:.2},{:.2},{}",
            ms(begin - self.start),
            ms(begin.saturating_duration_since(self.last)),
            ms(begin.elapsed()),
            u8::from(busy)
        );
        self.last = begin;
        if let Err(error) = line.and_then(|()| self.out.flush()) {
            tracing::error!("the frame log cannot be written: {error}");
        }
    }
}
