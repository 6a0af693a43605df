//! The optimiser on the device: gradient norm, AdamW, average, over flat buffers.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wgpu::BufferUsages;

use super::context::Context;
use super::dispatch::{Access, fold};
use super::flat::FlatLayout;
use super::pipeline::{Launch, PipelineKey, Slice};
use super::staging::Readback;
use crate::backend::{BackendError, StepSettings, TrainingState};

/// Reports the device keeps until they are asked for.
pub(super) const REPORTS: u32 = 1024;
/// Partial sums of the gradient norm.
const GROUPS: u32 = 512;
/// Words of the settings of one step (`shaders/shared/step.wgsl`), padded to 16 bytes.
const SETTINGS: usize = 16;

/// State and launches of the optimiser.
pub(super) struct Optimizer {
    pub(super) layout: FlatLayout,
    weights: wgpu::Buffer,
    first: wgpu::Buffer,
    second: wgpu::Buffer,
    average: wgpu::Buffer,
    gradients: wgpu::Buffer,
    /// Uniform with the settings of the step.
    pub(super) settings: wgpu::Buffer,
    /// (loss, norm) of the last steps.
    reports: wgpu::Buffer,
    /// What the graph multiplied the gradients by ([`crate::graph::gradient_scale`]).
    gradient_scale: f32,
    /// Norm and update, made once the loss has a place.
    pub(super) launches: Vec<Launch>,
}

impl Optimizer {
    /// Uploads a state. The gradients will come multiplied by `gradient_scale`.
    pub(super) fn new(
        context: &Context,
        layout: FlatLayout,
        gradient_scale: f32,
        state: &TrainingState,
    ) -> Result<Self, BackendError> {
        let bytes = 4 * layout.total as u64;
        let limit = context.limits.max_storage_buffer_binding_size;
        if bytes > limit {
            return Err(context.out_of_memory("the parameters together", bytes, limit));
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let filled = |what: &str, tensors: &[Vec<f32>]| {
            let flat = layout.flatten(what, tensors)?;
            let buffer = context.buffer(what, bytes, usage)?;
            context
                .queue
                .write_buffer(&buffer, 0, bytemuck::cast_slice(&flat));
            Ok(buffer)
        };
        let uniform = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
        Ok(Self {
            weights: filled("weights", &state.weights)?,
            first: filled("first moments", &state.first)?,
            second: filled("second moments", &state.second)?,
            average: filled("averaged weights", &state.average)?,
            // Fresh buffers are zero, and the gaps are never written.
            gradients: context.buffer("gradients", bytes, usage)?,
            settings: context.buffer("step settings", 4 * SETTINGS as u64, uniform)?,
            reports: context.buffer("reports", 8 * u64::from(REPORTS), usage)?,
            launches: Vec::new(),
            gradient_scale,
            layout,
        })
    }

    /// The weights of parameter `i`.
    pub(super) fn weight(&self, i: usize) -> Slice {
        self.part(&self.weights, i)
    }

    /// The gradient of parameter `i`.
    pub(super) fn gradient(&self, i: usize) -> Slice {
        self.part(&self.gradients, i)
    }

    fn part(&self, buffer: &wgpu::Buffer, i: usize) -> Slice {
        let (start, len) = self.layout.places[i];
        Slice {
            buffer: buffer.clone(),
            offset: 4 * start as u64,
            bytes: 4 * len as u64,
        }
    }

    /// Makes the launches, which read the loss where the graph puts it.
    pub(super) fn bind(&mut self, context: &Context, loss: &Slice) -> Result<(), BackendError> {
        use Access::{Read, Write};
        let usage = BufferUsages::STORAGE;
        let partials = Slice::whole(&context.buffer("partials", 4 * u64::from(GROUPS), usage)?);
        let verdict = Slice::whole(&context.buffer("verdict", 8, usage)?);
        let settings = Slice::whole(&self.settings);
        let [gradients, weights, first, second, average, reports] = [
            &self.gradients,
            &self.weights,
            &self.first,
            &self.second,
            &self.average,
            &self.reports,
        ]
        .map(Slice::whole);
        let grid = fold((self.layout.total / 4).div_ceil(256));
        let stages = [
            (
                "gradient_squares",
                vec![(gradients.clone(), Read), (partials.clone(), Write)],
                [GROUPS, 1, 1],
            ),
            (
                "gradient_norm",
                vec![
                    (partials, Read),
                    (loss.clone(), Read),
                    (verdict.clone(), Write),
                    (reports, Write),
                ],
                [1, 1, 1],
            ),
            (
                "adamw",
                vec![
                    (gradients, Read),
                    (verdict, Read),
                    (weights, Write),
                    (first, Write),
                    (second, Write),
                    (average, Write),
                ],
                grid,
            ),
        ];
        for (kernel, bindings, workgroups) in stages {
            let (operands, accesses): (Vec<Slice>, Vec<Access>) = bindings.into_iter().unzip();
            let key = PipelineKey::new(kernel, &[], accesses);
            let launch = context.launch("the optimiser", &key, &settings, &operands, workgroups)?;
            self.launches.push(Launch {
                work: 9.0 * 4.0 * self.layout.total as f64,
                ..launch
            });
        }
        Ok(())
    }

    /// The words of the settings uniform; the report goes to `slot`.
    pub(super) fn settings_words(&self, settings: &StepSettings, slot: u32) -> [u32; SETTINGS] {
        // In 64-bit: beta2^t is close to 1 for many steps.
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(settings.step as f64);
        let floats = [
            settings.learning_rate,
            settings.beta1,
            settings.beta2,
            settings.epsilon,
            settings.weight_decay,
            settings.clip_norm,
            settings.ema_decay,
            correction(settings.beta1) as f32,
            correction(settings.beta2).sqrt() as f32,
            self.gradient_scale.recip(),
        ];
        let mut words = [0; SETTINGS];
        words[0] = (self.layout.total / 4) as u32;
        words[1] = (self.layout.decayed / 4) as u32;
        words[2] = slot;
        words[3] = GROUPS;
        for (word, float) in words[4..].iter_mut().zip(floats) {
            *word = float.to_bits();
        }
        words
    }

    /// Reads the first `count` reports: (loss, norm).
    pub(super) fn reports(
        &self,
        context: &Arc<Context>,
        count: u32,
    ) -> Result<Vec<(f32, f32)>, BackendError> {
        let source = Slice::start(&self.reports, 8 * u64::from(count));
        let flat = Readback::once::<f32>(context, &[source])?;
        Ok(flat[0].chunks_exact(2).map(|r| (r[0], r[1])).collect())
    }

    /// Reads the state back.
    pub(super) fn state(&self, context: &Arc<Context>) -> Result<TrainingState, BackendError> {
        let read = |buffer: &wgpu::Buffer| {
            let flat = Readback::once::<f32>(context, &[Slice::whole(buffer)])?;
            Ok(self.layout.split(&flat[0]))
        };
        Ok(TrainingState {
            weights: read(&self.weights)?,
            first: read(&self.first)?,
            second: read(&self.second)?,
            average: read(&self.average)?,
        })
    }

    /// Bytes of the flat buffers.
    pub(super) fn memory_bytes(&self) -> u64 {
        5 * 4 * self.layout.total as u64 + self.reports.size()
    }
}
