//! Kernels compiled once for each set of constants, and launches bound to buffers.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use wgpu::{BindGroupLayout, BindingResource, BufferBinding, BufferBindingType, ShaderStages};

use super::context::{Context, lock};
use super::dispatch::{Access, Constant, MAX_WORKGROUPS};
use super::shader;
use crate::backend::BackendError;

/// A kernel with its constants and the access of its bindings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PipelineKey {
    kernel: &'static str,
    /// Name, whether it is a float, bits.
    constants: Vec<(&'static str, bool, u32)>,
    accesses: Vec<Access>,
}

impl PipelineKey {
    pub(super) fn new(
        kernel: &'static str,
        constants: &shader::Constants,
        accesses: Vec<Access>,
    ) -> Self {
        let constants = constants
            .iter()
            .map(|&(name, value)| match value {
                Constant::U32(v) => (name, false, v),
                Constant::F32(v) => (name, true, v.to_bits()),
            })
            .collect();
        Self {
            kernel,
            constants,
            accesses,
        }
    }

    fn constants(&self) -> Vec<(&'static str, Constant)> {
        self.constants
            .iter()
            .map(|&(name, float, bits)| {
                let value = if float {
                    Constant::F32(f32::from_bits(bits))
                } else {
                    Constant::U32(bits)
                };
                (name, value)
            })
            .collect()
    }
}

/// A compiled kernel.
pub(super) struct Pipeline {
    pub(super) compute: wgpu::ComputePipeline,
    layout: BindGroupLayout,
}

/// Bind group layouts by the access of their storage bindings.
pub(super) type Layouts = HashMap<Vec<Access>, BindGroupLayout>;

/// Part of a buffer.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) buffer: wgpu::Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

impl Slice {
    /// All of a buffer.
    pub(super) fn whole(buffer: &wgpu::Buffer) -> Self {
        Self {
            buffer: buffer.clone(),
            offset: 0,
            bytes: buffer.size(),
        }
    }

    /// The first `bytes` of a buffer.
    pub(super) fn start(buffer: &wgpu::Buffer, bytes: u64) -> Self {
        Self {
            buffer: buffer.clone(),
            offset: 0,
            bytes,
        }
    }

    fn binding(&self) -> BindingResource<'_> {
        BindingResource::Buffer(BufferBinding {
            buffer: &self.buffer,
            offset: self.offset,
            size: NonZeroU64::new(self.bytes),
        })
    }
}

/// A kernel ready to go: pipeline, operands, grid.
pub(super) struct Launch {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) bind_group: wgpu::BindGroup,
    pub(super) workgroups: [u32; 3],
    /// Stem of its file.
    pub(super) kernel: &'static str,
    /// Rough floating-point operations, to split submissions.
    pub(super) work: f64,
    /// Index of the node it belongs to; `usize::MAX` for the optimiser's and for gathered sums.
    pub(super) node: usize,
}

impl Context {
    /// The compiled kernel for a key, compiling it the first time.
    pub(super) fn pipeline(&self, key: &PipelineKey) -> Result<Arc<Pipeline>, BackendError> {
        if let Some(found) = lock(&self.pipelines).get(key) {
            return Ok(found.clone());
        }
        // Compiled outside the lock, so that several threads can compile at once.
        let made = Arc::new(self.compile(key)?);
        Ok(lock(&self.pipelines)
            .entry(key.clone())
            .or_insert(made)
            .clone())
    }

    fn compile(&self, key: &PipelineKey) -> Result<Pipeline, BackendError> {
        let what = format!("kernel {}", key.kernel);
        let text =
            shader::source(key.kernel, &key.constants()).map_err(|e| self.refused(&what, e))?;
        let layout = self.layout(&key.accesses)?;
        let checks = if self.checked {
            wgpu::ShaderRuntimeChecks::checked()
        } else {
            wgpu::ShaderRuntimeChecks::unchecked()
        };
        self.scoped(&what, 0, || {
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(key.kernel),
                source: wgpu::ShaderSource::Wgsl(text.into()),
            };
            // SAFETY: the kernels are part of this crate, guard their own indices and loop
            // over sizes that lowering computes from checked shapes; the tests run them with
            // the checks on.
            let module = unsafe { self.device.create_shader_module_trusted(descriptor, checks) };
            let pipeline_layout =
                self.device
                    .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                        label: Some(key.kernel),
                        bind_group_layouts: &[Some(&layout)],
                        immediate_size: 0,
                    });
            let compute = self
                .device
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some(key.kernel),
                    layout: Some(&pipeline_layout),
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: wgpu::PipelineCompilationOptions {
                        // Every kernel writes its workgroup memory before reading it.
                        zero_initialize_workgroup_memory: false,
                        ..Default::default()
                    },
                    cache: self.kept.cache(),
                });
            self.kept.made_one();
            Pipeline { compute, layout }
        })
    }

    fn layout(&self, accesses: &[Access]) -> Result<BindGroupLayout, BackendError> {
        if let Some(found) = lock(&self.layouts).get(accesses) {
            return Ok(found.clone());
        }
        let storage = accesses.iter().map(|a| BufferBindingType::Storage {
            read_only: *a == Access::Read,
        });
        let entries: Vec<_> = std::iter::once(BufferBindingType::Uniform)
            .chain(storage)
            .enumerate()
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = self.scoped("bind group layout", 0, || {
            self.device
                .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                    label: None,
                    entries: &entries,
                })
        })?;
        Ok(lock(&self.layouts)
            .entry(accesses.to_vec())
            .or_insert(layout)
            .clone())
    }

    /// Binds a kernel to its operands; `what` names the launch in errors.
    pub(super) fn launch(
        &self,
        what: &str,
        key: &PipelineKey,
        params: &Slice,
        operands: &[Slice],
        workgroups: [u32; 3],
    ) -> Result<Launch, BackendError> {
        if workgroups.iter().any(|&n| n == 0 || n > MAX_WORKGROUPS) {
            let reason = format!("{workgroups:?} workgroups of kernel {}", key.kernel);
            return Err(self.refused(what, reason));
        }
        // A buffer cannot be read and written by one launch, whichever parts of it.
        for (i, (a, x)) in key.accesses.iter().zip(operands).enumerate() {
            for (b, y) in key.accesses.iter().zip(operands).take(i) {
                if a != b && x.buffer == y.buffer {
                    let reason = format!("kernel {} would read and write one buffer", key.kernel);
                    return Err(self.refused(what, reason));
                }
            }
        }
        let pipeline = self.pipeline(key)?;
        let entries: Vec<_> = std::iter::once(params)
            .chain(operands)
            .enumerate()
            .map(|(binding, slice)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: slice.binding(),
            })
            .collect();
        let bind_group = self.scoped(&format!("{what} ({})", key.kernel), 0, || {
            self.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(key.kernel),
                layout: &pipeline.layout,
                entries: &entries,
            })
        })?;
        Ok(Launch {
            pipeline,
            bind_group,
            workgroups,
            kernel: key.kernel,
            work: 0.0,
            node: usize::MAX,
        })
    }
}
