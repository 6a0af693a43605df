//! From a graph to launches: lowering, buffers by liveness, pipelines, bind groups, all once.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use wgpu::BufferUsages;

use super::context::Context;
use super::dispatch::{Access, Dispatch, Lowered, Operand};
use super::lower::lower;
use super::pipeline::{Launch, PipelineKey, Slice};
use super::row_sums::{RowSums, Schedule, place_scratch};
use crate::backend::BackendError;
use crate::graph::{Graph, Node, Source, Step, ValueId, node_cost, plan_memory};

/// Bytes of the smallest uniform.
const UNIFORM_BYTES: u64 = 16;

/// A graph bound to a device.
pub(super) struct Program {
    context: Arc<Context>,
    /// In execution order.
    pub(super) launches: Vec<Launch>,
    /// What only weights that never change go into: run once, before everything else.
    pub(super) once: Vec<Launch>,
    /// Where each value lives; `None` for values nothing computes.
    values: Vec<Option<Slice>>,
    /// The intermediates' buffers.
    buffers: Vec<wgpu::Buffer>,
    uniforms: wgpu::Buffer,
}

impl Program {
    /// Plans `graph`; `outside` says where inputs, parameters and results that live
    /// elsewhere are, `keep` are results that must survive to the end, and `trained` whether
    /// parameters change from run to run.
    pub(super) fn new(
        context: &Arc<Context>,
        graph: &Graph,
        outside: &HashMap<ValueId, Slice>,
        keep: &[ValueId],
        trained: bool,
    ) -> Result<Self, BackendError> {
        let lowered = graph
            .nodes
            .iter()
            .map(|node| lower(graph, node, context.capabilities))
            .collect::<Result<Vec<_>, _>>()?;
        let lasts = |v: ValueId| outside.contains_key(&v) || keep.contains(&v);
        let budget = Schedule::budget(context.limits.max_storage_buffer_binding_size);
        let mut schedule = Schedule::new(graph, &lowered, lasts, budget);
        let fixed = |dispatch: &Dispatch| !trained && of_parameters(graph, dispatch);
        for (node, low) in lowered.iter().enumerate() {
            for dispatch in low.dispatches.iter().filter(|d| fixed(d)) {
                for scratch in written(dispatch) {
                    schedule.keep(node, scratch, low.scratch[scratch]);
                }
            }
        }
        let allocation = allocate(context, graph, &lowered, &schedule, outside, keep)?;
        let (values, scratch, mut buffers) = allocation;
        compile(context, &lowered)?;
        let (uniforms, offsets) = uniforms(context, &lowered)?;
        let mut offsets = offsets.into_iter();
        let sums = RowSums::new(context, &schedule, &values, &scratch)?;
        buffers.extend(sums.table.clone());
        let (mut launches, mut once) = (Vec::new(), Vec::new());
        for (index, (node, low)) in graph.nodes.iter().zip(&lowered).enumerate() {
            let cost = node_cost(graph, node);
            let work = 2 * cost.dense_macs + cost.scan_flops + 8 * cost.scan_exps + cost.bytes;
            for dispatch in &low.dispatches {
                let what = describe(node);
                let operands = dispatch
                    .bindings
                    .iter()
                    .map(|&(operand, _)| match operand {
                        Operand::Value(v) => values.get(v.0).cloned().flatten(),
                        Operand::Scratch(i) => scratch[index].get(i).cloned(),
                    })
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(|| {
                        context.refused(&what, "a binding names a value that does not exist")
                    })?;
                let (offset, bytes) = offsets.next().unwrap_or_default();
                let params = Slice {
                    buffer: uniforms.clone(),
                    offset,
                    bytes,
                };
                let launch = context.launch(
                    &what,
                    &key(dispatch),
                    &params,
                    &operands,
                    dispatch.workgroups,
                )?;
                let launch = Launch {
                    work: work as f64 / low.dispatches.len() as f64,
                    node: index,
                    ..launch
                };
                match fixed(dispatch) {
                    true => once.push(launch),
                    false => launches.push(launch),
                }
            }
            let params = Slice::start(&uniforms, UNIFORM_BYTES);
            launches.extend(sums.launches(context, index, &params)?);
        }
        Ok(Self {
            context: context.clone(),
            launches,
            once,
            values,
            buffers,
            uniforms,
        })
    }

    /// Where a value lives.
    pub(super) fn value(&self, id: ValueId) -> Option<&Slice> {
        self.values.get(id.0).and_then(Option::as_ref)
    }

    /// Bytes of intermediates.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.uniforms.size() + self.buffers.iter().map(wgpu::Buffer::size).sum::<u64>()
    }
}

impl Drop for Program {
    /// Gives the memory back now: dropped buffers otherwise wait for the next submission.
    fn drop(&mut self) {
        for buffer in &self.buffers {
            buffer.destroy();
        }
        let _ = self.context.device.poll(wgpu::PollType::Poll);
    }
}

/// Whether a launch reads parameters alone and writes temporaries alone.
fn of_parameters(graph: &Graph, dispatch: &Dispatch) -> bool {
    dispatch.bindings.iter().all(|&binding| match binding {
        (Operand::Value(v), Access::Read) => graph.value(v).source == Source::Parameter,
        (Operand::Scratch(_), Access::Write) => true,
        _ => false,
    })
}

/// Temporaries that a launch writes.
fn written(dispatch: &Dispatch) -> impl Iterator<Item = usize> {
    dispatch
        .bindings
        .iter()
        .filter_map(|&binding| match binding {
            (Operand::Scratch(i), Access::Write) => Some(i),
            _ => None,
        })
}

fn describe(node: &Node) -> String {
    format!("{} at {}", node.op.name(), node.label)
}

fn key(dispatch: &Dispatch) -> PipelineKey {
    let accesses: Vec<Access> = dispatch.bindings.iter().map(|&(_, a)| a).collect();
    PipelineKey::new(dispatch.kernel, &dispatch.constants, accesses)
}

/// Compiles every kernel the dispatches need, on all cores.
fn compile(context: &Context, lowered: &[Lowered]) -> Result<(), BackendError> {
    let mut keys: Vec<PipelineKey> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for dispatch in lowered.iter().flat_map(|l| &l.dispatches) {
        let key = key(dispatch);
        if seen.insert(key.clone()) {
            keys.push(key);
        }
    }
    keys.par_iter()
        .try_for_each(|key| context.pipeline(key).map(|_| ()))?;
    context.kept.save();
    Ok(())
}

/// One buffer with every dispatch's parameters; (offset, bytes) of each in order.
#[allow(clippy::type_complexity)]
fn uniforms(
    context: &Context,
    lowered: &[Lowered],
) -> Result<(wgpu::Buffer, Vec<(u64, u64)>), BackendError> {
    let alignment = u64::from(context.limits.min_uniform_buffer_offset_alignment).max(16) as usize;
    let mut bytes: Vec<u8> = Vec::new();
    let mut offsets = Vec::new();
    let mut seen: HashMap<&[u32], (u64, u64)> = HashMap::new();
    for dispatch in lowered.iter().flat_map(|l| &l.dispatches) {
        let entry = *seen.entry(&dispatch.params).or_insert_with(|| {
            let offset = bytes.len();
            bytes.extend_from_slice(bytemuck::cast_slice(&dispatch.params));
            // A uniform struct's size is a multiple of 16 and never zero.
            let size = (4 * dispatch.params.len()).next_multiple_of(16);
            let size = size.max(UNIFORM_BYTES as usize);
            bytes.resize((offset + size).next_multiple_of(alignment), 0);
            (offset as u64, size as u64)
        });
        offsets.push(entry);
    }
    bytes.resize(bytes.len().max(UNIFORM_BYTES as usize), 0);
    let usage = BufferUsages::UNIFORM | BufferUsages::COPY_DST;
    let buffer = context.buffer("the dispatches' parameters", bytes.len() as u64, usage)?;
    context.queue.write_buffer(&buffer, 0, &bytes);
    Ok((buffer, offsets))
}

type Allocation = (Vec<Option<Slice>>, Vec<Vec<Slice>>, Vec<wgpu::Buffer>);

/// Buffers for every value and temporary that does not live outside.
fn allocate(
    context: &Context,
    graph: &Graph,
    lowered: &[Lowered],
    schedule: &Schedule,
    outside: &HashMap<ValueId, Slice>,
    keep: &[ValueId],
) -> Result<Allocation, BackendError> {
    let ids = |values: &[ValueId]| values.iter().map(|v| v.0).collect::<Vec<_>>();
    let limit = context.limits.max_storage_buffer_binding_size;
    let mut sizes = Vec::with_capacity(graph.values.len());
    for (i, value) in graph.values.iter().enumerate() {
        let bytes = graph.bytes(ValueId(i));
        if bytes > limit {
            let what = format!("{} {:?}", value.name, value.dims);
            return Err(context.out_of_memory(&what, bytes, limit));
        }
        let elsewhere =
            outside.contains_key(&ValueId(i)) || schedule.results.contains_key(&ValueId(i));
        sizes.push((!elsewhere).then_some(bytes));
    }
    let mut steps = Vec::with_capacity(graph.nodes.len());
    for (i, (node, low)) in graph.nodes.iter().zip(lowered).enumerate() {
        if let Some(&bytes) = low.scratch.iter().find(|&&b| b > limit) {
            let what = format!("a temporary of {}", describe(node));
            return Err(context.out_of_memory(&what, bytes, limit));
        }
        steps.push(Step {
            reads: ids(&node.inputs),
            writes: ids(&node.outputs),
            scratch: low
                .scratch
                .iter()
                .enumerate()
                .filter(|(s, _)| {
                    schedule.places[i][*s].is_none() && !schedule.kept.contains_key(&(i, *s))
                })
                .map(|(_, b)| b.next_multiple_of(4).max(4))
                .collect(),
        });
    }
    let plan = plan_memory(&steps, &sizes, &ids(keep));
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
    let apart = [schedule.bytes, schedule.result_bytes, schedule.kept_bytes];
    let total = plan.total_bytes() + apart.iter().sum::<u64>();
    let mut buffers: Vec<wgpu::Buffer> = Vec::with_capacity(plan.buffers.len() + apart.len());
    for &bytes in plan.buffers.iter().chain(&apart) {
        match context.buffer("intermediates", bytes.max(4), usage) {
            Ok(buffer) => buffers.push(buffer),
            Err(error) => {
                buffers.iter().for_each(wgpu::Buffer::destroy);
                let what = format!("{} intermediates", plan.buffers.len());
                return Err(match error {
                    BackendError::OutOfMemory { available, .. } => {
                        context.out_of_memory(&what, total, available)
                    }
                    other => other,
                });
            }
        }
    }
    let [waiting, results, kept] = [0, 1, 2].map(|i| &buffers[plan.buffers.len() + i]);
    let values = (0..graph.values.len())
        .map(|i| {
            let result = || {
                Some(Slice {
                    buffer: results.clone(),
                    offset: *schedule.results.get(&ValueId(i))?,
                    bytes: graph.bytes(ValueId(i)),
                })
            };
            let planned = || {
                let id = plan.values[i]?;
                Some(Slice::start(&buffers[id.0], graph.bytes(ValueId(i))))
            };
            let place = outside.get(&ValueId(i)).cloned();
            place.or_else(result).or_else(planned)
        })
        .collect();
    let scratch = plan
        .scratch
        .iter()
        .zip(&steps)
        .map(|(ids, step)| {
            ids.iter()
                .zip(&step.scratch)
                .map(|(id, &bytes)| Slice::start(&buffers[id.0], bytes))
                .collect()
        })
        .collect();
    let scratch = place_scratch(schedule, lowered, waiting, kept, scratch);
    Ok((values, scratch, buffers))
}
