//! LayerNorm, its fusion with the gate, and its backward.

use super::super::dispatch::{Access, Constant, Dispatch, Lowered, Operand, fold};
use super::reduce::{Lanes, MAX_PARTIAL_ROWS, sum_rows};
use crate::graph::{Graph, LAYER_NORM_EPSILON, Node, Op, elements};

/// How the lanes of a workgroup share the channels of its tokens.
///
/// Few lanes a token make few barriers; more than 4 vectors a lane would spill.
fn lanes(channels: usize) -> Lanes {
    let narrow = Lanes::new(channels, 16);
    if narrow.columns <= 64 {
        return narrow;
    }
    Lanes::new(channels, 64)
}

/// Constants of both kernels: the lanes, the channels and the slots for sums.
fn constants(lanes: &Lanes, sums: usize) -> Vec<(&'static str, Constant)> {
    let mut constants = lanes.constants();
    constants.extend([
        ("CHANNELS", Constant::from(lanes.columns)),
        ("PER_LANE", lanes.column_blocks().into()),
        ("EPSILON", LAYER_NORM_EPSILON.into()),
        ("SUMS", sums.into()),
    ]);
    constants
}

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node) -> Option<Lowered> {
    let dims = graph.dims(node.inputs[0]);
    match node.op {
        Op::LayerNorm | Op::LayerNormSiluGate => Some(forward(node, dims)),
        Op::LayerNormBackward { accumulate } => Some(backward(node, dims, accumulate)),
        _ => None,
    }
}

fn forward(node: &Node, dims: &[usize]) -> Lowered {
    let (tokens, lanes) = (elements(&dims[..3]), lanes(dims[3]));
    let mut constants = constants(&lanes, 2);
    constants.push(("GATE", (node.op == Op::LayerNormSiluGate).into()));
    let mut bindings: Vec<_> = node
        .inputs
        .iter()
        .map(|&v| (Operand::Value(v), Access::Read))
        .collect();
    bindings.push((Operand::Value(node.outputs[0]), Access::Write));
    Lowered {
        dispatches: vec![Dispatch {
            kernel: "layer_norm",
            constants,
            bindings,
            params: vec![tokens as u32],
            workgroups: fold(tokens.div_ceil(lanes.row_lanes())),
        }],
        ..Lowered::default()
    }
}

fn backward(node: &Node, dims: &[usize], accumulate: bool) -> Lowered {
    let (tokens, channels) = (elements(&dims[..3]), dims[3]);
    let lanes = lanes(channels);
    let groups = tokens.div_ceil(lanes.row_lanes()).min(MAX_PARTIAL_ROWS);
    let mut lowered = Lowered::default();
    let partials = [0, 1].map(|_| lowered.temporary(groups * channels));

    let mut constants = constants(&lanes, 4);
    constants.push(("ACCUMULATE", accumulate.into()));
    let mut bindings: Vec<_> = node
        .inputs
        .iter()
        .map(|&v| (Operand::Value(v), Access::Read))
        .collect();
    bindings.push((Operand::Value(node.outputs[0]), Access::Write));
    bindings.extend(partials.map(|p| (p, Access::Write)));
    lowered.dispatches.push(Dispatch {
        kernel: "layer_norm_backward",
        constants,
        bindings,
        params: vec![tokens as u32, groups as u32],
        workgroups: fold(groups),
    });
    for (partial, &out) in partials.into_iter().zip(&node.outputs[1..]) {
        sum_rows(&mut lowered, partial, out, groups, channels);
    }
    lowered
}
