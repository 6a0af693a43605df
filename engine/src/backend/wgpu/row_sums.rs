//! The last stages of sums, gathered: gradients of parameters wait until many are summed in one launch.
//!
//! A training step has hundreds of these sums, each too small to fill a GPU, and nothing
//! but the optimiser reads their results.

use std::collections::HashMap;

use wgpu::BufferUsages;

use super::context::Context;
use super::dispatch::{Access, Lowered, RowSum, fold};
use super::executable::ALIGNMENT;
use super::pipeline::{Launch, PipelineKey, Slice};
use crate::backend::BackendError;
use crate::graph::{Graph, ValueId};

/// Most bytes of partial sums that wait. More launches cost more than what a cache of this size
/// would save: 77, 47 and 28 launches took 1.36, 1.14 and 0.90 ms of a step with 32, 64 and 128 MiB.
const WAITING_BYTES: u64 = 128 << 20;

/// Bytes of one `Task` of the kernel.
const TASK: usize = 24;

/// Lanes of a workgroup of the kernel.
const WORKGROUP: usize = 256;

/// Fewest lanes side by side: whole cache lines of rows.
const COLUMN_LANES: usize = 8;

/// When each sum runs, and where the partial sums that wait for it lie.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Schedule {
    /// For each temporary of each node, its first byte among those that wait, if it does.
    pub(super) places: Vec<Vec<Option<u64>>>,
    /// Bytes of all that wait at once.
    pub(super) bytes: u64,
    /// First byte of each result that waits and does not last: they lie in one buffer, so that
    /// one launch writes many.
    pub(super) results: HashMap<ValueId, u64>,
    /// Bytes of those results.
    pub(super) result_bytes: u64,
    /// First byte of each temporary, by node and index, that is computed once and kept.
    pub(super) kept: HashMap<(usize, usize), u64>,
    /// Bytes of those temporaries.
    pub(super) kept_bytes: u64,
    /// Sums that run together.
    batches: Vec<Batch>,
}

/// Sums that run in one launch, where buffers and alignments allow it.
#[derive(Debug, PartialEq)]
struct Batch {
    /// The node it follows.
    after: usize,
    /// Node and sum.
    sums: Vec<(usize, RowSum)>,
}

impl Schedule {
    /// Sums wait until `budget` bytes of partial sums have come together or a node reads one of
    /// the results. Those of results that are neither read nor last (`lasts`), or with too many
    /// partial sums, run right after their node.
    pub(super) fn new(
        graph: &Graph,
        lowered: &[Lowered],
        lasts: impl Fn(ValueId) -> bool,
        budget: u64,
    ) -> Self {
        let mut read = vec![false; graph.values.len()];
        graph
            .nodes
            .iter()
            .flat_map(|n| &n.inputs)
            .for_each(|v| read[v.0] = true);
        let mut schedule = Self::default();
        let mut waiting: Vec<(usize, RowSum)> = Vec::new();
        let mut used = 0;
        for (node, low) in lowered.iter().enumerate() {
            // A temporary waits when all of its sums may, and one does not take all the room.
            let mut place = vec![None; low.scratch.len()];
            let aligned = |i: usize| low.scratch[i].next_multiple_of(ALIGNMENT);
            let waits = |i: usize| {
                let mut sums = low.sums.iter().filter(|s| s.partials == i).peekable();
                sums.peek().is_some()
                    && aligned(i) <= budget / 2
                    && sums.all(|s| lasts(s.out) || read[s.out.0])
            };
            let wait: Vec<usize> = (0..low.scratch.len()).filter(|&i| waits(i)).collect();
            let bytes: u64 = wait.iter().map(|&i| aligned(i)).sum();
            let due = waiting
                .iter()
                .any(|(_, sum)| graph.nodes[node].inputs.contains(&sum.out));
            if due || (used + bytes > budget && !waiting.is_empty()) {
                schedule.batches.push(Batch {
                    after: node - 1,
                    sums: std::mem::take(&mut waiting),
                });
                used = 0;
            }
            for i in wait {
                place[i] = Some(used);
                used += aligned(i);
                schedule.bytes = schedule.bytes.max(used);
            }
            let mut now = Vec::new();
            for &sum in &low.sums {
                match place.get(sum.partials).copied().flatten() {
                    Some(_) => {
                        if !lasts(sum.out) {
                            schedule.results.insert(sum.out, schedule.result_bytes);
                            schedule.result_bytes +=
                                (4 * sum.len as u64).next_multiple_of(ALIGNMENT);
                        }
                        waiting.push((node, sum));
                    }
                    None => now.push((node, sum)),
                }
            }
            if !now.is_empty() {
                schedule.batches.push(Batch {
                    after: node,
                    sums: now,
                });
            }
            schedule.places.push(place);
        }
        if !waiting.is_empty() {
            schedule.batches.push(Batch {
                after: lowered.len() - 1,
                sums: waiting,
            });
        }
        schedule
    }

    /// Gives a temporary of a node a place of its own, which nothing else ever uses.
    pub(super) fn keep(&mut self, node: usize, scratch: usize, bytes: u64) {
        self.kept.insert((node, scratch), self.kept_bytes);
        self.kept_bytes += bytes.next_multiple_of(ALIGNMENT);
    }

    /// The budget of a device whose bindings take `limit` bytes.
    pub(super) fn budget(limit: u64) -> u64 {
        WAITING_BYTES.min(limit)
    }
}

/// What one launch reads and writes.
struct Group {
    after: usize,
    /// First byte and bytes of its tasks.
    table: (u64, u64),
    partials: wgpu::Buffer,
    out: wgpu::Buffer,
    vec4: bool,
    work: f64,
}

/// All launches of sums, and their tasks in one buffer.
pub(super) struct RowSums {
    groups: Vec<Group>,
    pub(super) table: Option<wgpu::Buffer>,
}

impl RowSums {
    /// Writes the tasks of every batch. Neither values nor temporaries may be missing.
    pub(super) fn new(
        context: &Context,
        schedule: &Schedule,
        values: &[Option<Slice>],
        scratch: &[Vec<Slice>],
    ) -> Result<Self, BackendError> {
        let mut groups = Vec::new();
        let mut table: Vec<u32> = Vec::new();
        for batch in &schedule.batches {
            let mut apart: Vec<(Group, Vec<u32>)> = Vec::new();
            for &(node, sum) in &batch.sums {
                let missing = || context.refused("a sum", "it names a value that does not exist");
                let out = values[sum.out.0].as_ref().ok_or_else(missing)?;
                let partials = scratch[node].get(sum.partials).ok_or_else(missing)?;
                let source = partials.offset as usize / 4 + sum.start;
                let result = out.offset as usize / 4;
                let vec4 = [source, result, sum.stride, sum.len]
                    .iter()
                    .all(|n| n.is_multiple_of(4));
                let same = apart.iter().position(|(g, _)| {
                    g.partials == partials.buffer && g.out == out.buffer && g.vec4 == vec4
                });
                let index = same.unwrap_or_else(|| {
                    let group = Group {
                        after: batch.after,
                        table: (0, 0),
                        partials: partials.buffer.clone(),
                        out: out.buffer.clone(),
                        vec4,
                        work: 0.0,
                    };
                    apart.push((group, Vec::new()));
                    apart.len() - 1
                });
                let (group, words) = &mut apart[index];
                tasks(words, &sum, source, result, if vec4 { 4 } else { 1 });
                group.work += (sum.rows * sum.len) as f64;
            }
            for (mut group, words) in apart {
                let begin = (4 * table.len()).next_multiple_of(ALIGNMENT as usize);
                table.resize(begin / 4, 0);
                table.extend(&words);
                group.table = (begin as u64, 4 * words.len() as u64);
                groups.push(group);
            }
        }
        if groups.is_empty() {
            return Ok(Self {
                groups,
                table: None,
            });
        }
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
        let buffer = context.buffer("tasks of sums", 4 * table.len() as u64, usage)?;
        context
            .queue
            .write_buffer(&buffer, 0, bytemuck::cast_slice(&table));
        Ok(Self {
            groups,
            table: Some(buffer),
        })
    }

    /// The launches that follow a node; the kernel has no use for `params`.
    pub(super) fn launches(
        &self,
        context: &Context,
        after: usize,
        params: &Slice,
    ) -> Result<Vec<Launch>, BackendError> {
        let Some(table) = &self.table else {
            return Ok(Vec::new());
        };
        self.groups
            .iter()
            .filter(|g| g.after == after)
            .map(|group| {
                let accesses = vec![Access::Read, Access::Read, Access::Write];
                let constants = [("VEC4", group.vec4.into())];
                let key = PipelineKey::new("row_sums", &constants, accesses);
                let (offset, bytes) = group.table;
                let operands = [
                    Slice {
                        buffer: table.clone(),
                        offset,
                        bytes,
                    },
                    Slice::whole(&group.partials),
                    Slice::whole(&group.out),
                ];
                let workgroups = fold(bytes as usize / TASK);
                let launch =
                    context.launch("sums of partial sums", &key, params, &operands, workgroups)?;
                Ok(Launch {
                    work: group.work,
                    ..launch
                })
            })
            .collect()
    }
}

/// Appends the tasks of one sum: `source` and `result` are in values, `width` values a lane.
fn tasks(words: &mut Vec<u32>, sum: &RowSum, source: usize, result: usize, width: usize) {
    let row_lanes = sum.rows.next_power_of_two().min(WORKGROUP / COLUMN_LANES);
    let lanes = WORKGROUP / row_lanes;
    let columns = sum.len / width;
    for first in (0..columns).step_by(lanes) {
        let task = [
            source / width + first,
            result / width + first,
            sum.stride / width,
            sum.rows,
            lanes.min(columns - first),
            lanes,
        ];
        words.extend(task.map(|w| w as u32));
    }
}

/// The temporaries of every node: those that wait in `waiting`, those that are kept in `kept`,
/// the others as planned.
pub(super) fn place_scratch(
    schedule: &Schedule,
    lowered: &[Lowered],
    waiting: &wgpu::Buffer,
    kept: &wgpu::Buffer,
    planned: Vec<Vec<Slice>>,
) -> Vec<Vec<Slice>> {
    let nodes = lowered.iter().zip(planned).enumerate();
    nodes
        .map(|(node, (low, planned))| {
            let mut planned = planned.into_iter();
            let slots = low.scratch.iter().enumerate();
            slots
                .filter_map(|(i, &bytes)| {
                    let waits = schedule.places[node][i].map(|offset| (waiting, offset));
                    let stays = schedule.kept.get(&(node, i)).map(|&offset| (kept, offset));
                    match waits.or(stays) {
                        Some((buffer, offset)) => Some(Slice {
                            buffer: buffer.clone(),
                            offset,
                            bytes,
                        }),
                        None => planned.next(),
                    }
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::graph::{Activation, Op};

    /// A chain of `nodes` activations, each with a temporary of `bytes` summed into its result.
    fn chain(nodes: usize, bytes: u64) -> (Graph, Vec<Lowered>) {
        let mut graph = Graph::new();
        let x = graph.input("x", &[1, 1, 1, 4]);
        let mut lowered = Vec::new();
        for _ in 0..nodes {
            let op = Op::Activation(Activation::Relu);
            let out = graph.apply(op, &[x], "relu").unwrap();
            lowered.push(Lowered {
                sums: vec![RowSum {
                    partials: 1,
                    start: 0,
                    stride: 4,
                    rows: 2,
                    len: 4,
                    out,
                }],
                scratch: vec![7, bytes],
                ..Lowered::default()
            });
        }
        (graph, lowered)
    }

    fn afters(schedule: &Schedule) -> Vec<(usize, usize)> {
        let batches = schedule.batches.iter();
        batches.map(|b| (b.after, b.sums.len())).collect()
    }

    #[test]
    fn sums_wait_until_the_budget_is_spent() {
        let (graph, lowered) = chain(10, 200);
        let schedule = Schedule::new(&graph, &lowered, |_| true, 4 * ALIGNMENT);
        assert_eq!(afters(&schedule), vec![(3, 4), (7, 4), (9, 2)]);
        assert_eq!(schedule.bytes, 4 * ALIGNMENT);
        assert_eq!(schedule.places[5], vec![None, Some(ALIGNMENT)]);
    }

    #[test]
    fn what_does_not_last_or_is_large_is_summed_at_once() {
        let (graph, lowered) = chain(3, 200);
        let none = Schedule::new(&graph, &lowered, |_| false, 1 << 20);
        assert_eq!(afters(&none), vec![(0, 1), (1, 1), (2, 1)]);
        assert_eq!(none.places[1], vec![None, None]);
        assert_eq!(none.bytes, 0);
        let tight = Schedule::new(&graph, &lowered, |_| true, ALIGNMENT);
        assert_eq!(tight, none);
    }

    #[test]
    fn what_is_read_waits_until_then() {
        let (mut graph, mut lowered) = chain(5, 200);
        for (node, reads) in [(3, 1), (4, 0)] {
            graph.nodes[node].inputs = vec![lowered[reads].sums[0].out];
            lowered[node] = Lowered::default();
        }
        let schedule = Schedule::new(&graph, &lowered, |_| true, 1 << 20);
        assert_eq!(afters(&schedule), vec![(2, 3)]);
        assert!(schedule.results.is_empty());
        // What nobody reads and nobody keeps cannot wait.
        let schedule = Schedule::new(&graph, &lowered, |_| false, 1 << 20);
        assert_eq!(afters(&schedule), vec![(2, 1), (2, 2)]);
        let mut places: Vec<_> = schedule.results.values().collect();
        places.sort_unstable();
        assert_eq!(places, [&0, &ALIGNMENT]);
        assert_eq!(schedule.result_bytes, 2 * ALIGNMENT);
    }

    #[test]
    fn tasks_cover_every_column_once() {
        for (rows, len, width) in [(1, 1, 1), (3, 1000, 4), (1024, 36, 4), (4096, 35, 1)] {
            let sum = RowSum {
                partials: 0,
                start: 0,
                stride: len,
                rows,
                len,
                out: ValueId(0),
            };
            let mut words = Vec::new();
            tasks(&mut words, &sum, 8, 16, width);
            let mut next = 0;
            for task in words.chunks(TASK / 4) {
                let [source, result, stride, r, columns, lanes] = *task else {
                    panic!("a task has six words");
                };
                assert_eq!(
                    (source as usize, result as usize),
                    (8 / width + next, 16 / width + next)
                );
                assert_eq!((stride as usize, r as usize), (len / width, rows));
                assert!(columns <= lanes && lanes.is_power_of_two() && lanes <= 256);
                next += columns as usize;
            }
            assert_eq!(next, len / width);
        }
    }
}
