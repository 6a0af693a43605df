//! The adjoint of the selective scan: carries of both scans, then every chunk in both ways.

use super::super::dispatch::{Access, Constant, Dispatch, Lowered, Operand, fold};
use super::reduce::{Reduction, reduce, sum_parts};
use super::scan::{Layout, MAX_STAGED_ITEMS, Sizes, carries, chunk_tokens, orders, pack};
use crate::graph::{Graph, Node, ScanSpec, elements};

/// Workgroup memory every adapter has, in bytes.
const WORKGROUP_BYTES: usize = 16384;

/// Most lanes of a workgroup, where the terms of its sums leave room.
const MAX_LANES: usize = 64;

/// Most lanes of a workgroup whose sums are taken by subgroups, over channels and with
/// several chunks.
const SUBGROUP_LANES: [usize; 2] = [256, 64];

/// Shortest and longest chunk: each leaves carries of two scans and sums over its tokens.
const CHUNK_TOKENS: [usize; 2] = [32, 128];

/// How the last pass is cut: [`Layout`] and how channels are summed: by subgroups
/// (`shared/scan_fold.wgsl`) or through workgroup memory (`shared/scan_sums.wgsl`).
struct Cut {
    layout: Layout,
    /// Lanes of a subgroup, 0 without.
    subgroup: usize,
    /// Tokens whose terms are summed at a time.
    batch: usize,
    /// Parts of one sum.
    parts: usize,
}

impl Cut {
    fn new(sizes: &Sizes, chunk: usize, subgroup: usize) -> Self {
        let whole = subgroup >= 8 && sizes.channels.is_multiple_of(subgroup);
        let by_subgroups = whole.then(|| Self::by_subgroups(sizes, chunk, subgroup));
        by_subgroups
            .flatten()
            .unwrap_or_else(|| Self::through_memory(sizes, chunk))
    }

    /// Where channels fill whole subgroups: the largest sub-block that fits.
    fn by_subgroups(sizes: &Sizes, chunk: usize, subgroup: usize) -> Option<Self> {
        let (ranks, states) = (sizes.spec.rank.div_ceil(4), sizes.state_vectors());
        let pair = sizes.channels.is_multiple_of(2 * subgroup);
        let lanes = sizes.channels / if pair { 2 } else { 1 };
        let [most, wanted] = SUBGROUP_LANES;
        let channel_blocks = lanes.div_ceil(most);
        let channel_lanes = lanes.div_ceil(channel_blocks).next_multiple_of(subgroup);
        let chunks = sizes.tokens().div_ceil(chunk);
        let group_chunks = (wanted / channel_lanes).clamp(1, chunks);
        let batch = (subgroup / 4).min(4);
        let sub = [16, 8, 4, 2].into_iter().find(|&sub| {
            let rows = group_chunks * sub * (ranks + 2 * states) * 16;
            let parts = sub / batch * (ranks + states) * channel_lanes * group_chunks * 4;
            let staged = MAX_STAGED_ITEMS * 16 * channel_lanes * group_chunks;
            sub >= batch && sub <= chunk && rows <= staged && rows + parts <= WORKGROUP_BYTES
        })?;
        let layout = Layout {
            pair,
            channel_lanes,
            channel_blocks,
            group_chunks,
            sub,
            row_vectors: ranks + 2 * states,
            chunk,
            chunks,
        };
        Some(Self {
            layout,
            subgroup,
            batch,
            parts: channel_lanes / (4 * batch),
        })
    }

    /// The largest sub-block, then the most lanes, that workgroup memory allows.
    fn through_memory(sizes: &Sizes, chunk: usize) -> Self {
        let (ranks, states) = (sizes.spec.rank.div_ceil(4), sizes.state_vectors());
        let mut lanes = MAX_LANES;
        loop {
            for (sub, batch) in [(8, 2), (8, 1), (4, 1), (2, 1), (1, 1)] {
                let layout = Layout::new(sizes, lanes, ranks + 2 * states, chunk);
                let sub = sub.min(layout.sub);
                let batch = batch.min(sub);
                let layout = Layout { sub, ..layout };
                let workers = layout.channel_lanes * layout.group_chunks;
                let sums = layout.group_chunks * (ranks + states);
                // About one vector sum a lane.
                let parts = (workers / (batch * sums)).clamp(1, 8);
                let parts = 1 << parts.ilog2();
                let vectors = batch * workers * (ranks + states)
                    + parts * sub * sums
                    + layout.group_chunks * sub * (ranks + 2 * states);
                if 16 * vectors <= WORKGROUP_BYTES || (lanes == 1 && sub == 1) {
                    return Self {
                        layout,
                        subgroup: 0,
                        batch,
                        parts,
                    };
                }
            }
            lanes = (lanes / 2).max(1);
        }
    }

    fn constants(&self, sizes: &Sizes) -> Vec<(&'static str, Constant)> {
        let lanes = self.layout.channel_lanes;
        let mut constants = self.layout.constants(sizes);
        constants.extend([
            ("SUBGROUP", self.subgroup.into()),
            ("BATCH", self.batch.into()),
            ("BATCH4", (self.batch == 4).into()),
            ("PARTS", self.parts.into()),
            ("TERMS", lanes.div_ceil(self.parts).into()),
            ("RAGGED", (!lanes.is_multiple_of(self.parts)).into()),
        ]);
        constants
    }
}

/// Dispatches of `v, p, w_dt, b_dt, a_log, d, gy → gv, gp, gw_dt, gb_dt, ga_log, gd`, on a
/// device with subgroups of `subgroup` lanes, or none.
pub(super) fn backward(graph: &Graph, node: &Node, spec: ScanSpec, subgroup: usize) -> Lowered {
    let sizes = Sizes::of(graph, node, spec);
    let mut lowered = Lowered::default();
    let operands = pack(&mut lowered, &sizes, node);
    let gy = Operand::Value(node.inputs[6]);
    let output = |i: usize| Operand::Value(node.outputs[i]);
    let chunk = chunk_tokens(&sizes, CHUNK_TOKENS);
    let states = carries(&mut lowered, &sizes, &operands, chunk, Some(gy));

    let cut = Cut::new(&sizes, chunk, subgroup);
    let layout = &cut.layout;
    let rows = sizes.batch * layout.chunks;
    let row_len = spec.directions * sizes.channels * (spec.rank + sizes.decays() + 2);
    let tokens = sizes.batch * sizes.tokens();
    let work = lowered.temporary(rows * row_len + tokens * sizes.channels);
    // One block of channels writes the gradient of p itself, several write parts of it.
    let gp_len = elements(graph.dims(node.outputs[1]));
    let gp = match layout.channel_blocks {
        1 => output(1),
        blocks => lowered.temporary(blocks * gp_len),
    };
    for (order, directions) in orders(&spec) {
        let mut constants = cut.constants(&sizes);
        constants.extend([("ORDER", order.into()), ("DIRECTIONS", directions.into())]);
        lowered.dispatches.push(Dispatch {
            kernel: "scan_backward",
            constants,
            bindings: vec![
                (operands.v, Access::Read),
                (operands.p, Access::Read),
                (operands.weights, Access::Read),
                (gy, Access::Read),
                (states, Access::Read),
                (work, Access::Write),
                (output(0), Access::Write),
                (gp, Access::Write),
            ],
            params: layout.params(&sizes),
            workgroups: fold(sizes.batch * layout.chunk_groups() * layout.channel_blocks),
        });
    }
    if layout.channel_blocks > 1 {
        let sum = Reduction::sum(1, layout.channel_blocks, gp_len);
        reduce(&mut lowered, gp, output(1), &sum);
    }
    let weights = node.outputs[2..].iter();
    let weights: Vec<_> = weights.map(|&g| (g, graph.len(g))).collect();
    sum_parts(&mut lowered, work, rows, &weights);
    lowered
}
