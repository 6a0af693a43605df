//! Frame times into a file: how smoothly the window runs, for those who work on it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// A CSV file with one line a frame:
///
/// | column | |
/// |---|---|
/// | `at_ms` | when it began, from the program's start |
/// | `interval_ms` | from the beginning of the frame before: what the eye sees |
/// | `busy_ms` | what the window's thread worked on it, from the input to the commands for the graphics device; the rest of the interval is waiting, for that device above all |
/// | `job` | 1 while pictures are restored |
/// | `pixels` | 1 when something of the picture is on screen |
pub struct FrameLog {
    out: BufWriter<File>,
    start: Instant,
    last: Instant,
    frame: Option<Frame>,
}

/// A frame whose work is known only when the next begins.
struct Frame {
    at: Instant,
    interval: Duration,
    job: bool,
    pixels: bool,
}

impl FrameLog {
    /// Creates the file. The program began at `start`.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path, start: Instant) -> std::io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        writeln!(out, "at_ms,interval_ms,busy_ms,job,pixels")?;
        Ok(Self {
            out,
            start,
            last: start,
            frame: None,
        })
    }

    /// A frame begins; the one before took `busy` of the window's thread.
    pub fn begin(&mut self, busy: Option<f32>) {
        let now = Instant::now();
        if let (Some(frame), Some(busy)) = (self.frame.take(), busy) {
            let ms = |d: Duration| d.as_secs_f64() * 1e3;
            let line = writeln!(
                self.out,
                "{:.1},{:.2},{:.2},{},{}",
                ms(frame.at - self.start),
                ms(frame.interval),
                busy * 1e3,
                u8::from(frame.job),
                u8::from(frame.pixels)
            );
            if let Err(error) = line.and_then(|()| self.out.flush()) {
                tracing::error!("the frame log cannot be written: {error}");
            }
        }
        self.frame = Some(Frame {
            at: now,
            interval: now - self.last,
            job: false,
            pixels: false,
        });
        self.last = now;
    }

    /// What the frame shows.
    pub fn shows(&mut self, job: bool, pixels: bool) {
        if let Some(frame) = &mut self.frame {
            (frame.job, frame.pixels) = (job, pixels);
        }
    }
}
