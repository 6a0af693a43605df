//! Measuring the engine: what a device can do at most, what the network costs there, and the
//! distance between the two. `serpent bench` prints what this module returns.

mod ceilings;
mod cpu;
mod first_start;
mod floor;
mod growth;
mod machine;
mod restoring;
mod spread;
mod table;
#[cfg(test)]
mod tests;
mod trace;
mod training;

pub use ceilings::{Ceilings, ProcessorCeilings, Product};
pub use cpu::{CpuRestoring, processor_time};
pub use first_start::{FirstStart, first_start};
pub use floor::{floor_seconds, stored_cost};
pub use growth::{Growth, growth};
pub use machine::Machine;
pub use restoring::{Restoring, restoring};
pub use spread::{Spread, repeat};
pub use table::{Sum, sums};
pub use trace::trace;
pub use training::{Training, training};

use crate::backend::BackendError;
use crate::graph::{Graph, ShapeError, fuse};
use crate::network::{Network, NetworkConfig, NetworkError, Preset, initial_weights};
use crate::restore::RestoreError;

/// A measurement that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The device failed or has no room.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// No network of that size.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A graph that cannot be built.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Restoring failed.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// A preset's name, as configurations write it.
pub fn preset_name(preset: Preset) -> &'static str {
    match preset {
        Preset::Tiny => "tiny",
        Preset::Base => "base",
        Preset::Large => "large",
    }
}

/// The preset of that name.
pub fn preset_named(name: &str) -> Option<Preset> {
    [Preset::Tiny, Preset::Base, Preset::Large]
        .into_iter()
        .find(|&p| preset_name(p) == name)
}

/// A network to measure: a preset's or a model's.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// What figures call it.
    pub name: String,
    /// The network; weights are not looked at, they change nothing about the time.
    pub config: NetworkConfig,
}

impl From<Preset> for Named {
    fn from(preset: Preset) -> Self {
        Self {
            name: preset_name(preset).to_owned(),
            config: preset.config(),
        }
    }
}

/// A network for restoring one picture, with fixed weights.
struct Subject {
    graph: Graph,
    weights: Vec<Vec<f32>>,
    /// Sides of the picture, rounded up to what the network takes.
    height: usize,
    width: usize,
    /// Channels of its input.
    channels: usize,
}

impl Subject {
    fn new(config: &NetworkConfig, (height, width): (usize, usize)) -> Result<Self, NetworkError> {
        let multiple = config.size_multiple();
        let height = height.next_multiple_of(multiple);
        let width = width.next_multiple_of(multiple);
        let network = Network::build(config, 1, height, width)?;
        Ok(Self {
            weights: initial_weights(&network.parameters, 1),
            graph: fuse(network.graph),
            height,
            width,
            channels: config.input_channels(),
        })
    }
}

/// Samples of a picture that is no constant: values between 0 and 1 that look random.
pub(crate) fn samples(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i as f32 * 0.618_034).fract() * 0.8 + 0.1)
        .collect()
}
