//! One picture through the network on a graphics device.

use std::time::{Duration, Instant};

use super::table::{Sum, sums};
use super::{
    BenchError, Ceilings, Named, Spread, Subject, floor_seconds, repeat, samples, stored_cost,
};
use crate::backend::Executable;
use crate::backend::wgpu::{Allocated, ProfileRow, Rung, WgpuBackend};
use crate::graph::Cost;

/// Longest that the repetitions of one measurement may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);

/// What restoring pictures of one size takes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Restoring {
    /// Name of the network.
    pub network: String,
    /// What the kernels may use.
    pub rung: Rung,
    /// Height of the picture.
    pub height: usize,
    /// Width of the picture.
    pub width: usize,
    /// Kernels alone, by the device's clock; nothing where it has none.
    pub kernel_ms: Option<Spread>,
    /// With upload and read-back, by the program's clock.
    pub wall_ms: Spread,
    /// Planning, allocating and compiling before the first run.
    pub prepare_ms: f64,
    /// Intermediates.
    pub intermediate_bytes: u64,
    /// Everything the engine holds on the device; nothing where the driver does not say.
    pub memory: Option<Allocated>,
    /// Launches a picture.
    pub launches: usize,
    /// Counted operations; bytes as the device keeps them.
    pub cost: Cost,
    /// Sum over the nodes of the least time each can take, as the graph is fused now.
    pub floor_ms: Option<f64>,
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

impl Restoring {
    /// Kernel time over its floor.
    pub fn distance(&self) -> Option<f64> {
        let floor = self.floor_ms.filter(|f| *f > 0.0)?;
        Some(self.kernel_ms?.median / floor)
    }
}

/// Measures a network at one size of its input; sides are rounded up to what the network takes.
///
/// # Errors
/// [`BenchError`] when the network has no such size or the device fails.
pub fn restoring(
    backend: &WgpuBackend,
    network: &Named,
    size: (usize, usize),
    runs: usize,
    ceilings: Option<&Ceilings>,
) -> Result<Restoring, BenchError> {
    let Subject {
        graph,
        weights,
        height,
        width,
        channels,
    } = Subject::new(&network.config, size)?;
    let input = samples(height * width * channels);
    let start = Instant::now();
    let mut executable = backend.load_model(&weights)?.prepare_program(&graph)?;
    let prepare_ms = 1e3 * start.elapsed().as_secs_f64();
    let wall_ms = repeat(runs, PATIENCE, || {
        let start = Instant::now();
        executable.run(&[&input])?;
        Ok::<_, BenchError>(1e3 * start.elapsed().as_secs_f64())
    })?;
    let memory = backend.allocated();
    let (mut kernel_ms, mut rows) = (None, Vec::new());
    if backend.has_timestamps() {
        let kernels = || Ok::<_, BenchError>(1e3 * executable.kernel_seconds()?);
        kernel_ms = Some(repeat(runs, PATIENCE, kernels)?);
        rows = executable.profile(&[&input])?;
    }
    let graph = executable.graph();
    let costs = || graph.nodes.iter().map(|n| stored_cost(graph, n));
    let floor_ms = ceilings.map(|c| costs().map(|cost| 1e3 * floor_seconds(&cost, c)).sum());
    Ok(Restoring {
        network: network.name.clone(),
        rung: backend.rung(),
        height,
        width,
        kernel_ms,
        wall_ms,
        prepare_ms,
        intermediate_bytes: executable.memory_bytes(),
        memory,
        launches: executable.launches(),
        cost: costs().fold(Cost::default(), |a, b| a + b),
        floor_ms,
        ops: sums(&rows, graph, ceilings, |r| r.op.to_owned()),
        kernels: sums(&rows, graph, ceilings, |r| r.kernel.to_owned()),
        places: sums(&rows, graph, ceilings, |r| {
            format!("{} {} {}", r.op, r.kernel, r.label)
        }),
        rows,
    })
}
