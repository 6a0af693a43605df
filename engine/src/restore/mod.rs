//! Restoring pictures: tiling and blending, jobs, batch, cancel, events.
//!
//! A [`Restorer`] is a model on a [`Device`]; an [`Engine`] runs one on its own
//! thread, takes jobs and gives events. [`batch`] says which file becomes which.

pub mod batch;
mod belief;
mod device;
mod engine;
mod ensemble;
mod error;
mod estimate;
mod flat;
mod influence;
mod memory;
mod models;
mod opening;
mod pages;
mod pause;
mod preset;
mod region;
mod restorer;
mod runner;
mod shipped;
#[cfg(test)]
mod stage_tests;
mod stages;
#[cfg(test)]
mod tests;
pub mod tiles;

pub use crate::estimate::white_noise as estimate_noise;
pub use device::{Device, DeviceChoice, DeviceSetup};
pub use engine::{Engine, Event, Job, JobHandle, Source};
pub use error::RestoreError;
pub use estimate::{Estimate, Estimator};
pub use influence::{Influence, LEVEL, influence};
pub use memory::{activation_bytes, bytes_per_pixel};
pub use models::{ModelEntry, ModelError, ModelLibrary, load_any};
pub use preset::{Preset, PresetError, PresetLibrary};
pub use region::Region;
pub use restorer::{MEMORY_BUDGET, Options, Restored, Restorer, blend};
pub use runner::Monitor;
pub use shipped::{Shipped, ShippedModel, TileError, sha256};
