//! A graph made ready: kernels chosen, constants laid out, buffers planned.

use std::sync::Arc;

use super::check_operands;
use super::fast::{self, Kernel, MAX_OPERANDS};
use super::lines::Lines;
use super::reference::{Tensor, run_op};
use crate::backend::{BackendError, Executable};
use crate::graph::{Graph, Node, Source, Step, ValueId, plan_memory};

/// Where a value lives while the graph runs.
#[derive(Clone, Copy)]
enum Place {
    /// First values of a planned buffer.
    Buffer { index: usize, len: usize },
    /// The caller's input.
    Input(usize),
    /// A weight.
    Parameter(usize),
}

/// What computes a node.
enum Work {
    /// One result, written by a fast path.
    Fast(Box<dyn Kernel>),
    /// Any op, by its reference (allocates its results).
    Reference(Node, Vec<Vec<usize>>),
}

/// One node with the places of its operands and results.
struct Stage {
    work: Work,
    reads: Vec<Place>,
    /// Buffer and length of each result.
    writes: Vec<(usize, usize)>,
    /// Buffer and length of the kernel's temporary.
    scratch: Option<(usize, usize)>,
}

/// A graph ready to run on the CPU.
pub(super) struct CpuExecutable {
    weights: Arc<Vec<Vec<f32>>>,
    stages: Vec<Stage>,
    buffers: Vec<Lines>,
    outputs: Vec<Place>,
    /// Names and lengths of the inputs.
    inputs: Vec<(String, usize)>,
    memory_bytes: u64,
}

/// Bytes of a 32-bit value.
const WORD: u64 = 4;

impl CpuExecutable {
    /// Prepares a graph whose parameters are `weights`, lengths already checked.
    pub(super) fn new(graph: &Graph, weights: Arc<Vec<Vec<f32>>>) -> Self {
        let work: Vec<Work> = graph
            .nodes
            .iter()
            .map(|node| match fast::kernel(graph, node, &weights) {
                Some(kernel) => Work::Fast(kernel),
                None => {
                    let dims = node.inputs.iter().map(|&v| graph.dims(v).to_vec());
                    Work::Reference(node.clone(), dims.collect())
                }
            })
            .collect();
        let scratch = |work: &Work| match work {
            Work::Fast(kernel) => kernel.scratch(),
            Work::Reference(..) => 0,
        };
        let steps: Vec<Step> = graph
            .nodes
            .iter()
            .zip(&work)
            .map(|(node, work)| Step {
                reads: node.inputs.iter().map(|v| v.0).collect(),
                writes: node.outputs.iter().map(|v| v.0).collect(),
                scratch: match scratch(work) {
                    0 => Vec::new(),
                    len => vec![len as u64 * WORD],
                },
            })
            .collect();
        let sizes: Vec<Option<u64>> = (0..graph.values.len())
            .map(ValueId)
            .map(|v| match graph.value(v).source {
                Source::Node { .. } => Some(graph.len(v) as u64 * WORD),
                Source::Input | Source::Parameter => None,
            })
            .collect();
        let keep: Vec<usize> = graph.outputs.iter().map(|v| v.0).collect();
        let plan = plan_memory(&steps, &sizes, &keep);
        let place = |v: ValueId| match plan.values[v.0] {
            Some(id) => Place::Buffer {
                index: id.0,
                len: graph.len(v),
            },
            None => match graph.inputs.iter().position(|&i| i == v) {
                Some(i) => Place::Input(i),
                None => Place::Parameter(
                    graph
                        .parameters
                        .iter()
                        .position(|&p| p == v)
                        .unwrap_or_default(),
                ),
            },
        };
        let stages = graph
            .nodes
            .iter()
            .zip(work)
            .zip(&plan.scratch)
            .map(|((node, work), temporary)| Stage {
                reads: node.inputs.iter().map(|&v| place(v)).collect(),
                writes: node
                    .outputs
                    .iter()
                    .filter_map(|&v| Some((plan.values[v.0]?.0, graph.len(v))))
                    .collect(),
                scratch: temporary.first().map(|id| (id.0, scratch(&work))),
                work,
            })
            .collect();
        let len = |bytes: &u64| (bytes / WORD) as usize;
        Self {
            weights,
            stages,
            buffers: plan.buffers.iter().map(|b| Lines::zeros(len(b))).collect(),
            outputs: graph.outputs.iter().map(|&v| place(v)).collect(),
            inputs: graph
                .inputs
                .iter()
                .map(|&v| (graph.value(v).name.clone(), graph.len(v)))
                .collect(),
            memory_bytes: plan.total_bytes(),
        }
    }

    fn value<'a>(&'a self, inputs: &[&'a [f32]], place: Place) -> &'a [f32] {
        match place {
            Place::Buffer { index, len } => &self.buffers[index][..len],
            Place::Input(i) => inputs[i],
            Place::Parameter(i) => &self.weights[i],
        }
    }

    /// Runs stage `i`. Buffers written to are taken out of the list meanwhile: the plan
    /// never lets a node write where it reads.
    fn run_stage(&mut self, i: usize, inputs: &[&[f32]]) {
        let stage = &self.stages[i];
        let results = match &stage.work {
            Work::Fast(_) => Vec::new(),
            Work::Reference(node, dims) => {
                let operands: Vec<_> = stage
                    .reads
                    .iter()
                    .zip(dims)
                    .map(|(&place, dims)| Tensor {
                        dims,
                        data: self.value(inputs, place),
                    })
                    .collect();
                run_op(&node.op, &operands)
            }
        };
        for (result, &(buffer, len)) in results.iter().zip(&stage.writes) {
            self.buffers[buffer][..len].copy_from_slice(result);
        }
        let stage = &self.stages[i];
        let (Work::Fast(_), Some(&(buffer, len))) = (&stage.work, stage.writes.first()) else {
            return;
        };
        let scratch = stage.scratch;
        let mut y = std::mem::take(&mut self.buffers[buffer]);
        let mut temporary = scratch.map(|(b, _)| std::mem::take(&mut self.buffers[b]));
        let stage = &self.stages[i];
        if let Work::Fast(kernel) = &stage.work {
            let mut operands: [&[f32]; MAX_OPERANDS] = [&[]; MAX_OPERANDS];
            for (operand, &place) in operands.iter_mut().zip(&stage.reads) {
                *operand = self.value(inputs, place);
            }
            let temporary = match (&mut temporary, scratch) {
                (Some(t), Some((_, len))) => &mut t[..len],
                _ => &mut [],
            };
            kernel.run(&operands[..stage.reads.len()], &mut y[..len], temporary);
        }
        self.buffers[buffer] = y;
        if let (Some(t), Some((b, _))) = (temporary, scratch) {
            self.buffers[b] = t;
        }
    }
}

impl Executable for CpuExecutable {
    fn run(&mut self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>, BackendError> {
        let expected = self.inputs.iter().map(|(name, len)| (name.as_str(), *len));
        check_operands("inputs", expected, inputs.iter().map(|x| x.len()))?;
        for i in 0..self.stages.len() {
            self.run_stage(i, inputs);
        }
        Ok(self
            .outputs
            .iter()
            .map(|&place| self.value(inputs, place).to_vec())
            .collect())
    }

    fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}
