//! Where the time goes: every launch timed on the device.

use wgpu::{BufferUsages, ComputePassDescriptor, ComputePassTimestampWrites};

use super::context::Context;
use super::executable::WgpuExecutable;
use super::pipeline::{Launch, Slice};
use super::staging::Readback;
use super::trainer::WgpuTrainer;
use crate::backend::{BackendError, Executable, StepSettings};
use crate::graph::Graph;

/// Launches timed in one submission: two queries each, 4096 in a set.
const BATCH: usize = 1024;

/// One launch and its time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ProfileRow {
    /// Where in the network.
    pub label: String,
    /// Name of the op; `Optimizer` for what belongs to no node.
    pub op: &'static str,
    /// Index of the node in the graph as it is run.
    pub node: Option<usize>,
    /// Stem of the kernel's file.
    pub kernel: &'static str,
    /// Workgroups of the launch.
    pub workgroups: [u32; 3],
    /// Start of the pass, counted from the first launch's.
    pub start: f64,
    /// Time between the pass's start and its end.
    pub microseconds: f64,
}

impl WgpuExecutable {
    /// Runs twice, the second time with every launch in a pass of its own, timed.
    ///
    /// # Errors
    /// [`BackendError::Refused`] when the device has no timestamps; else as [`Executable::run`].
    pub fn profile(&mut self, inputs: &[&[f32]]) -> Result<Vec<ProfileRow>, BackendError> {
        self.run(inputs)?;
        let launches: Vec<&Launch> = self.program.launches.iter().collect();
        time(&self.context, &self.graph, &launches)
    }

    /// Seconds that the kernels take as they run for a picture, in passes of many launches,
    /// without upload and read-back. Runs what was uploaded last once more.
    ///
    /// # Errors
    /// As [`WgpuExecutable::profile`].
    pub fn kernel_seconds(&mut self) -> Result<f64, BackendError> {
        let launches = &self.program.launches;
        let parts = self.pace.split(launches);
        passes(&self.context, parts.into_iter().map(|p| &launches[p]))
    }
}

impl WgpuTrainer {
    /// Takes a step as [`crate::backend::Trainer::step`] does, with every launch in a pass of its own, timed.
    ///
    /// # Errors
    /// [`BackendError::Refused`] when the device has no timestamps; else as [`crate::backend::Trainer::step`].
    pub fn profile_step(
        &mut self,
        inputs: &[&[f32]],
        settings: &StepSettings,
    ) -> Result<Vec<ProfileRow>, BackendError> {
        if !self.context.timestamps {
            return Err(no_timestamps(&self.context));
        }
        self.wait_until(0)?;
        let encoder = self.begin(inputs, settings)?;
        let sent = self.context.queue.submit([encoder.finish()]);
        self.finish(settings, sent);
        let launches: Vec<&Launch> = self
            .program
            .launches
            .iter()
            .chain(&self.optimizer.launches)
            .collect();
        time(&self.context, &self.graph, &launches)
    }
}

/// Room for `pairs` of timestamps: the queries, and the buffer they are resolved into.
fn queries(
    context: &Context,
    pairs: usize,
) -> Result<(wgpu::QuerySet, wgpu::Buffer), BackendError> {
    if !context.timestamps {
        return Err(no_timestamps(context));
    }
    let count = 2 * pairs as u32;
    let set = context.scoped("timestamps", 0, || {
        context.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count,
        })
    })?;
    let usage = BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC;
    let resolved = context.buffer("timestamps", 8 * u64::from(count), usage)?;
    Ok((set, resolved))
}

/// Where pass `i` writes its times.
fn writes(set: &wgpu::QuerySet, i: usize) -> Option<ComputePassTimestampWrites<'_>> {
    Some(ComputePassTimestampWrites {
        query_set: set,
        beginning_of_pass_write_index: Some(2 * i as u32),
        end_of_pass_write_index: Some(2 * i as u32 + 1),
    })
}

/// Runs each part as one pass in a submission of its own; the passes' seconds together.
fn passes<'a>(
    context: &Context,
    parts: impl Iterator<Item = &'a [Launch]>,
) -> Result<f64, BackendError> {
    let (set, resolved) = queries(context, 1)?;
    let readback = Readback::new(context, &[Slice::whole(&resolved)])?;
    let period = f64::from(context.queue.get_timestamp_period());
    let mut seconds = 0.0;
    for part in parts {
        let mut encoder = super::executable::encoder(context);
        {
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
                label: None,
                timestamp_writes: writes(&set, 0),
            });
            super::executable::record(&mut pass, part);
        }
        encoder.resolve_query_set(&set, 0..2, &resolved, 0);
        readback.copy(&mut encoder);
        let ticks = readback.read::<u64>(context, context.queue.submit([encoder.finish()]))?;
        seconds += ticks[0][1].saturating_sub(ticks[0][0]) as f64 * period / 1e9;
    }
    Ok(seconds)
}

fn no_timestamps(context: &Context) -> BackendError {
    context.refused("profiling", "the device has no timestamps")
}

/// Runs launches one pass each and returns their times in order.
pub(super) fn time(
    context: &Context,
    graph: &Graph,
    launches: &[&Launch],
) -> Result<Vec<ProfileRow>, BackendError> {
    let (set, resolved) = queries(context, BATCH)?;
    let readback = Readback::new(context, &[Slice::whole(&resolved)])?;
    let period = f64::from(context.queue.get_timestamp_period()) / 1000.0;
    let mut rows = Vec::with_capacity(launches.len());
    let mut first = None;
    for batch in launches.chunks(BATCH) {
        let mut encoder = super::executable::encoder(context);
        for (i, launch) in batch.iter().enumerate() {
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
                label: Some(launch.kernel),
                timestamp_writes: writes(&set, i),
            });
            super::executable::record(&mut pass, std::slice::from_ref(*launch));
        }
        encoder.resolve_query_set(&set, 0..2 * batch.len() as u32, &resolved, 0);
        readback.copy(&mut encoder);
        let submission = context.queue.submit([encoder.finish()]);
        let ticks = readback.read::<u64>(context, submission)?;
        for (launch, pair) in batch.iter().zip(ticks[0].chunks_exact(2)) {
            let node = graph.nodes.get(launch.node);
            let first = *first.get_or_insert(pair[0]);
            rows.push(ProfileRow {
                label: node.map_or_else(String::new, |n| n.label.clone()),
                op: node.map_or("Optimizer", |n| n.op.name()),
                node: node.map(|_| launch.node),
                kernel: launch.kernel,
                workgroups: launch.workgroups,
                start: pair[0].saturating_sub(first) as f64 * period,
                microseconds: pair[1].saturating_sub(pair[0]) as f64 * period,
            });
        }
    }
    Ok(rows)
}
