//! Weights on the device, and graphs prepared to run with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use half::slice::HalfFloatSliceExt;
use wgpu::{BufferUsages, CommandEncoder};

use super::context::Context;
use super::faults::Fault;
use super::marks::Marks;
use super::pace::Pace;
use super::pipeline::{Launch, Slice};
use super::plan::Program;
use super::staging::{Readback, Upload};
use crate::backend::{BackendError, Executable, Model};
use crate::graph::{Graph, Source, Storage, ValueId};

/// Offsets of tensors in a shared buffer: what every device accepts for a binding.
pub(super) const ALIGNMENT: u64 = 256;

/// Weights on the device, in one buffer.
pub struct WgpuModel {
    context: Arc<Context>,
    /// In 32 bits.
    weights: Vec<Slice>,
    /// The same in 16 bits, on devices that keep values so.
    narrow: Vec<Slice>,
}

impl WgpuModel {
    pub(super) fn new(context: &Arc<Context>, weights: &[Vec<f32>]) -> Result<Self, BackendError> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut places = Vec::with_capacity(weights.len());
        let halves = context.capabilities.half_storage;
        let storages = [Storage::F32, Storage::F16];
        for &storage in &storages[..1 + usize::from(halves)] {
            for weight in weights {
                let stored = as_stored(weight, storage);
                places.push((bytes.len() as u64, stored.len() as u64));
                bytes.extend_from_slice(&stored);
                bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
            }
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let buffer = context.buffer("weights", (bytes.len() as u64).max(ALIGNMENT), usage)?;
        context.queue.write_buffer(&buffer, 0, &bytes);
        let mut slices = places.into_iter().map(|(offset, bytes)| Slice {
            buffer: buffer.clone(),
            offset,
            bytes,
        });
        Ok(Self {
            context: context.clone(),
            weights: slices.by_ref().take(weights.len()).collect(),
            narrow: slices.collect(),
        })
    }

    /// [`Model::prepare`] with the concrete type, for profiling.
    ///
    /// # Errors
    /// As [`Model::prepare`].
    pub fn prepare_program(&self, graph: &Graph) -> Result<WgpuExecutable, BackendError> {
        check_operands(
            graph,
            &graph.parameters,
            self.weights.iter().map(|w| w.bytes as usize / 4),
        )?;
        let graph = &self.context.stored_for_inference(graph);
        let mut outside: HashMap<ValueId, Slice> = (graph.parameters.iter().enumerate())
            .filter_map(|(i, &v)| {
                let slices = match graph.value(v).storage {
                    Storage::F32 => &self.weights,
                    Storage::F16 => &self.narrow,
                };
                Some((v, slices.get(i)?.clone()))
            })
            .collect();
        let inputs = input_buffers(&self.context, graph)?;
        outside.extend(graph.inputs.iter().copied().zip(inputs.iter().cloned()));
        let program = Program::new(&self.context, graph, &outside, &graph.outputs, false)?;
        // At most one launch a submission.
        let mut marks = Marks::new(&self.context, program.launches.len().max(1))?;
        if !program.once.is_empty() {
            marks.begin(&self.context);
            let mut encoder = encoder(&self.context);
            encode(&mut encoder, &program.once);
            marks.mark_preparation(&mut encoder);
            self.context.submit(encoder);
        }
        let outputs = graph
            .outputs
            .iter()
            .map(|&v| program.value(v).cloned())
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                self.context
                    .refused("the graph", "an output is never computed")
            })?;
        Ok(WgpuExecutable {
            upload: Upload::new(&self.context, 1, &inputs)?,
            readback: {
                let marked = [outputs.as_slice(), &[marks.slice()]].concat();
                Readback::new(&self.context, &marked)?
            },
            blanks: blanks(graph, &program, &outputs),
            marks,
            pace: Pace::guess(self.context.info.kind),
            context: self.context.clone(),
            graph: graph.clone(),
            program,
        })
    }
}

impl Model for WgpuModel {
    fn prepare(&self, graph: &Graph) -> Result<Box<dyn Executable>, BackendError> {
        Ok(Box::new(self.prepare_program(graph)?))
    }
}

/// A graph prepared for the device.
pub struct WgpuExecutable {
    pub(super) context: Arc<Context>,
    pub(super) graph: Graph,
    pub(super) program: Program,
    pub(super) upload: Upload,
    readback: Readback,
    marks: Marks,
    /// Results that are cleared, each before this launch, in ascending order.
    blanks: Vec<(usize, Slice)>,
    pub(super) pace: Pace,
}

impl WgpuExecutable {
    /// The graph as it is run: what each value is and how it is stored.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Launches of one run.
    pub fn launches(&self) -> usize {
        self.program.launches.len()
    }

    /// Encodes launches; results are cleared before the launch that writes them first, so that
    /// what a kernel leaves unwritten is zero and not of the picture before.
    fn encode_part(&self, encoder: &mut CommandEncoder, part: std::ops::Range<usize>) {
        let launches = &self.program.launches;
        let mut next = part.start;
        for (before, result) in &self.blanks {
            if part.contains(before) {
                encode(encoder, &launches[next..*before]);
                encoder.clear_buffer(&result.buffer, result.offset, Some(result.bytes));
                next = *before;
            }
        }
        let last = part.end == launches.len();
        let end = match last && self.context.planned.strikes(Fault::Unwritten) {
            true => part.end.saturating_sub(1).max(next),
            false => part.end,
        };
        encode(encoder, &launches[next..end]);
    }
}

impl Executable for WgpuExecutable {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        check_operands(
            &self.graph,
            &self.graph.inputs,
            inputs.iter().map(|x| x.len()),
        )?;
        let context = self.context.clone();
        let operands = in_memory(&self.graph, inputs);
        let operands: Vec<&[u8]> = operands.iter().map(AsRef::as_ref).collect();
        let launches = &self.program.launches;
        let parts = self.pace.split(launches);
        let mut submissions = Vec::with_capacity(parts.len());
        let start = Instant::now();
        self.marks.begin(&context);
        for (i, part) in parts.iter().enumerate() {
            let mut encoder = encoder(&context);
            if i == 0 {
                self.upload.write(&context, &mut encoder, &operands)?;
            }
            self.encode_part(&mut encoder, part.clone());
            self.marks.mark(&mut encoder, i);
            if i + 1 == parts.len() {
                self.readback.copy(&mut encoder);
            }
            submissions.push(context.submit(encoder));
            if i == 0 {
                self.upload.sent(submissions[0].clone());
            }
            // One submission runs while the next is encoded; no more are queued.
            if i > 0 {
                context.wait(submissions[i - 1].clone())?;
            }
        }
        let last = submissions[submissions.len() - 1].clone();
        let mut outputs = self.readback.read::<u8>(&context, last)?;
        let words = outputs.pop().unwrap_or_default();
        self.marks.check(&context, &words, parts.len())?;
        self.pace.observe(launches, start.elapsed());
        let storages = self
            .graph
            .outputs
            .iter()
            .map(|&v| self.graph.value(v).storage);
        Ok(outputs
            .iter()
            .zip(storages)
            .map(|(bytes, s)| from_memory(bytes, s))
            .collect())
    }

    fn memory_bytes(&self) -> u64 {
        self.program.memory_bytes()
    }
}

/// Which results to clear before which launch.
fn blanks(graph: &Graph, program: &Program, outputs: &[Slice]) -> Vec<(usize, Slice)> {
    let first = |v: &ValueId| match graph.value(*v).source {
        Source::Node { node, .. } => program.launches.iter().position(|l| l.node == node),
        _ => None,
    };
    let mut blanks: Vec<(usize, Slice)> = graph
        .outputs
        .iter()
        .zip(outputs)
        .filter(|(_, slice)| slice.bytes.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT))
        .filter_map(|(v, slice)| Some((first(v)?, slice.clone())))
        .collect();
    blanks.sort_by_key(|(before, _)| *before);
    blanks
}

/// A buffer for each input of the graph.
pub(super) fn input_buffers(context: &Context, graph: &Graph) -> Result<Vec<Slice>, BackendError> {
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
    graph
        .inputs
        .iter()
        .map(|&v| {
            let bytes = graph.bytes(v);
            let limit = context.limits.max_storage_buffer_binding_size;
            if bytes > limit {
                return Err(context.out_of_memory(&graph.value(v).name, bytes, limit));
            }
            let buffer = context.buffer(&graph.value(v).name, bytes, usage)?;
            Ok(Slice::whole(&buffer))
        })
        .collect()
}

/// Operands of a graph's inputs as the device keeps them.
pub(super) fn in_memory<'a>(graph: &Graph, operands: &[&'a [f32]]) -> Vec<Cow<'a, [u8]>> {
    let storages = graph.inputs.iter().map(|&v| graph.value(v).storage);
    operands
        .iter()
        .zip(storages)
        .map(|(&x, storage)| as_stored(x, storage))
        .collect()
}

/// Numbers as the device keeps them.
fn as_stored(x: &[f32], storage: Storage) -> Cow<'_, [u8]> {
    match storage {
        Storage::F32 => Cow::Borrowed(bytemuck::cast_slice(x)),
        Storage::F16 => {
            let mut narrow = vec![half::f16::ZERO; x.len()];
            narrow.convert_from_f32_slice(x);
            Cow::Owned(bytemuck::cast_slice(&narrow).to_vec())
        }
    }
}

/// A result as the device keeps it, in 32 bits.
fn from_memory(bytes: &[u8], storage: Storage) -> Vec<f32> {
    match storage {
        Storage::F32 => bytemuck::pod_collect_to_vec(bytes),
        Storage::F16 => bytemuck::pod_collect_to_vec::<u8, half::f16>(bytes).to_f32_vec(),
    }
}

/// Compares the lengths of operands with what the graph declares.
pub(super) fn check_operands(
    graph: &Graph,
    values: &[ValueId],
    lengths: impl ExactSizeIterator<Item = usize>,
) -> Result<(), BackendError> {
    if values.len() != lengths.len() {
        return Err(BackendError::Operand {
            what: "number of operands".to_owned(),
            expected: values.len(),
            got: lengths.len(),
        });
    }
    for (&v, got) in values.iter().zip(lengths) {
        let expected = graph.len(v);
        if expected != got {
            let what = graph.value(v).name.clone();
            return Err(BackendError::Operand {
                what,
                expected,
                got,
            });
        }
    }
    Ok(())
}

pub(super) fn encoder(context: &Context) -> CommandEncoder {
    context
        .device
        .create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

/// Encodes launches as one compute pass.
pub(super) fn encode(encoder: &mut CommandEncoder, launches: &[Launch]) {
    if launches.is_empty() {
        return;
    }
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    record(&mut pass, launches);
}

/// Records launches into a pass.
pub(super) fn record(pass: &mut wgpu::ComputePass<'_>, launches: &[Launch]) {
    let mut bound = None;
    for launch in launches {
        let pipeline = Arc::as_ptr(&launch.pipeline);
        if bound != Some(pipeline) {
            pass.set_pipeline(&launch.pipeline.compute);
            bound = Some(pipeline);
        }
        pass.set_bind_group(0, &launch.bind_group, &[]);
        let [x, y, z] = launch.workgroups;
        pass.dispatch_workgroups(x, y, z);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::adapter::DeviceKind;
    use super::*;
    use crate::graph::{Activation, Op};
    use crate::network::{Network, Preset, initial_weights};

    /// relu(relu(… x)): twenty launches.
    fn chain() -> Graph {
        let mut graph = Graph::new();
        let mut x = graph.input("x", &[1, 4, 4, 3]);
        for _ in 0..20 {
            let op = Op::Activation(Activation::Relu);
            x = graph.apply(op, &[x], "relu").unwrap();
        }
        graph.outputs = vec![x];
        graph
    }

    #[test]
    fn the_number_of_submissions_changes_no_result() {
        let context = Context::of_tests();
        let model = WgpuModel::new(&context, &[]).unwrap();
        let mut executable = model.prepare_program(&chain()).unwrap();
        let x: Vec<f32> = (0..48).map(|i| i as f32 - 20.0).collect();
        let expected: Vec<f32> = x.iter().map(|v| v.max(0.0)).collect();
        executable.pace.slow_down();
        assert!(executable.pace.split(&executable.program.launches).len() >= 20);
        assert_eq!(executable.run(&[&x]).unwrap(), vec![expected.clone()]);
        executable.pace = Pace::guess(DeviceKind::Discrete);
        assert_eq!(executable.pace.split(&executable.program.launches).len(), 1);
        assert_eq!(executable.run(&[&x]).unwrap(), vec![expected]);
    }

    #[test]
    fn what_only_weights_go_into_runs_once() {
        let context = Context::of_tests();
        let network = Network::build(&Preset::Tiny.config(), 1, 16, 16).unwrap();
        let mut weights = initial_weights(&network.parameters, 1);
        weights.iter_mut().flatten().for_each(|w| *w += 0.01);
        let model = WgpuModel::new(&context, &weights).unwrap();
        let mut executable = model.prepare_program(&network.graph).unwrap();
        // A scan packs its weights.
        let scans = |n: &&crate::graph::Node| matches!(n.op, Op::SelectiveScan(_));
        let scans = network.graph.nodes.iter().filter(scans).count();
        assert_eq!(executable.program.once.len(), scans);
        let x = vec![0.5; 16 * 16 * 3];
        let first = executable.run(&[&x]).unwrap();
        let [a, b] = [0, 1].map(|_| executable.run(&[&x]).unwrap());
        assert_eq!((&a, &b), (&first, &first));
        assert!(first[0].iter().any(|v| (v - 0.5).abs() > 1e-3));
    }

    #[test]
    fn a_lost_device_is_an_error_every_time() {
        let context = Context::of_tests();
        let model = WgpuModel::new(&context, &[]).unwrap();
        let mut executable = model.prepare_program(&chain()).unwrap();
        let x = vec![1.0; 48];
        executable.run(&[&x]).unwrap();
        context.device.destroy();
        for _ in 0..3 {
            let error = executable.run(&[&x]).unwrap_err();
            assert!(matches!(error, BackendError::Lost { .. }), "{error}");
        }
        let error = model.prepare_program(&chain()).map(|_| ()).unwrap_err();
        assert!(matches!(error, BackendError::Lost { .. }), "{error}");
    }
}
