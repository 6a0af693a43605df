//! Activations, gates, sums and channel scales, forward and backward.

use super::super::dispatch::{Access, Constant, Dispatch, Lowered, Operand, fold};
use super::reduce::{Lanes, MAX_PARTIAL_ROWS, Reduction, flat_groups, reduce, sum_rows};
use crate::graph::{Activation, Graph, Node, Op, elements};

/// Number of an activation in the shaders (`shared/lane_activation.wgsl`).
pub(super) fn activation_code(activation: Option<Activation>) -> u32 {
    match activation {
        None => 0,
        Some(Activation::Relu) => 1,
        Some(Activation::Gelu) => 2,
        Some(Activation::Silu) => 3,
        Some(Activation::Sigmoid) => 4,
    }
}

/// A flat kernel: reads all of the node's inputs, writes all of its outputs.
///
/// `count` is the number of lanes' worth of elements it goes over; further
/// parameters follow it.
pub(super) fn flat(
    node: &Node,
    kernel: &'static str,
    constants: Vec<(&'static str, Constant)>,
    count: usize,
    more: &[u32],
) -> Lowered {
    let mut params = vec![count as u32];
    params.extend(more);
    let read = node.inputs.iter().map(|&v| (v, Access::Read));
    let write = node.outputs.iter().map(|&v| (v, Access::Write));
    Lowered {
        dispatches: vec![Dispatch {
            kernel,
            constants,
            bindings: read
                .chain(write)
                .map(|(v, access)| (Operand::Value(v), access))
                .collect(),
            params,
            workgroups: flat_groups(count),
        }],
        ..Lowered::default()
    }
}

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node) -> Option<Lowered> {
    let x = graph.dims(node.inputs[0]);
    match node.op {
        Op::ScaleRows => {
            let row = Lanes::new(x[1], 1);
            let constants = vec![("VEC4", row.vec4.into())];
            let (count, columns) = (x[0] * row.columns, row.columns as u32);
            return Some(flat(node, "scale_rows", constants, count, &[columns]));
        }
        Op::ScaleRowsBackward => return Some(scale_rows_backward(node, x[0], x[1])),
        _ => {}
    }
    // Kernels that do not know channels take vectors whenever the whole divides.
    let all = Lanes::new(elements(x), 1);
    let shapeless = |kernel, activation| {
        let mut constants = vec![("VEC4", all.vec4.into())];
        if let Some(a) = activation {
            constants.push(("ACTIVATION", activation_code(Some(a)).into()));
        }
        flat(node, kernel, constants, all.columns, &[])
    };
    let channels = Lanes::new(x[3], 1);
    let tokens = elements(&x[..3]);
    let by_channel = |kernel, more: &[u32]| {
        let constants = vec![
            ("VEC4", channels.vec4.into()),
            ("CHANNELS", channels.columns.into()),
        ];
        flat(node, kernel, constants, tokens * channels.columns, more)
    };
    Some(match node.op {
        Op::Activation(a) => shapeless("activation", Some(a)),
        Op::ActivationBackward(a) => shapeless("activation_backward", Some(a)),
        Op::SiluGate => shapeless("silu_gate", Some(Activation::Silu)),
        Op::SiluGateBackward => shapeless("silu_gate_backward", Some(Activation::Silu)),
        Op::Add => shapeless("add", None),
        Op::GeluGate => gelu_gate(node, "gelu_gate", x),
        Op::GeluGateBackward => gelu_gate(node, "gelu_gate_backward", x),
        Op::AddScaled => by_channel("add_scaled", &[]),
        Op::MulChannels => by_channel("mul_channels", &[(x[1] * x[2]) as u32]),
        Op::AddScaledBackward => scale_backward(node, 1, tokens, x[3]),
        Op::MulChannelsBackward => scale_backward(node, x[0], x[1] * x[2], x[3]),
        _ => return None,
    })
}

fn gelu_gate(node: &Node, kernel: &'static str, x: &[usize]) -> Lowered {
    let half = Lanes::new(x[3] / 2, 1);
    let constants = vec![
        ("VEC4", half.vec4.into()),
        ("CHANNELS", half.columns.into()),
        ("ACTIVATION", activation_code(Some(Activation::Gelu)).into()),
    ];
    flat(
        node,
        kernel,
        constants,
        elements(&x[..3]) * half.columns,
        &[],
    )
}

/// `w [O, I], s [O], g [O, I] → s ⊙ g, Σ_I w ⊙ g`
fn scale_rows_backward(node: &Node, rows: usize, columns: usize) -> Lowered {
    let lanes = Lanes::new(columns, 64);
    let mut constants = lanes.constants();
    constants.push(("SUMS", 1u32.into()));
    let read = node.inputs.iter().map(|&v| (v, Access::Read));
    let write = node.outputs.iter().map(|&v| (v, Access::Write));
    Lowered {
        dispatches: vec![Dispatch {
            kernel: "scale_rows_backward",
            constants,
            bindings: read
                .chain(write)
                .map(|(v, access)| (Operand::Value(v), access))
                .collect(),
            params: vec![rows as u32, lanes.columns as u32],
            workgroups: fold(rows.div_ceil(lanes.row_lanes())),
        }],
        ..Lowered::default()
    }
}

/// `x, s, gy → s ⊙ gy, Σ x ⊙ gy`, with a scale for each batch of rows.
fn scale_backward(node: &Node, batches: usize, rows: usize, channels: usize) -> Lowered {
    let lanes = Lanes::new(channels, 32);
    let groups_a_segment = batches * lanes.column_blocks();
    // Enough workgroups for a large GPU, and each lane at least 4 rows.
    let segments = (2 * MAX_PARTIAL_ROWS)
        .div_ceil(groups_a_segment)
        .min(MAX_PARTIAL_ROWS)
        .min(rows.div_ceil(4 * lanes.row_lanes()));
    let mut lowered = Lowered::default();
    let partials = lowered.temporary(batches * segments * channels);
    let words = [
        batches,
        rows,
        lanes.columns,
        lanes.column_blocks(),
        segments,
        rows.div_ceil(segments),
    ];
    let read = node
        .inputs
        .iter()
        .map(|&v| (Operand::Value(v), Access::Read));
    let write = [Operand::Value(node.outputs[0]), partials].map(|o| (o, Access::Write));
    lowered.dispatches.push(Dispatch {
        kernel: "scale_channels_backward",
        constants: lanes.constants(),
        bindings: read.chain(write).collect(),
        params: words.map(|w| w as u32).to_vec(),
        workgroups: fold(groups_a_segment * segments),
    });
    let out = node.outputs[1];
    match batches {
        1 => sum_rows(&mut lowered, partials, out, segments, channels),
        _ => {
            let sum = Reduction::sum(batches, segments, channels);
            reduce(&mut lowered, partials, Operand::Value(out), &sum);
        }
    }
    lowered
}
