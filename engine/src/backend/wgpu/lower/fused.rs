//! Halves of a block as one kernel each (`shaders/shared/fused.wgsl`): tiles and constants.

use super::super::dispatch::{Access, Capabilities, Dispatch, Lowered, Operand, fold};
use super::matmul_coop::{ENOUGH, MEMORY, SIDE};
use crate::graph::{Graph, LAYER_NORM_EPSILON, Node, Op, Storage};

/// Invocations of a workgroup, and subgroups of 32 of them.
const THREADS: usize = 128;
const SUBGROUPS: usize = 4;

/// Workgroup memory every adapter has.
const LEAST_MEMORY: usize = 16_384;

/// Pixels of a tile as width and height, largest first: of pictures, of lines of tokens, and of
/// two lines of pixels under one of tokens. Twice as many pixels leave too few workgroups a
/// processor: what becomes of a scan then takes half as long again.
const TILES: [[usize; 2]; 2] = [[8, 8], [8, 4]];
const LINES: [[usize; 2]; 2] = [[64, 1], [32, 1]];
const PAIRS: [[usize; 2]; 2] = [[32, 2], [16, 2]];

/// Most matrices of sums a subgroup keeps in registers.
const MOST_SUMS: usize = 8;

/// One fused half: its sizes in channels and what its kernel needs to know.
struct Half {
    kernel: &'static str,
    channels: usize,
    inner: usize,
    out: usize,
    /// Whether it convolves, and so needs its neighbours.
    halo: bool,
    /// Whether the last product is of the normalised tokens themselves.
    normed: bool,
    /// Whether a token is four pixels, and rows of results are normalised.
    expand: bool,
    /// Bytes of a factor of a product in workgroup memory.
    factor: usize,
}

/// A workgroup's pixels.
#[derive(Clone, Copy)]
struct Tile {
    width: usize,
    height: usize,
}

impl Half {
    fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let dims = |i: usize| graph.dims(node.inputs[i]);
        let (kernel, inner, out) = match node.op {
            Op::FusedExpand => ("fused_expand", dims(3)[1], dims(3)[0]),
            Op::FusedNormLinear { .. } => ("fused_norm_linear", dims(3)[1], dims(3)[0]),
            Op::FusedFfn => ("fused_ffn", dims(5)[1], dims(0)[3]),
            Op::FusedScanInput => ("fused_scan_input", dims(3)[0], dims(6)[0]),
            Op::FusedScanOutput => ("fused_scan_output", dims(3)[0], dims(0)[3]),
            _ => return None,
        };
        Some(Self {
            kernel,
            channels: match node.op {
                Op::FusedExpand => dims(3)[1],
                _ => dims(1)[0],
            },
            inner,
            out,
            halo: matches!(node.op, Op::FusedFfn | Op::FusedScanInput),
            normed: matches!(node.op, Op::FusedNormLinear { .. } | Op::FusedExpand),
            expand: node.op == Op::FusedExpand,
            factor: graph.value(node.inputs[3]).storage.bytes() as usize,
        })
    }

    /// Rows of the normalised tile, whole matrices.
    fn rows(&self, tile: Tile) -> usize {
        let around = 2 * usize::from(self.halo);
        ((tile.width + around) * (tile.height + around)).next_multiple_of(SIDE)
    }

    /// How subgroups share the sums of a tile: subgroups along rows and columns, and matrices
    /// of each.
    fn sums(&self, tile: Tile) -> [usize; 4] {
        let rows = tile.pixels() / SIDE;
        let across = SUBGROUPS.min(rows);
        let columns = SUBGROUPS / across;
        let matrices = self.out.div_ceil(SIDE).div_ceil(columns);
        [across, columns, rows / across, matrices]
    }

    /// Bytes of workgroup memory.
    fn bytes(&self, tile: Tile, cooperative: bool) -> usize {
        let columns = if cooperative { self.sums(tile)[1] } else { 1 };
        // Rows of factors are padded; sums of the norms take four rows of hidden more.
        let normal = self.rows(tile) * (self.channels + 8) * self.factor;
        let hidden = (self.rows(tile) + 4).max(columns * tile.pixels()) * 4 * SIDE;
        let terms = |rows: usize| rows * (SIDE + 8) * self.factor;
        if self.expand {
            return normal + tile.pixels() * (4 * self.out + 16) + 2 * terms(self.out);
        }
        if self.normed {
            return normal + hidden + 2 * terms(self.out);
        }
        let columns = SIDE * (self.channels + 8) * self.factor;
        normal + hidden + terms(tile.pixels()) + columns + terms(self.out)
    }

    /// The largest tile of which there are enough for a graphics card, else the smallest; on
    /// devices without tensor cores the largest.
    fn tile(&self, picture: [usize; 3], has: Capabilities) -> Option<Tile> {
        let memory = (has.workgroup_bytes as usize).clamp(LEAST_MEMORY, MEMORY);
        let cooperative = self.cooperative(has);
        let all = match (self.halo, self.expand) {
            (true, _) => TILES,
            (_, true) => PAIRS,
            _ => LINES,
        };
        let fitting: Vec<Tile> = (all.into_iter())
            .map(|[width, height]| Tile { width, height })
            .filter(|&t| {
                let [_, _, rows, columns] = self.sums(t);
                let held = rows * columns <= MOST_SUMS || t.pixels() == 32;
                held && self.bytes(t, cooperative) <= memory
            })
            .collect();
        let enough = |t: &&Tile| !cooperative || t.count(picture) >= ENOUGH;
        fitting.iter().find(enough).or(fitting.last()).copied()
    }

    fn cooperative(&self, has: Capabilities) -> bool {
        has.cooperative_matrix && self.factor == Storage::F16.bytes() as usize
    }
}

impl Tile {
    fn pixels(self) -> usize {
        self.width * self.height
    }

    fn count(self, [batch, height, width]: [usize; 3]) -> usize {
        batch * height.div_ceil(self.height) * width.div_ceil(self.width)
    }
}

/// Dispatches of `node`, or nothing when its op is not of this family or its channels are too
/// many for the device's workgroup memory.
pub(super) fn lower(graph: &Graph, node: &Node, has: Capabilities) -> Option<Lowered> {
    let half = Half::of(graph, node)?;
    let &[batch, height, width, _] = graph.dims(node.outputs[0]) else {
        return None;
    };
    // Without neighbours a picture is one line of tokens.
    let picture = match (half.halo, half.expand) {
        (true, _) => [batch, height, width],
        (_, true) => [1, batch * height, width],
        _ => [1, 1, batch * height * width],
    };
    let tile = half.tile(picture, has)?;
    let cooperative = half.cooperative(has);
    let [across, columns, out_rows, out_columns] = match cooperative {
        true => half.sums(tile),
        false => [1, 1, 1, half.out.div_ceil(SIDE)],
    };
    let bias = matches!(node.op, Op::FusedNormLinear { bias: true });
    let constants = vec![
        ("VEC4", true.into()),
        ("THREADS", THREADS.into()),
        ("COOP", cooperative.into()),
        ("CHANNELS", (half.channels / 4).into()),
        ("INNER", (half.inner / 4).into()),
        ("OUT", half.out.into()),
        ("DEPTH", (half.channels / SIDE).into()),
        ("SLICES", (half.inner / SIDE).into()),
        ("HALO", half.halo.into()),
        ("NORMED", half.normed.into()),
        ("EXPAND", half.expand.into()),
        ("BIAS", bias.into()),
        ("TILE_WIDTH", tile.width.into()),
        ("TILE_HEIGHT", tile.height.into()),
        ("RUN", (tile.pixels() * 8 / THREADS).into()),
        ("TURNS", (tile.pixels() * 4 / THREADS).into()),
        (
            "IN_MATRICES",
            (half.rows(tile) / SIDE).div_ceil(SUBGROUPS).into(),
        ),
        ("NORM_RUN", (half.rows(tile) * 4).div_ceil(THREADS).into()),
        (
            "SKIPS",
            (tile.pixels() * half.out / 4).div_ceil(THREADS).into(),
        ),
        ("LOADS_IN", (4 * half.channels).div_ceil(THREADS).into()),
        ("LOADS_OUT", (4 * half.out).div_ceil(THREADS).into()),
        ("STORES", (columns * tile.pixels() * 4 / THREADS).into()),
        ("SUBGROUP_ROWS", across.into()),
        ("SUBGROUP_COLUMNS", columns.into()),
        ("OUT_ROWS", out_rows.into()),
        ("OUT_COLUMNS", out_columns.into()),
        ("EPSILON", LAYER_NORM_EPSILON.into()),
    ];
    let read = |&v| (Operand::Value(v), Access::Read);
    let write = |&v| (Operand::Value(v), Access::Write);
    let mut bindings: Vec<_> = node.inputs.iter().map(read).collect();
    // A bias is the last binding.
    let end = bindings.len() - usize::from(bias);
    bindings.splice(end..end, node.outputs.iter().map(write));
    let [batch, height, width] = picture;
    let params = [
        batch,
        height,
        width,
        width.div_ceil(tile.width),
        height.div_ceil(tile.height),
    ];
    Some(Lowered {
        dispatches: vec![Dispatch {
            kernel: half.kernel,
            constants,
            bindings,
            params: params.iter().map(|&p| p as u32).collect(),
            workgroups: fold(tile.count(picture)),
        }],
        ..Lowered::default()
    })
}
