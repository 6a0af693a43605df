//! The training configuration: what `serpent train CONFIG.toml` reads.
//!
//! Unknown fields are errors, so that a misspelt one is noticed. Paths are
//! relative to the configuration file. Everything but the paths, the task and
//! the number of steps has a default: the recipe of the shipped models.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::degrade::Degradation;
use crate::checkpoint::Task;
use crate::graph::Loss;
use crate::network::{Ffn, NetworkConfig, Preset};

/// Everything a training run is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What the network learns to undo.
    pub task: Task,
    /// Optimiser steps in total.
    pub steps: u64,
    /// Decides initial weights, crops and degradations.
    #[serde(default)]
    pub seed: u64,
    /// Folder for the model, the state, the log and the plot.
    pub output: PathBuf,
    /// A model whose weights training begins with, wherever name and sizes match; the rest, or
    /// without it everything, is drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// The network.
    #[serde(default)]
    pub network: NetworkSettings,
    /// Photographs and how they are cut.
    pub data: DataSettings,
    /// What is done to a clean crop, in this order.
    pub degradations: Vec<Degradation>,
    /// AdamW, learning rate and average.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// What is minimised.
    #[serde(default)]
    pub loss: LossSettings,
    /// Compute cheap intermediates twice instead of keeping them: less memory, a little slower,
    /// the same result.
    #[serde(default)]
    pub recompute: bool,
    /// How often things happen.
    #[serde(default)]
    pub intervals: IntervalSettings,
    /// Pictures never trained on; without them nothing is validated.
    pub validation: Option<ValidationSettings>,
    /// Folder of the configuration file: what relative paths start from.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A preset with fields changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSettings {
    /// Where to start from; base unless said.
    pub preset: Option<Preset>,
    /// [`NetworkConfig::channels`]
    pub channels: Option<usize>,
    /// [`NetworkConfig::depths`]
    pub depths: Option<Vec<usize>>,
    /// [`NetworkConfig::patch`]
    pub patch: Option<usize>,
    /// [`NetworkConfig::states`]
    pub states: Option<usize>,
    /// [`NetworkConfig::expansion`]
    pub expansion: Option<usize>,
    /// [`NetworkConfig::directions`]
    pub directions: Option<usize>,
    /// [`NetworkConfig::ffn`]
    pub ffn: Option<Ffn>,
    /// [`NetworkConfig::tied_decay`]
    pub tied_decay: Option<bool>,
    /// [`NetworkConfig::alternating`]
    pub alternating: Option<bool>,
    /// [`NetworkConfig::scale`]
    pub scale: Option<usize>,
    /// [`NetworkConfig::noise_map`]
    pub noise_map: Option<bool>,
}

impl NetworkSettings {
    /// The preset with the given fields in place of its own.
    pub fn config(&self) -> NetworkConfig {
        let preset = self.preset.unwrap_or(Preset::Base).config();
        NetworkConfig {
            channels: self.channels.unwrap_or(preset.channels),
            depths: self.depths.clone().unwrap_or(preset.depths),
            patch: self.patch.unwrap_or(preset.patch),
            states: self.states.unwrap_or(preset.states),
            expansion: self.expansion.unwrap_or(preset.expansion),
            directions: self.directions.unwrap_or(preset.directions),
            ffn: self.ffn.unwrap_or(preset.ffn),
            tied_decay: self.tied_decay.unwrap_or(preset.tied_decay),
            alternating: self.alternating.unwrap_or(preset.alternating),
            scale: self.scale.unwrap_or(preset.scale),
            noise_map: self.noise_map.unwrap_or(preset.noise_map),
        }
    }
}

/// Photographs and how they are cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSettings {
    /// Folders searched for photographs, with their subfolders.
    pub folders: Vec<PathBuf>,
    /// Side of the network's input in pixels; the target is `scale` times larger.
    #[serde(default = "DataSettings::default_crop")]
    pub crop: usize,
    /// Crops a step.
    #[serde(default = "DataSettings::default_batch")]
    pub batch: usize,
    /// Pixels around a crop that are degraded with it and then cut off, so that blurs and
    /// resizing see what really lies there; half a filter's length is enough.
    #[serde(default)]
    pub margin: usize,
    /// Photographs are shrunk by a factor drawn between this and 1 before a crop is cut, as far as
    /// they are large enough: more of them, as it were, for tasks without noise. 1 leaves them.
    #[serde(default = "DataSettings::default_shrink")]
    pub shrink: f64,
    /// Share of the crops that are one colour or a ramp instead of a photograph, 0 to 1.
    #[serde(default)]
    pub flat: f64,
    /// Share of the crops that are made grey, 0 to 1.
    #[serde(default)]
    pub grey: f64,
    /// Threads that prepare batches; 0: one a core.
    #[serde(default)]
    pub threads: usize,
}

impl DataSettings {
    fn default_crop() -> usize {
        128
    }

    fn default_batch() -> usize {
        16
    }

    fn default_shrink() -> f64 {
        1.0
    }
}

/// AdamW (arXiv 1711.05101), the learning rate's course, and the average.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserSettings {
    /// Highest learning rate, at the end of the warm-up.
    pub learning_rate: f64,
    /// Learning rate of the last step; a cosine leads there.
    pub final_learning_rate: f64,
    /// Steps over which the learning rate rises linearly from 0.
    pub warm_up: u64,
    /// Decay of the first and the second moment.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay, of matrices and convolution kernels only.
    pub weight_decay: f64,
    /// Global norm gradients are scaled down to.
    pub clip: f64,
    /// Decay of the weights' exponential moving average, which is what ships.
    pub ema: f64,
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            final_learning_rate: 1e-6,
            warm_up: 200,
            betas: [0.9, 0.99],
            epsilon: 1e-8,
            weight_decay: 0.0,
            clip: 1.0,
            ema: 0.999,
        }
    }
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum LossSettings {
    /// mean √((p − t)² + ε²)
    Charbonnier {
        /// ε
        epsilon: f32,
    },
    /// mean |p − t|
    L1,
}

impl Default for LossSettings {
    fn default() -> Self {
        Self::Charbonnier { epsilon: 1e-3 }
    }
}

impl LossSettings {
    /// The graph's loss.
    pub fn loss(self) -> Loss {
        match self {
            Self::Charbonnier { epsilon } => Loss::Charbonnier { epsilon },
            Self::L1 => Loss::L1,
        }
    }
}

/// How often things happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntervalSettings {
    /// Steps between readings of the losses.
    pub log: u64,
    /// Steps between validations.
    pub validate: u64,
    /// Minutes between savings of the state.
    pub checkpoint_minutes: f64,
}

impl Default for IntervalSettings {
    fn default() -> Self {
        Self {
            log: 20,
            validate: 1000,
            checkpoint_minutes: 5.0,
        }
    }
}

/// Pictures never trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationSettings {
    /// Folder of the pictures.
    pub folder: PathBuf,
    /// Largest side of the centre crop given to the network, in pixels of its input.
    #[serde(default = "ValidationSettings::default_crop")]
    pub crop: usize,
    /// Use the first so many pictures in the order of their names.
    #[serde(default = "ValidationSettings::default_pictures")]
    pub pictures: usize,
    /// In place of the training's degradations, so that the figure is of one strength.
    pub degradations: Option<Vec<Degradation>>,
}

impl ValidationSettings {
    fn default_crop() -> usize {
        256
    }

    fn default_pictures() -> usize {
        16
    }
}

impl TrainConfig {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the file, the place and what is wrong.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let wrong = |problem: String| TrainError::Config {
            path: path.to_owned(),
            problem,
        };
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        let mut config: Self = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        config.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// A path of the configuration as seen from the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Refuses values no run can be made of.
    ///
    /// # Errors
    /// A sentence naming the field, its value and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let network = self.network.config();
        network.validate().map_err(|e| e.to_string())?;
        let multiple = network.size_multiple();
        let counts = [
            ("steps", self.steps, 1, u64::MAX),
            ("data.crop", self.data.crop as u64, multiple as u64, 2048),
            ("data.batch", self.data.batch as u64, 1, 4096),
            ("data.margin", self.data.margin as u64, 0, 256),
            ("data.threads", self.data.threads as u64, 0, 1024),
            ("intervals.log", self.intervals.log, 1, 10_000),
            ("intervals.validate", self.intervals.validate, 1, u64::MAX),
        ];
        for (field, value, low, high) in counts {
            if !(low..=high).contains(&value) {
                return Err(format!("{field} is {value}, must be {low} to {high}"));
            }
        }
        if !self.data.crop.is_multiple_of(multiple) {
            let crop = self.data.crop;
            return Err(format!(
                "data.crop is {crop}, must be a multiple of {multiple} for this network"
            ));
        }
        let o = &self.optimiser;
        let numbers = [
            (
                "optimiser.learning_rate",
                o.learning_rate,
                f64::MIN_POSITIVE,
                1.0,
            ),
            (
                "optimiser.final_learning_rate",
                o.final_learning_rate,
                0.0,
                1.0,
            ),
            ("data.shrink", self.data.shrink, 0.1, 1.0),
            ("data.flat", self.data.flat, 0.0, 1.0),
            ("data.grey", self.data.grey, 0.0, 1.0),
            ("optimiser.betas[0]", o.betas[0], 0.0, 0.999_999),
            ("optimiser.betas[1]", o.betas[1], 0.0, 0.999_999),
            ("optimiser.epsilon", o.epsilon, 1e-12, 1.0),
            ("optimiser.weight_decay", o.weight_decay, 0.0, 10.0),
            ("optimiser.clip", o.clip, 1e-6, f64::MAX),
            ("optimiser.ema", o.ema, 0.0, 0.999_999),
            (
                "intervals.checkpoint_minutes",
                self.intervals.checkpoint_minutes,
                0.0,
                1e6,
            ),
        ];
        for (field, value, low, high) in numbers {
            if !(low..=high).contains(&value) {
                return Err(format!("{field} is {value}, must be {low:e} to {high:e}"));
            }
        }
        if let LossSettings::Charbonnier { epsilon } = self.loss
            && !(1e-8..=1.0).contains(&epsilon)
        {
            return Err(format!("loss.epsilon is {epsilon}, must be 1e-8 to 1"));
        }
        if self.data.folders.is_empty() {
            return Err(
                "data.folders is empty, name at least one folder of photographs".to_owned(),
            );
        }
        let validation = self.validation.as_ref();
        let other = validation.and_then(|v| v.degradations.as_ref());
        for degradation in self.degradations.iter().chain(other.into_iter().flatten()) {
            degradation.check().map_err(|e| e.to_string())?;
        }
        if let Some(v) = validation
            && (v.crop < multiple || v.crop > 4096 || v.pictures == 0)
        {
            return Err(format!(
                "validation: crop is {}, must be {multiple} to 4096, and pictures is {}, must be at least 1",
                v.crop, v.pictures
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    const SMALLEST: &str = r#"
        task = "denoise"
        steps = 10
        output = "run"
        degradations = [{ kind = "noise", sigma = [0.0, 50.0] }]
        [data]
        folders = ["photos", "/more"]
    "#;

    fn load(text: &str) -> Result<TrainConfig, TrainError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        TrainConfig::load(path)
    }

    #[test]
    fn the_smallest_configuration_is_the_shipped_recipe() {
        let c = load(SMALLEST).unwrap();
        assert_eq!(c.network.config(), Preset::Base.config());
        assert_eq!((c.data.crop, c.data.batch), (128, 16));
        assert_eq!(c.loss.loss(), Loss::Charbonnier { epsilon: 1e-3 });
        assert_eq!(c.resolve(Path::new("run")), c.folder.join("run"));
        assert_eq!(c.resolve(Path::new("/more")), Path::new("/more"));
        // What the recipe records can be read back.
        let mut again: TrainConfig =
            serde_json::from_value(serde_json::to_value(&c).unwrap()).unwrap();
        again.folder = c.folder.clone();
        assert_eq!(again, c);
    }

    #[test]
    fn the_shipped_recipes_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/recipes");
        let mut recipes = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            TrainConfig::load(entry.unwrap().path()).unwrap();
            recipes += 1;
        }
        assert!(recipes >= 2);
    }

    #[test]
    fn fields_of_a_preset_can_be_changed() {
        let text = format!("{SMALLEST}\n[network]\npreset = \"tiny\"\nstates = 4\nffn = \"none\"");
        let network = load(&text).unwrap().network.config();
        let expected = NetworkConfig {
            states: 4,
            ffn: Ffn::None,
            ..Preset::Tiny.config()
        };
        assert_eq!(network, expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (extra, expected) in [
            ("crap = 3", "crap"),
            ("crop = 130", "multiple of 8"),
            ("margin = 300", "data.margin is 300"),
            ("flat = 1.5", "data.flat is 1.5"),
            ("shrink = 1.5", "data.shrink is 1.5"),
            ("crop = 0", "data.crop is 0"),
            ("batch = 0", "data.batch is 0"),
            (
                "[optimiser]\nlearning_rate = -1.0",
                "optimiser.learning_rate is -1",
            ),
            (
                "[optimiser]\nlearning_rate = nan",
                "optimiser.learning_rate is NaN",
            ),
            ("[optimiser]\nbetas = [0.9, 1.0]", "betas[1]"),
            ("[optimiser]\nbetas = [0.9]", "betas"),
            ("[network]\ndirections = 3", "directions"),
            ("[network]\npreset = \"huge\"", "huge"),
            (
                "[loss]\nkind = \"charbonnier\"\nepsilon = 0.0",
                "loss.epsilon",
            ),
            ("[intervals]\nlog = 0", "intervals.log"),
            (
                "[validation]\nfolder = \"v\"\ndegradations = [{ kind = \"noise\", sigma = -1 }]",
                "sigma",
            ),
            ("[validation]\nfolder = \"v\"\ncrop = 3", "validation"),
        ] {
            let message = load(&format!("{SMALLEST}\n{extra}"))
                .unwrap_err()
                .to_string();
            assert!(
                message.contains("config.toml") && message.contains(expected),
                "{message}"
            );
        }
        assert!(load("task = 3").is_err());
        assert!(TrainConfig::load("no/such/config.toml").is_err());
    }
}
