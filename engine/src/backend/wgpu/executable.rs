//! Weights on the device, and graphs prepared to run with them.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use wgpu::{BufferUsages, CommandBuffer, CommandEncoder, SubmissionIndex};

use super::context::Context;
use super::faults::Fault;
use super::marks::Marks;
use super::pace::Pace;
use super::pipeline::{Launch, Slice};
use super::plan::Program;
use super::staging::{Readback, Upload};
use crate::backend::{BackendError, Done, Executable, Fill, Model};
use crate::graph::{Graph, Source, Storage, ValueId};

/// Offsets of tensors in a shared buffer: what every device accepts for a binding.
pub(super) const ALIGNMENT: u64 = 256;

/// Runs under way at most: one on the device, one that waits for it.
const AHEAD: usize = 2;

/// Waiting for work that is done already takes less.
const AT_ONCE: Duration = Duration::from_micros(50);

/// Numbers copied at a time on each core.
const CHUNK: usize = 1 << 16;

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
            self.context.submit([encoder.finish()]);
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
        let returned = [outputs.as_slice(), &[marks.slice()]].concat();
        Ok(WgpuExecutable {
            upload: Upload::new(&self.context, 1, &inputs)?,
            readbacks: vec![Readback::new(&self.context, &returned)?],
            returned,
            blanks: blanks(graph, &program, &outputs),
            marks,
            pace: Pace::guess(self.context.info.kind),
            encoded: None,
            idle_since: None,
            inputs: vec![Vec::new(); AHEAD],
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
    /// One for each run that was ever under way at once.
    readbacks: Vec<Readback>,
    /// What comes back: the results, then the marks.
    returned: Vec<Slice>,
    marks: Marks,
    /// Results that are cleared, each before this launch, in ascending order.
    blanks: Vec<(usize, Slice)>,
    pub(super) pace: Pace,
    /// All launches of the next run, encoded while the device was busy with the one before.
    encoded: Option<CommandBuffer>,
    /// When the last run was done, if that was seen.
    idle_since: Option<Instant>,
    /// Inputs of runs that are done, for the next: memory that is not new need not be cleared.
    inputs: Vec<Vec<f32>>,
}

/// A run that the device was given.
struct UnderWay {
    begun: Instant,
    number: u32,
    submissions: usize,
    last: SubmissionIndex,
    /// Which buffer its results come back through.
    readback: usize,
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
    /// what a kernel leaves unwritten is zero and not of the picture before. Without the last launch
    /// where `unwritten` says so.
    fn encode_part(&self, encoder: &mut CommandEncoder, part: Range<usize>, unwritten: bool) {
        let launches = &self.program.launches;
        let mut next = part.start;
        for (before, result) in &self.blanks {
            if part.contains(before) {
                encode(encoder, &launches[next..*before]);
                encoder.clear_buffer(&result.buffer, result.offset, Some(result.bytes));
                next = *before;
            }
        }
        let end = part.end.saturating_sub(usize::from(unwritten)).max(next);
        encode(encoder, &launches[next..end]);
    }

    /// Hands a run over, its results to come back through buffer `readback`. What an earlier one
    /// brought there must have been taken in.
    fn start(&mut self, inputs: &[&[f32]], readback: usize) -> Result<UnderWay, BackendError> {
        check_operands(
            &self.graph,
            &self.graph.inputs,
            inputs.iter().map(|x| x.len()),
        )?;
        let context = self.context.clone();
        // Room for a second run is only made when there is one.
        self.upload.grow(&context, readback + 1)?;
        while self.readbacks.len() <= readback {
            self.readbacks
                .push(Readback::new(&context, &self.returned)?);
        }
        let operands = in_memory(&self.graph, inputs);
        let operands: Vec<&[u8]> = operands.iter().map(AsRef::as_ref).collect();
        let parts = self.pace.split(&self.program.launches);
        let whole = parts.len() == 1;
        let begun = Instant::now();
        let number = self.marks.begin(&context);
        let mut before: Option<SubmissionIndex> = None;
        for (i, part) in parts.iter().enumerate() {
            let last = i + 1 == parts.len();
            let unwritten = last && context.planned.strikes(Fault::Unwritten);
            let mut commands = encoder(&context);
            let mut work = Vec::new();
            if i == 0 {
                self.upload.write(&context, &mut commands, &operands)?;
            }
            match self.encoded.take().filter(|_| whole && !unwritten) {
                Some(launches) => {
                    work.extend([commands.finish(), launches]);
                    commands = encoder(&context);
                }
                None => self.encode_part(&mut commands, part.clone(), unwritten),
            }
            self.marks.mark(&mut commands, i);
            if last {
                self.readbacks[readback].copy(&mut commands);
            }
            work.push(commands.finish());
            let submission = context.submit(work);
            if i == 0 {
                self.upload.sent(submission.clone());
            }
            // One submission runs while the next is encoded; no more are queued.
            if let Some(before) = before.replace(submission) {
                context.wait(before)?;
            }
        }
        if whole {
            let mut commands = encoder(&context);
            self.encode_part(&mut commands, 0..self.program.launches.len(), false);
            self.encoded = Some(commands.finish());
        }
        Ok(UnderWay {
            begun,
            number,
            submissions: parts.len(),
            last: before.ok_or_else(|| context.refused("the graph", "nothing to run"))?,
            readback,
        })
    }

    /// Waits for a run and makes something of its results, where the device left them.
    fn finish<R>(
        &mut self,
        run: UnderWay,
        make: impl FnOnce(&[Cow<'_, [f32]>]) -> R,
    ) -> Result<R, BackendError> {
        let context = self.context.clone();
        let waiting = Instant::now();
        context.wait(run.last.clone())?;
        let now = Instant::now();
        // Only who had to wait knows when the work was done.
        if now - waiting > AT_ONCE {
            let begun = self.idle_since.map_or(run.begun, |t| t.max(run.begun));
            self.pace.observe(&self.program.launches, now - begun);
            self.idle_since = Some(now);
        } else {
            self.idle_since = None;
        }
        let (graph, marks) = (&self.graph, &self.marks);
        self.readbacks[run.readback].read_with(&context, run.last, |parts| {
            let words = parts.last().copied().unwrap_or_default();
            marks.check(&context, words, run.number, run.submissions)?;
            let values = graph.outputs.iter().map(|&v| graph.value(v));
            let results: Vec<_> = (parts.iter().zip(values))
                .map(|(bytes, value)| from_memory(bytes, value.storage))
                .collect();
            Ok(make(&results))
        })?
    }
}

impl Executable for WgpuExecutable {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        let run = self.start(inputs, 0)?;
        self.finish(run, |results| {
            results.iter().map(|r| on_all_cores(r)).collect()
        })
    }

    fn run_each(&mut self, fill: &mut Fill<'_>, done: &mut Done<'_>) -> Result<(), BackendError> {
        // Runs left behind by an error or by `done` do no harm: nobody waits for them, and the
        // device does everything in order.
        let mut under_way: VecDeque<(Vec<f32>, UnderWay)> = VecDeque::with_capacity(AHEAD);
        loop {
            while under_way.len() < AHEAD {
                let mut input = self.inputs.pop().unwrap_or_default();
                if !fill(&mut input) {
                    self.inputs.push(input);
                    break;
                }
                let free = under_way
                    .back()
                    .map_or(0, |(_, r)| (r.readback + 1) % AHEAD);
                let run = self.start(&[&input], free)?;
                under_way.push_back((input, run));
            }
            let Some((input, run)) = under_way.pop_front() else {
                return Ok(());
            };
            let flow = self.finish(run, |results| done(&input, &results[0]))?;
            self.inputs.push(input);
            if flow.is_break() {
                return Ok(());
            }
        }
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
fn from_memory(bytes: &[u8], storage: Storage) -> Cow<'_, [f32]> {
    match storage {
        // Aligned on every driver known.
        Storage::F32 => match bytemuck::try_cast_slice(bytes) {
            Ok(values) => Cow::Borrowed(values),
            Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(bytes)),
        },
        Storage::F16 => {
            let narrow = bytemuck::pod_collect_to_vec::<u8, half::f16>(bytes);
            Cow::Owned(narrow.to_f32_vec())
        }
    }
}

/// A copy, made on all cores: the memory is new, and touching it takes longer than copying.
fn on_all_cores(values: &[f32]) -> Vec<f32> {
    let mut copy = vec![0.0; values.len()];
    let chunks = copy.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    chunks.for_each(|(to, from)| to.copy_from_slice(from));
    copy
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
    use std::ops::ControlFlow;

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
    fn runs_that_overlap_give_each_input_its_own_result() {
        let context = Context::of_tests();
        let model = WgpuModel::new(&context, &[]).unwrap();
        let mut executable = model.prepare_program(&chain()).unwrap();
        let input = |n: usize| (0..48).map(|i| (i * n) as f32 - 99.0).collect::<Vec<f32>>();
        let expected = |x: &[f32]| x.iter().map(|v| v.max(0.0)).collect::<Vec<f32>>();
        for slow in [false, true] {
            // The second time it ends in the middle, with a run left behind.
            for most in [7, 3] {
                if slow {
                    executable.pace.slow_down();
                }
                let mut asked = 0;
                let mut fill = |x: &mut Vec<f32>| {
                    let more = asked < 7;
                    if more {
                        *x = input(asked);
                        asked += 1;
                    }
                    more
                };
                let mut results = Vec::new();
                let mut done = |x: &[f32], y: &[f32]| {
                    assert_eq!(y, expected(x));
                    results.push(x.to_vec());
                    match results.len() < most {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                };
                executable.run_each(&mut fill, &mut done).unwrap();
                assert_eq!(results, (0..most).map(input).collect::<Vec<_>>());
                assert_eq!(asked, 7.min(most + AHEAD - 1));
            }
            let x = input(11);
            assert_eq!(executable.run(&[&x]).unwrap(), vec![expected(&x)]);
        }
        assert_eq!(executable.readbacks.len(), AHEAD);
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
