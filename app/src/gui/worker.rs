//! The window's end of the engine thread: one job at a time.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use egui::Context;
use serpent_engine::checkpoint::Checkpoint;
use serpent_engine::image::Picture;
use serpent_engine::restore::{
    DeviceChoice, Engine, Event, Job, JobHandle, ModelLibrary, Options, Source,
};

use super::window::Setup;

/// How a job ended.
pub enum Outcome {
    /// Restored; `summary` says how long it took, where, and what to know.
    Done {
        /// The result.
        picture: Arc<Picture>,
        /// One line for the user.
        summary: String,
    },
    /// The problem and its remedy.
    Failed(String),
    /// Stopped as asked.
    Cancelled,
}

/// Submits jobs and turns events into what the window shows.
pub struct Worker {
    ctx: Context,
    device: DeviceChoice,
    library: ModelLibrary,
    /// The engine opens its device when the first job comes: the window is there at once.
    engine: Option<(Engine, Receiver<Event>)>,
    model: Option<(String, Arc<Checkpoint>)>,
    job: Option<JobHandle>,
    jobs: u64,
    progress: f32,
    early: Option<Outcome>,
}

impl Worker {
    /// Nothing runs yet.
    pub fn new(ctx: Context, setup: &Setup) -> Self {
        Self {
            ctx,
            device: setup.device.clone(),
            library: setup.library.clone(),
            engine: None,
            model: None,
            job: None,
            jobs: 0,
            progress: 0.0,
            early: None,
        }
    }

    /// Names of the models there are.
    pub fn models(&self) -> Vec<String> {
        self.library.list().into_iter().map(|m| m.name).collect()
    }

    /// Name of the model to begin with.
    pub fn default_model(&self) -> Option<String> {
        let path = self.library.default_model().ok()?;
        Some(path.file_stem()?.to_string_lossy().into_owned())
    }

    /// Starts restoring `picture`; a job still running is cancelled.
    pub fn restore(&mut self, picture: Arc<Picture>, model: String) {
        self.cancel();
        let model = match self.load(model) {
            Ok(model) => model,
            Err(problem) => {
                self.early = Some(Outcome::Failed(problem));
                return;
            }
        };
        let (engine, _) = self.engine.get_or_insert_with(|| {
            let ctx = self.ctx.clone();
            Engine::start(self.device.clone().into(), move || ctx.request_repaint())
        });
        self.jobs += 1;
        self.progress = 0.0;
        self.job = Some(engine.submit(Job {
            id: self.jobs,
            source: Source::Picture(picture),
            model,
            options: Options::default(),
            region: None,
            output: None,
        }));
    }

    fn load(&mut self, name: String) -> Result<Arc<Checkpoint>, String> {
        if let Some((_, model)) = self.model.as_ref().filter(|(n, _)| *n == name) {
            return Ok(model.clone());
        }
        let (_, model) = self.library.load(Some(&name)).map_err(|e| e.to_string())?;
        let model = Arc::new(model);
        self.model = Some((name, model.clone()));
        Ok(model)
    }

    /// Asks the running job to stop; it answers within one tile.
    pub fn cancel(&self) {
        if let Some(job) = &self.job {
            job.cancel();
        }
    }

    /// Whether a job runs.
    pub fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// How far the running job is, 0 to 1.
    pub fn progress(&self) -> Option<f32> {
        self.job.as_ref().map(|_| self.progress)
    }

    /// How the latest job ended, once.
    pub fn poll(&mut self) -> Option<Outcome> {
        if let Some(outcome) = self.early.take() {
            return Some(outcome);
        }
        let (_, events) = self.engine.as_ref()?;
        while let Ok(event) = events.try_recv() {
            let current = self.job.as_ref().map(|j| j.id);
            let outcome = match event {
                Event::Progress {
                    id, done, total, ..
                } => {
                    if current == Some(id) {
                        self.progress = done as f32 / total.max(1) as f32;
                    }
                    continue;
                }
                Event::Ready { .. } | Event::Started { .. } => continue,
                Event::NoDevice { message } => Outcome::Failed(message),
                Event::Finished {
                    id,
                    picture,
                    seconds,
                    device,
                    notes,
                } if current == Some(id) => {
                    let mut summary = format!("Restored in {seconds:.1} s on {device}");
                    for note in notes {
                        summary.push_str(&format!("; {note}"));
                    }
                    Outcome::Done { picture, summary }
                }
                Event::Failed { id, message } if current == Some(id) => Outcome::Failed(message),
                Event::Cancelled { id } if current == Some(id) => Outcome::Cancelled,
                // An older job, whose result nobody waits for.
                _ => continue,
            };
            self.job = None;
            return Some(outcome);
        }
        None
    }
}
