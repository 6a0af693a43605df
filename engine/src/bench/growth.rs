//! How time and memory grow with the picture: whole restores, tiles and all.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{BenchError, Named, Spread, repeat, samples};
use crate::backend::wgpu::{Allocated, Rung, WgpuBackend};
use crate::checkpoint::{Checkpoint, Task};
use crate::image::{Colour, Picture};
use crate::network::{Network, initial_weights};
use crate::restore::{Device, Options, Restorer};

/// A picture of one size, restored as the program does.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Growth {
    /// The network.
    pub network: String,
    /// How numbers are kept and multiplied.
    pub rung: Rung,
    /// Width and height.
    pub side: usize,
    /// A restore, tiling and blending included, decoding and saving not.
    pub seconds: Spread,
    /// Nanoseconds a pixel, of the median.
    pub ns_per_pixel: f64,
    /// Tiles.
    pub tiles: usize,
    /// Everything the engine holds on the device afterwards; nothing where the driver does not say.
    pub memory: Option<Allocated>,
}

/// Most restores of a size that count.
const RUNS: usize = 9;

/// Restores square pictures of these sides, smallest first.
///
/// # Errors
/// [`BenchError`] when the device and the processor both fail.
pub fn growth(
    backend: Arc<WgpuBackend>,
    network: &Named,
    sides: &[usize],
) -> Result<Vec<Growth>, BenchError> {
    let config = network.config.clone();
    let size = config.size_multiple();
    let built = Network::build(&config, 1, size, size)?;
    let checkpoint = Arc::new(Checkpoint {
        weights: initial_weights(&built.parameters, 1),
        config,
        task: Task::Denoise,
        recipe: serde_json::Value::Null,
        overlap: None,
    });
    let device = Arc::new(Device::with(backend.clone()));
    let mut restorer = Restorer::new(device, checkpoint)?;
    let mut all = Vec::new();
    for &side in sides {
        let samples = samples(side * side * 3);
        let picture = Picture::new(side, side, Colour::Rgb, samples)
            .map_err(crate::restore::RestoreError::from)?;
        let mut tiles = 0;
        let seconds = repeat(RUNS, Duration::from_secs(1), || {
            let start = Instant::now();
            let mut count = |_, total| {
                tiles = total;
                ControlFlow::Continue(())
            };
            restorer.restore(&picture, &Options::default(), &mut count)?;
            Ok::<_, BenchError>(start.elapsed().as_secs_f64())
        })?;
        all.push(Growth {
            network: network.name.clone(),
            rung: backend.rung(),
            side,
            seconds,
            ns_per_pixel: 1e9 * seconds.median / (side * side) as f64,
            tiles,
            memory: backend.allocated(),
        });
    }
    Ok(all)
}
