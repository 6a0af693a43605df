//! Sums over tokens and pixels, and their backward; the deterministic second
//! stage of every gradient made of partial sums.

use super::super::dispatch::{Access, Constant, Dispatch, Lowered, Operand, RowSum, fold};
use crate::graph::{Graph, Node, Op, ValueId, elements};

/// Invocations of a workgroup of the kernels of these families.
pub(super) const WORKGROUP: usize = 256;

/// Most rows a first stage should make: both stages then fill a large GPU.
pub(super) const MAX_PARTIAL_ROWS: usize = 1024;

/// Rows one lane adds up in a stage of a long sum.
const ROWS_PER_LANE: usize = 32;

/// Lanes across channels, and how they lie in a workgroup of 256: channels
/// fastest, then rows. Kernels get them as `VEC4`, `VEC2`, `COLUMN_LANES`, `ROW_LANES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    /// Whether a lane holds 4 channels (their number is a multiple of 4).
    pub vec4: bool,
    /// Whether it holds 2 (where a lane of 4 would need too many registers).
    pub vec2: bool,
    /// Channels in units of a lane's.
    pub columns: usize,
    /// Lanes side by side, a power of two.
    pub column_lanes: usize,
}

impl Lanes {
    /// Lanes for `channels`, at most `most` (a power of two) side by side.
    pub fn new(channels: usize, most: usize) -> Self {
        let vec4 = channels.is_multiple_of(4);
        let columns = if vec4 { channels / 4 } else { channels };
        Self {
            vec4,
            vec2: false,
            columns,
            column_lanes: columns.next_power_of_two().min(most),
        }
    }

    /// Lanes of two channels, where their number is even, else as [`Lanes::new`].
    pub fn pairs(channels: usize, most: usize) -> Self {
        let columns = channels / 2;
        match channels.is_multiple_of(2) {
            true => Self {
                vec4: false,
                vec2: true,
                columns,
                column_lanes: columns.next_power_of_two().min(most),
            },
            false => Self::new(channels, most),
        }
    }

    /// Rows of lanes in a workgroup.
    pub fn row_lanes(&self) -> usize {
        WORKGROUP / self.column_lanes
    }

    /// Workgroups side by side that cover the channels.
    pub fn column_blocks(&self) -> usize {
        self.columns.div_ceil(self.column_lanes)
    }

    /// The constants kernels know them by.
    pub fn constants(&self) -> Vec<(&'static str, Constant)> {
        vec![
            ("VEC4", self.vec4.into()),
            ("VEC2", self.vec2.into()),
            ("COLUMN_LANES", self.column_lanes.into()),
            ("ROW_LANES", self.row_lanes().into()),
        ]
    }
}

impl Lowered {
    /// Adds a temporary of `len` 32-bit values.
    pub(super) fn temporary(&mut self, len: usize) -> Operand {
        self.scratch.push(4 * len as u64);
        Operand::Scratch(self.scratch.len() - 1)
    }
}

/// Appends what computes `out [len] = Σ_r partials [rows, len]`.
///
/// Deterministic: a fixed order for given sizes, pairwise within blocks. Long
/// sums take another stage with a temporary of its own.
pub(super) fn sum_rows(
    lowered: &mut Lowered,
    partials: Operand,
    out: ValueId,
    rows: usize,
    len: usize,
) {
    sum_parts(lowered, partials, rows, &[(out, len)]);
}

/// [`sum_rows`] of rows that hold several results, each with its length, one after another.
pub(super) fn sum_parts(
    lowered: &mut Lowered,
    partials: Operand,
    rows: usize,
    parts: &[(ValueId, usize)],
) {
    let stride = parts.iter().map(|(_, len)| len).sum();
    let (partials, rows) = shorten(lowered, partials, &Reduction::sum(1, rows, stride));
    let mut start = 0;
    for &(out, len) in parts {
        let Operand::Scratch(partials) = partials else {
            // Few rows of a value: nothing is gained by keeping it until later.
            let sum = Reduction::sum(1, rows, len);
            return reduce(lowered, partials, Operand::Value(out), &sum);
        };
        lowered.sums.push(RowSum {
            partials,
            start,
            stride,
            rows,
            len,
            out,
        });
        start += len;
    }
}

/// `out [batches, len] = scale · Σ_r x [batches, rows, len]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reduction {
    /// Independent sums.
    pub batches: usize,
    /// Terms of each.
    pub rows: usize,
    /// Channels, contiguous.
    pub len: usize,
    /// Multiplies the sum.
    pub scale: f32,
}

impl Reduction {
    /// A plain sum.
    pub fn sum(batches: usize, rows: usize, len: usize) -> Self {
        Self {
            batches,
            rows,
            len,
            scale: 1.0,
        }
    }
}

/// Lanes of one stage, and how many rows they take with few sums each.
fn stage_lanes(r: &Reduction) -> (Lanes, usize) {
    // At least 8 lanes side by side where there are channels for them (128 bytes
    // of vectors); the rest of the workgroup goes over rows, but not more lanes than rows.
    let fewest = Lanes::new(r.len, 8);
    let row_lanes = fewest.row_lanes().min(r.rows.next_power_of_two());
    let lanes = Lanes {
        column_lanes: WORKGROUP / row_lanes,
        ..fewest
    };
    (lanes, row_lanes * ROWS_PER_LANE)
}

/// Appends the first stages of a long sum; what is left to sum, and its number of rows.
fn shorten(lowered: &mut Lowered, x: Operand, r: &Reduction) -> (Operand, usize) {
    let (lanes, stage_rows) = stage_lanes(r);
    if r.rows <= 4 * stage_rows {
        return (x, r.rows);
    }
    let segments = r.rows.div_ceil(stage_rows).min(MAX_PARTIAL_ROWS);
    // Whole segments only, so that none is empty.
    let segments = r.rows.div_ceil(r.rows.div_ceil(segments));
    let partials = lowered.temporary(r.batches * segments * r.len);
    let first = Reduction { scale: 1.0, ..*r };
    stage(lowered, x, partials, &first, &lanes, segments);
    let rest = Reduction {
        rows: segments,
        ..*r
    };
    shorten(lowered, partials, &rest)
}

/// Appends the launches of a [`Reduction`].
pub(super) fn reduce(lowered: &mut Lowered, x: Operand, out: Operand, r: &Reduction) {
    let (x, rows) = shorten(lowered, x, r);
    let last = Reduction { rows, ..*r };
    stage(lowered, x, out, &last, &stage_lanes(&last).0, 1);
}

/// One launch: each of `segments` equal runs of rows becomes one row.
fn stage(
    lowered: &mut Lowered,
    x: Operand,
    out: Operand,
    r: &Reduction,
    lanes: &Lanes,
    segments: usize,
) {
    let words = [
        r.batches,
        r.rows,
        lanes.columns,
        lanes.column_blocks(),
        segments,
        r.rows.div_ceil(segments),
    ];
    let mut params = words.map(|w| w as u32).to_vec();
    params.push(r.scale.to_bits());
    lowered.dispatches.push(Dispatch {
        kernel: "reduce_rows",
        constants: lanes.constants(),
        bindings: vec![(x, Access::Read), (out, Access::Write)],
        params,
        workgroups: fold(lanes.column_blocks() * segments * r.batches),
    });
}

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node) -> Option<Lowered> {
    let x = graph.dims(node.inputs[0]);
    let (input, output) = (
        Operand::Value(node.inputs[0]),
        Operand::Value(node.outputs[0]),
    );
    let mut lowered = Lowered::default();
    match node.op {
        Op::SumTokens => {
            let tokens = elements(&x[..3]);
            sum_rows(&mut lowered, input, node.outputs[0], tokens, x[3]);
        }
        Op::GlobalAveragePool => {
            let pixels = x[1] * x[2];
            let r = Reduction {
                scale: 1.0 / pixels as f32,
                ..Reduction::sum(x[0], pixels, x[3])
            };
            reduce(&mut lowered, input, output, &r);
        }
        Op::GlobalAveragePoolBackward { height, width } => {
            let (pixels, lanes) = (height * width, Lanes::new(x[3], 1));
            let count = x[0] * pixels * lanes.columns;
            lowered.dispatches.push(Dispatch {
                kernel: "spread_pixels",
                constants: vec![
                    ("VEC4", lanes.vec4.into()),
                    ("CHANNELS", lanes.columns.into()),
                ],
                bindings: vec![(input, Access::Read), (output, Access::Write)],
                params: vec![count as u32, pixels as u32, (1.0 / pixels as f32).to_bits()],
                workgroups: flat_groups(count),
            });
        }
        _ => return None,
    }
    Some(lowered)
}

/// Elements one lane of a flat kernel goes over (`FLAT_ITEMS` of `shared/flat.wgsl`).
const FLAT_ITEMS: usize = 4;

/// Workgroups of a flat kernel over `count` vectors or scalars.
pub(in super::super) fn flat_groups(count: usize) -> [u32; 3] {
    fold(count.div_ceil(WORKGROUP * FLAT_ITEMS))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn stages_cover_every_row_once() {
        for (batches, rows, len) in [(1, 1, 1), (3, 7, 33), (1, 262_144, 32), (2, 100_003, 1)] {
            let mut lowered = Lowered::default();
            let (x, out) = (Operand::Value(ValueId(0)), Operand::Value(ValueId(1)));
            reduce(&mut lowered, x, out, &Reduction::sum(batches, rows, len));
            let mut left = rows;
            for d in &lowered.dispatches {
                let [b, r, columns, blocks, segments, segment_rows] = d.params[..6] else {
                    panic!("parameters of {}", d.kernel);
                };
                assert_eq!((b as usize, r as usize), (batches, left));
                assert!(segments * segment_rows >= r && (segments - 1) * segment_rows < r);
                assert!(columns as usize * if len % 4 == 0 { 4 } else { 1 } == len);
                let groups: u32 = d.workgroups.iter().product();
                assert!(groups >= blocks * segments * b);
                left = segments as usize;
            }
            assert_eq!(left, 1);
            assert_eq!(lowered.dispatches.len(), lowered.scratch.len() + 1);
        }
    }
}
