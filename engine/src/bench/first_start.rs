//! From nothing to the first restored picture.

use std::time::Instant;

use super::{BenchError, samples};
use crate::backend::Backend;
use crate::backend::wgpu::{DeviceRequest, Rung, WgpuBackend};
use crate::graph::fuse;
use crate::network::{Network, Preset, initial_weights};

/// Where the time of a first picture goes, in milliseconds.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FirstStart {
    /// How numbers are kept and multiplied.
    pub rung: Rung,
    /// Finding the device, opening it and proving it.
    pub open_ms: f64,
    /// Building the network, planning, allocating, compiling.
    pub prepare_ms: f64,
    /// The first run, upload and read-back included.
    pub run_ms: f64,
    /// All of it.
    pub total_ms: f64,
}

/// Opens the device and restores one square picture on it.
///
/// What drivers and this program keep on disk from earlier starts shortens it: a caller that
/// wants the very first start empties those caches or turns them off.
///
/// # Errors
/// [`BenchError`] when there is no such device or it fails.
pub fn first_start(
    request: &DeviceRequest,
    preset: Preset,
    side: usize,
) -> Result<FirstStart, BenchError> {
    let ms = |start: Instant| 1e3 * start.elapsed().as_secs_f64();
    let start = Instant::now();
    let backend = WgpuBackend::open_tested(request)?;
    let open_ms = ms(start);
    let rung = backend.rung();
    let second = Instant::now();
    let config = preset.config();
    let network = Network::build(&config, 1, side, side)?;
    let weights = initial_weights(&network.parameters, 1);
    let mut executable = backend.load(&weights)?.prepare(&fuse(network.graph))?;
    let prepare_ms = ms(second);
    let third = Instant::now();
    executable.run(&[&samples(side * side * config.input_channels())])?;
    Ok(FirstStart {
        rung,
        open_ms,
        prepare_ms,
        run_ms: ms(third),
        total_ms: ms(start),
    })
}
