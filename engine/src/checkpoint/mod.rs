//! Weights on disk: safetensors with configuration and recipe in the metadata.
//!
//! A [`Checkpoint`] is what ships: one set of weights. A [`SavedTraining`] is
//! what a training run needs to go on exactly where it stopped. Tensor names
//! are [`ParameterSpec::name`]; `docs/checkpoints.md` lists them with their
//! PyTorch equivalents. Files are checked before anything is believed: sizes
//! before memory is taken, every value for being finite.

mod container;
mod error;
mod saved_training;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::network::{Network, NetworkConfig, ParameterSpec};
use container::{Container, Tensor};

pub(crate) use container::read_file;
pub use error::CheckpointError;
pub use saved_training::SavedTraining;

/// Version of the file format this program writes and reads.
pub const FORMAT: u32 = 1;

const KEY_FORMAT: &str = "serpent.format";
const KEY_CONFIG: &str = "serpent.config";
const KEY_TASK: &str = "serpent.task";
const KEY_RECIPE: &str = "serpent.recipe";
const KEY_OVERLAP: &str = "serpent.overlap";

/// Widest overlap of tiles that a file may ask for: wider ones make tiles take minutes.
const MOST_OVERLAP: usize = 256;

/// What a model was trained to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Noise.
    Denoise,
    /// Blur.
    Deblur,
    /// A small picture; the factor is [`NetworkConfig::scale`].
    SuperResolve,
    /// JPEG compression.
    Jpeg,
    /// Several of these at once.
    Mixed,
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Task::Denoise => "denoise",
            Task::Deblur => "deblur",
            Task::SuperResolve => "super-resolve",
            Task::Jpeg => "jpeg",
            Task::Mixed => "mixed",
        })
    }
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Matrices and convolution kernels in 16 bits; norms, biases, scales and the
    /// scan's decays, which are few and sensitive, in 32.
    F16,
    /// Everything in 32 bits.
    F32,
}

/// A trained network.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The network's configuration.
    pub config: NetworkConfig,
    /// What it undoes.
    pub task: Task,
    /// How it was made: training configuration, seed, steps. For people and for the record.
    pub recipe: serde_json::Value,
    /// Pixels of the network's input that tiles of a picture share, 0 to 256, if that is known;
    /// the usual number when absent.
    pub overlap: Option<usize>,
    /// One vector for each of the network's parameters, in order.
    pub weights: Vec<Vec<f32>>,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// Any [`CheckpointError`]; a file that is returned is whole, finite and fits its configuration.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        Self::from_bytes(&container::read_file(path)?, path)
    }

    /// Reads a checkpoint from memory; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`Checkpoint::load`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, CheckpointError> {
        let mut container = Container::parse(path, bytes)?;
        let header = Header::read(&container, path)?;
        let weights = header
            .parameters
            .iter()
            .map(|p| container.take(&p.name, &p.dims))
            .collect::<Result<_, _>>()?;
        container.finish()?;
        Ok(Self {
            config: header.config,
            task: header.task,
            recipe: header.recipe,
            overlap: header.overlap,
            weights,
        })
    }

    /// Writes the checkpoint; `path` is never left half-written.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] or [`CheckpointError::NotFinite`] when the weights are not
    /// those of the configuration or not finite as stored, [`CheckpointError::Io`] when writing fails.
    pub fn save(
        &self,
        path: impl AsRef<Path>,
        precision: Precision,
    ) -> Result<(), CheckpointError> {
        let path = path.as_ref();
        let parameters = parameters(&self.config, path)?;
        check_count(path, "weights", parameters.len(), &self.weights)?;
        let tensors: Vec<Tensor<'_>> = parameters
            .iter()
            .zip(&self.weights)
            .map(|(p, values)| Tensor {
                name: p.name.clone(),
                dims: &p.dims,
                values,
                half: precision == Precision::F16 && p.decay,
            })
            .collect();
        let mut metadata = metadata(path, &self.config, self.task, &self.recipe)?;
        if let Some(overlap) = self.overlap {
            metadata.insert(KEY_OVERLAP.to_owned(), overlap.to_string());
        }
        container::write(path, &tensors, metadata)
    }
}

/// The metadata every file has, checked, with the parameters its configuration asks for.
struct Header {
    config: NetworkConfig,
    task: Task,
    recipe: serde_json::Value,
    overlap: Option<usize>,
    parameters: Vec<ParameterSpec>,
}

impl Header {
    fn read(container: &Container<'_>, path: &Path) -> Result<Self, CheckpointError> {
        let version = container.text(KEY_FORMAT)?;
        if version != FORMAT.to_string() {
            return Err(CheckpointError::Version {
                path: path.to_owned(),
                found: version.to_owned(),
                supported: FORMAT,
            });
        }
        let config: NetworkConfig = container.json(KEY_CONFIG)?;
        Ok(Self {
            task: container.json(KEY_TASK)?,
            recipe: container.json(KEY_RECIPE)?,
            overlap: overlap(container)?,
            parameters: parameters(&config, path)?,
            config,
        })
    }
}

/// What tiles share, where the file says so.
fn overlap(container: &Container<'_>) -> Result<Option<usize>, CheckpointError> {
    if !container.has(KEY_OVERLAP) {
        return Ok(None);
    }
    match container.json(KEY_OVERLAP)? {
        pixels if pixels <= MOST_OVERLAP => Ok(Some(pixels)),
        pixels => Err(container.metadata_error(
            KEY_OVERLAP,
            &format!("is {pixels}, and at most {MOST_OVERLAP} are allowed"),
        )),
    }
}

/// The parameters of a configuration: its graph at the smallest size, which takes no memory for pixels.
fn parameters(config: &NetworkConfig, path: &Path) -> Result<Vec<ParameterSpec>, CheckpointError> {
    let wrong = |source| CheckpointError::Config {
        path: path.to_owned(),
        source,
    };
    config.validate().map_err(wrong)?;
    let side = config.size_multiple();
    Ok(Network::build(config, 1, side, side)
        .map_err(wrong)?
        .parameters)
}

fn metadata(
    path: &Path,
    config: &NetworkConfig,
    task: Task,
    recipe: &serde_json::Value,
) -> Result<HashMap<String, String>, CheckpointError> {
    let json = |key: &'static str, value: serde_json::Result<String>| match value {
        Ok(text) => Ok((key.to_owned(), text)),
        Err(e) => Err(CheckpointError::Metadata {
            path: path.to_owned(),
            key,
            problem: e.to_string(),
        }),
    };
    Ok(HashMap::from([
        (KEY_FORMAT.to_owned(), FORMAT.to_string()),
        json(KEY_CONFIG, serde_json::to_string(config))?,
        json(KEY_TASK, serde_json::to_string(&task))?,
        json(KEY_RECIPE, serde_json::to_string(recipe))?,
    ]))
}

fn check_count(
    path: &Path,
    what: &str,
    expected: usize,
    tensors: &[Vec<f32>],
) -> Result<(), CheckpointError> {
    if tensors.len() == expected {
        return Ok(());
    }
    Err(CheckpointError::Weights {
        path: path.to_owned(),
        what: format!("number of tensors in the {what}"),
        expected,
        got: tensors.len(),
    })
}
