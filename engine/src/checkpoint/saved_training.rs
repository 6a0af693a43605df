//! A training run on disk: everything needed to go on exactly where it stopped.

use std::path::Path;

use super::container::{self, Container, Tensor};
use super::{CheckpointError, Header, Task, check_count, metadata, parameters};
use crate::backend::TrainingState;
use crate::network::NetworkConfig;

const KEY_STEP: &str = "serpent.step";

/// A stopped training run: tensors `weights.NAME`, `first.NAME`, `second.NAME` and
/// `average.NAME` for each parameter NAME, in 32 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedTraining {
    /// The network's configuration.
    pub config: NetworkConfig,
    /// What it learns to undo.
    pub task: Task,
    /// Training configuration and history of the run.
    pub recipe: serde_json::Value,
    /// Steps done.
    pub step: u64,
    /// Weights, moments and average.
    pub state: TrainingState,
}

impl SavedTraining {
    /// Reads a training state.
    ///
    /// # Errors
    /// Any [`CheckpointError`], as for [`super::Checkpoint::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        let bytes = container::read_file(path)?;
        let mut container = Container::parse(path, &bytes)?;
        let header = Header::read(&container, path)?;
        let step = container.json(KEY_STEP)?;
        let mut take = |part: &str| {
            header
                .parameters
                .iter()
                .map(|p| container.take(&format!("{part}.{}", p.name), &p.dims))
                .collect::<Result<Vec<_>, _>>()
        };
        let state = TrainingState {
            weights: take("weights")?,
            first: take("first")?,
            second: take("second")?,
            average: take("average")?,
        };
        container.finish()?;
        Ok(Self {
            config: header.config,
            task: header.task,
            recipe: header.recipe,
            step,
            state,
        })
    }

    /// Writes the training state; `path` is never left half-written.
    ///
    /// # Errors
    /// As [`super::Checkpoint::save`]; in particular a state that is not finite is never stored.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CheckpointError> {
        let path = path.as_ref();
        let parameters = parameters(&self.config, path)?;
        let mut tensors = Vec::new();
        for (part, values) in [
            ("weights", &self.state.weights),
            ("first", &self.state.first),
            ("second", &self.state.second),
            ("average", &self.state.average),
        ] {
            check_count(path, part, parameters.len(), values)?;
            tensors.extend(parameters.iter().zip(values).map(|(p, values)| Tensor {
                name: format!("{part}.{}", p.name),
                dims: &p.dims,
                values,
                half: false,
            }));
        }
        let mut metadata = metadata(path, &self.config, self.task, &self.recipe)?;
        metadata.insert(KEY_STEP.to_owned(), self.step.to_string());
        container::write(path, &tensors, metadata)
    }
}
