//! The training loop: batches in, steps on the device, losses, validation and states out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::batches::Batches;
use super::config::TrainConfig;
use super::folder::{Chapter, Folder, Recipe};
use super::log::{Log, LogLine};
use super::photos::Photos;
use super::sampler::Sampler;
use super::schedule::settings;
use super::start::starting_weights;
use super::validate::Validation;
use super::{Event, Progress, TrainError, plot::plot};
use crate::backend::{Backend, StepReport, Trainer, TrainingState};
use crate::checkpoint::SavedTraining;
use crate::graph::{
    Loss, Op, ShapeError, TrainingGraph, differentiate, fuse, fuse_backward, recompute,
};
use crate::network::Network;

/// How a session runs, besides the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Go on from the state in the output folder.
    pub resume: bool,
    /// Stop after this time, with everything saved.
    pub time_limit: Option<Duration>,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All steps are done.
    Done,
    /// The caller asked.
    Asked,
    /// The time limit was reached.
    TimeLimit,
}

/// What a session leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// Why it ended.
    pub stopped: Stopped,
    /// Steps done, over all sessions.
    pub step: u64,
    /// Last validation, in dB.
    pub validation_psnr: Option<f64>,
    /// The model: averaged weights after `step` steps.
    pub model: std::path::PathBuf,
    /// The model that did best in validation, with its step and PSNR in dB.
    pub best: Option<(std::path::PathBuf, u64, f64)>,
    /// The loss and PSNR curves.
    pub curves: std::path::PathBuf,
}

/// Trains as the configuration says until all steps are done, `stop` is set, or the time is up.
///
/// # Errors
/// [`TrainError`]; the last saved state is whole whatever happens.
pub fn run(
    config: &TrainConfig,
    options: &Options,
    backend: &dyn Backend,
    stop: &AtomicBool,
    events: &mut dyn FnMut(Event),
) -> Result<Finished, TrainError> {
    let started = Instant::now();
    let folder = Folder::open(config)?;
    let network = Network::build(
        &config.network.config(),
        config.data.batch,
        config.data.crop,
        config.data.crop,
    )?;
    let saved = match options.resume {
        true => Some(load_state(config, &folder, events)?),
        false if folder.state().exists() => {
            let path = folder.path().to_owned();
            return Err(TrainError::Occupied { path });
        }
        false => None,
    };
    let photos = load_photos(config, events)?;
    let validation = match &config.validation {
        Some(settings) => Some(Validation::load(config, settings)?),
        None => None,
    };
    let recipe = Recipe {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        device: backend.name().to_owned(),
        photographs: photos.photos.len(),
        megapixels: photos.megapixels(),
        steps_done: 0,
        seconds: 0.0,
        validation_psnr: None,
        history: Vec::new(),
    };
    let decay: Vec<bool> = network.parameters.iter().map(|p| p.decay).collect();
    let parameters = network.parameter_count();
    let first = saved.is_none();
    let saved = match saved {
        Some(saved) => saved,
        None => SavedTraining {
            config: network.config.clone(),
            task: config.task,
            recipe: serde_json::to_value(&recipe).unwrap_or_default(),
            step: 0,
            state: TrainingState::start(starting_weights(config, &network, events)?),
        },
    };
    let mut graph = training_graph(network, config.loss.loss())?;
    if config.recompute {
        graph = recompute(graph);
    }
    let trainer = backend.trainer(&graph, &decay, &saved.state)?;
    drop(graph);
    events(Event::Started {
        device: backend.name().to_owned(),
        parameters,
        memory_bytes: trainer.memory_bytes(),
        step: saved.step,
        steps: config.steps,
    });
    let sampler = Sampler::new(config, Arc::new(photos));
    let threads = match config.data.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n,
    };
    let make = move |step| sampler.batch(step);
    let mut session = Session {
        config,
        backend,
        validation,
        log: Log::open(&folder.log(), saved.step)?,
        recipe: continued(recipe, &saved, config),
        batches: Batches::start(make, saved.step + 1, config.steps, threads),
        begun_at: saved.step,
        step: saved.step,
        saved_step: saved.step,
        read_step: saved.step,
        begun: Instant::now(),
        read: Instant::now(),
        folder,
        trainer,
        events,
        saved,
    };
    if first {
        // So that there is a good state to go back to from the first step on.
        session.write(None)?;
    }
    let deadline = options.time_limit.map(|limit| started + limit);
    session.steps(stop, deadline)
}

/// The forward graph with its loss, differentiated: inputs `input`, `target`.
pub(crate) fn training_graph(
    mut network: Network,
    loss: Loss,
) -> Result<TrainingGraph, ShapeError> {
    let prediction = network.graph.outputs[0];
    let dims = network.graph.dims(prediction).to_vec();
    let target = network.graph.input("target", &dims);
    let operands = [prediction, target];
    let loss = network.graph.apply(Op::Loss(loss), &operands, "loss")?;
    // Nobody reads the prediction during training: its memory can be used again.
    network.graph.outputs.clear();
    Ok(fuse_backward(differentiate(fuse(network.graph), loss)?))
}

fn load_state(
    config: &TrainConfig,
    folder: &Folder,
    events: &mut dyn FnMut(Event),
) -> Result<SavedTraining, TrainError> {
    let saved = folder.load(events)?;
    let what = match saved.config == config.network.config() {
        false => "network",
        true if saved.task != config.task => "task",
        true => return Ok(saved),
    };
    let path = folder.state();
    Err(TrainError::Differs { path, what })
}

pub(super) fn load_photos(
    config: &TrainConfig,
    events: &mut dyn FnMut(Event),
) -> Result<Photos, TrainError> {
    let begun = Instant::now();
    let folders: Vec<_> = config
        .data
        .folders
        .iter()
        .map(|f| config.resolve(f))
        .collect();
    let least = (config.data.crop + 2 * config.data.margin) * config.network.config().scale;
    let mut photos = Photos::load(&folders, least)?;
    for (path, reason) in std::mem::take(&mut photos.skipped) {
        events(Event::Skipped { path, reason });
    }
    events(Event::Decoded {
        photographs: photos.photos.len(),
        megapixels: photos.megapixels(),
        seconds: begun.elapsed().as_secs_f64(),
    });
    Ok(photos)
}

/// The recipe with what earlier sessions recorded, and a new chapter if the configuration changed.
fn continued(recipe: Recipe, saved: &SavedTraining, config: &TrainConfig) -> Recipe {
    let chapter = Chapter::new(saved.step, config);
    // A recipe this program did not write is not worth failing for.
    let before: Option<Recipe> = serde_json::from_value(saved.recipe.clone()).ok();
    let mut history = Vec::new();
    let (mut seconds, mut validation_psnr) = (0.0, None);
    if let Some(before) = before {
        history = before.history;
        seconds = before.seconds;
        validation_psnr = before.validation_psnr;
    }
    if history.last().map(|c| &c.training) != Some(&chapter.training) {
        history.push(chapter);
    }
    Recipe {
        history,
        seconds,
        validation_psnr,
        ..recipe
    }
}

/// A run under way.
struct Session<'a> {
    config: &'a TrainConfig,
    backend: &'a dyn Backend,
    events: &'a mut dyn FnMut(Event),
    folder: Folder,
    trainer: Box<dyn Trainer>,
    batches: Batches,
    validation: Option<Validation>,
    log: Log,
    recipe: Recipe,
    /// What was loaded or initialised; its state is replaced at each saving.
    saved: SavedTraining,
    /// Steps queued, of which `read_step` have reported and `saved_step` are on disk.
    step: u64,
    read_step: u64,
    saved_step: u64,
    /// Step and time this session began, and time of the last reading.
    begun_at: u64,
    begun: Instant,
    read: Instant,
}

impl Session<'_> {
    fn steps(
        mut self,
        stop: &AtomicBool,
        deadline: Option<Instant>,
    ) -> Result<Finished, TrainError> {
        let intervals = &self.config.intervals;
        let save_every = Duration::from_secs_f64(intervals.checkpoint_minutes * 60.0);
        let mut saved_at = Instant::now();
        let stopped = loop {
            if stop.load(Ordering::Relaxed) {
                break Stopped::Asked;
            }
            if deadline.is_some_and(|d| Instant::now() >= d) {
                break Stopped::TimeLimit;
            }
            let Some(batch) = self.batches.next() else {
                break Stopped::Done;
            };
            let batch = batch?;
            self.step += 1;
            let inputs = [batch.input.as_slice(), &batch.target];
            self.trainer
                .step(&inputs, &settings(self.config, self.step))?;
            let validate = self.step.is_multiple_of(intervals.validate);
            let save = saved_at.elapsed() >= save_every;
            if validate || save || self.step.is_multiple_of(intervals.log) {
                self.read()?;
            }
            if validate {
                self.validate()?;
            }
            if save {
                self.save()?;
                saved_at = Instant::now();
            }
        };
        self.read()?;
        if stopped == Stopped::Done && !self.step.is_multiple_of(intervals.validate) {
            self.validate()?;
        }
        if self.step > self.saved_step {
            self.save()?;
        }
        plot(&self.folder.curves(), &self.log.lines)?;
        let best = self.log.best();
        let best = best.map(|(step, psnr)| (self.folder.best(), step, psnr));
        Ok(Finished {
            stopped,
            step: self.step,
            validation_psnr: self.recipe.validation_psnr,
            model: self.folder.model(),
            // A run begun by an older version has none of before.
            best: best.filter(|(path, ..)| path.exists()),
            curves: self.folder.curves(),
        })
    }

    /// Seconds of training over all sessions.
    fn seconds(&self) -> f64 {
        self.recipe.seconds + self.begun.elapsed().as_secs_f64()
    }

    /// Waits for the queued steps, logs and shows their reports, and stops at the first that is not finite.
    fn read(&mut self) -> Result<(), TrainError> {
        let reports = self.trainer.reports()?;
        if reports.is_empty() {
            return Ok(());
        }
        let finite = |r: &&StepReport| r.loss.is_finite() && r.gradient_norm.is_finite();
        let good: Vec<&StepReport> = reports.iter().take_while(finite).collect();
        let elapsed = self.read.elapsed().as_secs_f64().max(1e-9);
        self.read = Instant::now();
        let samples = reports.len() as f64 * self.config.data.batch as f64;
        let seconds = self.seconds() as f32;
        let lines: Vec<LogLine> = good
            .iter()
            .map(|r| LogLine::Step {
                step: r.step,
                loss: r.loss,
                gradient_norm: r.gradient_norm,
                learning_rate: settings(self.config, r.step).learning_rate,
                samples_per_second: (samples / elapsed) as f32,
                seconds,
            })
            .collect();
        self.log.append(&lines)?;
        if let Some(bad) = reports.get(good.len()) {
            return Err(TrainError::NotFinite {
                step: bad.step,
                loss: bad.loss,
                gradient_norm: bad.gradient_norm,
                kept: self.folder.state(),
                kept_step: self.saved_step,
            });
        }
        self.read_step = self.step;
        let mean = |of: fn(&StepReport) -> f32| {
            good.iter().map(|r| of(r)).sum::<f32>() / good.len() as f32
        };
        let here = (self.step - self.begun_at) as f64;
        let left = self.config.steps.saturating_sub(self.step) as f64;
        (self.events)(Event::Progress(Progress {
            step: self.step,
            steps: self.config.steps,
            loss: mean(|r| r.loss),
            gradient_norm: mean(|r| r.gradient_norm),
            learning_rate: settings(self.config, self.step).learning_rate,
            samples_per_second: samples / elapsed,
            seconds_left: self.begun.elapsed().as_secs_f64() / here.max(1.0) * left,
        }));
        Ok(())
    }

    fn validate(&mut self) -> Result<(), TrainError> {
        let Some(validation) = &self.validation else {
            return Ok(());
        };
        let state = self.trainer.state()?;
        let psnr = validation.run(self.backend, &state.average)?;
        let input_psnr = validation.input_psnr;
        self.recipe.validation_psnr = Some(psnr);
        let step = self.step;
        // A run may get worse again: by heart, or by weights that run away.
        if self.log.best().is_none_or(|(_, best)| psnr > best) {
            let recipe = self.recipe_now();
            self.folder
                .save_model(&self.folder.best(), &self.saved, recipe, state.average)?;
        }
        self.log.append(&[LogLine::Validation {
            step,
            psnr,
            input_psnr,
            seconds: self.seconds() as f32,
        }])?;
        (self.events)(Event::Validated {
            step,
            psnr,
            input_psnr,
        });
        plot(&self.folder.curves(), &self.log.lines)?;
        // The time validation took is not training speed.
        self.read = Instant::now();
        Ok(())
    }

    /// Saves the state as it is on the device, all of whose steps have been read.
    fn save(&mut self) -> Result<(), TrainError> {
        debug_assert_eq!(self.step, self.read_step);
        let state = self.trainer.state()?;
        self.write(Some(state))?;
        self.read = Instant::now();
        Ok(())
    }

    /// The recipe as far as it has got, for the metadata of what is saved.
    fn recipe_now(&self) -> serde_json::Value {
        let recipe = Recipe {
            seconds: self.seconds(),
            steps_done: self.step,
            ..self.recipe.clone()
        };
        serde_json::to_value(recipe).unwrap_or_default()
    }

    fn write(&mut self, state: Option<TrainingState>) -> Result<(), TrainError> {
        if let Some(state) = state {
            self.saved.state = state;
        }
        self.saved.step = self.step;
        self.saved.recipe = self.recipe_now();
        self.folder.save(&self.saved)?;
        self.saved_step = self.step;
        (self.events)(Event::Saved {
            path: self.folder.state(),
            step: self.step,
        });
        Ok(())
    }
}
