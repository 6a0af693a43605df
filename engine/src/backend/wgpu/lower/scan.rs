//! The selective scan in chunks: every chunk alone, the carries, every chunk again.

use super::super::dispatch::{Access, Capabilities, Constant, Dispatch, Lowered, Operand, fold};
use super::scan_backward::backward;
use crate::graph::{Graph, Node, Op, ScanSpec};

/// Most lanes of a workgroup of the passes over tokens.
const MAX_LANES: usize = 128;

/// Bytes of workgroup memory the rows of a sub-block may take: half of what every
/// adapter has, so that at least two workgroups fit a processor.
const ROW_BYTES: usize = 8192;

/// Most vectors of a sub-block's rows that one lane stages: they wait in registers.
pub(super) const MAX_STAGED_ITEMS: usize = 4;

/// Channels of chunks (over all directions) below which a GPU is not filled: chunks are no longer
/// than this leaves them.
const WANTED_LANES: usize = 1 << 18;

/// Shortest and longest chunk of the forward pass: shorter ones move more carries than
/// tokens, longer ones gain nothing.
const CHUNK_TOKENS: [usize; 2] = [16, 128];

/// Chunks of a picture up to which carrying their states is a matter of waiting, not of bytes.
const FEW_CHUNKS: usize = 2048;

/// Most states that the forward passes go through without a loop: of four tokens, which are
/// loaded ahead, or of fewer.
const UNROLL_STATES: usize = 32;

/// Sizes of one scan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Directions, states, rank.
    pub spec: ScanSpec,
    /// Pictures.
    pub batch: usize,
    /// H
    pub height: usize,
    /// W
    pub width: usize,
    /// D
    pub channels: usize,
}

impl Sizes {
    /// Of a node whose first operand is `v [B, H, W, D]`.
    pub fn of(graph: &Graph, node: &Node, spec: ScanSpec) -> Self {
        let v = graph.dims(node.inputs[0]);
        Self {
            spec,
            batch: v[0],
            height: v[1],
            width: v[2],
            channels: v[3],
        }
    }

    /// Tokens of one picture.
    pub fn tokens(&self) -> usize {
        self.height * self.width
    }

    /// Values of `a_log` for one channel and direction.
    pub fn decays(&self) -> usize {
        if self.spec.tied { 1 } else { self.spec.states }
    }

    /// Vectors of four states, as the shaders keep them.
    pub fn state_vectors(&self) -> usize {
        self.spec.states.div_ceil(4)
    }

    /// Pictures × directions.
    pub fn sequences(&self) -> usize {
        self.batch * self.spec.directions
    }

    /// Constants every kernel of the scan takes.
    pub fn constants(&self) -> Vec<(&'static str, Constant)> {
        vec![
            ("K", self.spec.directions.into()),
            ("D", self.channels.into()),
            ("N", self.spec.states.into()),
            ("R", self.spec.rank.into()),
            ("TIED", self.spec.tied.into()),
            ("FLIPPED", self.spec.backward.into()),
            ("NV", self.state_vectors().into()),
            ("RV", self.spec.rank.div_ceil(4).into()),
            ("RFULL", (self.spec.rank / 4).into()),
            ("RLAST", (self.spec.rank % 4).into()),
        ]
    }
}

/// How a pass over tokens is cut into lanes; `shared/scan.wgsl` names the constants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Whether a lane holds two neighbouring channels.
    pub pair: bool,
    /// Neighbouring lanes over the channels of a chunk.
    pub channel_lanes: usize,
    /// Workgroups over the channels of a chunk.
    pub channel_blocks: usize,
    /// Chunks of a workgroup.
    pub group_chunks: usize,
    /// Tokens of a sub-block.
    pub sub: usize,
    /// Vectors of four that are staged of a token's row.
    pub row_vectors: usize,
    /// Tokens of a chunk.
    pub chunk: usize,
    /// Chunks of a picture.
    pub chunks: usize,
}

impl Layout {
    /// For a pass that stages `row_vectors` vectors of a token.
    pub fn new(sizes: &Sizes, max_lanes: usize, row_vectors: usize, chunk: usize) -> Self {
        let pair = sizes.channels.is_multiple_of(2);
        let lanes = sizes.channels / if pair { 2 } else { 1 };
        let channel_blocks = lanes.div_ceil(max_lanes);
        let channel_lanes = lanes.div_ceil(channel_blocks);
        let chunks = sizes.tokens().div_ceil(chunk);
        let group_chunks = (max_lanes / channel_lanes).min(chunks).max(1);
        let lanes = channel_lanes * group_chunks;
        let most = (ROW_BYTES / 16).min(MAX_STAGED_ITEMS * lanes);
        let fits = (most / (group_chunks * row_vectors)).clamp(1, 16);
        Self {
            pair,
            channel_lanes,
            channel_blocks,
            group_chunks,
            sub: 1 << fits.ilog2(),
            row_vectors,
            chunk,
            chunks,
        }
    }

    /// Workgroups over the chunks of a picture.
    pub fn chunk_groups(&self) -> usize {
        self.chunks.div_ceil(self.group_chunks)
    }

    /// Adds the constants that describe it.
    pub fn constants(&self, sizes: &Sizes) -> Vec<(&'static str, Constant)> {
        let mut constants = sizes.constants();
        let ScanSpec { states, rank, .. } = sizes.spec;
        let whole = |n: usize| states.is_multiple_of(n) && rank.is_multiple_of(n);
        // As many tokens at a time as keep a kernel's text short.
        let unroll = (UNROLL_STATES / states.next_power_of_two()).clamp(1, 4);
        let lanes = self.channel_lanes * self.group_chunks;
        let staged = self.group_chunks * self.sub * self.row_vectors;
        // Whether every lane has a whole chunk.
        let whole_chunks = sizes.tokens().is_multiple_of(self.chunk)
            && self.chunks.is_multiple_of(self.group_chunks)
            && self.channel_lanes * self.channel_blocks * (1 + usize::from(self.pair))
                == sizes.channels;
        constants.extend([
            ("PAIR", self.pair.into()),
            ("WHOLE", whole_chunks.into()),
            ("P_VECTORS", whole(4).into()),
            ("P_PAIRS", whole(2).into()),
            ("CHANNEL_LANES", self.channel_lanes.into()),
            ("CHANNEL_BLOCKS", self.channel_blocks.into()),
            ("GROUP_CHUNKS", self.group_chunks.into()),
            ("SUB", self.sub.into()),
            ("UNROLL", self.sub.min(unroll).into()),
            ("STAGED_ITEMS", staged.div_ceil(lanes).into()),
        ]);
        constants
    }

    /// Words of `Params` in `shared/scan.wgsl`.
    pub fn params(&self, sizes: &Sizes) -> Vec<u32> {
        [
            sizes.batch,
            sizes.tokens(),
            sizes.height,
            sizes.width,
            self.chunk,
            self.chunks,
            self.chunk_groups(),
        ]
        .map(|w| w as u32)
        .to_vec()
    }
}

/// Tokens of a chunk: a power of two between two others that leaves lanes for a large GPU.
pub(super) fn chunk_tokens(sizes: &Sizes, [least, most]: [usize; 2]) -> usize {
    let lanes = sizes.sequences() * sizes.tokens() * sizes.channels;
    let wanted = (lanes / WANTED_LANES).clamp(least, most);
    1 << wanted.ilog2()
}

/// Operands of a scan, forward or backward: `v, p, w_dt, b_dt, a_log, d`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    /// `[B, H, W, D]`
    pub v: Operand,
    /// `[B, H, W, K·(R+2N)]`
    pub p: Operand,
    /// `w_dt, b_dt, a_log, d` packed by `scan_pack`: `[K, R+2+A, D]`.
    pub weights: Operand,
}

/// Appends the packing of the node's weights.
pub(super) fn pack(lowered: &mut Lowered, sizes: &Sizes, node: &Node) -> Operands {
    let slots = sizes.spec.rank + 2 + sizes.decays();
    let count = sizes.spec.directions * slots * sizes.channels;
    let weights = lowered.temporary(count);
    let value = |i: usize| Operand::Value(node.inputs[i]);
    let mut bindings: Vec<_> = (2..6).map(|i| (value(i), Access::Read)).collect();
    bindings.push((weights, Access::Write));
    lowered.dispatches.push(Dispatch {
        kernel: "scan_pack",
        constants: sizes.constants(),
        bindings,
        params: vec![count as u32],
        workgroups: fold(count.div_ceil(256)),
    });
    Operands {
        v: value(0),
        p: value(1),
        weights,
    }
}

/// Appends passes 1 and 2: the state every chunk starts from, in `[kinds, B, K, chunks, 4·NV, D]`. With `gy` also the reverse scan's, as kind 1.
pub(super) fn carries(
    lowered: &mut Lowered,
    sizes: &Sizes,
    operands: &Operands,
    chunk: usize,
    gy: Option<Operand>,
) -> Operand {
    let (vectors, kinds) = (sizes.state_vectors(), 1 + usize::from(gy.is_some()));
    let row_vectors = sizes.spec.rank.div_ceil(4) + kinds * vectors;
    let layout = Layout::new(sizes, MAX_LANES, row_vectors, chunk);
    let chunks = sizes.sequences() * layout.chunks;
    let states = lowered.temporary(kinds * chunks * vectors * 4 * sizes.channels);
    let sums = lowered.temporary(chunks * sizes.channels);
    let mut bindings = vec![
        (operands.v, Access::Read),
        (operands.p, Access::Read),
        (operands.weights, Access::Read),
        (states, Access::Write),
        (sums, Access::Write),
    ];
    bindings.extend(gy.map(|g| (g, Access::Read)));
    let mut constants = layout.constants(sizes);
    let suffixes = sizes.spec.tied && gy.is_none();
    constants.extend([
        ("BACKWARD", gy.is_some().into()),
        ("SUFFIXES", suffixes.into()),
    ]);
    lowered.dispatches.push(Dispatch {
        kernel: "scan_chunk",
        constants,
        bindings,
        params: layout.params(sizes),
        workgroups: fold(sizes.sequences() * layout.chunk_groups() * layout.channel_blocks),
    });

    // Runs of 8 chunks, what a lane loads at once, or longer ones. Columns in 64 bytes or more, or
    // half of that where waiting costs more than bytes.
    let most = if layout.chunks <= FEW_CHUNKS { 128 } else { 64 };
    let segments = (layout.chunks.div_ceil(8))
        .next_power_of_two()
        .clamp(1, most);
    let run = layout.chunks.div_ceil(segments);
    let vec4 = sizes.channels.is_multiple_of(4);
    let width = 4 * vectors * sizes.channels / if vec4 { 4 } else { 1 };
    let columns = (256 / segments).min(width.next_power_of_two());
    let mut constants = sizes.constants();
    constants.extend([
        ("VEC4", vec4.into()),
        ("KINDS", kinds.into()),
        ("SEGMENTS", segments.into()),
        ("SHORT", (run <= 8).into()),
        ("COLUMNS", columns.into()),
    ]);
    lowered.dispatches.push(Dispatch {
        kernel: "scan_carry",
        constants,
        bindings: vec![
            (operands.weights, Access::Read),
            (sums, Access::Read),
            (states, Access::Write),
        ],
        params: vec![sizes.batch as u32, layout.chunks as u32, run as u32],
        workgroups: fold(kinds * sizes.sequences() * width.div_ceil(columns)),
    });
    states
}

/// Orders of a scan with the number of directions in each: row-major, then column-major.
pub(super) fn orders(spec: &ScanSpec) -> Vec<(usize, usize)> {
    let directions = if spec.directions == 4 { 2 } else { 1 };
    (0..spec.directions.min(2))
        .map(|order| (order, directions))
        .collect()
}

fn forward(graph: &Graph, node: &Node, spec: ScanSpec) -> Lowered {
    let sizes = Sizes::of(graph, node, spec);
    let mut lowered = Lowered::default();
    let operands = pack(&mut lowered, &sizes, node);
    let chunk = chunk_tokens(&sizes, CHUNK_TOKENS);
    let states = carries(&mut lowered, &sizes, &operands, chunk, None);
    let row_vectors = spec.rank.div_ceil(4) + 2 * sizes.state_vectors();
    let layout = Layout::new(&sizes, MAX_LANES, row_vectors, chunk);
    for (order, directions) in orders(&spec) {
        let mut constants = layout.constants(&sizes);
        constants.extend([("ORDER", order.into()), ("DIRECTIONS", directions.into())]);
        lowered.dispatches.push(Dispatch {
            kernel: "scan_emit",
            constants,
            bindings: vec![
                (operands.v, Access::Read),
                (operands.p, Access::Read),
                (operands.weights, Access::Read),
                (states, Access::Read),
                (Operand::Value(node.outputs[0]), Access::Write),
            ],
            params: layout.params(&sizes),
            workgroups: fold(sizes.batch * layout.chunk_groups() * layout.channel_blocks),
        });
    }
    lowered
}

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node, capabilities: Capabilities) -> Option<Lowered> {
    match node.op {
        Op::SelectiveScan(spec) => Some(forward(graph, node, spec)),
        Op::SelectiveScanBackward(spec) => {
            Some(backward(graph, node, spec, capabilities.subgroups as usize))
        }
        _ => None,
    }
}
