//! The output folder: state, model, log and plot of one run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::{Event, TrainError};
use crate::checkpoint::{Checkpoint, CheckpointError, Precision, SavedTraining};

/// Paths in the output folder.
pub(super) struct Folder {
    path: PathBuf,
}

/// What the metadata of state and model say about how they were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recipe {
    /// Version of this program.
    pub(super) program: String,
    /// The device that trained.
    pub(super) device: String,
    /// Photographs trained on, and their pixels in millions.
    pub(super) photographs: usize,
    pub(super) megapixels: f64,
    /// Steps done.
    pub(super) steps_done: u64,
    /// Seconds of training, over all sessions.
    pub(super) seconds: f64,
    /// Last validation in dB.
    pub(super) validation_psnr: Option<f64>,
    /// The configurations the run had, each with the step it applied from.
    pub(super) history: Vec<Chapter>,
}

/// A configuration and the step it applied from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Chapter {
    pub(super) from_step: u64,
    pub(super) training: TrainConfig,
}

impl Chapter {
    /// The configuration with folders reduced to their names: where they lie is nobody's business.
    pub(super) fn new(from_step: u64, config: &TrainConfig) -> Self {
        let mut training = config.clone();
        training.folder = PathBuf::new();
        let validation = training.validation.iter_mut().map(|v| &mut v.folder);
        for path in training.data.folders.iter_mut().chain(validation) {
            *path = name(path);
        }
        training.output = name(&training.output);
        training.start = training.start.as_deref().map(name);
        Self {
            from_step,
            training,
        }
    }
}

fn name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

impl Folder {
    /// The output folder of a configuration, made if need be.
    pub(super) fn open(config: &TrainConfig) -> Result<Self, TrainError> {
        let path = config.resolve(&config.output);
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(TrainError::Io {
                path,
                action: "make the folder",
                source,
            }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last saved state.
    pub(super) fn state(&self) -> PathBuf {
        self.path.join("state.safetensors")
    }

    /// The state before it.
    pub(super) fn previous(&self) -> PathBuf {
        self.path.join("state.previous.safetensors")
    }

    /// The averaged weights of the last saved state.
    pub(super) fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// The averaged weights of the best validation.
    pub(super) fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log.jsonl")
    }

    pub(super) fn curves(&self) -> PathBuf {
        self.path.join("curves.png")
    }

    /// Reads the last state, or the one before it when the last is damaged.
    pub(super) fn load(&self, events: &mut dyn FnMut(Event)) -> Result<SavedTraining, TrainError> {
        if !self.state().exists() && !self.previous().exists() {
            return Err(TrainError::NothingToResume {
                path: self.path.clone(),
            });
        }
        match SavedTraining::load(self.state()) {
            Ok(saved) => Ok(saved),
            Err(error) => {
                let Ok(saved) = SavedTraining::load(self.previous()) else {
                    return Err(error.into());
                };
                let reason = error.to_string();
                events(Event::FellBack { reason });
                Ok(saved)
            }
        }
    }

    /// Saves the state, keeping the one before, and the model.
    pub(super) fn save(&self, saved: &SavedTraining) -> Result<(), TrainError> {
        self.keep_previous()?;
        saved.save(self.state())?;
        let weights = saved.state.average.clone();
        self.save_model(&self.model(), saved, saved.recipe.clone(), weights)
    }

    /// Saves averaged weights of the run that `run` is a state of.
    pub(super) fn save_model(
        &self,
        path: &Path,
        run: &SavedTraining,
        recipe: serde_json::Value,
        weights: Vec<Vec<f32>>,
    ) -> Result<(), TrainError> {
        let model = Checkpoint {
            config: run.config.clone(),
            task: run.task,
            recipe,
            overlap: None,
            weights,
        };
        Ok(model.save(path, Precision::F16)?)
    }

    /// Gives the state a second name, so that there is a whole state at any moment.
    fn keep_previous(&self) -> Result<(), TrainError> {
        let (state, previous) = (self.state(), self.previous());
        if !state.exists() {
            return Ok(());
        }
        let io = |source| CheckpointError::Io {
            path: previous.clone(),
            action: "keep the previous state",
            source,
        };
        if previous.exists() {
            std::fs::remove_file(&previous).map_err(io)?;
        }
        // Some file systems have no hard links.
        if std::fs::hard_link(&state, &previous).is_err() {
            std::fs::copy(&state, &previous).map_err(io)?;
        }
        Ok(())
    }
}
