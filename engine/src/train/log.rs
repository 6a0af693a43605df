//! The run's log: one JSON object a line, cut back to the state's step on resume.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainError;

/// One line of `log.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LogLine {
    /// One optimiser step.
    Step {
        /// Its number, from 1.
        step: u64,
        /// Loss before the update.
        loss: f32,
        /// Gradient's global norm before clipping.
        gradient_norm: f32,
        /// Learning rate.
        learning_rate: f32,
        /// Crops a second since the last reading.
        samples_per_second: f32,
        /// Seconds of training so far, over all sessions.
        seconds: f32,
    },
    /// One validation of the averaged weights.
    Validation {
        /// Steps done.
        step: u64,
        /// Mean PSNR in dB.
        psnr: f64,
        /// Mean PSNR of the degraded pictures themselves (enlarged where the network enlarges).
        input_psnr: f64,
        /// Seconds of training so far, over all sessions.
        seconds: f32,
    },
}

impl LogLine {
    fn step(&self) -> u64 {
        match *self {
            Self::Step { step, .. } | Self::Validation { step, .. } => step,
        }
    }
}

/// The open log with everything in it.
pub struct Log {
    path: PathBuf,
    file: BufWriter<File>,
    /// All lines so far.
    pub lines: Vec<LogLine>,
}

impl Log {
    /// Opens a log and drops every line after `step`, and a last line cut short by a kill.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be read or written.
    pub fn open(path: &Path, step: u64) -> Result<Self, TrainError> {
        let io = |action| {
            let path = path.to_owned();
            move |source| TrainError::Io {
                path,
                action,
                source,
            }
        };
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io("open"))?;
        let mut lines: Vec<LogLine> = Vec::new();
        let mut kept = 0;
        let mut reader = BufReader::new(&file);
        let mut text = Vec::new();
        while reader.read_until(b'\n', &mut text).map_err(io("read"))? > 0 {
            match serde_json::from_slice::<LogLine>(&text) {
                Ok(line) if text.ends_with(b"\n") && line.step() <= step => lines.push(line),
                _ => break,
            }
            kept += text.len() as u64;
            text.clear();
        }
        file.set_len(kept).map_err(io("shorten"))?;
        file.seek(std::io::SeekFrom::End(0)).map_err(io("read"))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            lines,
        })
    }

    /// Step and PSNR of the best validation so far, the first of equal ones.
    #[must_use]
    pub fn best(&self) -> Option<(u64, f64)> {
        let validations = self.lines.iter().filter_map(|line| match *line {
            LogLine::Validation { step, psnr, .. } => Some((step, psnr)),
            LogLine::Step { .. } => None,
        });
        validations.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// Appends lines; they are with the operating system when this returns.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the file cannot be written.
    pub fn append(&mut self, lines: &[LogLine]) -> Result<(), TrainError> {
        let mut write = || {
            for line in lines {
                serde_json::to_writer(&mut self.file, line)?;
                self.file.write_all(b"\n")?;
            }
            self.file.flush()
        };
        write().map_err(|source| TrainError::Io {
            path: self.path.clone(),
            action: "append",
            source,
        })?;
        self.lines.extend_from_slice(lines);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn step(step: u64) -> LogLine {
        LogLine::Step {
            step,
            loss: 0.1 + step as f32 * 1e-7,
            gradient_norm: 1.5,
            learning_rate: 1e-3,
            samples_per_second: 100.0,
            seconds: step as f32,
        }
    }

    #[test]
    fn the_best_validation_is_the_first_of_the_highest() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(&folder.path().join("log.jsonl"), 0).unwrap();
        assert_eq!(log.best(), None);
        for (step, psnr) in [(10, 30.0), (20, 31.5), (30, 31.5), (40, 29.0)] {
            let (input_psnr, seconds) = (28.0, 1.0);
            let line = LogLine::Validation {
                step,
                psnr,
                input_psnr,
                seconds,
            };
            log.append(&[line]).unwrap();
        }
        assert_eq!(log.best(), Some((20, 31.5)));
    }

    #[test]
    fn resuming_drops_what_came_after_the_state_and_half_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path, 0).unwrap();
        assert!(log.lines.is_empty());
        let all: Vec<LogLine> = (1..=5).map(step).collect();
        log.append(&all).unwrap();
        drop(log);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(&serde_json::to_string(&step(6)).unwrap());
        std::fs::write(&path, text).unwrap();

        let mut log = Log::open(&path, 9).unwrap();
        assert_eq!(log.lines, all, "values come back exactly");
        log.append(&[step(6)]).unwrap();
        drop(log);
        let mut log = Log::open(&path, 3).unwrap();
        assert_eq!(log.lines, all[..3]);
        log.append(&[step(4)]).unwrap();
        drop(log);
        assert_eq!(Log::open(&path, 9).unwrap().lines, all[..4]);
    }
}
