//! Training steps on a graphics device.

use std::time::Instant;

use super::restoring::PATIENCE;
use super::table::{Sum, sums};
use super::{BenchError, Ceilings, Named, Spread, floor_seconds, repeat, samples, stored_cost};
use crate::backend::wgpu::{Allocated, ProfileRow, Rung, WgpuBackend};
use crate::backend::{StepSettings, Trainer, TrainingState};
use crate::graph::{Cost, Loss};
use crate::network::{Network, initial_weights};
use crate::train::training_graph;

/// Steps queued together and timed as one measurement.
const STEPS: u32 = 4;

/// What a training step takes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Training {
    /// The network.
    pub network: String,
    /// What the kernels may use.
    pub rung: Rung,
    /// Crops a step.
    pub batch: usize,
    /// Side of a crop.
    pub side: usize,
    /// Forward, backward, optimiser and moving average, upload included, a step.
    pub step_ms: Spread,
    /// Crops a second.
    pub crops_per_second: f64,
    /// Planning, allocating and compiling before the first step.
    pub prepare_ms: f64,
    /// Everything of the trainer: weights, moments, gradients, intermediates.
    pub trainer_bytes: u64,
    /// Everything the engine holds on the device; nothing where the driver does not say.
    pub memory: Option<Allocated>,
    /// Counted operations; bytes as the device keeps them.
    pub cost: Cost,
    /// Sum over the nodes of the least time each can take, as the graph is fused now.
    pub floor_ms: Option<f64>,
    /// Launches a step.
    pub launches: usize,
    /// Times by op, every launch timed apart.
    pub ops: Vec<Sum>,
    /// Times by kernel.
    pub kernels: Vec<Sum>,
    /// Times by place in the network.
    pub places: Vec<Sum>,
    /// Every launch.
    #[serde(skip)]
    pub rows: Vec<ProfileRow>,
}

impl Training {
    /// Step time over its floor.
    pub fn distance(&self) -> Option<f64> {
        let floor = self.floor_ms.filter(|f| *f > 0.0)?;
        Some(self.step_ms.median / floor)
    }
}

/// Measures training a network with the Charbonnier loss, as the trainer does.
///
/// # Errors
/// [`BenchError`] when the network has no such size or the device fails.
pub fn training(
    backend: &WgpuBackend,
    network: &Named,
    (batch, side): (usize, usize),
    runs: usize,
    ceilings: Option<&Ceilings>,
) -> Result<Training, BenchError> {
    let built = Network::build(&network.config, batch, side, side)?;
    let weights = initial_weights(&built.parameters, 1);
    let decay: Vec<bool> = built.parameters.iter().map(|p| p.decay).collect();
    let graph = training_graph(built, Loss::Charbonnier { epsilon: 1e-3 })?;
    let start = Instant::now();
    let mut trainer = backend.load_trainer(&graph, &decay, &TrainingState::start(weights))?;
    let prepare_ms = 1e3 * start.elapsed().as_secs_f64();
    let (channels, scale) = (network.config.input_channels(), network.config.scale);
    let clean = samples(batch * side * side * 3 * scale * scale);
    let noisy: Vec<f32> = samples(batch * side * side * channels)
        .iter()
        .enumerate()
        .map(|(i, v)| v + 0.1 * (i as f32).sin())
        .collect();
    let inputs: [&[f32]; 2] = [&noisy, &clean];
    let mut settings = StepSettings {
        step: 0,
        learning_rate: 1e-4,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.0,
        clip_norm: 1.0,
        ema_decay: 0.999,
    };
    let step_ms = repeat(runs, PATIENCE, || {
        let start = Instant::now();
        for _ in 0..STEPS {
            settings.step += 1;
            trainer.step(&inputs, &settings)?;
        }
        trainer.reports()?;
        Ok::<_, BenchError>(1e3 * start.elapsed().as_secs_f64() / f64::from(STEPS))
    })?;
    let memory = backend.allocated();
    settings.step += 1;
    let rows = match backend.has_timestamps() {
        true => trainer.profile_step(&inputs, &settings)?,
        false => Vec::new(),
    };
    let graph = trainer.graph();
    let costs = || graph.nodes.iter().map(|n| stored_cost(graph, n));
    let floor_ms = ceilings.map(|c| costs().map(|cost| 1e3 * floor_seconds(&cost, c)).sum());
    Ok(Training {
        network: network.name.clone(),
        rung: backend.rung(),
        batch,
        side,
        step_ms,
        crops_per_second: 1e3 * batch as f64 / step_ms.median,
        prepare_ms,
        trainer_bytes: trainer.memory_bytes(),
        memory,
        cost: costs().fold(Cost::default(), |a, b| a + b),
        floor_ms,
        launches: rows.len(),
        ops: sums(&rows, graph, ceilings, |r| r.op.to_owned()),
        kernels: sums(&rows, graph, ceilings, |r| r.kernel.to_owned()),
        places: sums(&rows, graph, ceilings, |r| {
            format!("{} {} {}", r.op, r.kernel, r.label)
        }),
        rows,
    })
}
