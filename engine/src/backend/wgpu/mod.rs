//! The product's engine: WGSL compute shaders through wgpu, on its own device.

pub mod dispatch;
pub mod lower;
pub mod shader;
