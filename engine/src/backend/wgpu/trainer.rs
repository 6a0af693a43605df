//! Training on the device: forward, backward and optimiser queued step after step.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use wgpu::SubmissionIndex;

use super::context::Context;
use super::executable::{check_operands, encode, encoder, in_memory, input_buffers};
use super::flat::FlatLayout;
use super::optimizer::{Optimizer, REPORTS};
use super::pace::Pace;
use super::pipeline::Slice;
use super::plan::Program;
use super::staging::Upload;
use crate::backend::{BackendError, StepReport, StepSettings, Trainer, TrainingState};
use crate::graph::{Graph, TrainingGraph, ValueId, gradient_scale};

/// Steps the program may run ahead of the device.
const AHEAD: usize = 4;
/// First steps that are waited for, to learn how fast the device is.
const MEASURED: u64 = 3;

/// A training graph with its optimiser on a graphics device.
pub struct WgpuTrainer {
    pub(super) context: Arc<Context>,
    pub(super) graph: Graph,
    pub(super) program: Program,
    pub(super) optimizer: Optimizer,
    upload: Upload,
    pub(super) pace: Pace,
    /// Submissions not known to be done, with the count of steps before theirs.
    outstanding: VecDeque<(u64, SubmissionIndex)>,
    /// Steps queued so far.
    queued: u64,
    /// Numbers of the steps whose reports are on the device, in their slots.
    slots: Vec<u64>,
    /// Reports read back and not yet handed out.
    pending: Vec<StepReport>,
}

impl WgpuTrainer {
    pub(super) fn new(
        context: &Arc<Context>,
        training: &TrainingGraph,
        decay: &[bool],
        state: &TrainingState,
    ) -> Result<Self, BackendError> {
        let graph = context.stored(&training.graph);
        let layout = FlatLayout::new(&graph, decay)?;
        let mut optimizer = Optimizer::new(context, layout, gradient_scale(&graph), state)?;
        let mut inputs = input_buffers(context, &graph)?;
        let mut outside: HashMap<ValueId, Slice> = HashMap::new();
        outside.extend(graph.inputs.iter().copied().zip(inputs.iter().cloned()));
        for (i, parameter) in graph.parameters.iter().enumerate() {
            let gradient = training
                .gradients
                .iter()
                .find(|(p, _)| p == parameter)
                .map(|(_, g)| *g)
                .filter(|g| !outside.contains_key(g));
            let Some(gradient) = gradient else {
                let name = &graph.value(*parameter).name;
                return Err(context.refused(name, "the parameter has no gradient of its own"));
            };
            outside.insert(*parameter, optimizer.weight(i));
            outside.insert(gradient, optimizer.gradient(i));
        }
        let program = Program::new(context, &graph, &outside, &[training.loss], true)?;
        let loss = program
            .value(training.loss)
            .ok_or_else(|| context.refused("training", "nothing computes the loss"))?;
        optimizer.bind(context, loss)?;
        inputs.push(Slice::whole(&optimizer.settings));
        Ok(Self {
            upload: Upload::new(context, AHEAD, &inputs)?,
            pace: Pace::guess(context.info.kind),
            context: context.clone(),
            graph,
            program,
            optimizer,
            outstanding: VecDeque::new(),
            queued: 0,
            slots: Vec::with_capacity(REPORTS as usize),
            pending: Vec::new(),
        })
    }

    /// The graph as it is run: what each value is and how it is stored.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Waits until no more than `left` of the queued steps are unfinished.
    pub(super) fn wait_until(&mut self, left: u64) -> Result<(), BackendError> {
        // In order, so that the time limit is each submission's own.
        while let Some((step, submission)) = self.outstanding.front() {
            if *step + left >= self.queued {
                break;
            }
            self.context.wait(submission.clone())?;
            self.outstanding.pop_front();
        }
        Ok(())
    }

    /// Waits for everything and moves the reports off the device.
    fn collect(&mut self) -> Result<(), BackendError> {
        self.wait_until(0)?;
        if self.slots.is_empty() {
            return Ok(());
        }
        let reports = self
            .optimizer
            .reports(&self.context, self.slots.len() as u32)?;
        let steps = self.slots.drain(..).zip(reports);
        self.pending
            .extend(steps.map(|(step, (loss, gradient_norm))| StepReport {
                step,
                loss,
                gradient_norm,
            }));
        Ok(())
    }

    /// Checks the operands, makes room, and encodes the step's uploads into a new encoder.
    pub(super) fn begin(
        &mut self,
        inputs: &[&[f32]],
        settings: &StepSettings,
    ) -> Result<wgpu::CommandEncoder, BackendError> {
        check_operands(
            &self.graph,
            &self.graph.inputs,
            inputs.iter().map(|x| x.len()),
        )?;
        self.context.check()?;
        if self.slots.len() == REPORTS as usize {
            self.collect()?;
        }
        self.wait_until(AHEAD as u64 - 1)?;
        let words = self
            .optimizer
            .settings_words(settings, self.slots.len() as u32);
        let stored = in_memory(&self.graph, inputs);
        let mut operands: Vec<&[u8]> = stored.iter().map(AsRef::as_ref).collect();
        operands.push(bytemuck::cast_slice(&words));
        let mut encoder = encoder(&self.context);
        self.upload.write(&self.context, &mut encoder, &operands)?;
        Ok(encoder)
    }

    /// Books the step whose last submission this is.
    pub(super) fn finish(&mut self, settings: &StepSettings, last: SubmissionIndex) {
        self.upload.sent(last);
        self.slots.push(settings.step);
        self.queued += 1;
    }
}

impl Trainer for WgpuTrainer {
    fn step(&mut self, inputs: &[&[f32]], settings: &StepSettings) -> Result<(), BackendError> {
        let mut encoder = self.begin(inputs, settings)?;
        let start = Instant::now();
        let launches = &self.program.launches;
        let parts = self.pace.split(launches);
        let context = self.context.clone();
        for part in &parts[..parts.len() - 1] {
            encode(&mut encoder, &launches[part.clone()]);
            let part = std::mem::replace(&mut encoder, self::encoder(&context));
            let submission = context.queue.submit([part.finish()]);
            self.outstanding.push_back((self.queued, submission));
        }
        encode(&mut encoder, &launches[parts[parts.len() - 1].clone()]);
        encode(&mut encoder, &self.optimizer.launches);
        let last = context.queue.submit([encoder.finish()]);
        self.outstanding.push_back((self.queued, last.clone()));
        self.finish(settings, last);
        if self.queued <= MEASURED {
            self.wait_until(0)?;
            self.pace.observe(&self.program.launches, start.elapsed());
        }
        Ok(())
    }

    fn reports(&mut self) -> Result<Vec<StepReport>, BackendError> {
        self.collect()?;
        Ok(std::mem::take(&mut self.pending))
    }

    fn state(&mut self) -> Result<TrainingState, BackendError> {
        self.wait_until(0)?;
        self.optimizer.state(&self.context)
    }

    fn memory_bytes(&self) -> u64 {
        self.program.memory_bytes() + self.optimizer.memory_bytes() + self.upload.memory_bytes()
    }
}
