//! What has been done so far: lines on the terminal, JSON, and the report file.

use std::path::Path;

use serde_json::json;
use serpent_engine::restore::batch::{BatchRun, FileState, Item, Report, ReportError, Summary};

use super::common::{Global, Outcome};

/// Tells what becomes of the files.
pub(super) struct Teller<'a> {
    global: &'a Global,
    file: Option<Report>,
    /// Why the file could not be written on: pictures matter more.
    trouble: Option<ReportError>,
    sum: Summary,
    pub interrupted: bool,
}

impl<'a> Teller<'a> {
    /// Tells on the terminal and, if so asked, in a file.
    pub fn new(global: &'a Global, file: Option<&Path>) -> anyhow::Result<Self> {
        Ok(Self {
            global,
            file: file.map(Report::create).transpose()?,
            trouble: None,
            sum: Summary::default(),
            interrupted: false,
        })
    }

    /// Tells about the files that have ended since the last call. Answers how many those are.
    pub fn tell(&mut self, run: &mut BatchRun, told: usize) -> usize {
        let rows = run.rows();
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.add(&rows)) {
            // Rows that came after a gap would make it look whole.
            self.file = None;
            self.trouble = Some(error);
        }
        let ended = run.entries().iter().zip(run.states());
        for (entry, state) in ended.skip(told).take(rows.len()) {
            self.one(&entry.item, state);
        }
        rows.len()
    }

    fn one(&mut self, item: &Item, state: &FileState) {
        match state {
            FileState::Done {
                seconds,
                device,
                notes,
            } => {
                self.sum.done += 1;
                if !self.global.quiet {
                    for note in notes {
                        eprintln!("{}: {note}", item.input.display());
                    }
                }
                let output = item.output.display();
                self.global
                    .say(&format!("{output}  {seconds:.2} s on {device}"));
                self.json(
                    item,
                    &json!({"status": "done", "seconds": seconds, "device": device, "notes": notes}),
                );
            }
            FileState::Failed(message) => {
                self.sum.failed += 1;
                eprintln!("{message}");
                self.json(item, &json!({"status": "failed", "message": message}));
            }
            FileState::Skipped(reason) => {
                self.sum.skipped += 1;
                self.json(item, &json!({"status": "skipped", "reason": reason}));
            }
            FileState::Cancelled => {
                self.sum.cancelled += 1;
                self.json(item, &json!({"status": "cancelled"}));
            }
            FileState::Waiting | FileState::Running { .. } => (),
        }
    }

    /// One line of JSON for one picture.
    fn json(&self, item: &Item, more: &serde_json::Value) {
        if !self.global.json {
            return;
        }
        let mut line =
            json!({"input": item.input.to_string_lossy(), "output": item.output.to_string_lossy()});
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        println!("{line}");
    }

    /// Finishes the file and says how it went.
    pub fn end(self) -> Outcome {
        let sum = self.sum;
        let finished = self.file.map_or(Ok(()), |file| file.finish(&sum));
        let trouble = self.trouble.or(finished.err());
        if sum.done + sum.failed + sum.skipped > 1 {
            let mut line = format!("{} restored", sum.done);
            for (count, what) in [(sum.failed, "failed"), (sum.skipped, "skipped")] {
                if count > 0 {
                    line += &format!(", {count} {what}");
                }
            }
            self.global.say(&line);
        }
        if let Some(error) = &trouble {
            eprintln!("{error}; the pictures are not touched by that");
        }
        if self.interrupted {
            eprintln!("interrupted; what was finished is saved, the same call does the rest");
            Outcome::Interrupted
        } else if sum.failed > 0 || trouble.is_some() {
            Outcome::SomeFailed
        } else {
            Outcome::Done
        }
    }
}
