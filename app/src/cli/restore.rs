//! `serpent restore`: pictures in, restored pictures out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde_json::json;
use serpent_engine::restore::batch::Item;
use serpent_engine::restore::{Engine, Event, Job, JobHandle, Options, Source};

use super::batch::BatchArgs;
use super::common::{Global, Outcome, interrupt_flag, library};
use super::screen::Screen;

/// Restore pictures
///
/// Alpha, colour profile, EXIF and bit depth are kept. A picture that fails does not stop the others.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    files: BatchArgs,
    /// Model: a name from `serpent models` or a .safetensors file [default: a denoiser]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Side of a tile in pixels; 0 takes the whole picture where it fits the memory
    #[arg(short, long, default_value_t = 0, value_name = "PIXELS")]
    tile: usize,
    /// How much of the restored picture to take, 0 to 1
    #[arg(long, default_value_t = 1.0, value_parser = unit, value_name = "0..1")]
    strength: f32,
    /// Noise of the pictures, σ of 255, for models that want to be told [default: estimated]
    #[arg(long, value_parser = levels, value_name = "σ")]
    noise: Option<f32>,
}

pub(super) fn unit(text: &str) -> Result<f32, String> {
    between(text, 1.0)
}

fn levels(text: &str) -> Result<f32, String> {
    between(text, 255.0)
}

fn between(text: &str, high: f32) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|e| format!("{e}"))?;
    if (0.0..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be 0 to {high}"))
    }
}

/// Runs the command.
pub(super) fn run(args: &RestoreArgs, global: &Global) -> anyhow::Result<Outcome> {
    let (_, model) = library().load(args.model.as_deref())?;
    let plan = args.files.plan()?;
    let mut report = Report {
        global,
        several: plan.items.len() + plan.refused.len() + plan.skipped.len() > 1,
        done: 0,
        failed: plan.refused.len(),
        skipped: plan.skipped.len(),
        interrupted: false,
    };
    for (item, message) in &plan.refused {
        report.json(item, &json!({"status": "failed", "message": message}));
    }
    for item in &plan.skipped {
        report.json(item, &json!({"status": "skipped"}));
    }
    if plan.items.is_empty() {
        return Ok(report.end());
    }
    let options = Options {
        tile: args.tile,
        strength: args.strength,
        noise: args.noise.map(|n| n / 255.0),
        ..Options::default()
    };
    let interrupted = interrupt_flag()?;
    let (engine, events) = Engine::start(global.setup(), || ());
    let model = Arc::new(model);
    let mut items: HashMap<u64, &Item> = HashMap::new();
    let handles: Vec<JobHandle> = (0..)
        .zip(&plan.items)
        .map(|(id, item)| {
            items.insert(id, item);
            engine.submit(Job {
                id,
                source: Source::File(item.input.clone()),
                model: model.clone(),
                options: options.clone(),
                region: None,
                output: Some((item.output.clone(), args.files.save_options())),
            })
        })
        .collect();
    let mut screen = Screen::new(plan.items.len(), !global.quiet);
    while !items.is_empty() {
        screen.tick();
        if interrupted.load(Ordering::Relaxed) && !report.interrupted {
            report.interrupted = true;
            handles.iter().for_each(JobHandle::cancel);
        }
        let event = match events.recv_timeout(Duration::from_millis(100)) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                anyhow::bail!("the engine thread ended; please report it")
            }
        };
        match event {
            // Every job fails with the same words: once is enough.
            Event::NoDevice { message } => anyhow::bail!(message),
            Event::Ready { trouble, .. } => {
                if let Some(reason) = trouble {
                    screen.around(|| eprintln!("using the processor: {reason}"));
                }
            }
            Event::Started { id } => {
                if let Some(item) = items.get(&id) {
                    screen.message(item.input.display().to_string());
                }
            }
            Event::Progress {
                id, done, total, ..
            } => {
                if let Some(item) = items.get(&id) {
                    let name = item.input.display();
                    screen.message(format!("{name} (tile {done} of {total})"));
                }
            }
            Event::Finished {
                id,
                seconds,
                device,
                notes,
                ..
            } => {
                if let Some(item) = items.remove(&id) {
                    screen.advance();
                    screen.around(|| report.finished(item, seconds, &device, &notes));
                }
            }
            Event::Failed { id, message } => {
                if let Some(item) = items.remove(&id) {
                    screen.advance();
                    screen.around(|| report.failed(item, &message));
                }
            }
            Event::Cancelled { id } => {
                items.remove(&id);
            }
        }
    }
    drop(screen);
    Ok(report.end())
}

/// What has been done so far.
struct Report<'a> {
    global: &'a Global,
    several: bool,
    done: usize,
    failed: usize,
    skipped: usize,
    interrupted: bool,
}

impl Report<'_> {
    /// One line of JSON for one picture.
    fn json(&self, item: &Item, more: &serde_json::Value) {
        if !self.global.json {
            return;
        }
        let mut line = json!({"input": item.input, "output": item.output});
        if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
            line.extend(more.clone());
        }
        println!("{line}");
    }

    fn finished(&mut self, item: &Item, seconds: f64, device: &str, notes: &[String]) {
        self.done += 1;
        if !self.global.quiet {
            for note in notes {
                eprintln!("{}: {note}", item.input.display());
            }
        }
        let output = item.output.display();
        self.global
            .say(&format!("{output}  {seconds:.2} s on {device}"));
        let more = json!({"status": "done", "seconds": seconds, "device": device, "notes": notes});
        self.json(item, &more);
    }

    fn failed(&mut self, item: &Item, message: &str) {
        self.failed += 1;
        eprintln!("{message}");
        self.json(item, &json!({"status": "failed", "message": message}));
    }

    fn end(&self) -> Outcome {
        if self.several {
            let mut line = format!("{} restored", self.done);
            for (count, what) in [(self.failed, "failed"), (self.skipped, "skipped")] {
                if count > 0 {
                    line += &format!(", {count} {what}");
                }
            }
            self.global.say(&line);
        }
        if self.interrupted {
            eprintln!("interrupted; what was finished is saved");
            Outcome::Interrupted
        } else if self.failed > 0 {
            Outcome::SomeFailed
        } else {
            Outcome::Done
        }
    }
}
