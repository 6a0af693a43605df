//! LayerNorm, its fusion with the gate, and its backward.

use super::super::dispatch::{Access, Capabilities, Constant, Dispatch, Lowered, Operand, fold};
use super::pointwise::activation_code;
use super::reduce::{Lanes, MAX_PARTIAL_ROWS, sum_parts};
use crate::graph::{Activation, Graph, LAYER_NORM_EPSILON, Node, Op, elements};

/// How the lanes of a workgroup share the channels of its tokens, and whether they add up
/// what they have by subgroups of `subgroup` lanes (0: there are none).
///
/// Few lanes a token make few barriers, and none with subgroups; more than 4 vectors a lane
/// would spill.
fn lanes(channels: usize, subgroup: usize) -> (Lanes, bool) {
    let lanes = [16, subgroup, 64]
        .map(|most| Lanes::new(channels, most.max(1)))
        .into_iter()
        .find(|l| l.column_blocks() <= 4);
    let lanes = lanes.unwrap_or_else(|| Lanes::new(channels, 64));
    (lanes, lanes.column_lanes <= subgroup)
}

/// Constants of both kernels: the lanes, the channels and the slots for sums.
fn constants((lanes, subgroups): &(Lanes, bool), sums: usize) -> Vec<(&'static str, Constant)> {
    let mut constants = lanes.constants();
    constants.extend([
        ("SUBGROUPS", Constant::from(*subgroups)),
        ("CHANNELS", lanes.columns.into()),
        ("PER_LANE", lanes.column_blocks().into()),
        ("EPSILON", LAYER_NORM_EPSILON.into()),
        ("SUMS", sums.into()),
    ]);
    constants
}

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node, capabilities: Capabilities) -> Option<Lowered> {
    let dims = graph.dims(node.inputs[0]);
    let lanes = || lanes(dims[3], capabilities.subgroups as usize);
    match node.op {
        Op::LayerNorm | Op::LayerNormSiluGate => Some(forward(node, dims, &lanes())),
        Op::LayerNormBackward { pair, accumulate } => {
            Some(backward(node, dims, &lanes(), [pair, accumulate, false]))
        }
        Op::LayerNormSiluGateBackward => Some(backward(node, dims, &lanes(), [false, false, true])),
        _ => None,
    }
}

fn forward(node: &Node, dims: &[usize], lanes: &(Lanes, bool)) -> Lowered {
    let tokens = elements(&dims[..3]);
    let mut constants = constants(lanes, 2);
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
            workgroups: fold(tokens.div_ceil(lanes.0.row_lanes())),
        }],
        ..Lowered::default()
    }
}

/// `gate` is the fused form with `β, z` and `gz`.
fn backward(node: &Node, dims: &[usize], lanes: &(Lanes, bool), flags: [bool; 3]) -> Lowered {
    let [pair, accumulate, gate] = flags;
    let (tokens, channels) = (elements(&dims[..3]), dims[3]);
    let groups = tokens.div_ceil(lanes.0.row_lanes()).min(MAX_PARTIAL_ROWS);
    let mut lowered = Lowered::default();
    let partials = lowered.temporary(2 * groups * channels);

    let mut constants = constants(lanes, 5);
    constants.extend([
        ("PAIR", Constant::from(pair)),
        ("ACCUMULATE", accumulate.into()),
        ("GATE", gate.into()),
        ("ACTIVATION", activation_code(Some(Activation::Silu)).into()),
    ]);
    let read = |i: usize| (Operand::Value(node.inputs[i]), Access::Read);
    let write = |i: usize| (Operand::Value(node.outputs[i]), Access::Write);
    let mut bindings = vec![read(0), read(1), write(0), (partials, Access::Write)];
    match gate {
        // x, γ, β, z, gy → gx, gγ, gβ, gz
        true => bindings.extend([read(4), read(2), read(3), write(3)]),
        // x, γ, gy, [gy2], [g] → gx, gγ, gβ
        false => bindings.extend((2..node.inputs.len()).map(read)),
    }
    lowered.dispatches.push(Dispatch {
        kernel: "layer_norm_backward",
        constants,
        bindings,
        params: vec![tokens as u32, groups as u32],
        workgroups: fold(groups),
    });
    let outs = [1, 2].map(|i| (node.outputs[i], channels));
    sum_parts(&mut lowered, partials, groups, &outs);
    lowered
}
