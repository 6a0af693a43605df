//! Weights that training begins with.

use super::{Event, TrainConfig, TrainError};
use crate::checkpoint::Checkpoint;
use crate::network::{Network, initial_weights};

/// One vector for each of the network's parameters: random, or with `start` the model's wherever
/// it has a parameter of that name and of those sizes.
///
/// # Errors
/// [`TrainError::Checkpoint`] when the model cannot be read, [`TrainError::Start`] when it fits less than
/// half of the network.
pub(super) fn starting_weights(
    config: &TrainConfig,
    network: &Network,
    events: &mut dyn FnMut(Event),
) -> Result<Vec<Vec<f32>>, TrainError> {
    let mut weights = initial_weights(&network.parameters, config.seed);
    let Some(path) = &config.start else {
        return Ok(weights);
    };
    let path = config.resolve(path);
    let model = Checkpoint::load(&path)?;
    // Names and sizes of a network do not depend on the picture.
    let side = model.config.size_multiple();
    let theirs = Network::build(&model.config, 1, side, side)?;
    let mut taken = 0;
    for (mine, spec) in weights.iter_mut().zip(&network.parameters) {
        let found = theirs.parameters.iter().zip(&model.weights);
        for (_, values) in found.filter(|(t, _)| t.name == spec.name && t.dims == spec.dims) {
            mine.clone_from(values);
            taken += 1;
        }
    }
    let of = weights.len();
    if 2 * taken < of {
        return Err(TrainError::Start { path, taken, of });
    }
    events(Event::Begun { path, taken, of });
    Ok(weights)
}
