//! 3×3 and depthwise convolutions, forward and backward.

use super::super::dispatch::{Access, Constant, Dispatch, Lowered, Operand, fold};
use super::pointwise::activation_code;
use super::reduce::{Lanes, MAX_PARTIAL_ROWS, WORKGROUP, sum_parts, sum_rows};
use crate::graph::{Activation, Graph, Node, Op};

/// Pixels of a row that one lane of `conv3x3` makes.
const CONV_PIXELS: usize = 4;

/// Pixels of a strip of `conv3x3_backward_weight` (`STRIP` there).
const GRADIENT_STRIP: usize = 32;

/// Workgroups that keep a large GPU busy.
const ENOUGH_GROUPS: usize = 2048;

/// The same for kernels with many registers, whose workgroups each leave partial sums.
const ENOUGH_SUMMING_GROUPS: usize = 1024;

/// Most 32-bit values of partial weight gradients.
const PARTIALS: usize = 1 << 23;

/// Dispatches of `node`, or nothing when its op is not of this family.
pub(super) fn lower(graph: &Graph, node: &Node) -> Option<Lowered> {
    let x = graph.dims(node.inputs[0]);
    let y = graph.dims(node.outputs[0]);
    Some(match node.op {
        Op::Conv3x3 => conv(node, x, y, false),
        Op::Conv3x3BackwardInput => conv(node, x, y, true),
        Op::Conv3x3BackwardWeight => conv_backward_weight(node, x, y[1]),
        Op::DepthwiseConv3x3 { bias, activation } => depthwise(
            node,
            x,
            bias,
            &[("ACTIVATION", activation_code(activation))],
        ),
        Op::DepthwiseActivationBackward {
            bias,
            activation,
            pair,
        } => {
            let constants = [
                ("GRADIENT", 1),
                ("PAIR", u32::from(pair)),
                ("ACTIVATION", activation_code(Some(activation))),
            ];
            depthwise(node, x, bias, &constants)
        }
        Op::DepthwiseGeluGate { bias } => depthwise_gelu_gate(node, x, bias, false),
        Op::DepthwiseGeluGateBackward { bias } => depthwise_gelu_gate(node, x, bias, true),
        Op::DepthwiseConv3x3Backward { bias } => depthwise_backward(node, x, bias),
        _ => return None,
    })
}

/// All inputs of a node as bindings.
fn reads(node: &Node) -> Vec<(Operand, Access)> {
    node.inputs
        .iter()
        .map(|&v| (Operand::Value(v), Access::Read))
        .collect()
}

fn words(sizes: &[usize]) -> Vec<u32> {
    sizes.iter().map(|&s| s as u32).collect()
}

fn conv(node: &Node, x: &[usize], y: &[usize], transposed: bool) -> Lowered {
    let [batch, height, width, inputs] = [x[0], x[1], x[2], x[3]];
    let outputs = y[3];
    let output_lanes = outputs.div_ceil(4).next_power_of_two().min(8);
    let output_blocks = outputs.div_ceil(4 * output_lanes);
    // At most 576 vectors of weights in workgroup memory; whole vectors of inputs.
    let chunk = inputs.next_multiple_of(4).min(64 / output_lanes);
    let tiles = width.div_ceil(CONV_PIXELS);
    let groups = (batch * height * tiles).div_ceil(WORKGROUP / output_lanes);
    let constants: Vec<(&'static str, Constant)> = vec![
        ("INPUTS", inputs.into()),
        ("OUTPUTS", outputs.into()),
        ("INPUT_VEC4", inputs.is_multiple_of(4).into()),
        ("OUTPUT_VEC4", outputs.is_multiple_of(4).into()),
        ("OUTPUT_LANES", output_lanes.into()),
        ("OUTPUT_BLOCKS", output_blocks.into()),
        ("CHUNK", chunk.into()),
        ("TRANSPOSED", transposed.into()),
        ("BIAS", (!transposed).into()),
    ];
    let mut bindings = reads(node);
    // Before the bias, so that its number is the same without one.
    bindings.insert(2, (Operand::Value(node.outputs[0]), Access::Write));
    Lowered {
        dispatches: vec![Dispatch {
            kernel: "conv3x3",
            constants,
            bindings,
            params: words(&[batch, height, width, tiles]),
            workgroups: fold(groups * output_blocks),
        }],
        ..Lowered::default()
    }
}

fn conv_backward_weight(node: &Node, gy: &[usize], inputs: usize) -> Lowered {
    let [batch, height, width, outputs] = [gy[0], gy[1], gy[2], gy[3]];
    let quads = outputs.div_ceil(4).min(8);
    let input_block = inputs.min(16).min(64 / quads);
    // Lanes left over take a share of the pixels: a power of two, which divides the strip.
    let fit = WORKGROUP / (quads * input_block * 3);
    let splits = (1 << fit.ilog2()).min(GRADIENT_STRIP);
    let (output_blocks, input_blocks) = (outputs.div_ceil(4 * quads), inputs.div_ceil(input_block));
    let strips = width.div_ceil(GRADIENT_STRIP);
    let len = outputs * inputs * 9;
    let segments = ENOUGH_GROUPS
        .div_ceil(output_blocks * input_blocks)
        .min(MAX_PARTIAL_ROWS)
        .min(PARTIALS / (len * splits))
        .clamp(1, batch * height * strips);

    let mut lowered = Lowered::default();
    let partials = lowered.temporary(segments * splits * len);
    let mut bindings = reads(node);
    bindings.push((partials, Access::Write));
    lowered.dispatches.push(Dispatch {
        kernel: "conv3x3_backward_weight",
        constants: vec![
            ("INPUTS", inputs.into()),
            ("OUTPUTS", outputs.into()),
            ("QUADS", quads.into()),
            ("INPUT_BLOCK", input_block.into()),
            ("OUTPUT_BLOCKS", output_blocks.into()),
            ("INPUT_BLOCKS", input_blocks.into()),
            ("SPLITS", splits.into()),
        ],
        bindings,
        params: words(&[batch, height, width, strips, segments]),
        workgroups: fold(output_blocks * input_blocks * segments),
    });
    sum_rows(
        &mut lowered,
        partials,
        node.outputs[0],
        segments * splits,
        len,
    );
    lowered
}

/// How a depthwise kernel covers a picture.
struct Strips {
    lanes: Lanes,
    row_blocks: usize,
    strips: usize,
    strip: usize,
}

impl Strips {
    fn new(x: &[usize]) -> Self {
        let lanes = Lanes::pairs(x[3], 32);
        let row_blocks = x[1].div_ceil(lanes.row_lanes());
        // Long strips read fewer columns twice, short ones make more workgroups.
        let strip = [16, 8]
            .into_iter()
            .find(|s| {
                let groups = x[0] * row_blocks * x[2].div_ceil(*s) * lanes.column_blocks();
                groups >= ENOUGH_GROUPS
            })
            .unwrap_or(4);
        Self {
            lanes,
            row_blocks,
            strips: x[2].div_ceil(strip),
            strip,
        }
    }

    fn constants(&self) -> Vec<(&'static str, Constant)> {
        let mut constants = self.lanes.constants();
        constants.push(("CHANNELS", self.lanes.columns.into()));
        constants.push(("COLUMN_BLOCKS", self.lanes.column_blocks().into()));
        constants
    }

    fn params(&self, x: &[usize]) -> Vec<u32> {
        words(&[x[0], x[1], x[2], self.row_blocks, self.strips, self.strip])
    }

    /// Places of one block of channels.
    fn items(&self, batch: usize) -> usize {
        batch * self.row_blocks * self.strips
    }
}

/// Bindings of `x, w, [b], gradients.. → y` as the depthwise kernels have them, and the number
/// of the bias's: `x, w, y, gradients.., [b]`.
fn depthwise_bindings(node: &Node, bias: bool) -> (Vec<(Operand, Access)>, usize) {
    let mut bindings = reads(node);
    let b = bias.then(|| bindings.remove(2));
    bindings.insert(2, (Operand::Value(node.outputs[0]), Access::Write));
    bindings.extend(b);
    let last = bindings.len();
    (bindings, last)
}

fn depthwise(node: &Node, x: &[usize], bias: bool, more: &[(&'static str, u32)]) -> Lowered {
    let strips = Strips::new(x);
    let mut constants = strips.constants();
    let (bindings, bias_binding) = depthwise_bindings(node, bias);
    constants.extend(more.iter().map(|&(name, value)| (name, value.into())));
    constants.push(("BIAS", bias.into()));
    constants.push(("BIAS_BINDING", bias_binding.into()));
    Lowered {
        dispatches: vec![Dispatch {
            kernel: "depthwise_conv3x3",
            constants,
            bindings,
            params: strips.params(x),
            workgroups: fold(strips.items(x[0]) * strips.lanes.column_blocks()),
        }],
        ..Lowered::default()
    }
}

/// The convolution with the gate after it, or the gradient of the result in between.
fn depthwise_gelu_gate(node: &Node, x: &[usize], bias: bool, gradient: bool) -> Lowered {
    let gates = [x[0], x[1], x[2], x[3] / 2];
    let strips = Strips::new(&gates);
    let (bindings, bias_binding) = depthwise_bindings(node, bias);
    let mut constants = strips.lanes.constants();
    constants.extend([
        ("GATES", Constant::from(strips.lanes.columns)),
        ("CHANNELS", (2 * strips.lanes.columns).into()),
        ("COLUMN_BLOCKS", strips.lanes.column_blocks().into()),
        ("ACTIVATION", activation_code(Some(Activation::Gelu)).into()),
        ("GRADIENT", gradient.into()),
        ("BIAS", bias.into()),
        ("BIAS_BINDING", bias_binding.into()),
    ]);
    Lowered {
        dispatches: vec![Dispatch {
            kernel: "depthwise_gelu_gate",
            constants,
            bindings,
            params: strips.params(&gates),
            workgroups: fold(strips.items(x[0]) * strips.lanes.column_blocks()),
        }],
        ..Lowered::default()
    }
}

fn depthwise_backward(node: &Node, x: &[usize], bias: bool) -> Lowered {
    let strips = Strips::new(x);
    let blocks = strips.lanes.column_blocks();
    // Each workgroup writes a row of partial sums: no more than fill the GPU.
    let segments = ENOUGH_SUMMING_GROUPS
        .div_ceil(blocks)
        .min(strips.items(x[0]));
    let outs = node.outputs[1..].iter().copied();
    let parts: Vec<_> = outs.zip([9 * x[3], x[3]]).collect();
    let row: usize = parts.iter().map(|(_, len)| len).sum();
    let mut lowered = Lowered::default();
    let partials = lowered.temporary(segments * row);
    let mut bindings = reads(node);
    bindings.push((Operand::Value(node.outputs[0]), Access::Write));
    bindings.push((partials, Access::Write));
    let mut constants = strips.constants();
    constants.push(("BIAS", bias.into()));
    let mut params = strips.params(x);
    params.push(segments as u32);
    lowered.dispatches.push(Dispatch {
        kernel: "depthwise_conv3x3_backward",
        constants,
        bindings,
        params,
        workgroups: fold(segments * blocks),
    });
    sum_parts(&mut lowered, partials, segments, &parts);
    lowered
}
