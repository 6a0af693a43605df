//! One model over sets of pictures: degrade, restore, compare.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use serde::Serialize;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::resize::{Factor, bicubic};
use serpent_engine::image::{Picture, Rgb32};
use serpent_engine::metrics::{Quality, compare, psnr};
use serpent_engine::restore::batch::{BatchRequest, Destination, plan_batch};
use serpent_engine::restore::{Engine, Event, Job, Options, Source};
use serpent_engine::train::degrade::{Purpose, apply_all, rng};

use super::super::common::{Global, interrupt_flag, told};
use super::super::compare::finite;
use super::super::degrade::with_degraded;
use super::super::screen::Screen;
use super::task::EvalTask;

/// One picture's figures.
#[derive(Serialize)]
pub(super) struct Row {
    pub picture: PathBuf,
    pub input_psnr: Option<f64>,
    pub psnr: Option<f64>,
    pub ssim: Option<f64>,
    pub seconds: f64,
}

/// One set's at one level.
#[derive(Serialize)]
pub(super) struct Figures {
    pub set: PathBuf,
    pub level: f32,
    pub pictures: usize,
    pub failed: usize,
    pub input_psnr: Option<f64>,
    pub psnr: Option<f64>,
    pub ssim: Option<f64>,
    /// Mean wall time a picture.
    pub seconds: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
}

/// The pictures of a set, by name.
pub(super) fn pictures(set: &Path, limit: Option<usize>) -> anyhow::Result<Vec<PathBuf>> {
    let plan = plan_batch(&BatchRequest {
        inputs: vec![set.to_owned()],
        // Nothing is written; the plan only lists.
        destination: Destination::At(set.join("nowhere")),
        ..BatchRequest::default()
    })?;
    let all = plan.entries.into_iter().map(|e| e.item.input);
    Ok(all.take(limit.unwrap_or(usize::MAX)).collect())
}

/// How a model is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Of the degradations.
    pub seed: u64,
    /// Side of a tile; 0: as large as fits.
    pub tile: usize,
    /// Mean of eight turns.
    pub ensemble: bool,
    /// Models that want the noise level are told it, as their papers do.
    pub told: bool,
    /// Keep every picture's figures.
    pub verbose: bool,
}

/// The engine, and what is measured on it at the moment.
pub(super) struct Bench {
    what: Option<(Arc<Checkpoint>, EvalTask, Way)>,
    engine: Engine,
    events: Receiver<Event>,
    pub device: String,
    screen: Screen,
    interrupted: Arc<AtomicBool>,
    jobs: u64,
}

/// How one picture went.
enum Answer {
    Done(Arc<Picture>, f64),
    Failed(String),
    Interrupted,
}

impl Bench {
    /// Opens the device; `total` pictures are to come.
    pub fn start(global: &Global, total: usize) -> anyhow::Result<Self> {
        let (engine, events) = Engine::start(global.setup(), || ());
        Ok(Self {
            what: None,
            engine,
            events,
            device: String::new(),
            screen: Screen::new(total, !global.quiet),
            interrupted: interrupt_flag()?,
            jobs: 0,
        })
    }

    /// What is measured from here on.
    pub fn set(&mut self, model: Arc<Checkpoint>, task: EvalTask, way: Way) {
        self.what = Some((model, task, way));
    }

    /// Figures of one set at one level; none when interrupted.
    pub fn figures(
        &mut self,
        set: &Path,
        pictures: &[PathBuf],
        level: f32,
    ) -> anyhow::Result<Option<Figures>> {
        let Some((model, task, way)) = self.what.clone() else {
            anyhow::bail!("no model is set");
        };
        let (mut rows, mut failed) = (Vec::new(), 0);
        for (index, path) in pictures.iter().enumerate() {
            let name = path.display();
            self.screen.message(format!("{name} at {level}"));
            match self.row(path, index as u64, level, &model, task, way) {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => return Ok(None),
                Err(error) => {
                    failed += 1;
                    let shown = told(&error);
                    self.screen.around(|| eprintln!("{shown}"));
                }
            }
            self.screen.advance();
        }
        let mean = |value: fn(&Row) -> Option<f64>| {
            let values: Vec<f64> = rows.iter().filter_map(value).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Ok(Some(Figures {
            set: set.to_owned(),
            level,
            pictures: rows.len(),
            failed,
            input_psnr: mean(|r| r.input_psnr),
            psnr: mean(|r| r.psnr),
            ssim: mean(|r| r.ssim),
            seconds: mean(|r| Some(r.seconds)).unwrap_or(0.0),
            rows: if way.verbose { rows } else { Vec::new() },
        }))
    }

    /// Degrades, restores and compares one picture; none when interrupted.
    fn row(
        &mut self,
        path: &Path,
        index: u64,
        level: f32,
        model: &Arc<Checkpoint>,
        task: EvalTask,
        way: Way,
    ) -> anyhow::Result<Option<Row>> {
        let at = |e: &dyn std::fmt::Display| anyhow::anyhow!("{}: {e}", path.display());
        let picture = Picture::open(path)?.in_srgb();
        let clean = eight_bits(&picture.to_rgb(), model.config.scale)?;
        let mut random = rng(way.seed, 0, index, Purpose::Evaluation);
        let steps = task.degradations(level);
        let degraded = apply_all(&steps, &clean, &mut random).map_err(|e| at(&e))?;
        let input = with_degraded(&picture, degraded.image);
        let input_psnr = untreated(task, &clean, &input, level)?;
        let options = Options {
            tile: way.tile,
            // Blind models ignore it.
            noise: way.told.then_some(degraded.sigma),
            ensemble: way.ensemble,
            ..Options::default()
        };
        let (restored, seconds) = match self.restore(input, options, model)? {
            Answer::Done(picture, seconds) => (picture, seconds),
            Answer::Failed(message) => return Err(at(&message)),
            Answer::Interrupted => return Ok(None),
        };
        let Quality { psnr, ssim } =
            compare(&clean, &restored.to_rgb(), task.protocol(level)).map_err(|e| at(&e))?;
        Ok(Some(Row {
            picture: path.to_owned(),
            input_psnr: finite(input_psnr),
            psnr: finite(psnr),
            ssim,
            seconds,
        }))
    }

    /// One picture through the engine.
    fn restore(
        &mut self,
        input: Picture,
        options: Options,
        model: &Arc<Checkpoint>,
    ) -> anyhow::Result<Answer> {
        self.jobs += 1;
        let handle = self.engine.submit(Job {
            id: self.jobs,
            source: Source::Picture(Arc::new(input)),
            model: model.clone(),
            options,
            region: None,
            output: None,
        });
        loop {
            self.screen.tick();
            if self.interrupted.load(Ordering::Relaxed) {
                handle.cancel();
            }
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(Event::Finished {
                    picture,
                    seconds,
                    device,
                    notes,
                    ..
                }) => {
                    if self.device != device {
                        self.device = device;
                        let say = || notes.iter().for_each(|n| eprintln!("{n}"));
                        self.screen.around(say);
                    }
                    return Ok(Answer::Done(picture, seconds));
                }
                Ok(Event::Failed { message, .. }) => return Ok(Answer::Failed(message)),
                Ok(Event::Cancelled { .. }) => return Ok(Answer::Interrupted),
                Ok(Event::NoDevice { message }) => anyhow::bail!(message),
                Ok(Event::Ready { .. } | Event::Started { .. } | Event::Progress { .. })
                | Err(RecvTimeoutError::Timeout) => (),
                Err(gone @ RecvTimeoutError::Disconnected) => return Err(gone.into()),
            }
        }
    }
}

/// PSNR of what doing nothing gives: the degraded picture as it is, of small ones the bicubic
/// enlargement.
pub(super) fn untreated(
    task: EvalTask,
    clean: &Rgb32,
    input: &Picture,
    level: f32,
) -> anyhow::Result<f64> {
    let input = input.to_rgb();
    if task != EvalTask::SuperResolve {
        return Ok(psnr(clean.samples(), input.samples(), 1.0));
    }
    let (width, height) = (input.width(), input.height());
    let factor = Factor::Up(level as usize);
    let large = bicubic(input.samples(), width, height, 3, factor);
    let large = Rgb32::new(clean.width(), clean.height(), large)?;
    Ok(compare(clean, &large, task.protocol(level))?.psnr)
}

/// Rounded to 8 bits, right and bottom cropped to multiples of `scale`.
pub(super) fn eight_bits(rgb: &Rgb32, scale: usize) -> anyhow::Result<Rgb32> {
    let (width, height) = (rgb.width() / scale * scale, rgb.height() / scale * scale);
    let bytes = rgb.to_bytes();
    let rows = bytes.chunks_exact(rgb.width() * 3).take(height);
    let cropped: Vec<u8> = rows.flat_map(|r| &r[..width * 3]).copied().collect();
    Ok(Rgb32::from_bytes(width, height, &cropped)?)
}
