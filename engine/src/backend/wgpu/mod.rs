//! The product's engine: WGSL compute shaders through wgpu, on its own device.
//!
//! `lower` turns nodes into dispatches, `plan` binds them to buffers and
//! compiled kernels once, `executable` and `trainer` replay them.

mod adapter;
mod ceilings;
mod context;
pub mod dispatch;
mod executable;
mod flat;
pub mod lower;
mod optimizer;
mod pace;
mod pipeline;
mod plan;
mod profile;
mod row_sums;
pub mod shader;
mod staging;
mod trainer;

use std::sync::Arc;

pub use adapter::{DeviceInfo, DeviceKind, DeviceRequest, Rung, list_devices};
pub use ceilings::{Allocated, Arithmetic};
pub use executable::{WgpuExecutable, WgpuModel};
pub use profile::ProfileRow;
pub use trainer::WgpuTrainer;

use super::{Backend, BackendError, Model, Trainer, TrainingState};
use crate::graph::TrainingGraph;
use context::Context;
use dispatch::Capabilities;

/// A graphics device.
pub struct WgpuBackend {
    context: Arc<Context>,
}

impl WgpuBackend {
    /// Opens the best device that fits the request.
    ///
    /// # Errors
    /// [`BackendError::NoDevice`] when none fits, [`BackendError::Refused`] when the driver
    /// does not open it.
    pub fn open(request: &DeviceRequest) -> Result<Self, BackendError> {
        Ok(Self {
            context: Arc::new(Context::open(request)?),
        })
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
