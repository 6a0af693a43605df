//! The product's engine: WGSL compute shaders through wgpu, on its own device.
//!
//! `lower` turns nodes into dispatches, `plan` binds them to buffers and
//! compiled kernels once, `executable` and `trainer` replay them.

mod adapter;
mod ceilings;
mod context;
mod disk_cache;
pub mod dispatch;
mod executable;
#[cfg(test)]
mod fault_tests;
mod faults;
mod flat;
mod kept_pipelines;
pub mod lower;
mod marks;
mod optimizer;
mod pace;
mod pipeline;
mod plan;
mod profile;
mod row_sums;
mod self_test;
pub mod shader;
#[cfg(test)]
mod soak;
mod staging;
mod trainer;

use std::sync::Arc;

pub use adapter::{DeviceInfo, DeviceKind, DeviceRequest, Rung, list_devices};
pub use ceilings::{Allocated, Arithmetic};
pub use executable::{WgpuExecutable, WgpuModel};
pub use profile::ProfileRow;
pub use self_test::{Examined, Verdict, examine_devices};
pub use trainer::WgpuTrainer;

use super::{Backend, BackendError, Model, Trainer, TrainingState};
use crate::graph::{Graph, TrainingGraph};
use context::Context;
use disk_cache::DiskCache;
use dispatch::Capabilities;

/// A graphics device.
pub struct WgpuBackend {
    context: Arc<Context>,
    verdicts: Vec<Verdict>,
}

impl WgpuBackend {
    /// Opens the best device that fits the request, on the rung that is asked for (32 bits
    /// unless said otherwise), without a self-test.
    ///
    /// # Errors
    /// [`BackendError::NoDevice`] when none fits, [`BackendError::Refused`] when the driver
    /// does not open it.
    pub fn open(request: &DeviceRequest) -> Result<Self, BackendError> {
        Ok(Self {
            context: Arc::new(Context::open(request)?),
            verdicts: Vec::new(),
        })
    }

    /// Opens the best device that fits the request, on the highest rung that gives what the
    /// processor gives.
    ///
    /// A rung that is insisted on is kept whatever the self-test says; software devices, slow
    /// at anything but 32 bits, get no other unless one is insisted on.
    ///
    /// # Errors
    /// As [`WgpuBackend::open`].
    pub fn open_tested(request: &DeviceRequest) -> Result<Self, BackendError> {
        let adapter = adapter::choose(&adapter::instance(), request)?;
        self_test::open(&adapter, request, &DiskCache::user())
    }

    /// What the self-test said of the rungs it tried, highest first; the last is the one in
    /// use. Empty for 32 bits at once.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// What the device says of itself.
    pub fn info(&self) -> &DeviceInfo {
        &self.context.info
    }

    /// What its kernels use beyond what every adapter has.
    pub fn capabilities(&self) -> Capabilities {
        self.context.capabilities
    }

    /// The rung it runs on: what was asked for, or what the device has of it.
    pub fn rung(&self) -> Rung {
        Rung::of(self.context.capabilities)
    }

    /// Whether kernels can be timed.
    pub fn has_timestamps(&self) -> bool {
        self.context.timestamps
    }

    /// [`Backend::load`] with the concrete type, for profiling.
    ///
    /// # Errors
    /// As [`Backend::load`].
    pub fn load_model(&self, weights: &[Vec<f32>]) -> Result<WgpuModel, BackendError> {
        WgpuModel::new(&self.context, weights)
    }

    /// [`Backend::trainer`] with the concrete type, for profiling.
    ///
    /// # Errors
    /// As [`Backend::trainer`].
    pub fn load_trainer(
        &self,
        graph: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<WgpuTrainer, BackendError> {
        WgpuTrainer::new(&self.context, graph, decay, state)
    }
}

impl Backend for WgpuBackend {
    fn name(&self) -> &str {
        &self.context.info.name
    }

    fn as_run(&self, graph: &Graph) -> Graph {
        self.context.stored_for_inference(graph)
    }

    fn load(&self, weights: &[Vec<f32>]) -> Result<Box<dyn Model>, BackendError> {
        Ok(Box::new(self.load_model(weights)?))
    }

    fn trainer(
        &self,
        graph: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Box<dyn Trainer>, BackendError> {
        Ok(Box::new(self.load_trainer(graph, decay, state)?))
    }
}
